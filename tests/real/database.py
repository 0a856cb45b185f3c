"""A stack whose application keeps its notes in PostgreSQL, and that has a Redis, both added by
`invoke add`: what its tests on both platforms share.

The two images are Debian's servers laid out as the official ones are (`databases/`), since those
can't be pulled everywhere; nothing that the official ones do in a compose file's sight differs.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import yaml

from spin_rehearsal import base_images
from spinstack.images import engine
from spinstack.transport.runner import LocalRunner

from .guest import Guest
from .stage import Stage, Typed

NAME = "note-book"
SECRET = f"db.{NAME}.password"
# No release of theirs: never taken for what they publish.
IMAGES = {"postgres": "postgres:15-spinstack-test", "redis": "redis:7-spinstack-test"}
PYTHON = "python:3.12-slim-bookworm"
# Seconds that a service may take to be found under its name again.
FOUND_WITHIN = 20.0

APPLICATION = f"""\
import pg8000.native
from flask import Flask, request

app = Flask(__name__)


def database():
    with open("/run/secrets/{SECRET}") as secret:
        found = pg8000.native.Connection(
            "postgres", host="db", database="note_book", password=secret.read()
        )
    found.run("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
    return found


@app.get("/")
def start():
    return "notes\\n"


@app.get("/notes")
def notes():
    return "".join(f"{{row[0]}}\\n" for row in database().run("SELECT text FROM notes"))


@app.post("/add")
def add():
    database().run("INSERT INTO notes VALUES (:text)", text=request.get_data(as_text=True))
    return "ok\\n"
"""


def make_images() -> list[str]:
    """Have both images on this machine's engine; a minute, the first time."""
    runner = LocalRunner()
    program = engine.find(runner).name
    base = base_images.ensure(runner, program, print).get("PYTHON_IMAGE", PYTHON)
    context = str(Path(__file__).with_name("databases"))
    for kind, image in IMAGES.items():
        words = ["build", "--quiet", "--build-arg", f"BASE={base}", "--target", kind]
        words += ["--tag", f"docker.io/library/{image}", context]
        subprocess.run([program, *words], check=True, capture_output=True)
    return [f"docker.io/library/{image}" for image in IMAGES.values()]


@dataclass(frozen=True)
class NoteBook:
    """The stack in its directory, and what is typed there. `to`: names its destination."""

    stage: Stage
    stack: Path
    address: str
    to: tuple[str, ...] = ()

    def invoke(self, *words: str) -> Typed:
        return self.stage.invoke(*words, *self.to, at=self.stack)

    def done(self, *words: str) -> Typed:
        return self.stage.done(*words, *self.to, at=self.stack)

    def write_files(self) -> None:
        """As a person who reads what `add` says."""
        for kind, image in IMAGES.items():
            self.done("add", kind, "--image", image)
        compose = self.stack / "docker-compose.yml"
        head, app, rest = compose.read_text().partition("  app:\n")
        compose.write_text(f"{head}{app}    secrets: [{SECRET}]\n{rest}")
        (self.stack / "app" / "guestbook.py").write_text(APPLICATION)
        wanted = self.stack / "app" / "requirements.in"
        wanted.write_text(wanted.read_text() + "pg8000\n")
        self.stage.done("requirements", at=self.stack)

    def make_secrets(self, place: Path) -> None:
        value = place / "password"
        value.write_text('a word\' of "theirs"')
        value.chmod(0o600)
        for service in ("db", "kv"):
            words = ("secret.create", "password", "--service", service, "--file", str(value))
            made = self.done(*words)
            assert "to use it" not in made.err, "the compose file has it"

    def make_volumes(self) -> None:
        for service in ("db", "kv"):
            self.done("volume.create", service)

    def add(self, text: str) -> None:
        assert Guest(self.address).post("/add", text.encode()).text == "ok\n"

    def notes(self) -> list[str]:
        """Those in the database, once it is found under its name again."""
        end = time.monotonic() + FOUND_WITHIN
        while True:
            try:
                answer = Guest(self.address).get("/notes")
                if answer.status == 200 or time.monotonic() > end:
                    return answer.text.split("\n")[:-1]
            except (OSError, HTTPException):
                if time.monotonic() > end:
                    raise
            time.sleep(0.5)

    def change_application(self) -> None:
        code = self.stack / "app" / "guestbook.py"
        code.write_text(code.read_text() + "\n# Changed.\n")

    def change(self, service: str, key: str, value: object) -> None:
        """A key of a service in the compose file."""
        path = self.stack / "docker-compose.yml"
        compose = yaml.safe_load(path.read_text())
        compose["services"][service][key] = value
        path.write_text(yaml.safe_dump(compose))

    def redis(self, *words: str) -> str:
        password = f"$(cat /run/secrets/kv.{NAME}.password)"
        command = f"sh -c 'REDISCLI_AUTH=\"{password}\" redis-cli {' '.join(words)}'"
        return self.done("exec", "--service", "kv", "--plain", "--command", command).out


def goes_through_all_that_is_done_to_it(book: NoteBook) -> None:
    """A row that was written is there after each of the tasks that leave data alone."""
    book.add("kept")
    assert book.notes() == ["kept"]
    book.change_application()
    book.done("deploy")
    assert book.notes() == ["kept"]
    book.change("db", "labels", {"changed": "yes"})
    book.done("deploy")
    assert book.notes() == ["kept"]
    book.done("rollback", "--yes")
    assert book.notes() == ["kept"]
    book.done("restart", "--service", "db", "--yes")
    assert book.notes() == ["kept"]
    book.done("stop", "--yes")
    book.done("start")
    assert book.notes() == ["kept"]
    book.done("rm", "--yes")
    book.done("deploy")
    assert book.notes() == ["kept"]


def redis_keeps_what_it_was_told(book: NoteBook) -> None:
    assert book.redis("set", "colour", "red") == "OK\n"
    time.sleep(1.2)  # it writes once a second
    book.done("restart", "--service", "kv", "--yes")
    assert book.redis("get", "colour") == "red\n"
