"""The stack on this machine: start, stop, status, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session

AS_AT = "use this destination's settings and image names (default: the stack's default)"


@task(
    "try",
    help={"to": AS_AT, "port": "port on 127.0.0.1 (default: the stack's port)", "json": JSON},
)
def up(session: Session, to: str | None = None, port: int = 0, json: bool = False) -> None:
    """Start the stack on this machine and print its address.

    With docker compose, docker-compose or podman, and with the user, capabilities and read-only
    mounts that it has on Spin. Sample data replaces directories that are not on this machine.
    """
    from spinstack.errors import UsageError
    from spinstack.local import up as local_up

    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is not a port number", remedy="use one from 1025 to 65535")
    url = local_up.up(session, port=port or None)
    session.give(json, {"action": "local.up", "url": url}, url)


@task(
    "try",
    help={"to": AS_AT, "data": "also remove volumes and sample data", "yes": YES, "json": JSON},
)
def down(
    session: Session,
    to: str | None = None,
    data: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Stop the stack on this machine.

    Removes containers and network; images, sample data and the pages made in it are kept.
    """
    from spinstack.local import stack

    session.must_know_destination()
    if data:
        here = stack.LocalStack(session)
        session.confirm(
            f"Remove the volumes of {here.name} on this machine and {here.cache}? The pages made "
            "in it are lost; your own directories are kept.",
            yes=yes,
        )
    done = stack.down(session, data=data)
    session.give(json, {"action": "local.down"}, done)


@task("try", help={"to": AS_AT, "json": JSON})
def status(session: Session, to: str | None = None, json: bool = False) -> None:
    """Show what runs on this machine, and whether it responds.

    Exit codes: 0 shown, 1 nothing is running on this machine (with --json: 0 and an empty list),
    2 wrong usage.
    """
    from spinstack.local import stack

    session.must_know_destination()
    here = stack.LocalStack(session)
    if session.dry:
        here.containers()
        return
    containers = here.containers() if json else stack.needs_to_run(here)
    told = stack.as_json(here, containers)
    if json:
        session.console.json(told)
        return
    rows = [[c.service, c.shown, c.since, c.image.rsplit("/", 1)[-1]] for c in containers]
    session.console.table(["SERVICE", "STATE", "SINCE", "IMAGE"], rows)
    answers = told["answers"] or "no answer"
    session.console.result(f"address: {told['url'] or 'none'} ({answers})")


@task(
    "try",
    help={
        "to": AS_AT,
        "service": "one service (default: all)",
        "tail": "number of lines for each service (default: 100)",
        "follow": "keep following the logs, until Ctrl-C",
    },
)
def logs(
    session: Session,
    to: str | None = None,
    service: str = "",
    tail: int = 100,
    follow: bool = False,
) -> None:
    """Show the logs of the services on this machine."""
    from spinstack.local import logs as local_logs

    local_logs.show(session, service, tail=tail, follow=follow)


TOPIC = Topic("try", "The stack on this machine", (up, down, status, logs), group="local")
