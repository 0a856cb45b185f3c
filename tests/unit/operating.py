"""A stack that runs, for the tests of operations: a session, and what Rancher tells of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spinstack.remote.history import record
from spinstack.transport.login_node import LoginNode, RecordingLoginNode
from tests.unit.stack_session import StackSession, baked

Answers = dict[str, "tuple[str, int] | list[tuple[str, int]]"]
STACK = "nightwatch-desi"
LOCK = ("lock owner", "change under way")
BASIC = {"rancher environment": ("", 0), "history": ("", 0)}


class Operator(StackSession):
    """At the destination dev; the login node only answers what was announced."""

    def __init__(self, tmp_path: Path, answers: Answers, *, dry: bool = False) -> None:
        super().__init__(baked(tmp_path), dry=dry)
        self.node = RecordingLoginNode({**dict.fromkeys(LOCK, ("", 1)), **BASIC, **answers})

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        if self.dry:
            with super().login_node() as node:
                yield node
        else:
            yield self.node

    @property
    def steps(self) -> list[str]:
        """What was done, without the step that every script begins with, and those that look
        at the lock."""
        return [step for step in self.node.steps if step not in ("rancher environment", *LOCK)]

    @property
    def history(self) -> list[str]:
        """The records that were to be appended: what, how it ended, detail."""
        return records(self.node.sent)


def records(scripts: list[str]) -> list[str]:
    """The records that scripts append, `stop done: web` each."""
    lines = [line for script in scripts for line in script.splitlines()]
    texts = [shlex.split(line)[0][5:] for line in lines if line.startswith("line='{")]
    found = record.parse("\n".join(texts).replace(record.WHEN, "2026-11-22T16:00:00Z"))
    return [f"{one.doing} {one.outcome}: {one.detail}" for one in found]


def service(name: str, state: str = "active", health: str = "healthy", **more: Any) -> str:
    """A line of `ps --format json`."""
    told: dict[str, Any] = {
        "name": name,
        "state": state,
        "healthState": health,
        "scale": 1,
        "currentScale": 0 if state == "inactive" else 1,
        "launchConfig": {"imageUuid": f"docker:registry.example/alice/{name}:c-1"},
        **more,
    }
    return json.dumps({"Service": told, "Name": f"{STACK}/{name}"}) + "\n"


def container(id: str, name: str, state: str = "running", **more: Any) -> str:
    """A line of `ps --containers --format json`."""
    told = {"id": id, "name": f"{STACK}-{name}", "state": state, **more}
    return json.dumps({"Container": told, "ID": id}) + "\n"


ENDPOINT = {"publicEndpoints": [{"ipAddress": "10.9.8.7", "port": 60037}]}
# Both services of the stack, running.
BOTH = service("app") + service("web", **ENDPOINT, fqdn="web.example.org")


def rounds(*states: str) -> tuple[str, int]:
    """What the step `watch` prints for these states, one round after the other."""
    return "".join(f"{text}round 0\n" for text in states), 0
