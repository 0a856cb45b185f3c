"""Volumes of the stack: listed, created, removed."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from spinstack.operate import kept
from spinstack.rules import names

if TYPE_CHECKING:
    from spinstack.session import Session

VOLUME = kept.Kind(
    "volume",
    ("NAME", "STATE", "DRIVER"),
    "Lost: everything in it, for good. Kept: mounted directories, releases, images.",
)


def list_volumes(session: Session, *, all: bool, json: bool) -> None:
    """List the stack's volumes."""
    kept.show(session, VOLUME, all=all, json=json)


def create_volume(session: Session, name: str, driver: str, *, json: bool) -> None:
    """Create a volume, named SERVICE.STACK; an empty `driver` means the default one."""
    whole = whole_name(session, name)
    platform = session.platform
    step = platform.create_volume(whole, driver or platform.volume_driver)
    kept.create(session, VOLUME, whole, step)
    if session.dry:
        return
    session.give(json, {"action": "volume.create", "name": whole}, f"created {whole}")
    if kept.is_declared(session, "volumes", whole):
        return
    session.console.note(
        f"to use it, add to {session.settings.compose_file}: volumes: ['{whole}:/DIRECTORY'] in "
        f"the service, and at the end of the file volumes: {{{whole}: {{external: true}}}}"
    )


def remove_volume(session: Session, name: str, *, yes: bool, json: bool) -> None:
    """Remove a volume with everything in it."""
    # In full: that of a service that the stack no longer has, too.
    whole = whole_name(session, name) if name in session.stack.service_names else name
    kept.remove(session, VOLUME, whole, yes=yes, json=json)


def whole_name(session: Session, name: str) -> str:
    """As `volume_name`, for the session's stack."""
    return volume_name(name, session.settings.stack, session.stack.service_names)


def volume_name(name: str, stack: str, services: Collection[str]) -> str:
    """`app.nw-desi`, made from the service `app` or given in full. Raises UsageError."""
    whole = f"{name}.{stack}" if name in services else name
    found = names.volume_name(whole, stack, services)
    kept.check_name([one.remedy for one in found], whole)
    return whole
