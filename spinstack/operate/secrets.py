"""Secrets of the stack: listed, created, removed. Their values can't be read back."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from spinstack.directories import expanded
from spinstack.errors import UsageError
from spinstack.operate import kept, selection
from spinstack.rules import names

if TYPE_CHECKING:
    from spinstack.session import Session

SECRET = kept.Kind(
    "secret",
    ("NAME", "CREATED"),
    "Lost: its value, which nobody can read back. Running containers keep their copy; new ones "
    "don't start.",
)
# A password, a key, a certificate chain: nothing larger belongs in a secret.
LARGEST_VALUE = 100_000


def list_secrets(session: Session, *, all: bool, json: bool) -> None:
    """List the stack's secrets."""
    kept.show(session, SECRET, all=all, json=json)


def create_secret(session: Session, name: str, service: str, file: str, *, json: bool) -> None:
    """Create a secret; its value comes from a file or standard input."""
    whole = _secret_name(session, name, service)
    value = b"dry" if session.dry else _value(session, whole, file)
    check_value(value)
    kept.create(session, SECRET, whole, session.platform.create_secret(whole, value))
    if session.dry:
        return
    if value.endswith(b"\n"):
        session.console.warn("the value ends with a newline, which is part of it")
    made = {"action": "secret.create", "name": whole, "bytes": len(value)}
    session.give(json, made, f"created {whole} ({len(value)} bytes)")
    if kept.is_declared(session, "secrets", whole):
        return
    session.console.note(
        f"to use it, add to {session.settings.compose_file}: secrets: [{whole}] in the service, "
        f"and at the end of the file secrets: {{{whole}: {{external: true}}}}; after the next "
        f"deploy the service finds it in /run/secrets/{whole}"
    )


def remove_secret(session: Session, name: str, service: str, *, yes: bool, json: bool) -> None:
    """Remove a secret."""
    kept.remove(session, SECRET, _secret_name(session, name, service), yes=yes, json=json)


def _secret_name(session: Session, name: str, service: str) -> str:
    selection.check_name(session, service)
    return secret_name(name, session.settings.stack, service, session.stack.service_names)


def _value(session: Session, name: str, file: str) -> bytes:
    """The value: a file's bytes, standard input, or what is typed without being shown.

    Raises UsageError for a file that can't be read; warns about one that others can read.
    """
    if file in ("", "-"):
        if sys.stdin.isatty():
            from getpass import getpass

            return getpass(f"Value of {name}: ").encode()
        return sys.stdin.buffer.read()
    path = expanded(file)
    try:
        value = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(
            f"can't read the value: {error.strerror}",
            where=str(path),
            remedy="give --file a file that you can read",
        ) from None
    if mode & 0o077:
        session.console.warn(f"others can read {path}; run: chmod 600 {path}")
    return value


def secret_name(name: str, stack: str, service: str, services: Collection[str]) -> str:
    """The full name: `app.nw-desi.password` for `password` of app, `nw-desi.password` for all
    services. A name that is already full stays. Raises UsageError."""
    for prefix in (f"{stack}.", *(f"{one}.{stack}." for one in services)):
        if name.startswith(prefix):
            whole = name
            break
    else:
        whole = f"{service}.{stack}.{name}" if service else f"{stack}.{name}"
    kept.check_name([found.remedy for found in names.secret_name(whole, stack, services)], whole)
    return whole


def check_value(value: bytes) -> None:
    """Raises UsageError for a value that can't be intended."""
    if not value:
        raise UsageError("the value is empty", remedy="use --file PATH, or pipe the value in")
    if len(value) > LARGEST_VALUE:
        raise UsageError(
            f"{len(value)} bytes are too many for a secret (at most {LARGEST_VALUE})",
            remedy="mount the directory of the file instead",
        )
