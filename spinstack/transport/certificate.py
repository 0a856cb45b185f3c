"""The certificate beside a private key, as sshproxy.sh writes it: is it still valid?"""

from __future__ import annotations

import time
from pathlib import Path

from spinstack import times

# "Forever", in the certificate format of OpenSSH (PROTOCOL.certkeys).
FOREVER = 2**64 - 1


def outdated(key: Path, now: float | None = None) -> str:
    """Why the certificate of a private key is not valid now (`now`: seconds since 1970); empty
    if it is valid, or if there is none that can be read."""
    found = validity(key)
    if found is None:
        return ""
    begin, end = found
    moment = time.time() if now is None else now
    if moment >= end:
        return f"the certificate of {key} expired on {_told(end)}"
    if moment < begin:
        return (
            f"the certificate of {key} is not valid before {_told(begin)}: "
            "is this machine's clock right?"
        )
    return ""


def certificate_of(key: Path) -> Path:
    """Where ssh-keygen and sshproxy.sh put the certificate of a private key."""
    return key.with_name(f"{key.name}-cert.pub")


def validity(key: Path) -> tuple[int, int] | None:
    """From when until when, in seconds since 1970 (`FOREVER` for no end); None if there is none
    that can be read."""
    try:
        content = certificate_of(key).read_bytes()
    except OSError:
        return None
    try:
        # A dependency of paramiko; versions before 40 know no certificates.
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import (
            SSHCertificate,
            load_ssh_public_identity,
        )
    except ImportError:
        return None
    try:
        read = load_ssh_public_identity(content)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return (read.valid_after, read.valid_before) if isinstance(read, SSHCertificate) else None


def _told(seconds: int) -> str:
    if seconds == FOREVER:
        return "never"
    return f"{times.after_1970(seconds):%Y-%m-%d %H:%M} UTC"
