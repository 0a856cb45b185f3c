"""`invoke login --status` and its like, as far as they need no login node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from invoke.exceptions import Exit

from spinstack.errors import UsageError
from spinstack.setup import login as setup_login
from spinstack.setup.login_state import LoginState
from spinstack.transport.openssh.master import Alive
from tests.unit.stack_session import StackSession, baked
from tests.unit.test_bad_days_certificate import DAY, certified


def a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: str, *, dry: bool = False
) -> StackSession:
    monkeypatch.setenv("INVOKE_SPINSTACK_WIRE", wire)
    return StackSession(baked(tmp_path), dry=dry)


def login(session: StackSession, **options: bool | str) -> None:
    nothing = {"status": False, "sshproxy": False, "person": "", "json": False}
    setup_login.login(session, **{**nothing, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("begin", "end", "code", "told"),
    [
        (-60, DAY, 0, "valid for another 23 h 59 min, until 20"),
        (-DAY, -60, 1, "expired on 20"),
        (3600, DAY, 1, "check this machine's clock"),
    ],
)
def test_without_a_master_a_certificate_is_the_login(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    begin: int,
    end: int,
    code: int,
    told: str,
) -> None:
    session = a_session(tmp_path, monkeypatch, "fabric")
    (Path.home() / ".ssh").mkdir()
    now = int(time.time())
    certified(Path.home() / ".ssh", now + begin, now + end - 5).write_text("a private key")
    found = 0
    try:
        login(session, status=True)
    except Exit as ended:
        found = ended.code
    out = capsys.readouterr().out
    assert found == code
    assert "each command logs in separately" in out and told in out


def test_the_master_s_life_is_told_to_people_and_to_scripts() -> None:
    now = time.time()
    alive = Alive(pid=7, since=now - 60, until=now + 9 * 3600 + 48 * 60 + 30)
    state = LoginState("dev", "alice@node", "openssh", False, alive, ())
    assert "ends in 9 h 48 min unless it is used" in state.lines(now)[0]
    found = json.loads(json.dumps(state.as_dict(now)))
    assert found["logged_in"] and found["master"]["pid"] == 7
    assert found["master"]["seconds_left"] == pytest.approx(35_310, abs=5)


def test_without_a_login_it_is_told_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = a_session(tmp_path, monkeypatch, "auto")
    with pytest.raises(Exit) as ended:
        login(session, status=True)
    assert ended.value.code == 1
    assert "invoke login --sshproxy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [{"status": True, "sshproxy": True}, {"person": "bob"}, {"json": True}],
    ids=lambda options: " ".join(options),
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, bool | str]
) -> None:
    with pytest.raises(UsageError) as error:
        login(a_session(tmp_path, monkeypatch, "fabric"), **options)
    assert error.value.remedy


def test_on_the_fabric_wire_there_is_nothing_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_login.logout(a_session(tmp_path, monkeypatch, "fabric"), json=False)
    assert "nothing to end" in capsys.readouterr().err


# Writes down how it is called, and can't log in.
SSH = """#!/bin/sh
echo "$*" >> "$HOME/called"
case $1 in -V) echo OpenSSH_9.2p1 >&2 ;; *) exit 255 ;; esac
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return baked(tmp_path_factory.mktemp("stack"))


def logins(stack: Path, *words: str) -> int:
    """How many logins a command begins."""
    # A short name: sockets are below it.
    with tempfile.TemporaryDirectory(prefix="s-") as home:
        program = Path(home) / "ssh"
        program.write_text(SSH)
        program.chmod(0o755)
        path = f"{home}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=stack,
            env={"PATH": path, "HOME": home, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        called = Path(home) / "called"
        lines = called.read_text().splitlines() if called.exists() else []
    return sum(line.startswith("-M ") for line in lines)


@pytest.mark.parametrize("words", ["status", "logs", "logs --service web --since 1h"])
def test_a_look_begins_one_login(stack: Path, words: str) -> None:
    assert logins(stack, *words.split(), "--to", "dev") == 1


@pytest.mark.parametrize(
    "words",
    [
        *("logs --service wbe", "logs --tail many", "logs --since yesterday", "logs --tial 5"),
        *("status --help", "--dry status", "--dry logs", "status --to dve", "logs --to"),
    ],
)
def test_what_was_typed_wrongly_or_is_dry_begins_none(stack: Path, words: str) -> None:
    to = [] if "--to" in words else ["--to", "dev"]
    assert logins(stack, *words.split(), *to) == 0


def test_a_setting_that_is_no_command_begins_none(stack: Path, tmp_path: Path) -> None:
    wrong = shutil.copytree(stack, tmp_path / "wrong")
    settings = wrong / "invoke.yaml"
    read = yaml.safe_load(settings.read_text())
    read["spinstack"]["stats"] = {"app": "'open"}
    settings.write_text(yaml.safe_dump(read))
    assert logins(wrong, "status", "--to", "dev") == 0
    assert logins(wrong, "logs", "--to", "dev") == 1
