"""What is left at the login node of unit tests, and what happens to a change there."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spinstack.remote import upload
from spinstack.session import Session
from spinstack.transport.login_node import ConnectionLost
from tests.unit.there import There, running

HERE = socket.gethostname()


def mark(who: str = "alice", host: str = HERE, **more: object) -> str:
    return json.dumps({"who": who, "host": host, "when": "2025-11-03T04:05:06Z", **more}) + "\n"


def content_of(session: Session) -> str:
    return upload.make(session.stack, session.destination).content


def locked(there: There, **owner: Any) -> Path:
    """Somebody has the lock."""
    lock = there.root / "lock"
    lock.mkdir(parents=True)
    (lock / "owner.json").write_text(mark(**owner))
    return lock


def begun(there: There, name: str, **more: Any) -> None:
    """An upgrade to a release was begun and not ended."""
    (there.root / "releases" / name).mkdir(parents=True, exist_ok=True)
    (there.root / "unfinished.json").write_text(mark(**{"release": name, "nonce": "12", **more}))
    there.has(web=running(state="upgraded"))


def releases(there: There) -> None:
    """Three releases; the second one never ran, the third one runs."""
    for name, ran in (
        ("01-000000-aaaaaaaa", True),
        ("02-000000-bbbbbbbb", False),
        ("03-000000-cccccccc", True),
    ):
        place = there.root / "releases" / f"202511{name}"
        place.mkdir(parents=True)
        if ran:
            (place / "confirmed").touch()
    (there.root / "current").symlink_to("releases/20251103-000000-cccccccc")
    there.has(web=running())


def at(there: There, step: str, do: Callable[[], None]) -> None:
    """Something happens once, when the step begins."""

    def happens(name: str) -> None:
        if name == step:
            there.happens = lambda name: None
            do()

    there.happens = happens


def lost() -> None:
    raise ConnectionLost("the connection was lost")


def pressed() -> None:
    raise KeyboardInterrupt


def change(there: There) -> Path:
    """The directory of the newest change."""
    return max((there.root / "changes").iterdir(), key=lambda path: path.stat().st_mtime)


def journal(there: There) -> str:
    return (change(there) / "journal").read_text()


def wait_for(there: There, word: str) -> None:
    deadline = time.monotonic() + 20
    while word not in journal(there):
        assert time.monotonic() < deadline, journal(there)
        time.sleep(0.02)


def kill(there: There) -> None:
    """As if the login node was restarted: all that the change consists of is gone."""
    script = str(change(there) / "script")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if script in words:
            os.killpg(os.getpgid(int(process.name)), signal.SIGKILL)
            return
    raise AssertionError("no change goes on there")


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)
