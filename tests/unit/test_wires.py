"""Which wire is used, by setting and by what the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.config import settings
from spinstack.errors import UsageError
from spinstack.transport import connect


def destination(**values: str) -> settings.Destination:
    own = {"environment": "dev-cattle", "project_dir": "/x", **values}
    raw = {"stack": "x", "destinations": {"there": own}}
    return settings.load({"spinstack": raw}, Path("/")).destination("there")


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026", "openssh"),
        ("OpenSSH_8.4p1, LibreSSL 2.9.9", "openssh"),
        ("OpenSSH_10.0p2, OpenSSL 3.5", "openssh"),
        ("OpenSSH_8.3p1, OpenSSL 1.1.1", "fabric"),
        ("Dropbear v2024.85", "fabric"),
    ],
)
def test_auto_takes_an_ssh_that_can_keep_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, chosen: str
) -> None:
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert connect.chosen(destination()) == chosen
    assert connect.chosen(destination(wire="fabric")) == "fabric"
    if chosen == "fabric":
        with pytest.raises(UsageError, match="for the wire openssh"):
            connect.chosen(destination(wire="openssh"))


def test_windows_and_a_machine_without_ssh_use_fabric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.platform", "win32")
        assert connect.chosen(destination()) == "fabric"
        with pytest.raises(UsageError, match="on Windows"):
            connect.chosen(destination(wire="openssh"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert connect.chosen(destination()) == "fabric"
    with pytest.raises(UsageError, match="OpenSSH is not installed"):
        connect.chosen(destination(wire="openssh"))


def test_another_wire_is_refused() -> None:
    with pytest.raises(UsageError, match="wire can't be 'opnssh'") as error:
        destination(wire="opnssh")
    assert "auto, fabric, openssh" in error.value.remedy
