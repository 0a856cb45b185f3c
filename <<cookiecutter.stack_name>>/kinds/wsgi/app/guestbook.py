"""A guest book, as an example: replace it by your application, and name that in wsgi.py.

It shows what an application here may use: forms and uploads, a cookie, files that are kept (in
/app/files, the directory FILES_DIR of stack.env; visitors see them below /files/, except hidden
ones), files of the image (static/), and an answer that nginx keeps for other visitors.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage

FILES = Path(os.environ.get("FILES", "/app/files"))
# One line for each entry. Hidden, so nobody can ask nginx for it.
BOOK = ".book.jsonl"
LONGEST = 500
SHOWN = 100
YEAR = 365 * 24 * 3600
# How pictures begin, and how their files' names end. What anybody sends must be no page.
PICTURES = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}

app = Flask(__name__)


def entries() -> list[dict[str, Any]]:
    """What was written so far, newest first."""
    book = FILES / BOOK
    lines = book.read_text(encoding="utf-8").splitlines() if book.exists() else []
    return [json.loads(line) for line in reversed(lines[-SHOWN:])]


def kept(picture: FileStorage) -> str:
    """Keeps a picture; the name of its file. Answers with status 415 if it is none."""
    content = picture.read()
    ends = [end for begin, end in PICTURES.items() if content.startswith(begin)]
    if not ends:
        abort(415, "This is no PNG, JPEG or GIF.")
    name = f"{secrets.token_hex(8)}{ends[0]}"
    (FILES / name).write_bytes(content)
    return name


@app.get("/")
def book() -> str:
    name = request.cookies.get("name", "")
    return render_template("book.html", entries=entries(), name=name)


@app.post("/sign")
def sign() -> Any:
    name, text = (request.form.get(key, "").strip()[:LONGEST] for key in ("name", "text"))
    if not name or not text:
        abort(400, "A name and a text are needed.")
    picture = request.files.get("picture")
    entry = {"name": name, "text": text, "picture": kept(picture) if picture else ""}
    # In one piece, so that entries of two visitors never mix.
    with (FILES / BOOK).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    answer = redirect(url_for("book"), 303)
    answer.set_cookie("name", name, max_age=YEAR, httponly=True, samesite="Lax")
    return answer


@app.get("/entries.json")
def as_json() -> Response:
    """The same for everybody, so nginx may keep it: it asks once in 10 s, whoever wants it."""
    answer = jsonify(entries())
    answer.headers["Cache-Control"] = "public, max-age=10"
    return answer
