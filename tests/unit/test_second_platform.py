"""The tasks on a platform that has nothing of Rancher: what they do, and that nobody names it.

The login node is real bash (see `there.py`), the platform `plain_platform.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import UsageError
from spinstack.setup import project
from spinstack.tasks import exec as tasks_exec
from spinstack.tasks import operate, prepare, secrets, setup, ship
from spinstack.tasks import status as tasks_status
from spinstack.transport.login_node import ConnectionLost
from tests.unit.plain_desk import COMPOSE, Desk, PlainSession, PlainThere, desk, directory, node
from tests.unit.stack_session import run
from tests.unit.there import There

__all__ = ["desk", "directory", "node"]

ADDRESS = "http://10.9.8.7:60037/"


def changed(desk: Desk, image: str = "2.0") -> None:
    text = COMPOSE.replace("alice/web:1.0", f"alice/web:{image}")
    (desk.directory / "docker-compose.yml").write_text(text)


def past(node: There) -> list[tuple[str, str]]:
    lines = (node.root / "history.jsonl").read_text().splitlines()
    return [(one["doing"], one["outcome"]) for one in map(json.loads, lines)]


def test_a_stack_is_created_and_then_upgraded_at_once(desk: Desk, node: PlainThere) -> None:
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.verbs == ["check demo", "apply demo"]
    first = node.of("web", "release")
    assert node.of("web", "state") == node.of("app", "state") == "up"
    changed(desk)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.verbs[2:] == ["check demo", "apply demo"]
    assert "web:2.0" in node.of("web", "spec")
    assert node.of("web", "before/release") == first
    assert past(node) == [("deploy", "done")] * 2
    calls = len(node.verbs)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert len(node.verbs) == calls, "nothing is done twice"


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"new": "broken: ImagePullBackOff"}, "web failed: ImagePullBackOff"),
        ({"new": "ill"}, "web failed the health check"),
        ({"new": "rolling"}, "web did not become healthy within 20 s"),
        ({"apply": "plain: no: the quota is used up"}, "Plain did not bring up demo"),
    ],
)
def test_an_upgrade_that_does_not_get_well_is_put_back(
    desk: Desk, node: PlainThere, odd: dict[str, str], said: str
) -> None:
    desk.types(ship.deploy)
    first = node.of("web", "release")
    changed(desk)
    node.odd(**odd)
    error = desk.fails(ship.deploy)
    assert error.what.startswith(said)
    assert error.now == "the previous version is running again"
    assert "web:1.0" in node.of("web", "spec")
    assert node.of("web", "release") == first
    assert node.of("app", "release") == first
    assert [node.of(name, "state") for name in ("app", "web")] == ["up", "up"]
    assert past(node) == [("deploy", "done"), ("deploy", "taken back")]
    if "new" in odd:
        assert "web-1 | starting registry.spin.nersc.gov/alice/web:2.0" in error.details or (
            "starting registry.spin.nersc.gov/alice/web:2.0" in error.details
        )


def test_what_cannot_be_put_back_is_told_and_goes_back_later(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    first = node.of("web", "release")
    changed(desk)
    node.odd(new="broken: CrashLoopBackOff", back="plain: no: the copy is gone")
    error = desk.fails(ship.deploy)
    assert error.now == "the upgrade is unfinished: what ran before it was not brought back"
    assert "and the rollback failed:\nthe copy is gone" in error.details
    assert "invoke rollback" in error.remedy
    second = node.of("web", "release")
    listed = json.loads(desk.types(ship.releases, json=True))
    # Both may have been uploaded in one second, by which they are listed.
    assert {one["id"]: one["state"] for one in listed} == {first: "current", second: "unfinished"}
    node.odd(new="", back="")
    assert desk.types(ship.rollback, yes=True) == f"{ADDRESS}\n"
    assert node.of("web", "release") == first, "not one further back"
    assert past(node)[-1] == ("rollback", "done")


def test_what_is_broken_is_upgraded_without_being_stopped(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    node.put("web", "state", "broken: CrashLoopBackOff")
    changed(desk)
    desk.types(ship.deploy)
    assert node.verbs[-2:] == ["check demo", "apply demo"]
    assert node.of("web", "state") == "up"


def test_a_laptop_that_is_closed_finds_the_deploy_done(desk: Desk, node: PlainThere) -> None:
    def closes(name: str) -> None:
        if name == "bring up":
            node.happens = lambda name: None
            raise ConnectionLost("the connection was lost")

    node.happens = closes
    desk.fails(ship.deploy)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.verbs.count("apply demo") == 1


def test_rollback_goes_back_to_the_release_before(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    changed(desk)
    desk.types(ship.deploy)
    assert desk.types(ship.rollback, yes=True) == f"{ADDRESS}\n"
    assert "web:1.0" in node.of("web", "spec")
    said = desk.types(ship.journal)
    assert "bring up" in said
    assert said.endswith("done\n")


@pytest.mark.parametrize("task", [ship.upgrade, ship.confirm])
def test_there_is_no_second_step(desk: Desk, node: PlainThere, task: Any) -> None:
    error = desk.fails(task, yes=True)
    assert isinstance(error, UsageError)
    assert "Plain has no second step" in error.what
    assert error.remedy.startswith("run `invoke deploy`")
    assert not node.sent, "nobody logs in for that"


def test_up_does_not_send_to_a_task_that_is_none(desk: Desk) -> None:
    desk.types(ship.up)
    assert desk.fails(ship.up).remedy == "run `invoke deploy`"


def test_status_tells_states_and_their_reasons(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    node.put("app", "want", "3")
    node.put("web", "state", "broken: ImagePullBackOff")
    app, web, *rest = desk.types(tasks_status.status).splitlines()[1:]
    assert re.split("  +", app)[:2] == ["app", "healthy"]
    assert "3/3" in app
    assert re.split("  +", web)[:2] == ["web", "broken"]
    assert web.endswith("ImagePullBackOff")
    assert any(line.startswith("release: ") for line in rest)
    told = json.loads(desk.types(tasks_status.status, json=True))
    app, web = told["services"]
    assert [one["name"] for one in app["containers"]] == ["app-1", "app-2", "app-3"]
    assert {one["state"] for one in app["containers"]} == {"running"}
    assert app["since"] == "2026-11-22T16:00:00.000000"
    assert (web["state"], web["phase"], web["message"]) == ("broken", "failed", "ImagePullBackOff")
    assert told["url"] == ADDRESS
    assert desk.types(tasks_status.url) == f"{ADDRESS}\n"


def test_status_watches_and_tells_of_what_is_not_there(desk: Desk, node: PlainThere) -> None:
    assert desk.fails(tasks_status.status).what == "demo is not running at dev"
    desk.types(ship.deploy)
    # The channel of this login node is at its end: it is one round.
    assert "web      healthy" in desk.types(tasks_status.status, watch=True)
    node.odd(list="<html>we are painting</html>")
    error = desk.fails(tasks_status.status)
    assert error.what == "unexpected output from plain"
    assert "plain list" in error.remedy
    (node.home / "token").unlink()
    assert desk.fails(tasks_status.status)


@pytest.mark.parametrize("follow", [False, True])
def test_logs_are_in_the_order_of_time(desk: Desk, node: PlainThere, follow: bool) -> None:
    desk.types(ship.deploy)
    node.put("app", "log", "@1795363201 app-1 one\n@1795363203 app-2 three\n  at line 4")
    node.put("web", "log", "@1795363202 web-1 two")
    lines = desk.types(tasks_status.logs, follow=follow).splitlines()
    expected = ["app-1 | one", "web-1 | two", "app-2 | three", "app |   at line 4"]
    assert sorted(lines) == sorted(expected) if follow else lines == expected
    assert desk.types(tasks_status.logs, service="web", tail="5", since="1h") == "web-1 | two\n"


def test_a_service_is_stopped_started_restarted_and_removed(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    desk.types(operate.stop, service="web", yes=True)
    assert node.of("web", "state") == "off"
    assert "stopped" in desk.types(tasks_status.status)
    desk.types(operate.start)
    assert node.of("web", "state") == "up"
    desk.types(operate.restart, service="app", yes=True)
    assert node.verbs[-1] == "again demo/app"
    node.put("web", "state", "going")
    assert "web is being removed" in desk.fails(operate.stop, service="web", yes=True).what
    node.put("web", "state", "up")
    desk.types(operate.rm, service="web", yes=True)
    desk.types(operate.rm, yes=True)
    assert not (node.home / "plain" / "demo").exists()
    assert "nothing to remove" in desk.types(operate.rm, yes=True)


def test_a_service_is_scaled_until_all_its_copies_run(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    desk.types(operate.scale, service="app", count=3, yes=True)
    assert node.of("app", "want") == "3"
    changed(desk)
    desk.types(ship.deploy)
    assert node.of("app", "want") == "3", "it stays so"


def test_a_command_runs_in_a_copy(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    assert desk.types(tasks_exec.exec_, service="app", command="cat want") == "1\n"
    code, _ = desk.exits(tasks_exec.exec_, service="app", command="sh -c 'exit 3'")
    assert code == 3
    node.put("app", "state", "off")
    assert (
        "no container of app is running"
        in desk.fails(tasks_exec.exec_, service="app", command="cat want").what
    )


def test_services_tell_of_themselves(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    session = PlainSession(desk.directory, node, stats={"app": "cat want"})
    assert "app: 1\n" in _printed(desk, lambda: run(tasks_status.status, session))


def _printed(desk: Desk, call: Callable[[], Any]) -> str:
    desk._hear()
    call()
    return desk._hear()


def test_secrets_and_volumes_come_and_go(desk: Desk, node: PlainThere, tmp_path: Path) -> None:
    value = tmp_path / "password"
    value.write_bytes(b"100%\\ 'open'\0\n")
    value.chmod(0o600)
    desk.types(secrets.secret_create, name="password", service="app", file=str(value))
    kept = node.home / "kept-secret" / "app.demo.password"
    assert kept.read_bytes() == value.read_bytes()
    assert "app.demo.password" in desk.types(secrets.secret_list)
    assert (
        "already"
        in desk.fails(secrets.secret_create, name="password", service="app", file=str(value)).what
    )
    desk.types(secrets.secret_rm, name="password", service="app", yes=True)
    assert not kept.exists()
    desk.types(secrets.volume_create, name="app")
    assert (node.home / "kept-volume" / "app.demo").read_text() == "directory"
    desk.types(secrets.volume_rm, name="app", yes=True)
    assert desk.types(secrets.volume_list, json=True) == "[]\n"


def test_diff_tells_what_a_deploy_would_change(desk: Desk) -> None:
    code, said = desk.exits(ship.diff)
    assert (code, said.count("new service")) == (2, 2)
    desk.types(ship.deploy)
    assert desk.types(ship.diff) == "nothing to do\n"
    changed(desk)
    code, said = desk.exits(ship.diff, json=True)
    assert code == 2
    whats = {one["what"]: one for one in json.loads(said)}
    assert whats.keys() == {"image", "files mounted from the release"}
    assert whats["image"]["wanted"].endswith("web:2.0")


def test_check_asks_the_platform(desk: Desk, node: PlainThere) -> None:
    assert desk.types(prepare.check) == "demo at dev: 0 errors, 0 warnings\n"
    assert not node.sent
    desk.types(ship.deploy)
    (node.home / "plain" / "other").mkdir()
    (node.home / "plain/demo/web").rename(node.home / "plain/other/web")
    code, said = desk.exits(prepare.check, to="dev", json=True)
    assert code == 1
    rules = [one["rule"] for one in json.loads(said)]
    assert "port-taken" in rules
    (node.home / "token").unlink()
    _, said = desk.exits(prepare.check, to="dev", json=True)
    assert "plain-token" in [one["rule"] for one in json.loads(said)]
    (node.home / "bin" / "plain").unlink()
    _, said = desk.exits(prepare.check, to="dev", json=True)
    assert "plain-program" in [one["rule"] for one in json.loads(said)]


def test_an_account_without_access_does_not_start_a_second_stack(
    desk: Desk, node: PlainThere
) -> None:
    desk.types(ship.deploy)
    (node.home / "token").unlink()
    calls = node.verbs
    changed(desk)
    error = desk.fails(ship.deploy)
    assert error.what == "you have no token for Plain"
    assert error.remedy == "fetch one from its page"
    assert node.verbs == calls
    assert desk.fails(ship.rollback, yes=True).what == error.what
    assert not (node.root / "lock").exists()


def test_what_plain_says_is_explained(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    node.odd(list="plain: no: the door is shut")
    (node.home / "odd" / "list").write_text("plain: no: the door is shut\n<closed>\n")
    desk.fails(tasks_status.status)
    node.odd(list="")
    node.odd(check="plain: hm: GREETING is not set")
    changed(desk)
    error = desk.fails(ship.deploy)
    assert error.what == "Plain can't use the stack's files"
    assert error.details == "GREETING is not set"


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (ship.deploy, {"yes": True}),
        (ship.rollback, {"yes": True}),
        (ship.prune, {"yes": True}),
        (ship.diff, {}),
        (ship.render, {}),
        (tasks_status.status, {}),
        (tasks_status.status, {"watch": True}),
        (tasks_status.logs, {"follow": True}),
        (tasks_status.inspect, {"service": "web"}),
        (operate.stop, {"service": "web", "yes": True}),
        (operate.rm, {"yes": True}),
        (secrets.secret_list, {}),
        (tasks_exec.exec_, {"service": "web", "command": "true"}),
        (prepare.check, {}),
        (setup.setup, {}),
    ],
)
def test_a_dry_run_shows_this_platform(desk: Desk, task: Any, options: dict[str, Any]) -> None:
    said = desk.types(task, dry=True, **options)
    assert "plain" in said or task in (ship.prune, ship.render, prepare.check)
    assert "--upgrade" not in said


def test_setup_tells_of_missing_access_that_it_cannot_give(desk: Desk, node: PlainThere) -> None:
    def told() -> list[str]:
        lines = project.setup(PlainSession(desk.directory, node), yes=True)
        return [line.text for line in lines if line.what == "Plain"]

    (node.home / "project").mkdir()
    assert told() == []
    (node.home / "token").unlink()
    assert told() == ["you have no token for Plain"]
    (node.home / "bin" / "plain").unlink()
    assert told() == ["no plain there"]


def test_rules_of_another_platform_are_not_asked_of_this_one(desk: Desk) -> None:
    elsewhere = desk.directory.rename(desk.directory.with_name("elsewhere"))
    desk.directory = elsewhere
    text = COMPOSE.replace("'2'", "'3.8'").replace('LEVEL: "2"', "LEVEL: '${LEVEL:-2}'")
    (elsewhere / "docker-compose.yml").write_text(text)
    _, said = desk.exits(prepare.check, json=True)
    assert [one["rule"] for one in json.loads(said)] == ["variable-form"]


def test_inspect_shows_what_the_platform_has(desk: Desk) -> None:
    desk.types(ship.deploy)
    told = json.loads(desk.types(tasks_status.inspect, service="web"))
    assert told["service"] == "demo/web"
    assert told["rest"]["drop"] == ["ALL"]
