"""`rancher up` by the facts on Rancher's CLI 0.6.7: what it reads, sends, says and returns."""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from spinstack.rehearsal.rancher import api, waiting
from spinstack.rehearsal.rancher.main import main
from tests.unit.rancher_fake import ACCESS, SECRET, FakeRancher, FakeServer

COMPOSE = """\
version: '2'
services:
  web:
    image: x:${TAG}  # a comment
    user: "1000:2000"
    command: ["serve"]
"""


class Answer(NamedTuple):
    code: int
    out: str

    @property
    def messages(self) -> list[str]:
        """The messages of the log lines and the other lines, as they came."""
        lines = self.out.splitlines()
        return [_message(line) if line.startswith("time=") else line for line in lines]


def _message(line: str) -> str:
    """The message of a log line, without the quotes and escapes of Go's %q."""
    message = line.split("msg=", 1)[1].strip()
    return message[1:-1].replace('\\"', '"') if message.startswith('"') else message


Up = Callable[..., Answer]


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
    monkeypatch.setattr(waiting, "_PAUSE", 0.01)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAG", "1.0")
    write(COMPOSE)
    with FakeServer(rancher) as server:
        monkeypatch.setenv("RANCHER_URL", server.url)
        monkeypatch.setenv("RANCHER_ACCESS_KEY", ACCESS)
        monkeypatch.setenv("RANCHER_SECRET_KEY", SECRET)
        monkeypatch.setenv("RANCHER_ENVIRONMENT", "dev-cattle")

        def call(*words: str) -> Answer:
            code = main(["up", *(words or ("-d",)), "--stack", "demo"])
            captured = capsys.readouterr()
            assert captured.err == ""
            return Answer(code, captured.out)

        yield call


def write(text: str, name: str = "docker-compose.yml") -> None:
    Path(name).write_text(text)


def service(rancher: FakeRancher, name: str = "web") -> dict[str, object]:
    found = rancher.named("service", name)
    assert found is not None
    return found


def launch_config(up: Up, rancher: FakeRancher, lines: str) -> dict[str, object]:
    """What is sent for a service with these lines in it."""
    indented = "\n".join(f"    {line}" for line in lines.splitlines())
    write(f"version: '2'\nservices:\n  web:\n    image: x\n{indented}\n")
    assert up().code == 0
    sent = service(rancher)
    config = sent["launchConfig"]
    assert isinstance(config, dict)
    return {**config, "service": sent}


def test_the_first_up_creates_and_starts(up: Up, rancher: FakeRancher) -> None:
    write(COMPOSE + "volumes:\n  data: {}\n")
    answer = up()
    assert answer.code == 0
    assert answer.messages == [
        "Creating stack demo",
        "Creating volume template data",
        "[web]: Creating ",
        "Creating service web",
        "[web]: Created ",
        "[web]: Starting ",
        str(service(rancher)["id"]),
        "[web]: Started ",
    ]
    assert service(rancher)["state"] == "active"
    assert "Existing volume template found for data" in up().messages


def test_a_second_up_changes_nothing(up: Up, rancher: FakeRancher) -> None:
    up()
    rancher.requests.clear()
    answer = up()
    words = ("Creating ", "Created ", "Starting ", "Started ")
    assert answer.messages == [f"[web]: {word}" for word in words]
    assert (answer.code, rancher.requests) == (0, [])


OUT_OF_SYNC = "Service web is out of sync with local configuration file"
# State, whether the file changed, options, exit code, a message, the actions sent, state after.
UPGRADES = [
    ("active", True, "-d", 0, OUT_OF_SYNC, "", "active"),
    ("active", True, "--upgrade -d", 0, "Upgrading web", "upgrade", "upgraded"),
    ("active", False, "--upgrade -d", 0, "[web]: Started ", "", "active"),
    ("active", True, "-u -c -d", 0, "Upgrading web", "upgrade finishupgrade", "active"),
    ("active", False, "-u -c -d", 0, "[web]: Started ", "", "active"),
    ("active", False, "--force-upgrade -d", 0, "Updating web", "PUT upgrade", "upgraded"),
    ("active", True, "--pull -u -d", 0, "Finished pulling x:2.0", "upgrade", "upgraded"),
    ("active", False, "--rollback -d", 1, "Action [rollback] not available on [", "", "active"),
    ("inactive", False, "-d", 0, "[web]: Started ", "activate", "active"),
    ("deactivating", False, "-d", 0, "[web]: Started ", "", "deactivating"),
    ("upgraded", False, "--upgrade -d", 0, "[web]: Started ", "", "upgraded"),
    ("upgraded", False, "--confirm-upgrade -d", 0, "", "finishupgrade", "active"),
    ("upgraded", True, "--confirm-upgrade -d", 0, OUT_OF_SYNC, "finishupgrade", "active"),
    ("upgraded", True, "--upgrade -d", 0, "Upgrading web", "finishupgrade upgrade", "upgraded"),
    ("upgraded", False, "-u -c -d", 0, "", "finishupgrade", "active"),
    ("upgraded", False, "--rollback -d", 0, "", "rollback", "active"),
    ("upgrading", False, "--rollback -u -d", 0, "", "rollback", "active"),
    ("upgrading", False, "--confirm-upgrade -d", 0, "[web]: Started ", "", "upgrading"),
    ("upgrading", True, "--upgrade -d", 1, "Service web must be state=active or inactive to "
     "upgrade, currently: state=upgrading", "", "upgrading"),
    ("activating", True, "--upgrade -d", 1, "Service web must be state=active or inactive to "
     "upgrade, currently: state=activating", "", "activating"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "changed", "options", "code", "message", "actions", "after"), UPGRADES
)
def test_up_in_a_state(
    up: Up,
    rancher: FakeRancher,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    changed: bool,
    options: str,
    code: int,
    message: str,
    actions: str,
    after: str,
) -> None:
    up()
    web = service(rancher)
    web.update(state=state, transitioning="no", previous=web["launchConfig"])
    rancher.requests.clear()
    if changed:
        monkeypatch.setenv("TAG", "2.0")
    answer = up(*options.split())
    assert answer.code == code
    assert message in answer.out
    sent = [line.partition("action=")[2] or line.partition(" ")[0] for line in rancher.requests]
    assert (" ".join(sent), web["state"]) == (actions, after)


def test_service_fields_are_updated_without_new_containers(up: Up, rancher: FakeRancher) -> None:
    up()
    write("version: '2'\nservices:\n  web: {retain_ip: true}\n", "rancher-compose.yml")
    rancher.requests.clear()
    answer = up("--upgrade", "-d")
    assert "Updating web" in answer.messages
    assert rancher.requests == [f"PUT services/{service(rancher)['id']}"]
    assert service(rancher)["retainIp"] is True


def test_a_changed_scale_alone_has_no_effect(up: Up, rancher: FakeRancher) -> None:
    up()
    write("version: '2'\nservices:\n  web: {scale: 3}\n", "rancher-compose.yml")
    rancher.requests.clear()
    assert up("--upgrade", "-d").code == 0
    assert (rancher.requests, service(rancher)["scale"]) == ([], 1)


def test_after_a_rollback_the_file_is_out_of_sync(
    up: Up, rancher: FakeRancher, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    monkeypatch.setenv("TAG", "2.0")
    assert up("--upgrade", "-d").code == 0
    assert up("--rollback", "-d").code == 0
    assert OUT_OF_SYNC in up().messages


def test_start_first_and_batch_size_go_with_the_upgrade(
    up: Up, rancher: FakeRancher, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "version: '2'\nservices:\n  web:\n    upgrade_strategy: {start_first: true}\n"
        "    health_check: {port: 8080, request_line: 'GET / HTTP/1.0', interval: 2000}\n",
        "rancher-compose.yml",
    )
    up()
    monkeypatch.setenv("TAG", "2.0")
    up("--upgrade", "--interval", "50", "-d")
    strategy = rancher.bodies[-1]["inServiceStrategy"]
    sent = [strategy[key] for key in ("startFirst", "batchSize", "intervalMillis")]
    assert sent == [True, 2, 50]
    check = strategy["launchConfig"]["healthCheck"]
    assert check == {"port": 8080, "requestLine": "GET / HTTP/1.0", "interval": 2000}


def test_a_start_that_fails_exits_0_and_says_started(
    up: Up, rancher: FakeRancher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "broken")
    answer = up()
    assert (answer.code, answer.messages[-1]) == (0, "[web]: Started ")
    assert (service(rancher)["state"], service(rancher)["transitioning"]) == ("activating", "error")
    assert "must be state=active or inactive" in up("--upgrade", "-d").out


def test_one_service_that_cannot_be_created_keeps_the_others_from_starting(
    up: Up, rancher: FakeRancher
) -> None:
    write(COMPOSE + "  app:\n    command: [x]\n")
    answer = up()
    assert answer.code == 1
    assert "Bad response statusCode [422]" in answer.messages[-1]
    assert rancher.named("service", "app") is None
    assert service(rancher)["state"] == "registering"


def test_names_choose_services_and_an_unknown_one_comes_too_late(
    up: Up, rancher: FakeRancher
) -> None:
    write(COMPOSE + "  app:\n    image: other\n")
    answer = up("-d", "nosuch")
    assert (answer.code, answer.messages[-1]) == (1, "No such service: nosuch")
    assert rancher.stacks() == ["demo"]
    assert up("-d", "app").code == 0
    assert rancher.named("service", "web") is None
    up()
    write(COMPOSE)
    assert up().code == 0
    assert service(rancher, "app")["state"] == "active"
    assert up("-d", "--prune").code == 0
    assert service(rancher, "app")["state"] == "removing"


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
    assert found["labels"]["owner"] == "me"  # type: ignore[index]
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


def test_waiting_before_up_has_no_effect_on_the_exit_code(up: Up) -> None:
    line = ["--wait", "--wait-timeout", "0", "--wait-state", "nosuch", "up", "-d", "-s", "demo"]
    assert main(line) == 0


def test_rolling_back_fails_where_one_service_has_nothing_to_roll_back(
    up: Up, rancher: FakeRancher
) -> None:
    write(COMPOSE + "  app:\n    image: other\n")
    up()
    app = service(rancher, "app")
    app.update(state="upgraded", previous=app["launchConfig"])
    assert up("--rollback", "-d").code == 1
    assert app["state"] == "active"
    app.update(state="upgraded", previous=app["launchConfig"])
    assert up("--rollback", "-d", "app").code == 0


def test_up_straight_after_rm_finds_what_is_being_removed(up: Up, rancher: FakeRancher) -> None:
    up()
    assert main(["rm", "--type", "stack", "demo"]) == 0
    rancher.requests.clear()
    answer = up()
    assert (answer.code, answer.messages[-1], rancher.requests) == (0, "[web]: Started ", [])


def test_the_client_gives_up_on_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(api, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("RANCHER_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        assert main(["up", "-d", "-s", "demo"]) == 1
    shown = capsys.readouterr().out
    assert "Failed to read project: Get" in shown
    assert "Client.Timeout exceeded while awaiting headers" in shown
