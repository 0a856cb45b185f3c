"""What is running, shown to a person or a script."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from spinstack.config import service_settings
from spinstack.console.console import columns
from spinstack.errors import SpinstackError
from spinstack.operate import snapshot
from spinstack.operate.snapshot import Overview
from spinstack.platforms.base import ServiceState
from spinstack.remote.access import connected
from spinstack.remote.stack import RemoteStack

if TYPE_CHECKING:
    from spinstack.session import Session


def status(session: Session, *, watch: bool, json: bool) -> None:
    """Show services, health, release and address; again and again with `watch`, which leaves out
    what services report about themselves: that costs a process in their containers each time."""
    setting = {} if watch else session.settings.raw.get("stats") or {}
    asked = service_settings.stats_commands(setting)
    with connected(session) as there:
        if watch:
            until_ctrl_c(session, lambda: _watch(session, there, json))
            return
        found = snapshot.look(there, asked)
    if session.dry:
        return
    if json:
        session.console.json(as_json(found))
        return
    if not found.services:
        raise not_there(found)
    now = datetime.now(timezone.utc)
    session.console.table(HEADINGS, rows(found, now))
    for line in lines(found, now):
        if line.startswith("warning: "):
            session.console.warn(line.removeprefix("warning: "))
        else:
            session.console.result(line)


def until_ctrl_c(session: Session, watching: Callable[[], None]) -> None:
    """Watch; Ctrl-C is how that ends, not a failure."""
    try:
        watching()
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            session.console.result("")


def _watch(session: Session, there: RemoteStack, json: bool) -> None:
    """One round after another: in place on a terminal; as JSON, one line each."""

    def seen(found: Overview) -> None:
        if json:
            session.console.json(as_json(found), indent=None)
        else:
            session.console.page(_picture(found))

    def failed(error: SpinstackError) -> None:
        session.console.page(f"{there.where}  {_clock()}\n")
        session.console.error(error)

    snapshot.watch(there, seen, failed)


def _picture(found: Overview) -> str:
    now = datetime.now(timezone.utc)
    body = ["not running"]
    if found.services:
        shown = rows(found, now)
        body = [*columns(HEADINGS, shown), *lines(found, now)]
    head = f"{found.stack} at {found.destination} ({found.environment})  {_clock()}"
    return "\n".join([head, "", *body, ""])


def _clock() -> str:
    return f"{datetime.now(timezone.utc):%H:%M:%S} UTC"


def as_json(found: Overview) -> dict[str, Any]:
    """For a script: everything that was read."""
    services = [
        {
            **asdict(service),
            "shown": service.shown,
            "since": found.since(service),
            "containers": [asdict(item) for item in found.containers.get(service.name, [])],
            "stats": found.stats[service.name].as_json() if service.name in found.stats else {},
        }
        for service in found.services
    ]
    return {
        "stack": found.stack,
        "destination": found.destination,
        "environment": found.environment,
        "release": found.release,
        "deployed": found.note,
        "unfinished": found.unfinished if found.unconfirmed else {},
        "url": found.url,
        "services": services,
    }


def ago(moment: str, now: datetime) -> str:
    """How long ago an ISO 8601 time was, in its largest unit; empty for anything else."""
    try:
        then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return ""
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


HEADINGS = ["SERVICE", "STATE", "SINCE", "RUNNING", "IMAGE", "MESSAGE"]


def rows(found: Overview, now: datetime) -> list[list[str]]:
    """A row for each service, as HEADINGS names the columns."""
    return [
        [
            service.name,
            service.shown,
            ago(found.since(service), now),
            f"{service.current}/{service.scale}",
            service.image.rpartition("/")[2],
            _message(found, service),
        ]
        for service in found.services
    ]


def _message(found: Overview, service: ServiceState) -> str:
    if service.message:
        return service.message
    if service.stopped:
        return "stopped"
    again = found.starts_again(service)
    return f"restarted {again} time{'s' if again > 1 else ''}" if again else ""


def lines(found: Overview, now: datetime) -> list[str]:
    """The lines below the table: what services report about themselves, the release and who made
    it, the address, the containers kept from before an upgrade, what is unfinished."""
    told = [f"{service}: {stats.line}" for service, stats in found.stats.items()]
    told.append(f"release: {found.release or 'no release confirmed yet'}{_made(found.note, now)}")
    told.append(f"address: {found.url or 'none'}")
    told += [
        f"kept: {one.name} ({', '.join(filter(None, (one.image.rpartition('/')[2], one.state)))})"
        for one in found.kept
    ]
    if found.unconfirmed:
        by = _made(found.unfinished, now)
        told.append(
            f"warning: the upgrade of {', '.join(found.unconfirmed)} is waiting for "
            f"`invoke confirm` or `invoke rollback`{by}"
        )
    return told


def _made(note: dict[str, Any], now: datetime) -> str:
    """`, by alice on laptop, 3 h ago, commit 1a2b3c4 with changes`, as far as known."""
    host, when = note.get("host"), ago(str(note.get("when") or ""), now)
    parts = []
    if note.get("who"):
        parts.append(f"by {note['who']}" + (f" on {host}" if host else ""))
    if when:
        parts.append(f"{when} ago")
    if note.get("commit"):
        changed = " with changes" if note.get("dirty") else ""
        parts.append(f"commit {str(note['commit'])[:10]}{changed}")
    return "".join(f", {part}" for part in parts)


def not_there(found: Overview) -> SpinstackError:
    return SpinstackError(
        f"{found.stack} is not running at {found.destination}",
        where=f"environment {found.environment}",
        remedy="run `invoke deploy`" + (" to bring it back" if found.release else ""),
    )
