"""A desk at which tasks are typed for the plain platform; the login node's side is real bash."""

from __future__ import annotations

import base64
import gzip
import io
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack.checks import image_state
from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.session import Session
from spinstack.transport import probe
from spinstack.transport.command import Command
from spinstack.transport.login_node import LoginNode, PrintingLoginNode
from spinstack.transport.probe import Answer
from spinstack.transport.runner import RecordingRunner, Result, Runner
from spinstack.transport.script import Script, ScriptResult
from tests.unit import plain_platform
from tests.unit.plain_platform import Plain
from tests.unit.stack_session import run
from tests.unit.there import CURL, PROFILE, There

COMPOSE = """\
version: '2'
services:
  app:
    image: registry.spin.nersc.gov/alice/app:1.0
    user: ${UID}:58102
    command: [serve, --port, '5000']
    environment: {LEVEL: "2"}
  web:
    image: registry.spin.nersc.gov/alice/web:1.0
    ports: ["60037:8080"]
    user: ${UID}:58102
    cap_drop: [ALL]
    volumes: ["./web/nginx.conf:/etc/nginx/nginx.conf:ro"]
"""


@dataclass
class PlainThere(There):
    """A login node that Plain serves, and no other platform."""

    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        plain_platform.install(self.home)
        (self.home / ".bash_profile").write_text(PROFILE)
        (self.home / "site").write_text("200")
        self._program("curl", CURL)

    def run(self, script: Script, **more: Any) -> ScriptResult:
        self.sent.append(script.text("@@mark"))
        return super().run(script, **more)

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b"", **more: Any
    ) -> int:
        self.sent.append(f"{prepare.script()} && {command.script()}")
        told = subprocess.run(
            ["bash", "-lc", self.sent[-1]],
            input=input,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            capture_output=True,
        )
        print(told.stdout.decode().rpartition("plain\n")[2], end="")
        return told.returncode

    def odd(self, **what: str) -> None:
        """What Plain does otherwise: `new`: how services are after an upgrade; a verb prints
        this instead of doing it. Empty: as it should again."""
        for name, text in what.items():
            path = self.home / "odd" / name
            path.write_text(f"{text}\n")
            if not text:
                path.unlink()

    def of(self, service: str, what: str) -> str:
        path = self.home / "plain" / "demo" / service / what
        return path.read_text().rstrip("\n") if path.exists() else ""

    def put(self, service: str, what: str, text: str) -> None:
        (self.home / "plain" / "demo" / service / what).write_text(f"{text}\n")

    @property
    def verbs(self) -> list[str]:
        """What Plain was told to do, without looks."""
        lines = (self.home / "calls").read_text().splitlines()
        looks = ("list", "copies", "here", "show", "say", "kept")
        return [line for line in lines if line.split()[0] not in looks]


class PlainSession(Session):
    """At a destination that Plain serves; programs here only answer what was announced."""

    def __init__(
        self,
        directory: Path,
        node: PlainThere,
        *,
        to: str | None = None,
        dry: bool = False,
        **more: Any,
    ) -> None:
        place = {"project_dir": str(node.home / "project"), "environment": "attic"}
        settings = {
            "stack": "demo",
            "destination": "dev",
            "user": "alice",
            "namespace": "alice",
            "address": "endpoint",
            "healthy_within": 20,
            "centre": {"storage": {"mountable": [str(node.home)]}},
            "destinations": {"dev": place},
            **more,
        }
        super().__init__(
            Context(Config(overrides={"spinstack": settings, "run": {"dry": dry}})), to
        )
        self.__dict__.update(directory=directory, engine=Engine("docker"), platform=Plain())
        self.node = node
        self.programs = RecordingRunner(
            {
                "docker image inspect": Result("", "No such image", 1),
                "git -C": Result("", "not a git repository", 128),
            }
        )

    @property
    def runner(self) -> Runner:
        return self.programs

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        yield PrintingLoginNode("ssh there", self.console.result) if self.dry else self.node


class Desk:
    """Somebody who types tasks: each has a session of its own, as with Invoke."""

    def __init__(
        self, directory: Path, node: PlainThere, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.directory = directory
        self.node = node
        self._capsys = capsys
        self._heard: list[str] = []

    def types(self, task: Any, *, to: str | None = None, dry: bool = False, **options: Any) -> str:
        """What the task prints as its result."""
        self._hear()
        run(task, PlainSession(self.directory, self.node, to=to, dry=dry), **options)
        return self._hear()

    def fails(self, task: Any, *, to: str | None = None, **options: Any) -> SpinstackError:
        """The error that the task ends with, having been told as a person is told it."""
        session = PlainSession(self.directory, self.node, to=to)
        with pytest.raises(SpinstackError) as error:
            run(task, session, **options)
        session.console.error(error.value)
        return error.value

    def exits(self, task: Any, **options: Any) -> tuple[int, str]:
        """The exit code of a task that has told something, and that."""
        with pytest.raises(Exit) as end:
            self.types(task, **options)
        return end.value.code, self._hear()

    def _hear(self) -> str:
        out, err = self._capsys.readouterr()
        self._heard += [out, err]
        return out

    @property
    def heard(self) -> str:
        """All that was printed, in whatever way, and sent: what goes packed unpacked."""
        self._hear()
        jobs = [path.read_text() for path in self.node.root.glob("changes/*/*")]
        return "\n".join([*self._heard, *map(_unpacked, self.node.sent), *jobs])


def _unpacked(script: str) -> str:
    """A script with what it carries in base64 in clear; of archives their whole bytes."""

    def clear(match: re.Match[str]) -> str:
        data = base64.b64decode(match[0])
        if data.startswith(b"\x1f\x8b"):
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read()
        return data.decode(errors="replace")

    return re.sub(r"(?<=printf %s )[A-Za-z0-9+/]{40,}=*", clear, script)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "laptop" / "demo"
    (place / "web").mkdir(parents=True)
    (place / "docker-compose.yml").write_text(COMPOSE)
    (place / "stack.env").write_text("")
    (place / "web" / "nginx.conf").write_text("server { listen 8080; }\n")
    return place


@pytest.fixture
def node(tmp_path: Path) -> Iterator[PlainThere]:
    there = PlainThere(tmp_path / "there")
    yield there
    there.over()


@pytest.fixture
def desk(
    directory: Path,
    node: PlainThere,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    monkeypatch.setattr(probe, "ask", lambda url: Answer(200, "OK"))
    monkeypatch.setattr(image_state, "findings", lambda *_, **__: [])
    typing = Desk(directory, node, capsys)
    yield typing
    named = [line for line in typing.heard.splitlines() if "rancher" in line.lower()]
    assert not named, "a word of another platform"
