"""Secrets and volumes of the stack: listed, made, removed after a question."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack import secrets_and_volumes as kept
from spinstack.choosing import check_name, rancher
from spinstack.errors import UsageError
from spinstack.recording import recorded
from spinstack.secrets_and_volumes import Thing

if TYPE_CHECKING:
    from spinstack.session import Session


def list_secrets(session: Session, *, all: bool, json: bool) -> None:
    """List the stack's secrets; values can't be read back."""
    with rancher(session) as there:
        found = kept.secrets(there)
    _show(session, "secrets", found, all, json, ["NAME", "CREATED"])


def create_secret(session: Session, name: str, service: str, file: str, *, json: bool) -> None:
    """Make a secret; its value comes from a file or standard input."""
    whole = _secret_name(session, name, service)
    value = b"dry" if session.dry else _value(session, whole, file)
    kept.check_value(value)
    with rancher(session) as there:
        kept.must_be_new(there, kept.secrets(there), whole, "a secret")
        with recorded(session, there.node, "secret.create", whole):
            kept.create_secret(there, whole, value)
    if session.dry:
        return
    if value.endswith(b"\n"):
        session.console.warn("the value ends with a newline, which is a part of it")
    made = {"action": "secret.create", "name": whole, "bytes": len(value)}
    session.give(json, made, f"made {whole} ({len(value)} bytes)")
    session.console.note(
        f"name it in {session.settings.compose_file}: secrets: [{whole}] in the service, and "
        f"at the end of the file secrets: {{{whole}: {{external: true}}}}; after the next deploy "
        f"the service sees it as /run/secrets/{whole}"
    )


def remove_secret(session: Session, name: str, service: str, *, yes: bool, json: bool) -> None:
    """Remove a secret."""
    whole = _secret_name(session, name, service)
    with rancher(session) as there:
        found = kept.find(there, kept.secrets(there), whole, "secret")
        if found is None:
            gone = {"action": "secret.rm", "name": whole, "was_there": False}
            session.give(json, gone, f"{whole} is not there: nothing to remove")
            return
        session.confirm(
            f"Remove the secret {whole} at {session.destination.name}? Lost: its value, which "
            "nobody can read back. Containers that run keep their copy; new ones don't start.",
            yes=yes,
        )
        with recorded(session, there.node, "secret.rm", whole):
            kept.remove(there, "secret", found)
    gone = {"action": "secret.rm", "name": whole, "was_there": True}
    session.give(json, gone, f"removed {whole}")


def list_volumes(session: Session, *, all: bool, json: bool) -> None:
    """List the stack's volumes at Rancher."""
    with rancher(session) as there:
        found = kept.volumes(there)
    _show(session, "volumes", found, all, json, ["NAME", "STATE", "DRIVER"])


def create_volume(session: Session, service: str, driver: str, *, json: bool) -> None:
    """Make a volume, named SERVICE.STACK; an empty `driver` is the usual one."""
    whole = _volume_name(session, service)
    with rancher(session) as there:
        kept.must_be_new(there, kept.volumes(there), whole, "a volume")
        with recorded(session, there.node, "volume.create", whole):
            kept.create_volume(there, whole, driver or kept.DRIVER)
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


def _show(
    session: Session, kind: str, found: list[Thing], all: bool, json: bool, headings: list[str]
) -> None:
    if session.dry:
        return
    stack, destination = session.settings.stack, session.destination
    shown = found if all else kept.of_stack(found, stack)
    if json:
        session.console.json([asdict(thing) for thing in shown])
    elif shown:
        rows = [[str(getattr(thing, key.lower())) for key in headings] for thing in shown]
        session.console.table(headings, rows)
    else:
        whose = destination.environment if all else stack
        session.console.note(f"{whose} has no {kind} at {destination.name}")


def _secret_name(session: Session, name: str, service: str) -> str:
    check_name(session, service)
    names = session.stack.service_names
    return kept.secret_name(name, session.settings.stack, service, names)


def _volume_name(session: Session, service: str) -> str:
    names = session.stack.service_names
    if not service:
        raise UsageError("a volume of which service?", remedy=f"--service: {', '.join(names)}")
    check_name(session, service)
    return kept.volume_name("", session.settings.stack, service, names)


def _value(session: Session, name: str, file: str) -> bytes:
    """The value: a file's bytes, what comes on standard input, or what is typed, unseen.

    Raises UsageError for a file that can't be read or that others can read.
    """
    if file in ("", "-"):
        if sys.stdin.isatty():
            from getpass import getpass

            return getpass(f"Value of {name}: ").encode()
        return sys.stdin.buffer.read()
    path = Path(file).expanduser()
    try:
        value = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(
            f"the value can't be read: {error.strerror}", where=str(path), remedy="see --file"
        ) from None
    if mode & 0o077:
        session.console.warn(f"others can read {path}: chmod 600 it")
    return value
