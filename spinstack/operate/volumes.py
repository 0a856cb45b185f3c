"""Volumes of the stack: listed, made, removed after a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.errors import UsageError
from spinstack.operate import kept, volumes
from spinstack.operate.selection import check_name, rancher
from spinstack.remote.history.write import recorded

if TYPE_CHECKING:
    from spinstack.session import Session
from collections.abc import Collection

from spinstack.operate.kept import refuse, show_listed
from spinstack.rules import names


def list_volumes(session: Session, *, all: bool, json: bool) -> None:
    """List the stack's volumes at Rancher."""
    with rancher(session) as there:
        found = kept.volumes(there)
    show_listed(session, "volumes", found, all, json, ["NAME", "STATE", "DRIVER"])


def create_volume(session: Session, service: str, driver: str, *, json: bool) -> None:
    """Make a volume, named SERVICE.STACK; an empty `driver` is the usual one."""
    whole = _volume_name(session, service)
    with rancher(session) as there:
        kept.must_be_new(there, kept.volumes(there), whole, "a volume")
        with recorded(session, there.node, "volume.create", whole):
            kept.create_volume(there, whole, driver or volumes.DRIVER)
    if session.dry:
        return
    session.give(json, {"action": "volume.create", "name": whole}, f"made {whole}")
    session.console.note(
        f"mount it in {session.settings.compose_file}: volumes: ['{whole}:/DIRECTORY'], and "
        f"declare it at the end of the file: volumes: {{{whole}: {{external: true}}}}"
    )


def remove_volume(session: Session, service: str, *, yes: bool, json: bool) -> None:
    """Remove a volume with all that is in it."""
    whole = _volume_name(session, service)
    with rancher(session) as there:
        found = kept.find(there, kept.volumes(there), whole, "volume")
        if found is None:
            gone = {"action": "volume.rm", "name": whole, "was_there": False}
            session.give(json, gone, f"{whole} is not there: nothing to remove")
            return
        session.confirm(
            f"Remove the volume {whole} at {session.destination.name}? Lost: all that is in it, "
            "for good. Kept: mounted directories, releases, images.",
            yes=yes,
        )
        with recorded(session, there.node, "volume.rm", whole):
            kept.remove(there, "volume", found)
    gone = {"action": "volume.rm", "name": whole, "was_there": True}
    session.give(json, gone, f"removed {whole}")


def _volume_name(session: Session, service: str) -> str:
    names = session.stack.service_names
    if not service:
        raise UsageError("a volume of which service?", remedy=f"--service: {', '.join(names)}")
    check_name(session, service)
    return volumes.volume_name("", session.settings.stack, service, names)


# The driver of Spin's own storage for volumes.
# Source: docs.nersc.gov, Spin reference guide, "Storage".
DRIVER = "rancher-nfs"


def volume_name(name: str, stack: str, service: str, services: Collection[str]) -> str:
    """`app.nw-desi`, from the service or as it is. Raises UsageError."""
    whole = name or f"{service}.{stack}"
    refuse([found.remedy for found in names.volume_name(whole, stack, services)], whole)
    return whole
