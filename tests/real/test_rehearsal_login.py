"""A real rehearsal: logging in to it, stopping it, two of them side by side."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from spin_rehearsal import paths, start, stop, supervisor_lock
from spin_rehearsal.start import Status

pytestmark = pytest.mark.real("root", "engine", "registry")

NAME, OTHER = "test-login", "test-other"


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A home of the test's own, and a storage directory that other users can reach."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-test-") as storage:
        Path(storage).chmod(0o755)
        home = str(tmp_path_factory.mktemp("home"))
        yield {"HOME": home, paths.STORAGE_VARIABLE: storage}


@pytest.fixture(scope="module")
def started(surroundings: dict[str, str]) -> Iterator[Status]:
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, surroundings)
        status = start.start(NAME)
        assert status is not None
        yield status
        _enter(patch, surroundings)
        stop.stop(NAME)


def _enter(patch: pytest.MonkeyPatch, surroundings: dict[str, str]) -> None:
    for name, value in surroundings.items():
        patch.setenv(name, value)


@pytest.fixture
def here(started: Status, surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Status:
    """The rehearsal as it is now, HOME set as it was started."""
    _enter(monkeypatch, surroundings)
    return start.status(NAME)


def _answer(status: Status) -> str:
    return Path(status.login_answer_file).read_text().strip()


def _as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, text=True
    )


def test_another_user_of_this_machine_reads_no_secret_and_drives_nothing(here: Status) -> None:
    refused = [_as_nobody("cat", here.login_answer_file), _as_nobody("ls", here.private)]
    homes = Path(here.storage) / "global" / "homes" / "d" / "demo"
    refused += [_as_nobody("ls", str(homes)), _as_nobody("touch", f"{here.storage}/file")]
    assert all("Permission denied" in done.stderr for done in refused), refused
    code = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
    for method, path in (("GET", "projects"), ("POST", "keys"), ("GET", "projects/1a1/secrets")):
        asked = _as_nobody(*code, "-X", method, f"{here.spin}/v2-beta/{path}")
        assert asked.stdout == "401", path


def _ssh(
    status: Status, *words: str, data: bytes = b"", within: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """OpenSSH's client, which asks a helper program for the answer. `words`: options, and
    the command for the other side."""
    helper = Path(status.private) / "askpass"
    helper.write_text(
        f"#!/bin/sh\necho \"$1\" >> '{helper}.asked'\ncat '{status.login_answer_file}'\n"
    )
    helper.chmod(0o700)
    command = ["ssh", "-p", status.ssh.rpartition(":")[2], "-o", "StrictHostKeyChecking=yes"]
    command += ["-F", "none", "-o", f"UserKnownHostsFile={status.known_hosts_file}"]
    env = {**os.environ, "SSH_ASKPASS": str(helper), "SSH_ASKPASS_REQUIRE": "force"}
    user_and_host = status.ssh.rpartition(":")[0]
    options = [word for word in words if word.startswith("-")]
    rest = [word for word in words if not word.startswith("-")]
    return subprocess.run(
        [*command, *options, user_and_host, *rest],
        input=data, env=env, capture_output=True, timeout=within,
    )  # fmt: skip


def _log_in(status: Status, answer: str, user: str = "demo") -> list[str]:
    """Try to log in with one answer; the prompts that the server asked. Raises
    asyncssh.PermissionDenied."""

    prompts: list[str] = []

    class Client(asyncssh.SSHClient):
        tried = False

        def kbdint_auth_requested(self) -> str | None:
            first, self.tried = not self.tried, True
            return "" if first else None

        def kbdint_challenge_received(
            self, name: str, instructions: str, lang: str, asked: Any
        ) -> list[str]:
            prompts.extend(prompt for prompt, echo in asked)
            return [answer for _ in asked]

    async def connect() -> list[str]:
        host, _, port = status.ssh.rpartition("@")[2].rpartition(":")
        async with asyncssh.connect(
            host, int(port), username=user, known_hosts=status.known_hosts_file,
            client_factory=Client, client_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            password=answer, config=[], agent_path=None,
            preferred_auth="publickey,password,keyboard-interactive",
        ):  # fmt: skip
            return prompts

    return asyncio.run(connect())


def test_one_prompt_and_each_answer_once(here: Status) -> None:
    answer = _answer(here)
    assert _log_in(here, answer) == ["Password + OTP: "]
    with pytest.raises(asyncssh.PermissionDenied):
        _log_in(here, answer)
    assert _log_in(here, _answer(here))


def test_wrong_answers_and_strangers_are_refused(here: Status) -> None:
    answer = _answer(here)
    for wrong in (answer[:-6], answer[:-6] + "000000" * (answer[-6:] != "000000"), ""):
        with pytest.raises(asyncssh.PermissionDenied):
            _log_in(here, wrong)
    with pytest.raises(asyncssh.PermissionDenied):
        _log_in(here, answer, user="root")
    assert _log_in(here, answer)


def test_openssh_sees_the_banner_and_an_unprivileged_account(here: Status) -> None:
    done = _ssh(here, 'id -u; id -G; pwd; echo "$HOME $USER $0"; exit 7')
    uid, groups, cwd, names = done.stdout.decode().splitlines()
    assert done.returncode == 7
    assert b"NOTICE TO USERS" in done.stderr
    assert uid != "0" and groups == "58102"
    assert names == f"{cwd} demo /bin/bash"
    assert Path(f"{here.private}/askpass.asked").read_text().count("Password + OTP: ") == 1


def test_only_login_shells_know_module(here: Status) -> None:
    assert _ssh(here, "module load spin").returncode == 127
    script = "module load spin && command -v rancher; module load nosuch; echo $?"
    done = _ssh(here, f"bash -l -c '{script}'")
    lines = done.stdout.decode().splitlines()
    assert lines[-2:] == [f"{here.storage}/spin/bin/rancher", "1"]
    assert b'The following module(s) are unknown: "nosuch"' in done.stderr
    assert len(lines) > 2  # a message of the day before
    interactive = _ssh(here, data=b"type -t module\nexit 4\n")
    assert interactive.returncode == 4
    assert interactive.stdout.endswith(b"function\n")


def test_much_data_goes_both_ways(here: Status) -> None:
    data = os.urandom(5_000_000)
    done = _ssh(here, "sha256sum", data=data)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()
    back = _ssh(here, "tee /dev/stderr", "-q", data=data)
    assert back.stdout == data and back.stderr == data
    # Whoever reads only the beginning ends the command, not the connection.
    assert _ssh(here, "head -c 3", data=data).stdout == data[:3]


def test_a_terminal_is_given_when_asked_for(here: Status) -> None:
    assert _ssh(here, "tty").stdout == b"not a tty\n"
    done = _ssh(here, "tty; exit 3", "-tt")
    assert done.stdout.startswith(b"/dev/pts/") and done.returncode == 3


def test_a_killed_command_and_no_sftp(here: Status) -> None:
    assert _ssh(here, "kill -TERM $$").returncode == 255
    assert _ssh(here, "sftp", "-s").returncode != 0


def test_what_runs_ends_with_its_connection(here: Status) -> None:
    marker = "987654.321"
    with pytest.raises(subprocess.TimeoutExpired):
        _ssh(here, f"sleep {marker}", within=2)
    deadline = time.monotonic() + 10
    while subprocess.run(["pgrep", "-f", f"^sleep {marker}"], capture_output=True).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_crash_loses_nothing_and_a_second_start_changes_nothing(here: Status) -> None:
    said: list[str] = []
    assert start.start(NAME, say=said.append) == here
    assert said == [f"the rehearsal {NAME!r} is already running"]
    pid = supervisor_lock.supervisor_pid(paths.of(NAME))
    assert pid is not None
    answer = _answer(here)
    os.kill(pid, signal.SIGKILL)
    while start.status(NAME).running:
        time.sleep(0.05)
    assert start.start(NAME) == here
    assert _answer(here) == answer
    assert _log_in(here, answer)


def test_a_registry_that_dies_is_started_again(here: Status) -> None:
    pid = supervisor_lock.supervisor_pid(paths.of(NAME))
    children = ["pgrep", "-P", str(pid), "docker-registry"]
    registry = subprocess.run(children, capture_output=True, text=True, check=True)
    os.kill(int(registry.stdout), signal.SIGKILL)
    deadline = time.monotonic() + 15
    while subprocess.run(children, capture_output=True, text=True).stdout in ("", registry.stdout):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    while start.status(NAME).silent:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_side_by_side_and_stopping_one_leaves_nothing_of_it(here: Status) -> None:
    other = start.start(OTHER)
    assert other is not None
    try:
        assert other.node_address != here.node_address
        assert _ssh(other, "pwd").stdout != _ssh(here, "pwd").stdout
        image = _push(f"{other.registry}/demo/thing:1")
    finally:
        stop.stop(OTHER)
    assert not Path(other.storage).exists() and not Path(other.private).exists()
    assert other.registry not in (Path(os.environ["HOME"]) / ".docker" / "config.json").read_text()
    assert image not in _engine("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    assert not start.status(OTHER).running
    assert _ssh(here, "true").returncode == 0
    stop.stop(OTHER)  # twice is as good as once


def test_nobody_else_pushes_to_the_registry(
    here: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours does without being told how, until the rehearsal goes."""
    image = _push(f"{here.registry}/demo/thing:1")
    kept = Path(os.environ["HOME"]) / ".docker" / "config.json"
    assert here.registry in json.loads(kept.read_text())["auths"]
    users = paths.of(NAME).registry / "htpasswd"
    assert users.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("HOME", str(tmp_path))
    for words in (("push", image), ("pull", image)):
        refused = subprocess.run(["docker", *words], capture_output=True, text=True)
        assert refused.returncode and "no basic auth credentials" in refused.stderr, refused


def _push(image: str) -> str:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("thing"))
    subprocess.run(
        ["docker", "import", "-", image], input=archive.getvalue(), check=True, capture_output=True
    )
    _engine("push", image)
    return image


def _engine(*words: str) -> list[str]:
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True)
    return done.stdout.split()
