"""The application as uWSGI starts it (`module = wsgi` in app.ini): yours, and the health check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

# Yours: its module and what it is called there, be it Flask's or any other of WSGI's.
from guestbook import app


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers /healthz, which says that a worker is alive, and leaves the rest to yours."""
    if environ.get("PATH_INFO") == "/healthz":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok\n"]
    return app(environ, start_response)
