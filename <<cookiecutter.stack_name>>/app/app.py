"""The application as uWSGI starts it (`module = app`, `callable = app` in app.ini)."""

from __future__ import annotations

import sys

import uwsgi
from nightwatch_web import preload
from nightwatch_web.options import parse
from nightwatch_web.routes import create_app

# Half of the threads make pages; the others answer what takes no time.
app = create_app(parse(sys.argv[1:]), slots=max(1, uwsgi.numproc * uwsgi.cores // 2))
uwsgi.post_fork_hook = preload.in_background
