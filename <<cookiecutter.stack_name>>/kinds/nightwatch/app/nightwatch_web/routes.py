"""The addresses of the site, and what each of them answers."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, redirect, request, send_file
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as Answer

from nightwatch_web import addresses, ended, mounted, plots
from nightwatch_web.addresses import ImagePage, Spectra
from nightwatch_web.building import build_once
from nightwatch_web.failures import Missing, TookTooLong, Unavailable, show_failures
from nightwatch_web.options import Options
from nightwatch_web.tree import Tree
from nightwatch_web.turns import held, slot

# How many pages are made at a time, unless whoever starts the application says otherwise.
SLOTS = 4
# Seconds that nginx may show a page that was made; while it is made anew it may show the old
# one (see Site._made). Visitors' browsers ask each time.
GOOD_FOR, OLD_FOR = 1, 30


class Digits(BaseConverter):
    """A part of an address that is made of digits only, as nights and exposures are."""

    regex = "[0-9]+"
    part_isolating = True
    weight = 50


def create_app(options: Options, slots: int = SLOTS) -> Flask:
    """The application for one static tree and one data directory.

    `slots`: how many pages may be made at a time by all processes together; fewer than there
    are threads, so that some are left for all that takes no time.
    """
    # No static folder of Flask's: /static/ is a directory of the tree like others.
    app = Flask("nightwatch_web", static_folder=None)
    app.url_map.converters["digits"] = Digits
    show_failures(app)
    site = Site(options, slots)
    rules: dict[str, Callable[..., Answer]] = {
        "/healthz": site.healthz,
        "/readyz": site.readyz,
        "/": site.calendar,
        "/<digits:night>/": site.night,
        "/<digits:night>/<digits:exposure>/": site.exposure,
        "/<digits:night>/<digits:exposure>/spectra/": site.spectra,
        "/<digits:night>/<digits:exposure>/spectra/<path:rest>/": site.spectra,
        "/timeseries/": site.timeseries_form,
        "/timeseries/<start>/<end>/<hdu>/<attribute>": site.timeseries,
        "/<path:path>": site.file,
    }
    for rule, view in rules.items():
        app.add_url_rule(rule, view.__name__, view)
    return app


class Site:
    """Answers for each kind of address. Raises BadAddress and Failure, which become pages."""

    def __init__(self, options: Options, slots: int) -> None:
        self.tree = Tree(options.static)
        self.data = options.data
        self.slots = slots

    def healthz(self) -> Answer:
        """The process lives. Says nothing about mounts: a restart would not mend them."""
        return Response("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})

    def readyz(self) -> Answer:
        """Pages and data can be read. Raises Unavailable and names the one that can't.

        Pages that are there need no more; that others can't be made is a warning."""
        for what, place in (("static pages", self.tree.root), ("data", self.data)):
            try:
                with os.scandir(place) as entries:
                    next(entries)
            except StopIteration:
                raise Unavailable(f"The directory of the {what} is empty.") from None
            except OSError as error:
                raise Unavailable(
                    f"The directory of the {what} can't be read ({error.strerror})."
                ) from error
        text = "ok\n" + _on_demand(mounted.problem())
        return Response(text, content_type="text/plain", headers={"Cache-Control": "no-store"})

    def calendar(self) -> Answer:
        return redirect("nights.html")

    def night(self, night: str) -> Answer:
        return self._send(f"{addresses.night(night)}/exposures.html")

    def exposure(self, night: str, exposure: str) -> Answer:
        number = f"{addresses.exposure(exposure):08d}"
        return self._send(f"{addresses.night(night)}/{number}/qa-summary-{number}.html")

    def file(self, path: str) -> Answer:
        """A file of the tree; the page of an image is made first if need be."""
        if path.endswith("/"):
            self._refuse_directory(path.removesuffix("/"))
        file = self.tree.file(path)
        if file:
            return _sent(file)
        page = ImagePage.parse(path)
        if page:
            self._build_image(page, path)
        return self._send(path)

    def spectra(self, night: str, exposure: str, rest: str = "") -> Answer:
        number = addresses.exposure(exposure)
        directory = f"{addresses.night(night)}/{number:08d}"
        wanted = Spectra.parse([part for part in rest.split("/") if part])
        if not wanted.complete:
            return redirect(f"/{night}/{exposure}/spectra/{wanted.path()}")
        if not (self.data / directory).is_dir():
            raise Missing(f"There are no data of exposure {number} of the night {night}.")
        return self._made(lambda: plots.spectra(self.data, night, number, wanted))

    def timeseries_form(self) -> Answer:
        return self._made(lambda: plots.timeseries_form(plots.read_dropdown(self._dropdown())))

    def timeseries(self, start: str, end: str, hdu: str, attribute: str) -> Answer:
        if addresses.night(start) > addresses.night(end):
            raise addresses.BadAddress(f"the first night, {start}, is later than the last, {end}")
        addresses.word(hdu, "table")
        addresses.word(attribute, "column")
        dropdown = plots.read_dropdown(self._dropdown())
        return self._made(lambda: plots.timeseries(self.data, start, end, hdu, attribute, dropdown))

    def _send(self, path: str) -> Answer:
        file = self.tree.file(path)
        if file is None:
            raise Missing(f"{path} is not there (not yet, perhaps).")
        return _sent(file)

    def _refuse_directory(self, path: str) -> None:
        """There are no lists of files. Raises BadAddress where a night or an exposure was
        meant, Missing otherwise."""
        parts = path.split("/")
        if not self.tree.has_directory(path) and len(parts) <= 2:
            addresses.night(parts[0])
            for part in parts[1:]:
                addresses.exposure(part)
        raise Missing(f"{path}/ is not there.")

    def _build_image(self, page: ImagePage, path: str) -> None:
        image = self.data / page.input
        if not image.is_file():
            raise Missing(f"There is no image {page.input} among the data.")
        target = self.tree.inside(path)
        _refuse_what_took_too_long()

        def build(unfinished: Path) -> None:
            with slot(self.slots):
                plots.write_image(page, image, unfinished)

        build_once(target, build)

    def _made(self, make: Callable[[], str]) -> Answer:
        """A page that is not kept as a file: made by one of those who ask for it at the same
        time. Raises Busy for the others, and what `make` raises.

        A page that took long is good for longer, so that a page that everybody looks at does
        not occupy the application all the time."""
        _refuse_what_took_too_long()
        started = time.monotonic()
        with held(request.path), slot(self.slots):
            html = make()
        good_for = min(60, max(GOOD_FOR, math.ceil(3 * (time.monotonic() - started) - 1)))
        response = Response(html, content_type="text/html; charset=utf-8")
        caching = f"max-age={good_for}, stale-while-revalidate={OLD_FOR}"
        response.headers["Cache-Control"] = caching
        response.add_etag()
        return response

    def _dropdown(self) -> Path:
        path = self.tree.file("static/timeseries_dropdown.json")
        if path is None:
            raise Missing("There is no list of time series (static/timeseries_dropdown.json).")
        return path


def _on_demand(problem: str | None) -> str:
    """A line about pages that are made on demand, unless all is well (or nobody knows). Its
    first word is for `invoke deploy`, which waits for a while or shows it."""
    if problem == mounted.PENDING:
        return "pending: nightwatch's code is being imported\n"
    return f"warning: no page can be made on demand: {problem}\n" if problem else ""


def _sent(file: Path) -> Answer:
    """A file. nginx sends those that it finds itself, so this is one that has just been made,
    or that is reached through a link; pages of the current night are rewritten while they are
    being looked at."""
    try:
        return send_file(os.fspath(file), max_age=GOOD_FOR, conditional=True)
    except FileNotFoundError as error:
        raise Missing(f"{file.name} has just been removed.") from error


def _refuse_what_took_too_long() -> None:
    """Raises TookTooLong. Only for what makes pages: what else was lost with it takes no time."""
    if ended.lately(ended.quoted(request.environ["PATH_INFO"])):
        raise TookTooLong(
            "It was ended since it took longer than a page may. Asking for less, for fewer nights "
            f"say, may help; this page can be tried again {ended.REMEMBERED} seconds later."
        )
