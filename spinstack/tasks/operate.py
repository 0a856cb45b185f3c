"""Change what runs without a new release: start, stop, restart, scale, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks import exec, history, status
from spinstack.tasks.task import JSON, ONE, SERVICE, TO, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session


@task("run", help={"service": SERVICE, "to": TO, "json": JSON, "yes": YES})
def start(
    session: Session,
    service: str = "",
    to: str | None = None,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Start the stack or a service after a stop."""
    from spinstack.operate import services

    services.start(session, service, json=json, yes=yes)


@task("run", help={"service": SERVICE, "to": TO, "json": JSON, "yes": YES})
def stop(
    session: Session,
    service: str = "",
    to: str | None = None,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Stop the stack or a service; `start` starts it again."""
    from spinstack.operate import services

    services.stop(session, service, json=json, yes=yes)


@task("run", help={"service": SERVICE, "to": TO, "json": JSON, "yes": YES})
def restart(
    session: Session,
    service: str = "",
    to: str | None = None,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Restart the stack or a service."""
    from spinstack.operate import services

    services.restart(session, service, json=json, yes=yes)


@task(
    "run",
    help={
        "service": ONE,
        "count": "how many containers to run",
        "to": TO,
        "json": JSON,
        "yes": YES,
    },
)
def scale(
    session: Session,
    service: str = "",
    count: int = 0,
    to: str | None = None,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Run more or fewer containers of a service.

    The next deploy keeps this number: `scale` in invoke.yaml counts only when a service is created,
    and on Kubernetes when one that was stopped is deployed.

        invoke scale --service app --count 2
    """
    from spinstack.operate import services

    services.scale(session, service, count, json=json, yes=yes)


@task("run", help={"service": SERVICE, "to": TO, "json": JSON, "yes": YES})
def rm(
    session: Session,
    service: str = "",
    to: str | None = None,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Remove the stack or a service; files are kept."""
    from spinstack.operate import services

    services.remove(session, service, json=json, yes=yes)


TOPIC = Topic(
    "run",
    "Once it runs",
    (
        *(status.status, status.logs, status.url, status.open_, status.inspect),
        *(history.history, history.cite),
        *(exec.shell, exec.exec_),
        *(start, stop, restart, scale, rm),
    ),
)
