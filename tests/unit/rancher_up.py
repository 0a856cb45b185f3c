"""What the tests of `rancher up` share: a directory with a compose file, and a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from spin_rehearsal.rancher import waiting
from spin_rehearsal.rancher.main import main
from tests.unit.rancher_fake import ACCESS, SECRET, FakeRancher, FakeServer

COMPOSE = """\
version: '2'
services:
  web:
    image: x:${TAG}  # a comment
    user: "1000:2000"
    command: ["serve"]
"""


class Answer(NamedTuple):
    code: int
    out: str

    @property
    def messages(self) -> list[str]:
        """The messages of the log lines and the other lines, as they came."""
        lines = self.out.splitlines()
        return [_message(line) if line.startswith("time=") else line for line in lines]


def _message(line: str) -> str:
    """The message of a log line, without the quotes and escapes of Go's %q."""
    message = line.split("msg=", 1)[1].strip()
    return message[1:-1].replace('\\"', '"') if message.startswith('"') else message


Up = Callable[..., Answer]


@contextmanager
def directory_for_up(
    rancher: FakeRancher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Up]:
    """Go to a directory with COMPOSE in it; gives `rancher up` of stack demo, default `-d`."""
    monkeypatch.setattr(waiting, "_PAUSE", 0.01)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAG", "1.0")
    write(COMPOSE)
    with FakeServer(rancher) as server:
        monkeypatch.setenv("RANCHER_URL", server.url)
        monkeypatch.setenv("RANCHER_ACCESS_KEY", ACCESS)
        monkeypatch.setenv("RANCHER_SECRET_KEY", SECRET)
        monkeypatch.setenv("RANCHER_ENVIRONMENT", "dev-cattle")

        def call(*words: str) -> Answer:
            code = main(["up", *(words or ("-d",)), "--stack", "demo"])
            captured = capsys.readouterr()
            assert captured.err == ""
            return Answer(code, captured.out)

        yield call


def write(text: str, name: str = "docker-compose.yml") -> None:
    Path(name).write_text(text)


def service(rancher: FakeRancher, name: str = "web") -> dict[str, Any]:
    found = rancher.named("service", name)
    assert found is not None
    return found


def launch_config(up: Up, rancher: FakeRancher, lines: str) -> dict[str, Any]:
    """What is sent for a service with these lines in it."""
    indented = "\n".join(f"    {line}" for line in lines.splitlines())
    write(f"version: '2'\nservices:\n  web:\n    image: x\n{indented}\n")
    assert up().code == 0
    sent = service(rancher)
    config = sent["launchConfig"]
    assert isinstance(config, dict)
    return {**config, "service": sent}
