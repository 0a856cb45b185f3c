"""`rancher up` by the facts on Rancher's CLI 0.6.7: what it reads, and what it sends."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spin_rehearsal.rancher.main import main
from tests.unit.rancher_fake import FakeRancher
from tests.unit.rancher_up import COMPOSE, Up, directory_for_up, launch_config, service, write


@pytest.fixture
def rancher() -> FakeRancher:
    return FakeRancher()


@pytest.fixture
def up(
    rancher: FakeRancher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Up]:
    with directory_for_up(rancher, monkeypatch, capsys, tmp_path) as call:
        yield call


def test_render_shows_the_files_as_written_and_creates_the_stack(
    up: Up, rancher: FakeRancher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAG")
    answer = up("--render")
    shown = [line for line in answer.out.splitlines(keepends=True) if not line.startswith("time=")]
    assert "".join(shown) == COMPOSE + "\n" + "\n"
    assert answer.code == 0
    assert "Creating stack demo" in answer.messages
    assert "The TAG variable is not set. Substituting a blank string." in answer.messages
    assert rancher.requests == ["POST stacks"]


def test_templates_are_evaluated_first(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "version: '2'\nservices:\n  web:\n    image: {{.Stack.Name}}:{{.Values.TAG}}\n"
    write(text)
    assert "image: demo:1.0\n" in up("--render").out
    write("TAG=file", "my.env")
    assert "image: demo:1.0\n" in up("--render", "-e", "my.env").out
    write(text.replace("{{.Stack.Name}}", "{{nosuch}}"))
    answer = up("--render")
    assert answer.code == 1
    assert 'function "nosuch" not defined' in answer.messages[-1]
    write("# notemplating\n" + COMPOSE.replace("serve", "{{nosuch}}"))
    assert up("--render").code == 0


INVALID = [
    ("a: b\n c: d: e\n", "yaml: line 2: mapping values are not allowed in this context"),
    ("    foo: 1\n", "Unsupported config option for web service: 'foo'"),
    ("    healthcheck: {}\n", "Unsupported config option for web service: 'healthcheck'"),
    ("    env_file: nosuch.env\n", "open {folder}/nosuch.env: no such file or directory"),
    (
        "    hostname: 1000\n",
        "Service 'web' configuration key 'hostname' contains an invalid type, "
        "it should be a string.",
    ),
    (
        "    working_dir: y\n",
        "Service 'web' configuration key 'working_dir' contains an invalid type, "
        "it should be a string.",
    ),
    ("    hostname: ${TAG:-x}\n", 'Invalid interpolation format for key "hostname": "${TAG:-x}"'),
]


@pytest.mark.parametrize(("lines", "message"), INVALID)
def test_an_invalid_file_is_told_twice_on_stdout(
    up: Up, rancher: FakeRancher, tmp_path: Path, lines: str, message: str
) -> None:
    write(COMPOSE + lines if lines.startswith("  ") else lines)
    answer = up("--render")
    message = message.replace("{folder}", str(tmp_path))
    assert answer.code == 1
    assert answer.messages[-2:] == [
        f"Could not parse config for project demo : {message}",
        f"Failed to read project: {message}",
    ]
    assert "level=error" in answer.out
    assert "level=fatal" in answer.out
    assert rancher.stacks() == ["demo"]


@pytest.mark.parametrize("version", ["'3'", "'2.1'"])
def test_other_versions_of_the_format_are_refused(up: Up, version: str) -> None:
    write(COMPOSE.replace("'2'", version))
    answer = up()
    assert answer.code == 1
    assert f"cannot unmarshal !!str `{version[1:-1]}` into config.RawService" in answer.out


def test_a_missing_compose_file_makes_an_empty_stack(up: Up, rancher: FakeRancher) -> None:
    assert up("-d", "-f", "nosuch.yml").code == 0
    assert rancher.requests == ["POST stacks"]


def test_a_missing_env_file_stops_it_before_anything_is_made(up: Up, rancher: FakeRancher) -> None:
    answer = up("-d", "--env-file", "nosuch")
    message = "Failed to read project: open nosuch: no such file or directory"
    assert (answer.code, answer.messages) == (1, [message])
    assert rancher.requests == []


def test_what_is_sent(up: Up, rancher: FakeRancher, tmp_path: Path) -> None:
    write("A=file\nB='quoted'\n# C=1\n\n", "one.env")
    found = launch_config(
        up,
        rancher,
        "entrypoint: [/bin/sh, -c]\ncommand: serve 'two words'\ncap_drop: [ALL]\n"
        "group_add: [1234, '5']\nuser: '1000:2000'\nenv_file: one.env\n"
        "environment: [A=own, TAG, NOSUCH]\nports: ['8080:80']\nread_only: true\n"
        "volumes: ['./data:/data:ro', '/a:/b', 'named:/c']\ntmpfs: ['/tmp:size=1m']\n"
        "retain_ip: true\nscale: 2\nlabels: {owner: me}\nhostname: $$x\n",
    )
    expected = {
        "imageUuid": "docker:x",
        "entryPoint": ["/bin/sh", "-c"],
        "command": ["serve", "two words"],
        "capDrop": ["ALL"],
        "groupAdd": ["1234", "5"],
        "user": "1000:2000",
        "environment": {"A": "own", "B": "'quoted'", "TAG": "1.0"},
        "ports": ["8080:80"],
        "readOnly": True,
        "dataVolumes": [f"{tmp_path}/data:/data:ro", "/a:/b", "named:/c"],
        "tmpfs": {"/tmp": "size=1m"},
        "hostname": "$x",
    }
    assert {key: found[key] for key in expected} == expected
    assert found["labels"]["owner"] == "me"
    sent = found["service"]
    assert isinstance(sent, dict)
    assert (sent["retainIp"], sent["scale"]) == (True, 2)


def test_an_unset_variable_is_a_warning_and_an_empty_one_counts_as_unset(
    up: Up, rancher: FakeRancher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "")
    write("version: '2'\nservices:\n  web: {image: x, user: '${UID_}:${TAG}'}\n")
    answer = up()
    assert answer.code == 0
    for name in ("UID_", "TAG"):
        message = f"The {name} variable is not set. Substituting a blank string."
        assert message in answer.messages
    config = service(rancher)["launchConfig"]
    assert isinstance(config, dict)
    assert config["user"] == ":"


def test_a_service_without_an_image_passes_render_and_fails_at_the_server(up: Up) -> None:
    write("version: '2'\nservices:\n  web: {command: x}\n")
    assert up("--render").code == 0
    assert up().code == 1


def test_override_files_and_standard_input(
    up: Up, rancher: FakeRancher, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("services: {web: {image: 'y'}}\nversion: 2\n", "docker-compose.override.yml")
    up()
    config = service(rancher)["launchConfig"]
    assert isinstance(config, dict)
    assert (config["imageUuid"], config["user"]) == ("docker:y", "1000:2000")
    monkeypatch.setattr(sys, "stdin", io.StringIO("version: 2\nservices: {app: {image: z}}\n"))
    assert up("-f", "-", "-d").code == 0
    assert rancher.named("service", "app")


@pytest.mark.parametrize(
    ("given", "name"), [("S", "s"), ("My_App.v2", "my-app-v2"), ("_a", "x-a"), ("", "folder")]
)
def test_the_name_of_the_stack(
    up: Up, rancher: FakeRancher, tmp_path: Path, given: str, name: str
) -> None:
    (tmp_path / "Folder").mkdir()
    (tmp_path / "Folder" / "docker-compose.yml").write_text(COMPOSE)
    stack = ["--stack", given] if given else []
    assert main(["up", "-d", "-f", "Folder/docker-compose.yml", *stack]) == 0
    assert rancher.stacks() == [name]
