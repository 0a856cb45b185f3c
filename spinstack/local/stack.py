"""The stack on this machine, with docker compose or podman: the same images, user, capabilities
and read-only mounts as on Spin; sample data for what is not on this machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack.config import interpolation
from spinstack.errors import SpinstackError
from spinstack.images import compose_program
from spinstack.images.compose_program import ComposeProgram
from spinstack.local import containers as local_containers
from spinstack.local import mounts
from spinstack.local.compose_file import Derived, derive
from spinstack.local.containers import Container
from spinstack.local.mounts import Source
from spinstack.rules import finding
from spinstack.sample.owner import UID
from spinstack.transport import probe
from spinstack.transport.command import Command
from spinstack.transport.runner import Result

if TYPE_CHECKING:
    from spinstack.images.engine import Engine
    from spinstack.session import Session

# Seconds that the program may take to start images that are built, or to stop them.
COMPOSE_WITHIN = 300.0
# Lines of each log that are shown after a failure.
TAIL = 30


@dataclass
class LocalStack:
    """A stack and its place on this machine."""

    session: Session

    @property
    def name(self) -> str:
        return self.session.settings.stack

    @property
    def project(self) -> str:
        """Compose's project name, with which its containers and network begin."""
        return f"spinstack-{self.name}"

    @property
    def file(self) -> Path:
        """The derived compose file, in a directory that only its owner may enter."""
        return Path.home() / ".local/state/spinstack/local" / self.name / "compose.yml"

    @property
    def cache(self) -> Path:
        return mounts.cache_of(self.name)

    @cached_property
    def program(self) -> ComposeProgram:
        return compose_program.find(self.session.runner, self.session.engine)

    @cached_property
    def sources(self) -> list[Source]:
        return mounts.sources(self.session.stack, self.session.destination, self.cache)

    def compose(
        self,
        *words: str,
        timeout: float | None = COMPOSE_WITHIN,
        on_line: Callable[[str], None] | None = None,
        changes: bool = True,
    ) -> Result:
        """Run the compose program for this stack. Raises as the runner does."""
        return self.session.runner.run(
            self.program.command(self.project, self.file, *words),
            env=compose_program.ENVIRONMENT,
            timeout=timeout,
            on_line=on_line,
            changes=changes,
        )

    def containers(self) -> list[Container]:
        return local_containers.of_project(self.session.runner, self.session.engine, self.project)

    def log(self, service: str, tail: int = TAIL) -> str:
        """The last lines of a service."""
        words = ("logs", *self.program.plain_logs, "--tail", str(tail), service)
        lines: list[str] = []
        self.compose(*words, timeout=60, on_line=lines.append, changes=False)
        return "\n".join(line for line in lines if not compose_program.is_chatter(line))

    def derived(self, port: int | None = None) -> Derived:
        """The compose file for this machine. Raises SpinstackError if the stack's can't be used."""
        stack, destination = self.session.stack, self.session.destination
        values = {**stack.variables(destination), **placed(self.sources)}
        check(self.session, values)
        return derive(
            stack,
            values,
            uid=person(),
            port=port,
            moved=placed(self.sources, literal=True),
            own=self.session.platform.own_keys(),
            more=as_oneself(self.session.engine),
        )


def person() -> int:
    """Who the containers run as: the person, or an unprivileged number instead of root."""
    return os.geteuid() or UID


def as_oneself(engine: Engine) -> dict[str, str]:
    """What rootless podman needs for the person's number inside to be theirs outside: by default
    it maps it to one of their subordinate ids, which owns nothing."""
    return {"userns_mode": "keep-id"} if engine.is_podman and os.geteuid() != 0 else {}


def placed(sources: list[Source], *, literal: bool = False) -> dict[str, str]:
    """Where each directory is on this machine, by its variable, or by its path if it has none."""
    return {s.name: str(s.path) for s in sources if s.name.startswith("/") == literal}


def check(session: Session, values: Mapping[str, str]) -> None:
    """Raises SpinstackError if the stack's files can't be read as compose would."""
    stack = session.stack
    known = {**values, "UID": str(person())}
    found = [*stack.findings, *interpolation.findings(stack.compose, known)]
    found += stack.services(session.destination)[1]
    wrong = finding.errors(found)
    if wrong:
        raise SpinstackError(
            f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''} in the stack",
            where=str(session.directory),
            remedy="fix them first (nothing was started)",
            details="\n".join(one.line() for one in dict.fromkeys(wrong)),
        )


def down(session: Session, *, data: bool = False) -> str:
    """Stop the local stack and remove its containers and network; what was done, in words.

    `data` also removes its volumes, the sample data with the pages made in it, and the files
    that spinstack keeps for it.
    """
    local = LocalStack(session)
    there = session.dry or bool(local.containers())
    if there and (session.dry or local.file.exists()):
        words = (*local.program.down, *(("--volumes",) if data else ()))
        result = local.compose(*words)
        if not result.ok:
            raise SpinstackError(
                "compose could not stop the stack",
                where=local.project,
                remedy="see the reason above",
                details=compose_program.without_chatter(result.stdout + result.stderr),
            )
        if local.program.is_podman:
            _remove_network(local)
    elif there:
        _remove_by_hand(local)
    if data:
        _forget(local)
    return f"{local.name} {'is stopped' if there else 'was not running'} on this machine"


def _remove_by_hand(local: LocalStack) -> None:
    """Without the derived file compose does nothing; the containers' labels say whose they are."""
    runner, engine = local.session.runner, local.session.engine
    names = [container.name for container in local.containers()]
    runner.run(engine.command("rm", "--force", "--volumes", *names), timeout=COMPOSE_WITHIN)
    _remove_network(local)


def _remove_network(local: LocalStack) -> None:
    command = local.session.engine.command("network", "rm", f"{local.project}_default")
    local.session.runner.run(command, timeout=60)


def _forget(local: LocalStack) -> None:
    for directory in (local.cache, local.file.parent):
        if local.session.dry:
            local.session.console.result(f"$ {Command('rm', '-r', str(directory)).shown()}")
        elif directory.exists():
            shutil.rmtree(directory)


def needs_to_run(local: LocalStack) -> list[Container]:
    """Its containers. Raises SpinstackError if there are none."""
    containers = [] if local.session.dry else local.containers()
    if not containers and not local.session.dry:
        raise SpinstackError(
            f"{local.name} is not running on this machine",
            where=local.project,
            remedy="run `invoke local.up`",
        )
    return containers


def as_json(local: LocalStack, containers: list[Container]) -> dict[str, Any]:
    """The state of a local run for a script."""
    url = local_containers.address(containers)
    answer = probe.ask(url + "/") if url else None
    return {
        "stack": local.name,
        "project": local.project,
        "url": url + "/" if url else "",
        "answers": answer.status if answer else 0,
        "services": [asdict(container) for container in containers],
    }
