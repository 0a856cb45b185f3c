"""What is measured inside a process of its own: `python -m benchmarks.far.driver '{"way": …}'`.

Imports come first, and whatever else is not to be measured; then it prints a line, JSON with
`loaded`, the moment (CLOCK_MONOTONIC) at which the imports were done, and waits for one. Then
the clock runs, from before the connection is made until the last answer is there. The next
line that it prints has `seconds`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.far import steps
from benchmarks.far.place import FILES
from spinstack.transport.login_node import LoginNode, OnBegin, OnLine
from spinstack.transport.script import Script, ScriptResult, Transcript

_MARK = "spinstack-0123456789abcdef"


def context(stack: Path) -> Any:
    """Invoke's context in a stack's directory, as `invoke` makes it."""
    from invoke.config import Config
    from invoke.context import Context

    from spinstack.config import schema

    config = Config(defaults={**Config.global_defaults(), **schema.known_to_invoke()})
    config.set_project_location(str(stack))
    config.load_project()
    return Context(config)


class Job:
    """One way. `load` imports, `prepare` does what is not measured; `go` is."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.stack = Path(given["stack"])
        self.told: dict[str, Any] = {}

    def load(self) -> None: ...

    def prepare(self) -> None: ...

    def go(self) -> None: ...


class Fabric(Job):
    """Plain Fabric: `true`, a script, or fifteen `run()` and a `put()` for each file."""

    def load(self) -> None:
        import fabric  # noqa: F401

    def prepare(self) -> None:
        from fabric import Connection

        keys = {"key_filename": self.given["identity"], "look_for_keys": False}
        host = self.given["host"]
        user, port = self.given["user"], self.given["port"]
        self.connection = Connection(host, user=user, port=port, connect_kwargs=keys)

    def go(self) -> None:
        self.connection.open()
        self._work()
        self.connection.close()

    def _work(self) -> None:
        self._run("true")

    def _run(self, command: str) -> None:
        self.connection.run(command, hide=True, in_stream=False)


class FabricScript(Fabric):
    def _work(self) -> None:
        text = Path(self.given["script"]).read_text(encoding="utf-8")
        # What Fabric copies to a program's input it copies slowly, character by character.
        self._run(f"bash -l <<'END OF SCRIPT'\n{text}\nEND OF SCRIPT")


class FabricSteps(Fabric):
    def _work(self) -> None:
        commands = self.given["commands"]
        for command in commands[:7]:
            self._run(command)
        for name in FILES:
            self.connection.put(str(self.stack / name), f"{self.given['release']}/{name}")
        for command in commands[7:]:
            self._run(command)


class Deploy(Job):
    """Ours: the upload and the fifteen steps."""

    def load(self) -> None:
        import spinstack.session
        import spinstack.tasks  # noqa: F401

    def prepare(self) -> None:
        from spinstack.session import Session

        self.session = Session(context(self.stack), self.given["destination"])
        assert self.session.stack.service_names
        # Imports what its wire needs; nothing is sent before the first script.
        with self.session.login_node():
            pass

    def go(self) -> None:
        with self.session.login_node() as node:
            for script in steps.of(self.session).scripts():
                _must_succeed(node.run(script))


class Product(Job):
    """The product's own deploy, whole, with nothing to build; what it prints is thrown away."""

    def load(self) -> None:
        import spinstack.session
        import spinstack.tasks  # noqa: F401

    def prepare(self) -> None:
        from spinstack.session import Session

        self.session = Session(context(self.stack), self.given["destination"])
        assert self.session.stack.service_names

    def go(self) -> None:
        from spinstack.deploy import deploy

        with contextlib.redirect_stderr(io.StringIO()):
            deploy.deploy(self.session, yes=True)


class Commands(Job):
    """Tells the fifteen steps as command lines and where the release is to be, and writes
    down the scripts of ours."""

    def go(self) -> None:
        from spinstack.session import Session

        session = Session(context(self.stack), self.given["destination"])
        deploy = steps.of(session)
        self.told = {
            "commands": deploy.commands(),
            "release": str(deploy.made.directory),
            "images": session.stack.images,
        }
        _write(self.given["script"], [script.text(_MARK) for script in deploy.scripts()])


def _write(script: str, texts: list[str]) -> None:
    """One after the other in one script, as if what the first one tells were known."""
    both = "\n".join(f"( {text} )" for text in texts)
    Path(script).write_text(both, encoding="utf-8")


def _must_succeed(result: ScriptResult) -> None:
    # Nothing runs yet, and nothing is unfinished.
    may_fail = ("current release", "unfinished")
    wrong = [step for step in result.steps if not step.ok and step.name not in may_fail]
    if wrong or not result.complete:
        raise SystemExit(f"failed: {wrong or 'the script did not end'}")


class Task(Job):
    """A task of the product, by its name, as Invoke calls it. It runs twice: the first time
    imports what only it needs, the second time is what counts."""

    def load(self) -> None:
        import spinstack.tasks  # noqa: F401

    def prepare(self) -> None:
        self._once()

    def go(self) -> None:
        self._once()

    def _once(self) -> None:
        from spinstack.tasks import ns

        with contextlib.redirect_stdout(io.StringIO()):
            ns[self.given["task"]](context(self.stack), to=self.given["destination"])


class Render(Job):
    """Rancher reads the files of a release and prints them: one script, no task of its own."""

    def prepare(self) -> None:
        self.go()

    def go(self) -> None:
        from spinstack.platforms.client import StackClient
        from spinstack.platforms.rancher1 import commands as rancher_commands
        from spinstack.session import Session
        from spinstack.transport.command import Command
        from spinstack.transport.script import Step

        session = Session(context(self.stack), self.given["destination"])
        settings = session.settings
        enter = Step("enter", (Command("cd", str(self.stack)),))
        with session.login_node() as node:
            there = StackClient(node, session.destination, session.platform, settings.stack)
            render = rancher_commands.render(settings.stack, settings.env_file)
            there.run(enter, Step("render", (render,), must=False))


class Login(Job):
    """Opens a master, or closes it again."""

    def go(self) -> None:
        from spinstack.session import Session
        from spinstack.transport.openssh.master import Master

        master = Master(Session(context(self.stack), self.given["destination"]).destination)
        if self.given["open"]:
            master.open()
        else:
            master.close()


class Texts(Job):
    """Notes down the scripts that a task sends, by running them here instead of there."""

    def go(self) -> None:
        from spinstack.session import Session

        node = _Here(self.given["home"])

        @contextmanager
        def here(_: Session) -> Iterator[LoginNode]:
            yield node

        Session.login_node = here  # type: ignore[method-assign,assignment]
        job = Render(self.given) if self.given["task"] == "render" else Task(self.given)
        job.go()
        _write(self.given["script"], node.texts)


class _Here:
    """A login node that is this machine."""

    name, dry = "here", False

    def __init__(self, home: str) -> None:
        self.texts: list[str] = []
        self._home = home

    def run(
        self, script: Script, *, on_begin: OnBegin | None = None, on_line: OnLine | None = None
    ) -> ScriptResult:
        text = script.text(_MARK)
        self.texts.append(text)
        environment = {"HOME": self._home, "PATH": os.environ["PATH"]}
        words = ["bash", "-l"]
        done = subprocess.run(words, input=text, env=environment, capture_output=True, text=True)
        transcript = Transcript(script, _MARK)
        transcript.feed(done.stdout)
        return transcript.result

    def converse(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def interact(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        return


WAYS: dict[str, Callable[[dict[str, Any]], Job]] = {
    "fabric": Fabric,
    "fabric-script": FabricScript,
    "fabric-steps": FabricSteps,
    "commands": Commands,
    "deploy": Deploy,
    "task": Task,
    "product": Product,
    "render": Render,
    "login": Login,
    "texts": Texts,
}


def main() -> None:
    given = json.loads(sys.argv[1])
    job = WAYS[given["way"]](given)
    job.load()
    loaded = time.monotonic()
    job.prepare()
    print(json.dumps({"loaded": loaded}), flush=True)
    sys.stdin.readline()
    begin = time.monotonic()
    job.go()
    print(json.dumps({"seconds": time.monotonic() - begin, **job.told}), flush=True)


if __name__ == "__main__":
    main()
