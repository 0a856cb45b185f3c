"""What can go wrong with a page, each with its HTTP status, and the page that says so."""

from __future__ import annotations

from html import escape

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from nightwatch_web import ended
from nightwatch_web.addresses import BadAddress


class Failure(Exception):
    """A page that can't be sent; the text is shown to the visitor."""

    status = 500
    title = "Something went wrong"
    # Seconds after which a visitor's program may try again; 0 where that would not help.
    retry_after = 0
    # Whether the page tries again by itself.
    refreshes = False


class Missing(Failure):
    status = 404
    title = "There is no such page"


class Forbidden(Failure):
    status = 403
    title = "This page can't be read"


class Broken(Failure):
    """Nightwatch's code was run and failed."""

    status = 502
    title = "This page could not be made"


class TookTooLong(Failure):
    """What the address asks for was ended by the time limit a moment ago."""

    status = 504
    title = "This page takes too long to make"
    retry_after = ended.REMEMBERED


class Unavailable(Failure):
    """Something that a page needs is not there now and may come back."""

    status = 503
    title = "This page can't be made now"
    retry_after = 30


class Busy(Unavailable):
    """The page is being made, or as many others as can be made at a time are."""

    title = "This page is on its way"
    retry_after = 5
    refreshes = True


# What nginx may do with an answer about a failure: ask once in a second, whoever wants to see
# it. What visitors may do with it says nginx.
CACHING = "max-age=1"


# As in nginx for its own pages (web/nginx/parts/application.conf).
STYLE = (
    '<meta name="viewport" content="width=device-width">'
    "<style>body{font:1.1rem/1.5 sans-serif;max-width:36rem;margin:15vh auto 0;padding:0 1rem}"
    "</style>"
)


def page(status: int, title: str, text: str, failure: type[Failure] = Failure) -> Response:
    """A plain page about a failure."""
    again, promise = "", ""
    if failure.refreshes:
        again = f'<meta http-equiv="refresh" content="{failure.retry_after}">'
        promise = f"<p>This page tries again every {failure.retry_after} seconds, by itself.</p>\n"
    html = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f"{STYLE}{again}<title>{status} {escape(title)}</title>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>\n{promise}"
        f'<p>Status {status}. <a href="/">To the calendar</a></p>\n</html>\n'
    )
    response = Response(html, status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = CACHING
    if failure.retry_after:
        response.headers["Retry-After"] = str(failure.retry_after)
    return response


def show_failures(app: Flask) -> None:
    """Lets the application answer failures with readable pages."""

    @app.errorhandler(Failure)
    def failure(error: Failure) -> Response:
        if error.status >= 500 and not isinstance(error, Busy | TookTooLong):
            app.logger.error("%s: %s", type(error).__name__, error, exc_info=error.__cause__)
        return page(error.status, error.title, str(error), type(error))

    @app.errorhandler(BadAddress)
    def bad_address(error: BadAddress) -> Response:
        return page(400, "This address is not right", str(error))

    @app.errorhandler(HTTPException)
    def other(error: HTTPException) -> Response:
        answer = page(error.code or 500, error.name, error.description or "")
        # What belongs to the status: Location of a redirect, Allow of a wrong method.
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                answer.headers[name] = value
        return answer
