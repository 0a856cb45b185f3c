"""The application as uWSGI starts it (`module = app`, `callable = app` in app.ini)."""

from __future__ import annotations

import sys

from nightwatch_web.options import parse
from nightwatch_web.routes import create_app

app = create_app(parse(sys.argv[1:]))
