"""Whether the certificate beside a key is good, by certificates that are made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
)

from spinstack.transport import certificate

DAY = 86_400
NOON = 1_762_171_200  # 2025-11-03 12:00 UTC


def certified(directory: Path, begin: int, end: int, name: str = "nersc") -> Path:
    """The path of a private key with a certificate beside it."""
    builder = (
        SSHCertificateBuilder()
        .public_key(Ed25519PrivateKey.generate().public_key())
        .type(SSHCertificateType.USER)
        .key_id(b"me")
        .valid_for_all_principals()
        .valid_after(begin)
        .valid_before(end)
    )
    path = directory / name
    made = builder.sign(Ed25519PrivateKey.generate())
    path.with_name(f"{name}-cert.pub").write_bytes(made.public_bytes() + b" me@here\n")
    return path


@pytest.mark.parametrize(
    ("begin", "end", "told"),
    [
        (NOON - DAY, NOON + 60, ""),
        (NOON - DAY, 2**64 - 1, ""),
        (NOON - DAY, NOON, "expired on 2025-11-03 12:00 UTC"),
        (NOON + 3600, NOON + DAY, "is not valid before 2025-11-03 13:00 UTC: is this machine's"),
    ],
)
def test_a_certificate_is_good_within_its_time(
    tmp_path: Path, begin: int, end: int, told: str
) -> None:
    key = certified(tmp_path, begin, end)
    found = certificate.outdated(key, now=NOON)
    assert told in found
    assert bool(told) == bool(found)
    assert not told or str(key) in found


@pytest.mark.parametrize("content", [None, b"", b"ssh-ed25519 AAAA", b"\xff\x00", b"a b c"])
def test_what_is_no_certificate_is_not_judged(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "nersc-cert.pub").write_bytes(content)
    assert certificate.outdated(tmp_path / "nersc") == ""
