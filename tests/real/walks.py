"""README's walks from nothing to a page, typed as they stand there, and somebody's compose file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from spin_rehearsal import base_images
from spinstack import template
from tests import pages

from .at_terminal import AtTerminal
from .stage import WITHIN, Stage, Typed

FLASK, PAGES, COMPOSE = pages.walks().typed
# What the page of each has in it.
SHOWN = {
    FLASK: "<h1>Hello of mine</h1>",
    PAGES: "<h1>My pages</h1>",
    COMPOSE: "<h1>Notes of the group</h1>",
}
SERVER = """\
import http.server, os, pathlib

class Notes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kept = pathlib.Path("/data/reads")
        kept.write_text((kept.read_text() if kept.exists() else "") + "+")
        page = f"<!doctype html><h1>{os.environ['TITLE']}</h1><p>{os.environ['MOTTO']}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page.encode())

http.server.ThreadingHTTPServer(("", 5000), Notes).serve_forever()
"""
HELLO = {
    "hello.py": """\
from flask import Flask, render_template

site = Flask(__name__)

@site.get("/")
def home():
    return render_template("home.html")
""",
    "templates/home.html": "<!doctype html><h1>Hello of mine</h1>",
    "requirements.txt": "flask\n",
    ".env": "KEY=not-for-an-image\n",
}
NOTES = """\
# The group's notes.
x-common: &common
  restart: unless-stopped
  env_file: settings.env
services:
  web:
    <<: *common
    build: ./web
    ports:
      - "8080:80"
    depends_on: [app]
  app:
    <<: *common
    build: {context: ./app, args: {GREETING: hello}}
    environment:
      TITLE: ${TITLE:-Notes of the group}
    volumes:
      - notes:/data
volumes:
  notes:
"""
CONF = "server { listen 80; location / { proxy_pass http://app:5000; } }\n"


def lay_out(walk: str, home: Path, work: Path) -> Path:
    """What the person has before the first command; where they type it."""
    pages_ = home / "public_html"
    pages_.mkdir(parents=True, exist_ok=True)
    (pages_ / "index.html").write_text("<!doctype html><h1>My pages</h1>\n")
    pages.write(home / "code/hello", HELLO)
    if walk != COMPOSE:
        return work
    notes = work / "notes"
    base = base_images.wanted(template.stack())
    files = {
        "compose.yaml": NOTES,
        "settings.env": "# As it is called.\nMOTTO=clear skies\n",
        "web/default.conf": CONF,
        "web/Dockerfile": f"ARG NGINX_IMAGE={base['NGINX_IMAGE']}\nFROM ${{NGINX_IMAGE}}\n"
        "COPY default.conf /etc/nginx/conf.d/default.conf\n",
        "app/server.py": SERVER,
        "app/Dockerfile": f"ARG PYTHON_IMAGE={base['PYTHON_IMAGE']}\nFROM ${{PYTHON_IMAGE}}\n"
        'COPY server.py /server.py\nCMD ["python3", "/server.py"]\n',
    }
    pages.write(notes, files)
    return notes


def typed(
    stage: Stage, walk: str, at: Path, also: Callable[[str], str] = lambda line: line
) -> tuple[Path, Typed]:
    """All of a walk's commands after the installation, each of which has to succeed. `also`: what
    stands in the place of a line. Returns where it ends, and what the last one printed."""
    done = None
    for line in map(also, pages.walks().typed[walk]):
        if line.startswith("cd "):
            at = at / line.removeprefix("cd ")
        elif line == "spinstack init":
            say_yes(stage, line, at)
        else:
            done = stage.type("bash", "-c", line, at=at, within=WITHIN)
            assert done.code == 0, done
    assert done
    return at, done


def say_yes(stage: Stage, line: str, at: Path) -> None:
    """To every fix that is offered; none may be left to be done by hand."""
    person = AtTerminal(["bash", "-c", line], stage.environment(), at, columns=200)
    while True:
        try:
            person.wait_for("Fix this? [yes/no] ", 30)
        except AssertionError:
            break
        person.type("yes\r")
    assert person.code(WITHIN) == 0, person.shown
    assert re.search(r"notes at rehearsal: 0 errors", person.shown), person.shown
