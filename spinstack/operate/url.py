"""The address of the site: printed, or opened in the web browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.operate.control import chosen
from spinstack.operate.selection import check_name
from spinstack.platforms import health
from spinstack.remote.access import connected

if TYPE_CHECKING:
    from spinstack.session import Session


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
        session.console.warn("no web browser found on this machine; open the address yourself")
    session.console.result(found)


def _url(session: Session, service: str) -> str:
    """The address, empty in a dry run. Raises SpinstackError if there is none."""
    check_name(session, service)
    with connected(session) as there:
        states = chosen(there.states(), service, there.stack)
    if session.dry:
        return ""
    found = health.site(states, session.destination)
    if not found:
        what = f"{service} publishes no port" if service and states else "the site is not running"
        raise SpinstackError(
            f"{there.stack} has no address: {what}",
            where=there.where,
            remedy="see `invoke status`",
        )
    return found
