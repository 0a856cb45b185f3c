"""The installed client as a program: settings, menus, terminals."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spin_rehearsal.rancher.install import install
from tests.unit.rancher_fake import ACCESS, SECRET, FakeRancher, FakeServer
from tests.unit.rancher_process import on_terminal, run, surroundings


@pytest.fixture
def rancher() -> FakeRancher:
    return FakeRancher()


@pytest.fixture
def url(rancher: FakeRancher) -> Iterator[str]:
    with FakeServer(rancher) as server:
        yield server.url


@pytest.fixture(scope="module")
def bin_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spin = tmp_path_factory.mktemp("spin")
    install(spin, sys.executable, "http://127.0.0.1:1")
    return spin / "bin"


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    """A home with settings for the fake server in it."""
    settings = {"accessKey": ACCESS, "secretKey": SECRET, "url": url, "environment": ""}
    (tmp_path / ".rancher").mkdir()
    (tmp_path / ".rancher" / "cli.json").write_text(json.dumps(settings))
    return tmp_path


def test_nothing_configured(bin_: Path, tmp_path: Path) -> None:
    message = "RANCHER_URL environment or --url is not set, run `config`"
    done = run(bin_ / "rancher", "ps", home=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.fullmatch(
        rf'time="[\dT:+-]+Z?" level=fatal msg="{re.escape(message)}" \n', done.stdout
    )
    assert f"Failed to read project: {message}" in run(bin_ / "rancher", "up", home=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_variables_and_flags_win_over_the_file(bin_: Path, home: Path) -> None:
    found = run(bin_ / "rancher", "config", "--print", home=home, RANCHER_ENVIRONMENT="x").stdout
    assert json.loads(found)["environment"] == "x"
    line = ("--env", "y", "config", "--print")
    assert json.loads(run(bin_ / "rancher", *line, home=home).stdout)["environment"] == "y"
    done = run(bin_ / "rancher", "--access-key", "wrong", "--env", "1a5", "ps", home=home)
    assert done.returncode == 1
    assert "Bad response statusCode [401]" in done.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [("nonsense", "invalid character 'n'"), ("", "unexpected end of JSON input")],
)
def test_a_settings_file_that_is_no_json(
    bin_: Path, home: Path, content: str, message: str
) -> None:
    (home / ".rancher" / "cli.json").write_text(content)
    done = run(bin_ / "rancher", "ps", home=home)
    assert done.returncode == 1
    assert message in done.stdout


def test_a_server_that_is_not_there_or_no_url(bin_: Path, home: Path, url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"
    cases = {
        gone: "connection refused",
        "127.0.0.1:80": "first path segment in URL cannot contain colon",
        f"{url}/v3": "Bad response statusCode [404]",
    }
    for address, message in cases.items():
        done = run(bin_ / "rancher", "--url", address, "--env", "1a5", "ps", home=home)
        assert (done.returncode, done.stderr) == (1, "")
        assert message in done.stdout
    for path in ("/", "/v1", "/v2-beta"):
        done = run(bin_ / "rancher", "--url", url + path, "--env", "1a5", "ps", home=home)
        assert done.returncode == 0


def test_the_environment(bin_: Path, home: Path, rancher: FakeRancher) -> None:
    def ps(environment: str) -> subprocess.CompletedProcess[str]:
        return run(bin_ / "rancher", "ps", home=home, RANCHER_ENVIRONMENT=environment)

    assert ps("DEV-cattle").returncode == 0
    assert "Not found: nosuch" in ps("nosuch").stdout
    assert "Bad response statusCode [403]" in ps("1a99").stdout
    rancher.projects = ["dev-cattle"]
    assert ps("nosuch").returncode == 0


def test_the_menu_takes_an_answer_and_asks_for_ever_without_one(bin_: Path, home: Path) -> None:
    menu = "[1] dev-cattle(1a5)\n[2] prod-cattle(1a6)\nSelect: "
    done = run(bin_ / "rancher", "ps", home=home, input="9\n2\n")
    assert done.stdout.startswith(f"Environments:\n{menu * 2}ID ")
    with subprocess.Popen(
        [bin_ / "rancher", "ps"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=surroundings(home),
    ) as endless:
        assert endless.stdout is not None
        assert endless.stdout.readline() == b"Environments:\n"
        assert endless.stdout.read(len(menu) * 1000).decode() == menu * 1000
        endless.kill()


def test_up_asks_for_the_environment_twice_and_loses_the_second_answer(
    bin_: Path, home: Path
) -> None:
    heading, menu = "Environments:\n", "[1] dev-cattle(1a5)\n[2] prod-cattle(1a6)\nSelect: "
    said = f"{heading}{menu}{heading}{menu * 100}"
    with subprocess.Popen(
        [bin_ / "rancher", "up", "-d"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=surroundings(home),
        cwd=home,
    ) as endless:
        assert endless.stdin is not None
        assert endless.stdout is not None
        endless.stdin.write(b"1\n1\n")
        endless.stdin.close()
        assert endless.stdout.read(len(said)).decode() == said
        endless.kill()


def test_up_without_d_follows_the_logs_and_never_returns(
    bin_: Path, home: Path, rancher: FakeRancher
) -> None:
    (home / "docker-compose.yml").write_text("version: '2'\nservices: {web: {image: x}}\n")
    rancher.add_service("demo", "web")
    with subprocess.Popen(
        [bin_ / "rancher", "--env", "1a5", "up", "-s", "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=surroundings(home),
        cwd=home,
    ) as following:
        assert following.stdout is not None
        assert b"demo-web-1 | one\n" in following.stdout
        with pytest.raises(subprocess.TimeoutExpired):
            following.wait(timeout=0.3)
        following.kill()


def test_config_asks_and_ends_at_end_of_file(bin_: Path, home: Path, url: str) -> None:
    done = run(bin_ / "rancher", "config", home=home, input=f"{url}\nkey\n")
    assert done.returncode == 1
    assert done.stdout.startswith(f"URL [{url}]: Access Key [{ACCESS}]: Secret Key [{SECRET}]: ")
    assert "level=fatal msg=EOF" in done.stdout


def test_log_lines_on_a_terminal_are_coloured(bin_: Path, home: Path) -> None:
    code, shown = on_terminal(home, bin_ / "rancher", "--env", "nosuch", "ps")
    assert code == 1
    assert re.fullmatch(rb"\x1b\[31mFATA\x1b\[0m\[0000\] Not found: nosuch +\r\n", shown)


def test_exec_carries_a_terminal(bin_: Path, home: Path, rancher: FakeRancher) -> None:
    rancher.add_service("demo", "web")
    words = ("--env", "1a5", "exec", "-it", "-u=0", "demo-web-1", "sh", "-c", "x")
    code, shown = on_terminal(home, bin_ / "rancher", *words, typed=b"\x03", raw=True)
    assert (code, shown) == (7, b"got \x03oops\n")
    asked = rancher.executed[0]
    assert asked["command"] == ["sh", "-c", "x"]
    assert (asked["tty"], asked["user"]) == (True, "0")


def test_exec_without_a_terminal(bin_: Path, home: Path, rancher: FakeRancher) -> None:
    rancher.add_service("demo", "web")
    with subprocess.Popen(
        [str(bin_ / "rancher"), "--env", "1a5", "exec", "demo/web", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(home),
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"hi")
        process.stdin.flush()  # and kept open: its end would tear the connection down
        assert process.wait(timeout=20) == 7
        assert (process.stdout.read(), process.stderr.read()) == (b"got hi", b"oops\n")
    # With standard input at its end, output and exit code are lost.
    done = run(bin_ / "rancher", "--env", "1a5", "exec", "demo/web", "cat", home=home)
    assert (done.returncode, done.stdout) == (0, "")


def test_exec_in_a_service_with_an_old_container_asks_which(
    bin_: Path, home: Path, rancher: FakeRancher
) -> None:
    service = rancher.add_service("demo", "web", state="upgraded")
    rancher.add_container(service, "demo-web-1")
    done = run(bin_ / "rancher", "--env", "1a5", "exec", "demo-web-1", "ls", home=home)
    assert done.returncode == 1
    assert "Multiple resources of type container found for name demo-web-1" in done.stdout
    done = run(bin_ / "rancher", "--env", "1a5", "exec", "demo/web", "ls", home=home, input="1\n")
    assert done.stdout.startswith("Containers:\n[1] demo-web-1 (10.42.0.2)\n")
