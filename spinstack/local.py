"""The stack on this machine, by docker compose or podman: the same images, user, capabilities
and read-only mounts as at Spin; sample data for what is not here.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack import compose, finding, local_containers, local_mounts, local_program, probe
from spinstack.command import Command
from spinstack.engine_failures import explained, tail
from spinstack.errors import SpinstackError
from spinstack.local_compose import Derived, derive, own_files
from spinstack.local_containers import Container
from spinstack.local_mounts import Source
from spinstack.local_program import ComposeProgram
from spinstack.rehearsal.account import GID, UID

if TYPE_CHECKING:
    from spinstack.engine import Engine
    from spinstack.session import Session

# Seconds that the program may take to start what is built and here, or to stop it.
COMPOSE_WITHIN = 300.0
# Lines of each log that are shown when something failed.
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
        """What compose calls it, and its containers and network begin with."""
        return f"spinstack-{self.name}"

    @property
    def file(self) -> Path:
        """The derived compose file, in a directory that only its owner may enter."""
        return Path.home() / ".local/state/spinstack/local" / self.name / "compose.yml"

    @property
    def cache(self) -> Path:
        return local_mounts.cache_of(self.name)

    @cached_property
    def program(self) -> ComposeProgram:
        return local_program.find(self.session.runner, self.session.engine)

    @cached_property
    def sources(self) -> list[Source]:
        return local_mounts.sources(self.session.stack, self.session.destination, self.cache)

    def command(self, *words: str) -> Command:
        return self.program.command(self.project, self.file, *words)

    def containers(self) -> list[Container]:
        return local_containers.of_project(self.session.runner, self.session.engine, self.project)

    def log(self, service: str, tail: int = TAIL) -> str:
        """The last lines of a service."""
        words = ("logs", *self.program.plain_logs, "--tail", str(tail), service)
        lines: list[str] = []
        self.session.runner.run(
            self.command(*words), timeout=60, on_line=lines.append, changes=False
        )
        return "\n".join(line for line in lines if not local_program.is_chatter(line))

    def derived(self, port: int | None = None) -> Derived:
        """The compose file for here. Raises SpinstackError if the stack's can't be used."""
        stack, destination = self.session.stack, self.session.destination
        values = {**stack.variables(destination), **placed(self.sources)}
        check(self.session, values)
        return derive(
            stack,
            values,
            uid=person(),
            port=port,
            moved=placed(self.sources, literal=True),
            more=as_oneself(self.session.engine),
        )


def person() -> int:
    """Whom the containers run as: the person, or an unprivileged number instead of root."""
    return os.geteuid() or UID


def as_oneself(engine: Engine) -> dict[str, str]:
    """What podman without root needs, so that the person's number inside is theirs outside:
    by itself it maps it to one of their spare numbers, who owns nothing."""
    return {"userns_mode": "keep-id"} if engine.is_podman and os.geteuid() != 0 else {}


def placed(sources: list[Source], *, literal: bool = False) -> dict[str, str]:
    """Where each directory is here, by its variable, or by its path where it has none."""
    return {s.name: str(s.path) for s in sources if s.name.startswith("/") == literal}


def check(session: Session, values: Mapping[str, str]) -> None:
    """Raises SpinstackError if the stack's files can't be read as compose would."""
    stack = session.stack
    known = {**values, "UID": str(person())}
    found = [*stack.findings, *compose.variable_findings(stack.compose, known)]
    found += stack.services(session.destination)[1]
    wrong = finding.errors(found)
    if wrong:
        raise SpinstackError(
            f"{len(wrong)} thing{'s' if len(wrong) > 1 else ''} in the stack would not work",
            where=str(session.directory),
            remedy="mend them; nothing was started",
            details="\n".join(one.line() for one in dict.fromkeys(wrong)),
        )


def up(session: Session, *, port: int | None = None) -> str:
    """Build what changed, start the stack here and wait until it answers; its address.

    `port` on 127.0.0.1, instead of the stack's own. Raises SpinstackError at the first thing
    that fails; containers are left for looking at.
    """
    from spinstack import deploy

    local = LocalStack(session)
    derived = local.derived(port)
    _check_readable(session)
    deploy.build(session)
    prepare(local)
    with session.console.step("start") as step:
        _write(local, derived)
        said = _start(local, step.detail)
        step.done(local.program.name)
    return _wait(local, derived, said)


def prepare(local: LocalStack) -> None:
    """Have every directory that is mounted; tells what stands in for what."""
    session = local.session
    with session.console.step("data") as step:
        if session.dry:
            session.console.result(f"# sample data in {local.cache} for what is not here")
        else:
            local_mounts.prepare(local.sources, local.cache, (person(), _group(session)))
        step.done(f"in {local.cache}" if _needs_cache(local) else "")
    for line in local_mounts.told(local.sources):
        session.console.note(f"  {line}")


def _needs_cache(local: LocalStack) -> bool:
    return any(source.kind != "own" for source in local.sources)


def _group(session: Session) -> int:
    """The group that the services run as, whose files the sample's are."""
    for service in session.stack.services(session.destination)[0]:
        group = service.user.partition(":")[2]
        if group.isdigit():
            return int(group)
    return GID


def _check_readable(session: Session) -> None:
    """As root: a mounted file of the stack must be readable by whom the container runs as."""
    if os.geteuid() != 0:
        return
    services = session.stack.services(session.destination)[0]
    for path in own_files(session.stack, [m for service in services for m in service.mounts]):
        status = path.stat()
        if not status.st_mode & 0o004 and status.st_uid != person():
            raise SpinstackError(
                f"the container's user {person()} can't read {path.name}",
                where=str(path),
                remedy=f"chmod o+r {path}",
            )


def _write(local: LocalStack, derived: Derived) -> None:
    """The derived file, whole or not at all."""
    if local.session.dry:
        local.session.console.result(f"# writes {local.file}:\n{derived.text().rstrip()}")
    else:
        local.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        local.file.parent.chmod(0o700)
        half = local.file.with_suffix(".half")
        half.write_text(derived.text(), encoding="utf-8")
        half.replace(local.file)
    if derived.left_out:
        local.session.console.note(f"  left out, Rancher's own: {', '.join(derived.left_out)}")


def _start(local: LocalStack, on_line: Any) -> str:
    """Start it; what compose printed. Raises SpinstackError with the cause."""
    command = local.command(*local.program.up)
    result = local.session.runner.run(command, timeout=COMPOSE_WITHIN, on_line=on_line)
    if not result.ok:
        fields = {
            "engine": local.session.engine.name,
            "doing": "starting the stack",
            "where": local.project,
        }
        output = local_program.without_chatter(f"{result.stdout}\n{result.stderr}")
        raise explained(local_program.UP, local_program.UP_OTHERWISE, output, fields)
    return result.stdout + result.stderr


def _wait(local: LocalStack, derived: Derived, said: str) -> str:
    """Wait until the site answers well; its address. Raises SpinstackError when a container
    ended, or when the time is up."""
    session = local.session
    page = f"http://{derived.outside}{session.destination.probe_path}" if derived.outside else ""
    if session.dry:
        session.console.result(f"$ GET {page}" if page else "# no port is published")
        return ""
    deadline = time.monotonic() + session.destination.healthy_within
    with session.console.step("ask the site") as step:
        while True:
            containers = local.containers()
            _all_alive(local, containers, said)
            answer = probe.ask(page) if page else None
            if answer is None or answer.ok:
                step.done(f"{page}: {answer}" if answer else "no port is published")
                return f"http://{derived.outside}/" if page else ""
            step.detail(f"{page}: {answer}")
            if time.monotonic() > deadline:
                raise _failed(local, "the site does not answer as it should", f"{page}: {answer}")
            time.sleep(0.5)


def _all_alive(local: LocalStack, containers: list[Container], said: str) -> None:
    unstarted = [container.service for container in containers if container.unstarted]
    if unstarted:
        raise SpinstackError(
            f"{local.session.engine.name} did not start {', '.join(unstarted)}",
            where=local.project,
            remedy="see the reason above",
            details=tail(local_program.without_chatter(said)),
        )
    dead = [container for container in containers if container.dead]
    if dead:
        names = ", ".join(f"{container.service} ({container.shown})" for container in dead)
        raise _failed(local, f"a container ended by itself: {names}", local.project)


def _failed(local: LocalStack, what: str, where: str) -> SpinstackError:
    logs = [f"--- {name}, last lines ---\n{local.log(name)}" for name in _services(local)]
    return SpinstackError(
        what,
        where=where,
        remedy="mend the cause and `invoke local.up` again; `invoke local.down` ends it",
        details="\n".join(logs),
    )


def _services(local: LocalStack) -> list[str]:
    return local.session.stack.service_names


def down(session: Session, *, data: bool = False) -> str:
    """Stop the stack here and remove its containers and network; what was done, in words.

    `data` also removes its volumes, the sample data with the pages made in it, and what
    spinstack keeps of the run.
    """
    local = LocalStack(session)
    there = session.dry or bool(local.containers())
    if there and (session.dry or local.file.exists()):
        words = (*local.program.down, *(("--volumes",) if data else ()))
        result = session.runner.run(local.command(*words), timeout=COMPOSE_WITHIN)
        if not result.ok:
            raise SpinstackError(
                "compose could not stop the stack",
                where=local.project,
                remedy="see the reason above",
                details=local_program.without_chatter(result.stdout + result.stderr),
            )
        if local.program.is_podman:
            _remove_network(local)
    elif there:
        _remove_by_hand(local)
    if data:
        _forget(local)
    return f"{local.name} {'is stopped' if there else 'did not run'} on this machine"


def _remove_by_hand(local: LocalStack) -> None:
    """Without the derived file compose does nothing; the containers tell whose they are."""
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
            f"{local.name} does not run on this machine",
            where=local.project,
            remedy="invoke local.up",
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
