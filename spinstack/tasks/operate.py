"""Once it runs: status, logs, address, stop, remove."""

from __future__ import annotations

from dataclasses import asdict

from spinstack import deploy as way
from spinstack import waiting
from spinstack.cattle import ServiceState
from spinstack.errors import SpinstackError, UsageError
from spinstack.session import Session
from spinstack.tasks.manual import Topic
from spinstack.tasks.running import JSON, TO, YES, task

SERVICE = "one service (default: all)"


@task("run", help={"to": TO, "json": JSON})
def status(session: Session, to: str | None = None, json: bool = False) -> None:
    """Show services, health, release and address."""
    with session.login_node() as node:
        situation = way.make_remote(session, node).look()
    if session.dry:
        return
    url = waiting.address(situation.states, session.destination)
    if json:
        services = [{**asdict(state), "shown": state.shown} for state in situation.states]
        found = {"stack": session.settings.stack, "destination": session.destination.name}
        session.console.json(
            {**found, "release": situation.current, "url": url, "services": services}
        )
        return
    if not situation.states:
        raise SpinstackError(
            f"{session.settings.stack} does not run at {session.destination.name}",
            where=f"environment {session.destination.environment}",
            remedy="invoke deploy",
        )
    rows = [
        [state.name, state.shown, f"{state.current}/{state.scale}", state.image, state.message]
        for state in situation.states
    ]
    session.console.table(["SERVICE", "STATE", "SCALE", "IMAGE", "MESSAGE"], rows)
    session.console.result(f"release: {situation.current or 'none confirmed yet'}")
    session.console.result(f"address: {url or 'none'}")
    if situation.unconfirmed:
        session.console.warn(
            f"an upgrade of {', '.join(situation.unconfirmed)} waits for "
            "`invoke confirm` or `invoke rollback`"
        )


@task(
    "run",
    help={
        "service": SERVICE,
        "to": TO,
        "tail": "how many lines of each service",
        "follow": "go on as the log grows, until Ctrl-C (one service)",
    },
)
def logs(
    session: Session,
    service: str = "",
    to: str | None = None,
    tail: int = 100,
    follow: bool = False,
) -> None:
    """Show what the services printed last."""
    names = _services(session, service)
    if follow and len(names) > 1:
        raise UsageError("only one service can be followed", remedy=f"one of {', '.join(names)}")
    with session.login_node() as node:
        remote = way.make_remote(session, node)
        if follow:
            remote.follow(names[0], tail, session.console.result)
            return
        for name in names:
            log = remote.logs(name, tail)
            for line in log.rstrip("\n").splitlines():
                session.console.result(f"{name} | {line}" if len(names) > 1 else line)


@task("run", help={"to": TO})
def url(session: Session, to: str | None = None) -> None:
    """Print the address of the site."""
    with session.login_node() as node:
        states = way.make_remote(session, node).states()
    if session.dry:
        return
    found = waiting.address(states, session.destination)
    if not found:
        raise SpinstackError(
            f"{session.settings.stack} has no address at {session.destination.name}",
            remedy="see `invoke status`: it runs there only after a deploy",
        )
    session.console.result(found + "/")


@task("run", help={"service": SERVICE, "to": TO, "yes": YES})
def stop(session: Session, service: str = "", to: str | None = None, yes: bool = False) -> None:
    """Stop the stack or a service; deploy starts it."""
    what = _named(session, service)
    session.confirm(f"Stop {what}? The site is down until the next deploy.", yes=yes)
    with session.login_node() as node:
        remote = way.make_remote(session, node)
        with session.console.step("stop") as step:
            _running(remote.states(), session, service)
            remote.stop(service)
            remote.wait_until_stopped(service)
            step.done(what)


@task("run", help={"service": SERVICE, "to": TO, "yes": YES})
def rm(session: Session, service: str = "", to: str | None = None, yes: bool = False) -> None:
    """Remove the stack or a service; files stay."""
    what = _named(session, service)
    session.confirm(
        f"Remove {what}? Its containers and their logs are lost; releases, data and images stay.",
        yes=yes,
    )
    with session.login_node() as node:
        remote = way.make_remote(session, node)
        with session.console.step("remove") as step:
            _running(remote.states(), session, service)
            remote.remove(service)
            remote.wait_until_gone(service)
            step.done(what)


def _services(session: Session, service: str) -> list[str]:
    names = session.stack.service_names
    if service and service not in names:
        raise UsageError(
            f"the stack has no service {service!r}", remedy=f"one of {', '.join(names)}"
        )
    return [service] if service else names


def _named(session: Session, service: str) -> str:
    _services(session, service)
    stack = session.settings.stack
    return f"{stack}/{service}" if service else stack


def _running(states: list[ServiceState], session: Session, service: str) -> None:
    """Rancher creates stacks when asked about unknown ones, so ask only about known ones."""
    if session.dry or any(not service or state.name == service for state in states):
        return
    raise SpinstackError(
        f"{_named(session, service)} is not there",
        where=f"{session.destination.name}, environment {session.destination.environment}",
        remedy="see `invoke status`",
    )


TOPIC = Topic("run", "Once it runs", (status, logs, url, stop, rm))
