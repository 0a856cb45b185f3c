"""`rancher up` by the facts on Rancher's CLI 0.6.7: what it does in which state."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from spin_rehearsal.rancher import api
from spin_rehearsal.rancher.main import main
from spinstack.platforms.rancher1 import output as rancher_output
from tests.unit.rancher_fake import FakeRancher
from tests.unit.rancher_up import COMPOSE, Up, directory_for_up, service, write


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


def test_what_is_out_of_sync_is_told_after_starting(
    up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    monkeypatch.setenv("TAG", "2.0")
    said = up("-d").messages
    assert said.index("[web]: Starting ") < said.index(OUT_OF_SYNC) < said.index("[web]: Started ")


def test_a_refused_rollback_is_told_three_times(up: Up) -> None:
    up()
    told = up("--rollback", "-d")
    said = [line for line in told.messages if "Action [rollback] not available" in line]
    beginnings = ["Failed Starting web : Action", "Failed to start: web : Action", "Action"]
    assert [line.partition(" [")[0] for line in said] == beginnings
    assert rancher_output.complaints(told.out) == [said[0]], "and once by spinstack"


def test_what_is_no_yaml_is_told_in_the_words_of_go(up: Up) -> None:
    write("version: '2'\nservices:\n  web: {image: [x,, y]}\n")
    answer = up()
    said = "Failed to read project: yaml: line 2: did not find expected node content"
    assert (answer.code, answer.messages[-1]) == (1, said)


@pytest.mark.parametrize("key", ["mem_limit", "memswap_limit", "shm_size"])
def test_what_is_no_size_is_fatal(up: Up, key: str) -> None:
    write(f"version: '2'\nservices:\n  web: {{image: x, {key}: much}}\n")
    answer = up()
    assert (answer.code, answer.messages[-1]) == (
        1,
        "Failed to read project: invalid size: 'much'",
    )
