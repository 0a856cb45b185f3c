"""A login node for unit tests: real bash and a real directory, with a Rancher of two pages.

What a script does there is really done: locks, links, journals, jobs that go on by
themselves. `sleep` takes no time, it moves the shell's clock, unless the
test lets the time stand still.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinstack.transport.command import Command
from spinstack.transport.login_node import Answer, ConnectionLost, OnBegin, OnLine, OnSent
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult, Step, Transcript

# Keeps its services in ~/rancher; what it is to do otherwise than well stands there, too: as
# Python writes it, since to import json takes as long as all the rest, hundreds of times.
RANCHER = """\
import fcntl, os, sys, time
home = os.environ["HOME"]
path = home + "/rancher"
words = sys.argv[1:]
lock = open(home + "/rancher.lock", "w")
with open(home + "/calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")

def read():
    global told, services, odd
    # Until the end: the test may be about to write something else.
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open(path) as file:
        told = eval(file.read())
    services, odd = told["services"], told["odd"]

def keep():
    # Whole, for it may be killed at any time.
    with open(path + ".new", "w") as file:
        file.write(repr(told))
    os.rename(path + ".new", path)

def answer(what):
    if what in odd:
        print(odd[what])
    fcntl.flock(lock, fcntl.LOCK_UN)
    while os.path.exists(home + "/hang-" + what):
        time.sleep(0.02)
    read()

def dumps(value):
    import json
    return json.dumps(value)

def row(name, one):
    points = "".join("%s:%s " % (p["ipAddress"], p["port"]) for p in one["publicEndpoints"])
    fields = (one["state"], one["healthState"], one["transitioning"], points, "",
              one["transitioningMessage"])
    return "|".join(("row", "demo/" + name) + fields)

read()
if words[0] == "ps":
    answer("ps")
    form = words[words.index("--format") + 1]
    for name, one in sorted(services.items()):
        if form == "json":
            print(dumps({"Service": one, "Name": "demo/" + name}))
        else:
            print(row(name, one))
elif words[0] == "inspect":
    print(odd.get("inspect") or dumps(services[words[-1].split("/")[1]]))
elif words[0] == "logs":
    print(odd.get("logs", ""))
elif words[0] == "stop":
    services[words[-1].split("/")[1]].update(state="inactive", transitioning="no")
    keep()
elif "--render" in words:
    answer("render")
    print("version: '2'")
elif "--confirm-upgrade" in words:
    answer("confirm")
    for one in services.values():
        one.update(state="active")
    keep()
elif "--rollback" in words:
    answer("rollback")
    one = services[words[-1]]
    one.update(state="active", transitioning="no", healthState=odd.get("old health", "healthy"))
    keep()
else:
    answer("upgrade")
    if not odd.get("upgrade", "").startswith(("time=", "error", "<")):
        for name in odd.get("names", ["web"]):
            upgraded = "--upgrade" in words and name in services
            state = "upgraded" if upgraded else "active"
            one = services.setdefault(name, dict(told["fresh"]))
            one.update(dict({"state": state, "healthState": "healthy"}, **odd.get("new", {})))
        keep()
sys.exit(odd.get("exit", {}).get(words[0], 0))
"""
CURL = """\
#!/bin/sh
# `page`: what the site sends; without it, nothing.
while [ $# -gt 0 ]; do
    if [ "$1" = -o ] && [ -e "$HOME/page" ]; then cat "$HOME/page" >"$2"; fi
    shift
done
cat "$HOME/site"
case $(cat "$HOME/site") in *000) exit 7 ;; esac
"""
PROFILE = """\
PATH=$HOME/bin:/usr/bin:/bin
module() { :; }
sleep() {
    local goes=$((3 * ${1%.*} + 1))
    # Between two questions to a site that does not answer there is nothing else to be seen.
    [ "$1" != 0.5 ] || goes=6
    # While a command of Rancher's runs, the time is that of the machine.
    [ "$1" != 0.1 ] || goes=0
    [ -e "$HOME/still" ] || SECONDS=$((SECONDS + goes))
    command sleep 0.$((${1%.*} == 5))2
}
"""
IMAGE = "registry.spin.nersc.gov/alice/nginx-demo:1.0"
FRESH = {
    "state": "active",
    "healthState": "healthy",
    "transitioning": "no",
    "transitioningMessage": "",
    "publicEndpoints": [{"ipAddress": "10.9.8.7", "port": 60037}],
    "launchConfig": {"imageUuid": f"docker:{IMAGE}"},
}


def running(**more: Any) -> dict[str, Any]:
    """A service as Rancher has it, well unless something else is said."""
    return {**FRESH, **more}


def run_here(steps: Sequence[Step]) -> str:
    """What a real shell prints that runs the steps on this machine."""
    done = subprocess.run(
        ["bash"], input=Script(tuple(steps)).text("@@"), capture_output=True, text=True
    )
    return done.stdout


@dataclass
class There:
    """The login node's account, and what runs at Rancher. It is a LoginNode, too."""

    home: Path
    name: str = "alice@login-node"
    dry: bool = False
    # Names of the steps in the order in which they began.
    steps: list[str] = field(default_factory=list)
    # Told each step's name; an exception that it raises is what happens to the laptop.
    happens: Callable[[str], None] = lambda name: None

    def __post_init__(self) -> None:
        (self.home / "bin").mkdir(parents=True)
        (self.home / ".rancher").mkdir()
        (self.home / ".rancher/cli.json").write_text("{}")
        (self.home / ".bash_profile").write_text(PROFILE)
        (self.home / "site").write_text("200")
        self._program("rancher", f"#!{sys.executable} -IS\n{RANCHER}")
        self._program("curl", CURL)
        self.has()

    def _program(self, name: str, text: str) -> None:
        path = self.home / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def has(self, **services: dict[str, Any]) -> None:
        """What runs now; nothing odd from here on."""
        with self._told() as told:
            told.update(services=services, odd={}, fresh=FRESH)

    def odd(self, **what: Any) -> None:
        """What Rancher does otherwise: `upgrade`, `render`, … print this; `new`: how services
        are after an upgrade; `old_health` after a rollback; `logs`; `exit`: verb → code."""
        with self._told() as told:
            told["odd"].update({name.replace("_", " "): value for name, value in what.items()})

    @contextmanager
    def _told(self) -> Iterator[dict[str, Any]]:
        """What Rancher keeps, to be changed while no call of it goes on."""
        path = self.home / "rancher"
        with (self.home / "rancher.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            told: dict[str, Any] = literal_eval(path.read_text()) if path.exists() else {}
            yield told
            path.write_text(repr(told))

    @property
    def services(self) -> dict[str, Any]:
        with self._told() as told:
            services: dict[str, Any] = told["services"]
        return services

    @property
    def calls(self) -> list[str]:
        """What Rancher's command line was called with, without limits and looks."""
        path = self.home / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if not line.startswith(("ps", "logs", "inspect"))]

    @property
    def root(self) -> Path:
        """The stack's directory."""
        return self.home / "project" / "demo"

    def hang(self, what: str) -> Path:
        """Rancher hangs at this until the file is removed."""
        path = self.home / f"hang-{what}"
        path.touch()
        return path

    def still(self) -> Path:
        """Time stands still until the file is removed: for what has to wait for the test."""
        path = self.home / "still"
        path.touch()
        return path

    def over(self) -> None:
        """Wait until no change goes on there."""
        deadline = time.monotonic() + 20
        while (self.root / "lock").exists():
            assert time.monotonic() < deadline, "a change does not come to its end"
            time.sleep(0.02)

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        def begin(name: str) -> None:
            self.steps.append(name)
            if on_begin:
                on_begin(name)
            self.happens(name)

        left = False

        def line(step: str, text: str) -> None:
            nonlocal left
            left = left or bool(on_line and on_line(step, text))
            if step == "follow" and " begin " in text:
                self.happens(text.split(" begin ", 1)[1])

        transcript = Transcript(script, "@@mark", on_begin=begin, on_line=line)
        shell = subprocess.Popen(
            ["bash", "-l"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], "TMPDIR": str(self.home)},
            cwd=self.home,
            text=True,
            start_new_session=True,
        )
        assert shell.stdin
        assert shell.stdout
        with shell:
            try:
                shell.stdin.write(script.text("@@mark"))
                shell.stdin.close()
                for text in shell.stdout:
                    transcript.feed(text)
                    if left:
                        os.killpg(shell.pid, signal.SIGKILL)
                        return transcript.result
            except BaseException:
                # All that the connection held; not what has made itself independent.
                os.killpg(shell.pid, signal.SIGKILL)
                raise
        if not transcript.result.complete:
            raise ConnectionLost("the connection was lost", remedy="run it again")
        return transcript.result

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        (self.home / ".rancher/cli.json").write_text("{}")
        return Result()

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b"", **more: Any
    ) -> int:
        raise AssertionError("nobody asked for it")

    def open(self) -> None:
        return

    def close(self) -> None:
        return
