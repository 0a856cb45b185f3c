"""The installed client as a program: settings, menus, terminals, keys, other accounts."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError
from spinstack.rehearsal.rancher import install as installing
from spinstack.rehearsal.rancher.install import install, usable_python
from tests.unit.rancher_fake import ACCESS, SECRET, FakeRancher, FakeServer

STRANGER = 41037


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


def surroundings(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "USER": "demo", **more}


def run(
    program: Path, *words: str, home: Path, input: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *words],
        input=input,
        capture_output=True,
        text=True,
        env=surroundings(home, **more),
        cwd=home,
        timeout=30,
    )


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
    menu = "Environments:\n[1] dev-cattle(1a5)\n[2] prod-cattle(1a6)\nSelect: "
    done = run(bin_ / "rancher", "ps", home=home, input="9\n2\n")
    assert done.stdout.startswith(menu * 2 + "ID ")
    with subprocess.Popen(
        [bin_ / "rancher", "ps"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=surroundings(home),
    ) as endless:
        assert endless.stdout is not None
        assert endless.stdout.read(len(menu) * 1000).decode() == menu * 1000
        endless.kill()


def test_up_asks_for_the_environment_twice_and_loses_the_second_answer(
    bin_: Path, home: Path
) -> None:
    menu = "Environments:\n[1] dev-cattle(1a5)\n[2] prod-cattle(1a6)\nSelect: "
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
        assert endless.stdout.read(len(menu) * 100).decode() == menu * 100
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


def on_terminal(
    home: Path, *command: str | Path, typed: bytes = b"", until: bytes = b"", raw: bool = False
) -> tuple[int, bytes]:
    """Run it with a terminal for everything, typing when `until` has been shown and, with
    `raw`, the terminal passes every key on."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=surroundings(home), close_fds=True,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        is_raw = not termios.tcgetattr(ours)[3] & termios.ICANON
        if typed and until in shown and is_raw >= raw:
            os.write(ours, typed)
            typed = b""
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side has closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(timeout=10), shown


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
    words = [bin_ / "rancher", "--env", "1a5", "exec", "demo/web", "cat"]
    with subprocess.Popen(
        words,
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
    line = [bin_ / "rancher", "--env", "1a5", "exec", "demo-web-1", "ls"]
    done = run(line[0], *map(str, line[1:]), home=home)
    assert done.returncode == 1
    assert "Multiple resources of type container found for name demo-web-1" in done.stdout
    done = run(bin_ / "rancher", "--env", "1a5", "exec", "demo/web", "ls", home=home, input="1\n")
    assert done.stdout.startswith("Containers:\n[1] demo-web-1(")


@pytest.fixture
def keygen(tmp_path: Path, url: str) -> Path:
    install(tmp_path / "own", sys.executable, url)
    return tmp_path / "own" / "bin" / "spin-keygen.sh"


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


def test_the_client_starts_quickly(bin_: Path, tmp_path: Path) -> None:
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        run(bin_ / "rancher", "--version", home=tmp_path)
        times.append(time.perf_counter() - begin)
    # Seconds; the best of some, since other tests may keep the machine busy.
    assert min(times) < 0.15


def test_no_python_that_runs_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_candidates", lambda: iter(["/nonexistent/python3"]))
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
