"""The client on a pretend login node: its installation, API keys, other accounts."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spin_rehearsal.rancher import install as rancher_install
from spin_rehearsal.rancher.install import install, usable_python
from spinstack.errors import SpinstackError
from tests.unit.rancher_fake import SECRET, FakeRancher, FakeServer
from tests.unit.rancher_process import on_terminal, run, surroundings

STRANGER = 41037


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with FakeServer(FakeRancher()) as server:
        yield server.url


@pytest.fixture(scope="module")
def keygen(tmp_path_factory: pytest.TempPathFactory, url: str) -> Path:
    """Installed once: it keeps what it makes in the home of whoever calls it."""
    spin = tmp_path_factory.mktemp("spin")
    install(spin, sys.executable, url)
    return spin / "bin" / "spin-keygen.sh"


def test_a_key_is_made_from_a_password_on_standard_input(keygen: Path, tmp_path: Path) -> None:
    done = run(keygen, home=tmp_path, input="right\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Success: Spin API Key generated for user.\n"
    stored = tmp_path / ".rancher" / "cli.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert json.loads(stored.read_text())["secretKey"] == SECRET


@pytest.mark.parametrize("password", ["wrong\n", "", "\n"])
def test_a_wrong_password_makes_no_key(keygen: Path, tmp_path: Path, password: str) -> None:
    done = run(keygen, home=tmp_path, input=password)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert not (tmp_path / ".rancher").exists()


def test_on_a_terminal_the_password_is_asked_for_and_not_shown(
    keygen: Path, tmp_path: Path
) -> None:
    question = b"Password for user demo? "
    code, shown = on_terminal(tmp_path, keygen, typed=b"right\n", until=question)
    assert (code, shown) == (0, question + b"\r\nSuccess: Spin API Key generated for user.\r\n")


def test_the_client_starts_quickly(keygen: Path, tmp_path: Path) -> None:
    python = Path(sys.executable)

    def seconds(program: Path, *words: str) -> float:
        """Of the processor; the best of some, since other tests may keep the machine busy."""
        took = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(program, *words, home=tmp_path)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(took)

    # Against a Python that does nothing, on whatever machine; it is half of that in fact.
    alone = seconds(python, "-I", "-S", "-c", "")
    assert seconds(keygen.with_name("rancher"), "--version") < 15 * alone


def test_no_python_that_runs_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rancher_install, "_candidates", lambda: iter(["/nonexistent/python3"]))
    with pytest.raises(SpinstackError, match="no Python that login sessions"):
        usable_python(None, None)


@pytest.mark.real("root")
def test_another_account_can_run_it(tmp_path_factory: pytest.TempPathFactory, url: str) -> None:
    place = Path("/var/tmp") / f"spinstack-test-{os.getpid()}"
    home = place / "home"
    try:
        home.mkdir(parents=True)
        os.chown(home, STRANGER, STRANGER)
        (home / "docker-compose.yml").write_text("version: '2'\nservices: {web: {image: x}}\n")
        python = usable_python(STRANGER, STRANGER)
        install(place / "spin", python, url)

        def call(program: str, *words: str, input: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [place / "spin" / "bin" / program, *words],
                input=input,
                capture_output=True,
                text=True,
                cwd=home,
                env=surroundings(home, RANCHER_ENVIRONMENT="dev-cattle"),
                user=STRANGER,
                group=STRANGER,
                extra_groups=[],
                timeout=30,
            )

        assert call("spin-keygen.sh", input="right\n").returncode == 0
        done = call("rancher", "up", "-d", "-s", "demo")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Creating service web" in done.stdout
        assert "demo/web" in call("rancher", "ps").stdout
    finally:
        subprocess.run(["rm", "-rf", str(place)], check=True)
