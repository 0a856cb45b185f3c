"""What runs, shown to a person or a script: status, logs, address, Rancher's own data."""

from __future__ import annotations

import json as jsons
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack import overview
from spinstack.choosing import check_name, rancher, service_names
from spinstack.console import columns
from spinstack.errors import SpinstackError
from spinstack.on_rancher import OnRancher
from spinstack.operations import chosen
from spinstack.overview import Overview
from spinstack.plain_text import can_move, is_plain

if TYPE_CHECKING:
    from spinstack.session import Session

# Lines of a log, the last ones, that are looked through for known errors.
EXPLAINED = 2000
CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def status(session: Session, *, watch: bool, json: bool) -> None:
    """Services, health, release and address; again and again with `watch`, which leaves out
    what services tell of themselves: that costs a process in their containers each time."""
    asked = {} if watch else _asked(session)
    with rancher(session) as there:
        if watch:
            _until_ctrl_c(session, lambda: _watch(session, there, json))
            return
        found = overview.look(there, asked)
    if session.dry:
        return
    if json:
        session.console.json(overview.as_json(found))
        return
    if not found.services:
        raise overview.not_there(found)
    now = datetime.now(timezone.utc)
    session.console.table(overview.HEADINGS, overview.rows(found, now))
    for line in overview.lines(found, now):
        if line.startswith("warning: "):
            session.console.warn(line.removeprefix("warning: "))
        else:
            session.console.result(line)


def _asked(session: Session) -> dict[str, list[str]]:
    """The commands of the setting `stats`."""
    setting = session.settings.raw.get("stats")
    if not setting:
        return {}
    from spinstack import stats

    return stats.commands(setting)


def _until_ctrl_c(session: Session, watching: Callable[[], None]) -> None:
    """Ctrl-C is how watching ends: no failure."""
    try:
        watching()
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            session.console.result("")


def _watch(session: Session, there: OnRancher, json: bool) -> None:
    """One round after the other: in place on a terminal, JSON a line each."""
    clear = CLEAR if can_move(sys.stdout) else ""

    def seen(found: Overview) -> None:
        if json:
            session.console.result(jsons.dumps(overview.as_json(found), ensure_ascii=False))
        else:
            session.console.result(clear + _picture(found))

    def failed(error: SpinstackError) -> None:
        session.console.result(clear + f"{there.where}  {_clock()}\n")
        session.console.error(error)

    overview.watch(there, seen, failed)


def _picture(found: Overview) -> str:
    now = datetime.now(timezone.utc)
    body = ["does not run"]
    if found.services:
        rows = overview.rows(found, now)
        body = [*columns(overview.HEADINGS, rows), *overview.lines(found, now)]
    head = f"{found.stack} at {found.destination} ({found.environment})  {_clock()}"
    return "\n".join([head, "", *body, ""])


def _clock() -> str:
    return f"{datetime.now(timezone.utc):%H:%M:%S} UTC"


def logs(
    session: Session, service: str, *, follow: bool, tail: str, since: str, json: bool
) -> None:
    """What the services print; what is known about the errors in it comes last."""
    from spinstack import logs as reading

    wanted, after = reading.lines_wanted(tail, since), reading.moment(since)
    check_name(session, service)
    with rancher(session) as there:
        states = chosen(there.states(), service, there.stack)
        names = [state.name for state in states]
        if session.dry:
            names = [service] if service else service_names(session)
        if not names:
            raise SpinstackError(
                f"{there.stack} does not run", where=there.where, remedy="invoke deploy"
            )
        printer = _printer(session, names, json)
        heard: deque[str] = deque(maxlen=EXPLAINED)

        def show(service: str, container: str, line: str) -> None:
            heard.append(line)
            printer(service, container, line)

        read = reading.follow if follow else reading.show
        _until_ctrl_c(session, lambda: read(there, names, wanted, after, show))
    if json:
        return
    from spinstack import translator

    for note in translator.notes(heard, session.console.stack):
        session.console.note(note)


COLOURS = ("cyan", "yellow", "green", "magenta", "blue")


def _printer(session: Session, names: list[str], json: bool) -> Callable[[str, str, str], None]:
    """Prints a line of a service; names in front where there are several, coloured on a
    terminal that can (rich's rules)."""
    coloured = None if json else _coloured(names)
    width = max(map(len, names)) if len(names) > 1 else 0

    def show(service: str, container: str, line: str) -> None:
        label = container or (service if width else "")
        prefix = f"{label:<{width}} | " if label else ""
        if json:
            entry = {"service": service, "container": container, "text": line}
            session.console.result(jsons.dumps(entry, ensure_ascii=False))
        elif coloured:
            coloured(service, prefix, line)
        else:
            session.console.result(prefix + line)

    return show


def _coloured(names: list[str]) -> Callable[[str, str, str], None] | None:
    """Prints the prefix in the colour of its service; None where there are no colours."""
    if is_plain(sys.stdout):
        return None
    from rich.console import Console
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=True)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}

    def show(service: str, prefix: str, line: str) -> None:
        out.print(Text.assemble((prefix, colours[service]), line))

    return show if out.is_terminal else None


def url(session: Session, service: str, *, json: bool) -> None:
    """Print the address of the site."""
    found = _url(session, service)
    if found and json:
        session.console.json({"url": found})
    elif found:
        session.console.result(found)


def open_site(session: Session, service: str) -> None:
    """Open the site in the web browser."""
    import webbrowser

    found = _url(session, service)
    if session.dry:
        session.console.result("# opens the address in the web browser")
        return
    if not webbrowser.open(found):
        session.console.warn("no web browser was found here")
    session.console.result(found)


def _url(session: Session, service: str) -> str:
    """The address, empty in a dry run. Raises SpinstackError if there is none."""
    check_name(session, service)
    with rancher(session) as there:
        states = chosen(there.states(), service, there.stack)
    if session.dry:
        return ""
    found = overview.site(states, session.destination)
    if not found:
        what = f"{service} publishes no port" if service and states else "it does not run there"
        raise SpinstackError(
            f"{session.settings.stack} has no address at {session.destination.name}: {what}",
            where=there.where,
            remedy="see `invoke status`",
        )
    return found


def inspect(session: Session, service: str) -> None:
    """Print all that Rancher knows of a service, or of all by their names, as JSON."""
    from spinstack import inspecting

    check_name(session, service)
    with rancher(session) as there:
        names = [state.name for state in chosen(there.states(), service, there.stack)]
        if session.dry:
            names = [service] if service else service_names(session)
        inspecting.must_run(there, names)
        found = inspecting.inspect(there, names)
    if not session.dry:
        session.console.json(found[service] if service else found)
