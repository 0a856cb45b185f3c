"""Starting the stack on this machine: build, data, compose, and waiting until it responds."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from spinstack.directories import make_parents, write_private
from spinstack.errors import SpinstackError
from spinstack.images import compose_program
from spinstack.images.errors import explained, tail
from spinstack.local import mounts
from spinstack.local.compose_file import Derived, own_files
from spinstack.local.containers import Container
from spinstack.local.stack import LocalStack, person
from spinstack.sample.owner import GID
from spinstack.text import whole_number
from spinstack.transport import probe

if TYPE_CHECKING:
    from spinstack.console.progress import StepDisplay
    from spinstack.session import Session


def up(session: Session, *, port: int | None = None) -> str:
    """Build what changed, start the stack here and wait until it responds; its address.

    `port` on 127.0.0.1, instead of the stack's own. Raises SpinstackError at the first failure;
    containers are left so that they can be inspected.
    """
    from spinstack.deploy import images

    local = LocalStack(session)
    derived = local.derived(port)
    _check_readable(session)
    images.build(session)
    prepare(local)
    with session.console.step("start") as step:
        _write(local, derived)
        said = _start(local, step.detail)
        step.done(local.program.name)
    return _wait(local, derived, said)


def prepare(local: LocalStack) -> None:
    """Provide every mounted directory, and say which are replaced by sample data."""
    session = local.session
    with session.console.step("data") as step:
        if session.dry:
            session.console.result(
                f"# sample data in {local.cache} for what is not on this machine"
            )
        else:
            mounts.prepare(local.sources, local.cache, (person(), _group(session)))
        step.done(f"in {local.cache}" if _needs_cache(local) else "")
    for line in mounts.told(local.sources):
        session.console.note(f"  {line}")


def _needs_cache(local: LocalStack) -> bool:
    return any(source.kind != "own" for source in local.sources)


def _group(session: Session) -> int:
    """The group that the services run as, whose files the sample's are."""
    for service in session.stack.services(session.destination)[0]:
        group = whole_number(service.user.partition(":")[2])
        if group is not None:
            return group
    return GID


def _check_readable(session: Session) -> None:
    """As root: mounted files of the stack must be readable by the container's user."""
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
        make_parents(local.file)
        write_private(local.file, derived.text())
    if derived.left_out:
        local.session.console.note(
            f"  left out (only for {local.session.platform.title}): {', '.join(derived.left_out)}"
        )


def _start(local: LocalStack, on_line: Any) -> str:
    """Start it; what compose printed. Raises SpinstackError with the cause."""
    result = local.compose(*local.program.up, on_line=on_line)
    if not result.ok:
        fields = {
            "engine": local.session.engine.name,
            "doing": "starting the stack",
            "where": local.project,
        }
        output = compose_program.without_chatter(f"{result.stdout}\n{result.stderr}")
        raise explained(compose_program.UP, output, fields)
    return result.stdout + result.stderr


def _wait(local: LocalStack, derived: Derived, said: str) -> str:
    """Wait until the site responds correctly; its address. Raises SpinstackError if a container
    ended, or when the time is up."""
    session = local.session
    paths = session.destination.probe_paths if derived.outside else ()
    pages = [f"http://{derived.outside}{path}" for path in paths]
    if session.dry:
        for page in pages or ["# no port is published"]:
            session.console.result(f"$ GET {page}" if pages else page)
        return ""
    with session.console.step("ask the site") as step:
        answers = _answers(local, pages, said, step)
        step.done(f"{', '.join(pages)}: ok" if pages else "no port is published")
    for line in [line for answer in answers for line in answer.remarks("warning")]:
        session.console.warn_of(line)
    return f"http://{derived.outside}/" if pages else ""


def _answers(
    local: LocalStack, pages: list[str], said: str, step: StepDisplay
) -> list[probe.Answer]:
    """The answers of all pages, once they are good, and what they wait for has come or the time
    is up. Raises SpinstackError as `_wait`."""
    deadline = time.monotonic() + local.session.destination.healthy_within
    refusals = {page: probe.Refusals() for page in pages}
    while True:
        _all_alive(local, local.containers(), said)
        answers = [probe.ask(page) for page in pages]
        late = time.monotonic() > deadline
        answered = dict(zip(pages, answers, strict=True))
        bad = [f"{page}: {answer}" for page, answer in answered.items() if not answer.ok]
        refused = [page for page, answer in answered.items() if refusals[page].last(answer)]
        pending = [line for answer in answers for line in answer.remarks("pending")]
        if not bad and (late or not pending):
            return answers
        if bad and (late or refused):
            raise _failed(local, "the site is not responding correctly", bad[0])
        step.detail((bad or pending)[0])
        time.sleep(0.5)


def _all_alive(local: LocalStack, containers: list[Container], said: str) -> None:
    unstarted = [container.service for container in containers if container.unstarted]
    if unstarted:
        raise SpinstackError(
            f"{local.session.engine.name} did not start {', '.join(unstarted)}",
            where=local.project,
            remedy="see the reason above",
            details=tail(compose_program.without_chatter(said)),
        )
    dead = [container for container in containers if container.dead]
    if dead:
        names = ", ".join(f"{container.service} ({container.shown})" for container in dead)
        raise _failed(local, f"a container exited: {names}", local.project)


def _failed(local: LocalStack, what: str, where: str) -> SpinstackError:
    logs = [f"--- {name}, last lines ---\n{local.log(name)}" for name in _services(local)]
    return SpinstackError(
        what,
        where=where,
        remedy="fix the cause and run `invoke local.up` again; `invoke local.down` stops it",
        details="\n".join(logs),
    )


def _services(local: LocalStack) -> list[str]:
    return local.session.stack.service_names
