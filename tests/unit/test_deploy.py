"""The way of a deploy: order of steps, decisions, what a person reads.

The login node's side is real bash (see `there.py`); engines and Rancher are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from spinstack.deploy import deploy, images, rollback
from spinstack.errors import SpinstackError, UsageError
from spinstack.images.engine import Engine
from spinstack.remote import changes, lock
from spinstack.session import Session
from spinstack.transport import probe
from spinstack.transport.login_node import ConnectionLost, LoginNode
from spinstack.transport.probe import Answer
from spinstack.transport.runner import RecordingRunner, Result, Runner
from tests.unit.there import IMAGE, There, running

COMPOSE = """\
version: '2'
services:
  web:
    image: ${WEB_IMAGE}
    ports: ["60037:8080"]
    user: ${UID}:58102
    cap_drop: [ALL]
    volumes: ["./web/nginx.conf:/etc/nginx/nginx.conf:ro"]
"""
ADDRESS = "http://10.9.8.7:60037/"


class TestSession(Session):
    """A session whose programs only answer what was announced."""

    __test__ = False

    def __init__(self, directory: Path, node: There, **destination: Any) -> None:
        place = {"project_dir": str(node.home / "project"), **destination}
        settings = {
            "stack": "demo",
            "destination": "dev",
            "user": "alice",
            "namespace": "alice",
            "address": "endpoint",
            "healthy_within": 100,
            "centre": {"storage": {"mountable": [str(node.home)]}},
            "destinations": {"dev": {"environment": "dev-cattle", **place}},
        }
        super().__init__(Context(Config(overrides={"spinstack": settings})), None)
        self.__dict__["directory"] = directory
        self.node = node
        self.programs = RecordingRunner(
            {
                "docker image inspect": Result("", "No such image", 1),
                "git -C": Result("", "not a git repository", 128),
            }
        )
        self.__dict__["engine"] = Engine("docker")

    @property
    def runner(self) -> Runner:  # type: ignore[override]
        return self.programs

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        yield self.node


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "laptop" / "demo"
    (place / "web").mkdir(parents=True)
    (place / "docker-compose.yml").write_text(COMPOSE.replace("${WEB_IMAGE}", IMAGE))
    (place / "stack.env").write_text("")
    (place / "web" / "nginx.conf").write_text("server { listen 8080; }\n")
    return place


@pytest.fixture
def there(tmp_path: Path) -> Iterator[There]:
    node = There(tmp_path / "there")
    yield node
    for left in node.home.glob("hang-*"):
        left.unlink()
    node.over()


@pytest.fixture
def session(directory: Path, there: There) -> TestSession:
    return TestSession(directory, there)


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What the site answers from here, instead of a network."""
    answers = [Answer(200, "OK")]
    monkeypatch.setattr(probe, "ask", lambda url: answers[0])
    return answers


def past(there: There) -> list[tuple[str, str]]:
    """What was done and how it ended, from the history."""
    lines = (there.root / "history.jsonl").read_text().splitlines()
    return [(one["doing"], one["outcome"]) for one in map(json.loads, lines)]


def changed(directory: Path, text: str = "# other\n") -> None:
    (directory / "web" / "nginx.conf").write_text(text)


def test_a_first_deploy_starts_the_stack_and_tells_its_address(
    session: TestSession, there: There
) -> None:
    assert deploy.deploy(session) == ADDRESS
    assert [call.split(" --stack")[0] for call in there.calls] == [
        "up --render",
        "up -d",
        "up -d --confirm-upgrade",
    ]
    (release,) = (there.root / "releases").iterdir()
    assert (there.root / "current").resolve() == release
    assert (release / "web/nginx.conf").read_text() == "server { listen 8080; }\n"
    assert past(there) == [("deploy", "done")]
    assert sorted(path.name for path in there.root.iterdir()) == [
        *("changes", "current", "history.jsonl", "releases")
    ]


def test_a_deploy_is_two_scripts(session: TestSession, there: There) -> None:
    deploy.deploy(session)
    assert there.steps.count("uid") == 1
    assert there.steps.count("follow") == 1
    assert there.steps[-1] == "follow"


def test_a_stack_that_runs_is_upgraded(session: TestSession, there: There) -> None:
    there.has(web=running())
    deploy.deploy(session)
    assert "up -d --upgrade" in there.calls[1]


def test_nothing_is_done_twice(session: TestSession, directory: Path, there: There) -> None:
    deploy.deploy(session)
    there.has(web=running())
    steps, calls = len(there.steps), there.calls
    assert deploy.deploy(TestSession(directory, there)) == ADDRESS
    assert there.calls == calls
    assert "lock" not in there.steps[steps:], "one look is enough"


@pytest.mark.parametrize(
    "how",
    [
        running(launchConfig={"imageUuid": "docker:somebody/else:2"}),
        running(state="inactive"),
    ],
)
def test_what_somebody_has_changed_there_is_made_good(
    session: TestSession, directory: Path, there: There, how: dict[str, Any]
) -> None:
    deploy.deploy(session)
    there.has(web=how)
    deploy.deploy(TestSession(directory, there))
    assert "up -d --upgrade" in there.calls[-2]
    assert there.steps.count("upload") == 1, "the files are there already"


def test_nothing_to_do_and_a_site_that_is_ill_is_no_success(
    session: TestSession, directory: Path, there: There, site: list[Answer]
) -> None:
    deploy.deploy(session)
    there.has(web=running())
    site[0] = Answer(500, "INTERNAL SERVER ERROR")
    with pytest.raises(SpinstackError, match="already up to date, but"):
        deploy.deploy(TestSession(directory, there))
    site[0] = Answer(0, "timed out")
    assert deploy.deploy(TestSession(directory, there)) == ADDRESS, "it may be out of reach here"


ILL = {"healthState": "unhealthy"}
STUCK = {
    "state": "upgrading",
    "transitioning": "error",
    "transitioningMessage": "pull access denied",
}
REFUSED = "curl: (7) refused\n000"


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"new": {"healthState": "initializing"}}, "did not become healthy within 100 s"),
        ({"new": ILL}, "web failed the health check"),
        ({"new": STUCK}, "web failed: pull access denied"),
        ({"upgrade": 'time="x" level=error msg="no such service"'}, "did not bring up demo"),
        ({"upgrade": "\x1b[31mERRO\x1b[0m[0001] no such service"}, "did not bring up demo"),
    ],
)
def test_a_failed_upgrade_is_taken_back_and_explained(
    session: TestSession, there: There, odd: dict[str, Any], said: str
) -> None:
    there.has(web=running())
    there.odd(logs="nginx: [emerg] host not found in upstream", **odd)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert said in error.value.what
    assert error.value.now == "the previous version is running again"
    assert there.services["web"]["state"] == "active"
    if "new" in odd:
        assert "--- web, last lines ---\nnginx: [emerg] host not found" in error.value.details
    else:
        assert "no such service" in error.value.details
    assert past(there) == [("deploy", "taken back")]
    assert not (there.root / "unfinished.json").exists()


def test_rancher_that_says_nothing_is_not_waited_for_long(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    hung = there.hang("upgrade")
    there.happens = lambda name: _ps_breaks(there, hung) if name == "bring up" else None
    with pytest.raises(SpinstackError, match="no answer from rancher for"):
        deploy.deploy(session)


def _ps_breaks(there: There, hung: Path) -> None:
    """As when its time is up."""
    program = there.home / "bin" / "rancher"
    first = 'import sys\nif sys.argv[1] == "ps":\n    sys.exit(124)\n'
    broken = program.with_name("broken")
    broken.write_text(program.read_text().replace("import fcntl", f"{first}import fcntl", 1))
    broken.chmod(0o755)
    broken.replace(program)  # in one step: it may be started at any moment
    hung.unlink()


def test_a_version_before_that_does_not_get_well_is_told(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    there.odd(new=ILL, old_health="unhealthy")
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.now == "the previous version is not healthy (now: web unhealthy)"


@pytest.mark.parametrize("before", [{"web": running()}, {"web": running(), "api": running()}])
def test_a_service_that_a_failed_upgrade_has_added_stays_and_is_told(
    session: TestSession, there: There, before: dict[str, Any]
) -> None:
    compose = session.directory / "docker-compose.yml"
    compose.write_text(f"{compose.read_text()}\n  api: {{image: '{IMAGE}', cap_drop: [ALL]}}\n")
    there.has(**before)
    there.odd(new=ILL, names=["web", "api"])
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    stays = (
        "" if "api" in before else "; api is new and stays (`invoke rm --service api` removes it)"
    )
    assert error.value.now == "the previous version is running again" + stays
    assert there.services["api"]["healthState"] == ("healthy" if "api" in before else "unhealthy")


def test_a_rollback_that_fails_is_told_with_the_reason(session: TestSession, there: There) -> None:
    there.has(web=running())
    there.odd(new=ILL, rollback='time="x" level=fatal msg="no volume"')
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.now.startswith("the upgrade is unfinished")
    assert "and the rollback failed:\nno volume" in error.value.details
    assert "invoke rollback" in error.value.remedy
    assert past(there) == [("deploy", "left open")]


@pytest.mark.parametrize(("status", "seen"), [("500", "500"), (REFUSED, "no answer")])
def test_healthy_services_with_a_broken_site_are_taken_back(
    session: TestSession, there: There, status: str, seen: str
) -> None:
    there.has(web=running())
    (there.home / "site").write_text(status)
    with pytest.raises(SpinstackError, match="is not responding correctly") as error:
        deploy.deploy(session)
    assert error.value.where == f"{ADDRESS}: {seen} from the login node"
    assert there.services["web"]["state"] == "active"


def test_every_page_is_asked(directory: Path, there: There) -> None:
    deploy.deploy(TestSession(directory, there, probe_path="/ /readyz"))
    (journal,) = (there.root / "changes").glob("*/journal")
    lines = [line for line in journal.read_text().splitlines() if line.startswith("asked ")]
    assert lines == [f"asked {ADDRESS}: 200", f"asked {ADDRESS}readyz: 200"]


NO_PANDAS = "no page can be made on demand: ModuleNotFoundError: No module named 'pandas'"


def test_what_the_site_warns_of_is_shown_with_the_fix(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    (there.home / "page").write_text(f"ok\nwarning: {NO_PANDAS}\x1b[2J\n")
    deploy.deploy(TestSession(directory, there))
    told = capsys.readouterr().err
    assert f"warning: {NO_PANDAS}^[[2J\n  fix:   Add it to app/requirements.in" in told
    assert past(there) == [("deploy", "done")], "what is there can be seen all the same"


def test_the_site_is_asked_again_while_it_does_not_know_yet(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    (there.home / "page").write_text("ok\npending: being imported\n")
    (there.home / "page.later").write_text(f"ok\nwarning: {NO_PANDAS}\n")
    program = there.home / "bin/curl"
    program.write_text(f'{program.read_text()}cp "$HOME/page.later" "$HOME/page"\n')
    deploy.deploy(TestSession(directory, there))
    assert f"warning: {NO_PANDAS}" in capsys.readouterr().err
    assert past(there) == [("deploy", "done")]


def test_a_page_is_not_taken_for_a_warning(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    (there.home / "page").write_text("<h1>The calendar</h1>\nwarning: rain\n")
    deploy.deploy(TestSession(directory, there))
    assert "warning: rain" not in capsys.readouterr().err


def test_a_first_deploy_that_fails_leaves_what_was_started(
    session: TestSession, there: There
) -> None:
    there.odd(new=ILL)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "left in place for inspection" in error.value.now
    assert "web" in there.services
    assert past(there) == [("deploy", "failed")]


def test_an_upgrade_that_somebody_left_is_not_touched(session: TestSession, there: There) -> None:
    there.has(web=running(state="upgraded"))
    with pytest.raises(SpinstackError, match="left unfinished"):
        deploy.deploy(session)
    assert "upload" not in there.steps
    assert not there.calls


def test_what_rancher_refuses_to_upgrade_is_stopped_first(
    session: TestSession, there: There
) -> None:
    there.has(web=running(state="activating", transitioning="error"))
    deploy.deploy(session)
    verbs = [call.split(" ")[0] for call in there.calls]
    assert verbs == ["up", "stop", "up", "up"]


def test_what_is_at_rest_is_not_stopped_for_an_upgrade(session: TestSession, there: There) -> None:
    odd = running(state="activating", transitioning="error")
    there.has(web=odd, batch=running(state="inactive"))
    deploy.deploy(session)
    stopped = [call.rpartition(" ")[2] for call in there.calls if call.startswith("stop ")]
    assert stopped == ["demo/web"]


def test_a_variable_that_is_not_set_ends_the_deploy_before_anything_runs(
    session: TestSession, there: There
) -> None:
    there.odd(render='time="x" level=warning msg="The UID variable is not set."')
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "UID" in error.value.details
    assert len(there.calls) == 1, "render alone"
    assert not (there.root / "lock").exists()


def test_a_release_that_cannot_be_written_is_told_and_the_lock_given_back(
    session: TestSession, there: There
) -> None:
    (there.root / "releases").mkdir(parents=True)
    (there.home / "bin" / "tar").write_text("#!/bin/sh\necho 'No space left on device'; exit 2\n")
    (there.home / "bin" / "tar").chmod(0o755)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "the file system is full" in error.value.remedy
    assert not (there.root / "lock").exists()
    assert not list((there.root / "releases").iterdir())


def test_findings_end_the_deploy_before_anything_is_built(directory: Path, there: There) -> None:
    (directory / "docker-compose.yml").write_text(COMPOSE.replace("${WEB_IMAGE}", "nginx:latest"))
    session = TestSession(directory, there)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "image-tag" in error.value.details
    assert not session.programs.calls
    assert not there.steps


def test_an_upgrade_can_be_left_open(session: TestSession, directory: Path, there: There) -> None:
    there.has(web=running())
    assert deploy.upgrade(session) == ADDRESS
    assert there.services["web"]["state"] == "upgraded"
    assert past(there) == [("upgrade", "left open")]
    rollback.confirm(TestSession(directory, there), yes=True)
    assert there.services["web"]["state"] == "active"
    assert past(there) == [("upgrade", "left open"), ("confirm", "done")]


def test_up_is_for_what_is_not_there_and_upgrade_for_what_is(directory: Path, there: There) -> None:
    with pytest.raises(UsageError, match="does not exist yet"):
        deploy.upgrade(TestSession(directory, there))
    deploy.up(TestSession(directory, there))
    with pytest.raises(UsageError, match="is already running"):
        deploy.up(TestSession(directory, there))


class Lid(ConnectionLost):
    """The laptop's lid closes."""


STEPS = [
    *("uid", "rancher key", "states", "lock", "upload", "note the release", "start", "follow"),
    *("rancher environment", "enter the release", "render", "lock still ours"),
    *("note the upgrade", "bring up", "wait until healthy", "ask the site", "confirm"),
    *("mark as current", "write it down", "unlock"),
]


@pytest.mark.parametrize(
    ("step", "first"),
    [*((step, False) for step in STEPS), *((step, True) for step in ("render", "bring up"))],
)
def test_the_lid_closes_and_the_same_command_again_ends_well(
    directory: Path, there: There, monkeypatch: pytest.MonkeyPatch, step: str, first: bool
) -> None:
    monkeypatch.setattr(lock, "_alive", lambda pid: False)
    # A change that was cut off when its first word was not yet said is not waited for long.
    monkeypatch.setattr(changes, "BEGIN_SECONDS", 3)
    if not first:
        there.has(web=running())

    def closes(name: str) -> None:
        if name == step:
            there.happens = lambda name: None
            raise Lid("the connection was lost")

    there.happens = closes
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    assert deploy.deploy(TestSession(directory, there)) == ADDRESS
    there.over()
    assert there.services["web"]["state"] == "active"
    assert ("deploy", "done") in past(there)
    assert not list((there.root / "releases").glob("*.partial"))
    ups = [call for call in there.calls if call.startswith("up -d") and "confirm" not in call]
    assert len(ups) <= 2


def test_another_deploy_of_ours_looks_on_at_the_one_that_runs(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    hung = there.hang("upgrade")

    def closes(name: str) -> None:
        if name == "bring up":
            there.happens = lambda name: hung.unlink(missing_ok=True)
            raise Lid("the connection was lost")

    there.happens = closes
    with pytest.raises(ConnectionLost) as lost:
        deploy.deploy(TestSession(directory, there))
    assert lost.value.now == "the deploy continues on the login node"
    capsys.readouterr()
    assert deploy.deploy(TestSession(directory, there)) == ADDRESS
    assert "is already running there; following it" in capsys.readouterr().err
    assert past(there) == [("deploy", "done")], "one change, looked on at twice"


def test_a_change_of_somebody_else_is_told_and_not_waited_for(
    directory: Path, there: There
) -> None:
    hung = there.hang("upgrade")

    def closes(name: str) -> None:
        if name == "bring up":
            there.happens = lambda name: None
            raise Lid("the connection was lost")

    there.happens = closes
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    bob = TestSession(directory, there, user="bob")
    with pytest.raises(SpinstackError, match=r"locked by alice on .* \(deploy\)") as error:
        deploy.deploy(bob)
    assert "invoke journal" in error.value.remedy
    hung.unlink()


def test_somebody_who_breaks_the_lock_stops_the_change(session: TestSession, there: There) -> None:
    there.has(web=running())
    hung = there.hang("render")

    def bobs(name: str) -> None:
        if name == "render":
            for left in (there.root / "lock").iterdir():
                left.unlink()
            hung.unlink()

    there.happens = bobs
    with pytest.raises(SpinstackError, match="broken the lock of this change"):
        deploy.deploy(session)
    assert len(there.calls) == 1, "render alone"
    (there.root / "lock").rmdir()


def test_what_somebody_deployed_in_between_is_not_done_again(
    session: TestSession, directory: Path, there: There
) -> None:
    """Our other laptop has deployed the same files between our look and our lock."""
    deploy.deploy(session)
    changed(directory)

    def other(name: str) -> None:
        if name == "states":
            there.happens = lambda name: None
            deploy.deploy(TestSession(directory, there))

    there.happens = other
    assert deploy.deploy(TestSession(directory, there)) == ADDRESS
    assert past(there) == [("deploy", "done")] * 2


def test_nothing_changes_there_before_the_images_are_in_the_registry(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    class Images:
        def wait(self) -> dict[str, str]:
            seen.append(list(there.steps))
            return {}

    @contextmanager
    def under_way(_: Session) -> Iterator[Images]:
        yield Images()

    monkeypatch.setattr(images, "images_under_way", under_way)
    deploy.deploy(session)
    (before,) = seen
    assert "states" in before, "it looks meanwhile"
    assert "lock" not in before
