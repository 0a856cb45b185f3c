"""The application as uWSGI starts it (`module = app`, `callable = app` in app.ini)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import uwsgi
from capacity import cores, fewest
from nightwatch_web import deadline, libraries, preload
from nightwatch_web.deadline import Clocks
from nightwatch_web.options import parse
from nightwatch_web.routes import create_app

for failure in libraries.load():
    print(failure, file=sys.stderr, flush=True)
# The libraries were compiled into the image, which can't be written to; nightwatch's code is
# compiled into memory, for all workers.
sys.pycache_prefix = str(Path(tempfile.gettempdir(), "pycache"))

# Half of the threads that are always there make pages; the others answer what takes no time.
app = create_app(parse(sys.argv[1:]), slots=fewest(cores()) * uwsgi.cores // 2)
clocks = Clocks(uwsgi.numproc, uwsgi.cores)
app.wsgi_app = clocks.timed(app.wsgi_app, uwsgi.worker_id)  # type: ignore[method-assign]


def watch() -> None:
    """What the mule of app.ini does."""
    deadline.watch(clocks, uwsgi.opt.get("harakiri", 0))


def after_fork() -> None:
    """In each new process of uWSGI's. The mule makes no pages."""
    if not uwsgi.mule_id():
        clocks.clear(uwsgi.worker_id())
        preload.in_background()


uwsgi.post_fork_hook = after_fork
