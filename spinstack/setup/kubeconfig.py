"""What a kubeconfig says about access: its contexts, and how long a login in it is still valid.

Read here for the doctor and for `login --status`; to the cluster itself kubectl alone speaks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinstack.errors import SpinstackError
from spinstack.text import read_json, read_yaml

# Whatever somebody wrote into the file by hand.
_WRONG = (ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class Login:
    """How the user of a context is known to the server. `kind`: a phrase; `end`: until when, in
    seconds since 1970, None if only the server knows; `program`: what kubectl runs to get it."""

    kind: str
    end: float | None = None
    program: str = ""


def load(path: Path) -> dict[str, Any]:
    """The file's content. Raises SpinstackError if it is no kubeconfig."""
    try:
        found = read_yaml(path.read_bytes())
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    except ValueError as error:
        raise _unusable(path, str(error)) from None
    if not isinstance(found, dict):
        raise _unusable(path, "no mapping")
    return found


def _unusable(path: Path, why: str) -> SpinstackError:
    remedy = "get it anew, or name another one in the setting kubeconfig"
    return SpinstackError(f"the kubeconfig can't be read: {why}", where=str(path), remedy=remedy)


def contexts(config: Mapping[str, Any]) -> list[str]:
    """Their names."""
    return list(_named(config, "contexts", "context"))


def server(config: Mapping[str, Any], context: str) -> str:
    """The address of a context's cluster; empty if the file does not say."""
    cluster = _named(config, "contexts", "context").get(context, {}).get("cluster")
    address = _named(config, "clusters", "cluster").get(str(cluster), {}).get("server")
    return str(address or "")


def login(config: Mapping[str, Any], context: str, directory: Path) -> Login | None:
    """How the context's user logs in; None if the file does not say. `directory`: the file's,
    which files named in it are relative to."""
    user = _named(config, "contexts", "context").get(context, {}).get("user")
    found = _named(config, "users", "user").get(str(user), {})
    try:
        return _login(found, directory)
    except _WRONG:
        return None


def _login(user: Mapping[str, Any], directory: Path) -> Login | None:
    program = user.get("exec")
    if program:
        return Login("a program", program=str(program["command"]))
    token = _content(user, "token", "tokenFile", directory)
    if token:
        return Login("a token", _end_of_token(token.decode("ascii", "replace").strip()))
    certificate = user.get("client-certificate-data")
    pem = base64.b64decode(certificate) if certificate else None
    pem = pem or _content(user, "", "client-certificate", directory)
    if pem:
        return Login("a certificate", _end_of_certificate(pem))
    return Login("a password") if user.get("username") else None


def _content(user: Mapping[str, Any], key: str, file: str, directory: Path) -> bytes:
    """What is in the file itself, or in one that it names."""
    if user.get(key):
        return str(user[key]).encode()
    try:
        return (directory / str(user[file])).read_bytes() if user.get(file) else b""
    except OSError:
        return b""


def _end_of_token(token: str) -> float | None:
    """Of a JSON Web Token; others, such as Rancher's, say nothing.

    Source: RFC 7519, 4.1.4.
    """
    match = re.fullmatch(r"[\w-]+\.([\w-]+)\.[\w-]*", token)
    if match is None:
        return None
    try:
        claims = read_json(base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)))
        return float(claims["exp"])
    except _WRONG:
        return None


def _end_of_certificate(pem: bytes) -> float | None:
    try:
        # A dependency of paramiko.
        from cryptography import x509

        read = x509.load_pem_x509_certificate(pem)
    except (ImportError, ValueError):
        return None
    # Versions before 42 have only the time without its zone, which is UTC.
    end = getattr(read, "not_valid_after_utc", None)
    if end is None:
        from datetime import timezone

        end = read.not_valid_after.replace(tzinfo=timezone.utc)
    return float(end.timestamp())


def _named(config: Mapping[str, Any], key: str, value: str) -> dict[str, Mapping[str, Any]]:
    """The entries of one of its lists, by name; the first of a name counts, as to kubectl."""
    found: dict[str, Mapping[str, Any]] = {}
    entries = config.get(key)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get(value), dict):
            found.setdefault(str(entry.get("name")), entry[value])
    return found
