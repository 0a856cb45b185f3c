"""Secrets and volumes in the rehearsal: its client against its Spin service, no engine needed."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spin_rehearsal.rancher.main import main
from spin_rehearsal.spin import secret_files, secrets_and_volumes
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.errors import ApiError, StartFailure
from spin_rehearsal.spin.launch import parse
from spin_rehearsal.spin.resources import State
from spin_rehearsal.spin.service import SpinService
from spinstack.rules import centre
from spinstack.rules.service import Mount
from spinstack.transport.runner import RecordingRunner, Result

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """`rancher …` with a key for dev-cattle: exit code and standard output."""
    config = SpinConfig(
        state_file=tmp_path / "spin.json",
        engine="docker",
        prefix="test",
        centre=centre.load(),
        account="demo",
        check_password=lambda word: word == "right",
        poll=0.05,
    )
    gone = RecordingRunner({"docker volume rm test-db.nw": Result("", "no such volume", 1)})
    service = SpinService(config, gone)
    url = f"http://127.0.0.1:{service.start()}"
    request = urllib.request.Request(f"{url}/v2-beta/keys", method="POST", data=b"{}")
    token = base64.b64encode(b"demo:right").decode()
    request.add_header("Authorization", f"Basic {token}")
    key = json.loads(urllib.request.urlopen(request, timeout=10).read())
    monkeypatch.setenv("RANCHER_URL", url)
    monkeypatch.setenv("RANCHER_ACCESS_KEY", key["accessKey"])
    monkeypatch.setenv("RANCHER_SECRET_KEY", key["secretKey"])
    monkeypatch.setenv("RANCHER_ENVIRONMENT", "dev-cattle")

    def rancher(*words: str) -> tuple[int, str]:
        code = main(words)
        return code, capfd.readouterr().out

    yield rancher
    service.stop()


def test_secrets(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(b"hush\xff")
    assert run("secrets", "create", "app.nw.password", str(file)) == (0, "")
    code, out = run("secrets", "ls", "--format", "json")
    told = json.loads(out)
    assert (code, told["Secret"]["name"], told["ID"]) == (0, "app.nw.password", "1se1")
    assert "value" not in told["Secret"]
    assert "app.nw.password" in run("secret")[1].splitlines()[1]
    assert run("secrets", "ls", "-q") == (0, "1se1\n")
    assert run("--env", "prod-cattle", "secrets", "ls", "-q") == (0, "")
    assert (tmp_path / "spin.json").stat().st_mode & 0o777 == 0o600
    code, out = run("secrets", "create", "app.nw.password", str(file))
    assert code == 1
    assert "[422]" in out
    assert run("rm", "--type", "secret", "1se1") == (0, "1se1\n")
    assert run("rm", "--type", "secret", "app.nw.password")[0] == 1
    assert run("secrets", "ls", "-q") == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("secrets", "create", "x"), 1, "both NAME and FILE|- are required"),
        (("secrets", "create", "x", "/no/such"), 1, "Failed to find /no/such"),
        (("secrets", "create", "a/b", __file__), 1, "[422]"),
        (("volumes", "create", "x"), 1, "driver is required"),
        (("volumes", "rm", "x"), 1, "Not found: x"),
    ],
)
def test_refusals(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    ended, out = run(*words)
    assert ended == code
    assert said in out


def test_secrets_rm_is_no_command_and_lists_them(run: Run) -> None:
    code, out = run("secrets", "rm", "x")
    assert (code, out.split()) == (0, ["ID", "NAME", "CREATED"])


def test_volumes(run: Run) -> None:
    assert run("volumes", "create", "--driver", "rancher-nfs", "db.nw") == (0, "1v1\n")
    assert run("volumes", "ls", "-q") == (0, ""), "nothing has mounted it yet"
    told = json.loads(run("volumes", "ls", "--all", "--format", "json")[1])["Volume"]
    assert (told["name"], told["driver"], told["state"]) == ("db.nw", "rancher-nfs", "inactive")
    assert run("volumes", "create", "--driver", "rancher-nfs", "db.nw") == (0, "1v2\n")
    assert "Multiple resources" in run("volume", "rm", "db.nw")[1]
    assert run("volume", "rm", "1v2") == (0, "1v2\n")
    assert run("volume", "rm", "1v1") == (0, "1v1\n")
    end = time.monotonic() + 10
    while run("volumes", "ls", "--all", "-q")[1] and time.monotonic() < end:
        time.sleep(0.05)
    assert run("volumes", "ls", "--all", "-q") == (0, "")


def test_a_volume_is_active_once_a_container_mounts_it() -> None:
    state = State()
    body = {"name": "db.nw", "driver": "rancher-nfs"}
    volume = secrets_and_volumes.create_volume(state, "1a5", body)
    secrets_and_volumes.mount(state, "1a6", [Mount.parse("db.nw:/data")])
    assert volume.state == "inactive"
    secrets_and_volumes.mount(state, "1a5", [Mount.parse("db.nw:/data")])
    assert volume.state == "active"


def test_a_volume_that_is_mounted_stays() -> None:
    from spin_rehearsal.spin.resources import Service

    state = State()
    volume = secrets_and_volumes.create_volume(
        state, "1a5", {"name": "db.nw", "driver": "rancher-nfs"}
    )
    launch = {"dataVolumes": ["db.nw:/data"]}
    state.services["1s1"] = Service("1s1", "1a5", "1st1", "db", 0, launch, state="active")
    with pytest.raises(ApiError, match="mounted by service db") as refused:
        secrets_and_volumes.remove_volume(state, volume)
    assert refused.value.status == 405
    state.services["1s1"].state = "removed"
    secrets_and_volumes.remove_volume(state, volume)
    assert volume.state == "removing"


def test_secrets_become_private_files_that_are_mounted_read_only(tmp_path: Path) -> None:
    state = State()
    value = base64.b64encode(b"hush").decode()
    secrets_and_volumes.create_secret(state, "1a5", {"name": "app.nw.password", "value": value})
    wanted = parse({"imageUuid": "docker:x:1", "secrets": [{"source": "app.nw.password"}]}).secrets
    contents = secret_files.values(state, "1a5", wanted)
    directory = tmp_path / "secrets" / "1i1"
    (mount,) = secret_files.write(directory, contents)
    assert (mount.target, mount.mode) == ("/run/secrets/app.nw.password", "ro")
    assert Path(mount.source).read_bytes() == b"hush"
    assert directory.stat().st_mode & 0o077 == 0
    assert directory.parent.stat().st_mode & 0o077 == 0
    secret_files.forget(directory)
    assert not directory.exists()
    with pytest.raises(StartFailure, match=r"secret app\.nw\.password not found"):
        secret_files.values(state, "1a6", wanted)


@pytest.mark.parametrize("name", ["../x", "..", "."])
def test_a_secret_s_file_stays_in_its_directory(name: str) -> None:
    with pytest.raises(ApiError):
        parse({"imageUuid": "docker:x:1", "secrets": [{"name": name, "source": "x"}]})
