"""What runs: status, logs, address, the platform's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, SERVICE, TO, task

if TYPE_CHECKING:
    from spinstack.session import Session


def _judge_stats(session: Session, *, watch: bool = False, **_: object) -> None:
    from spinstack.config import service_settings

    if not watch:
        service_settings.stats_commands(session.settings.raw.get("stats") or {})


def _judge_query(
    session: Session, *, service: str = "", tail: str = "", since: str = "", **_: object
) -> None:
    # What it imports is not worth waiting for where nothing was asked for.
    if service or tail or since:
        from spinstack.operate import logs

        logs.wanted(session, service, tail, since)


@task(
    "run",
    logs_in=_judge_stats,
    help={"to": TO, "watch": "refresh every 2 s, until Ctrl-C", "json": JSON},
)
def status(
    session: Session, to: str | None = None, watch: bool = False, json: bool = False
) -> None:
    """Show services, health, release and address.

    Also the services' own statistics (the setting `stats`), but not with --watch.

    Exit codes: 0 shown (also if services are unhealthy: see --json), 1 nothing is running or the
    status could not be read, 2 wrong usage.
    """
    from spinstack.operate import status as operate_status

    operate_status.status(session, watch=watch, json=json)


@task(
    "run",
    logs_in=_judge_query,
    help={
        "service": SERVICE,
        "to": TO,
        "follow": "keep following the logs, until Ctrl-C",
        "tail": "number of lines for each service, or all (default: 100; all with --since)",
        "since": "only newer lines: 10m, 2h, 1d, or a time with its time zone",
        "json": "print one JSON object per line",
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
    """Show the logs of the services.

    With several services, each line begins with the service's name. Explanations of known
    errors come last.

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
    """Print all that the platform knows about a service, as JSON.

    Includes the values of environment variables. Without --service: an object with all services
    by name.
    """
    from spinstack.operate import inspect as operate_inspect

    operate_inspect.show(session, service)
