"""Secrets and volumes of the stack: listed, made, removed after a question."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import UsageError
from spinstack.operate import kept, secrets
from spinstack.operate.selection import check_name, rancher
from spinstack.remote.history.write import recorded

if TYPE_CHECKING:
    from spinstack.session import Session
from collections.abc import Collection

from spinstack.operate.kept import refuse, show_listed
from spinstack.rules import names


def list_secrets(session: Session, *, all: bool, json: bool) -> None:
    """List the stack's secrets; values can't be read back."""
    with rancher(session) as there:
        found = kept.secrets(there)
    show_listed(session, "secrets", found, all, json, ["NAME", "CREATED"])


def create_secret(session: Session, name: str, service: str, file: str, *, json: bool) -> None:
    """Make a secret; its value comes from a file or standard input."""
    whole = _secret_name(session, name, service)
    value = b"dry" if session.dry else _value(session, whole, file)
    secrets.check_value(value)
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


def _secret_name(session: Session, name: str, service: str) -> str:
    check_name(session, service)
    names = session.stack.service_names
    return secrets.secret_name(name, session.settings.stack, service, names)


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


# A password, a key, a certificate chain: nothing larger belongs into a secret.
LARGEST_VALUE = 100_000


def secret_name(name: str, stack: str, service: str, services: Collection[str]) -> str:
    """The whole name: `app.nw-desi.password` for `password` of app, `nw-desi.password` for
    all services. A name that is whole already stays. Raises UsageError."""
    for prefix in (f"{stack}.", *(f"{one}.{stack}." for one in services)):
        if name.startswith(prefix):
            whole = name
            break
    else:
        whole = f"{service}.{stack}.{name}" if service else f"{stack}.{name}"
    refuse([found.remedy for found in names.secret_name(whole, stack, services)], whole)
    return whole


def check_value(value: bytes) -> None:
    """Raises UsageError for what can't be meant."""
    if not value:
        raise UsageError("the value is empty", remedy="--file PATH, or give it on standard input")
    if len(value) > LARGEST_VALUE:
        raise UsageError(
            f"{len(value)} bytes are too many for a secret",
            remedy=f"{LARGEST_VALUE} at most: mount a file of a directory instead",
        )
