"""Look at what runs: status, logs, address, Rancher's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, SERVICE, TO, task

if TYPE_CHECKING:
    from spinstack.session import Session


@task(
    "run",
    help={"to": TO, "watch": "again every 2 s, until Ctrl-C", "json": JSON},
)
def status(
    session: Session, to: str | None = None, watch: bool = False, json: bool = False
) -> None:
    """Show services, health, release and address.

    Also what the services tell of themselves (the setting `stats`), but not with --watch.

    Exit codes: 0 told (also of services that are not well: see --json), 1 nothing runs there
    or it could not be seen, 2 wrong use.
    """
    from spinstack.operate import status as operate_status

    operate_status.status(session, watch=watch, json=json)


@task(
    "run",
    help={
        "service": SERVICE,
        "to": TO,
        "follow": "go on as the logs grow, until Ctrl-C",
        "tail": "how many lines of each service, or all (default: 100; all with --since)",
        "since": "only what is newer: 10m, 2h, 1d, or a moment with its zone",
        "json": "a JSON object a line",
    },
)
def logs(
    session: Session,
    service: str = "",
    to: str | None = None,
    follow: bool = False,
    tail: str = "",
    since: str = "",
    json: bool = False,
) -> None:
    """Show what the services print.

    With several services each line begins with the name of its own. What is known about the
    errors in them comes last.

        invoke logs --service app --tail 20
        invoke logs --since 2h
        invoke logs --follow
    """
    from spinstack.operate import logs as operate_logs

    operate_logs.logs(session, service, follow=follow, tail=tail, since=since, json=json)


@task("run", help={"service": SERVICE, "to": TO, "json": JSON})
def url(session: Session, service: str = "", to: str | None = None, json: bool = False) -> None:
    """Print the address of the site."""
    from spinstack.operate import url as operate_url

    operate_url.url(session, service, json=json)


@task("run", help={"service": SERVICE, "to": TO}, name="open")
def open_(session: Session, service: str = "", to: str | None = None) -> None:
    """Open the site in the web browser."""
    from spinstack.operate import url as operate_url

    operate_url.open_site(session, service)


@task("run", help={"service": SERVICE, "to": TO})
def inspect(session: Session, service: str = "", to: str | None = None) -> None:
    """Print all that Rancher knows of a service, as JSON.

    Values of environment variables are in it. Without --service: an object with all
    services by their names.
    """
    from spinstack.operate import inspect as operate_inspect

    operate_inspect.show(session, service)
