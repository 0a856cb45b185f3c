"""What tasks promise wherever a stack runs: the same words, JSON and exit codes with the notes in a
directory of the login node (Rancher 1) and in the cluster (Kubernetes)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spinstack.checks import image_state
from spinstack.errors import SpinstackError
from spinstack.images import registry
from spinstack.remote.cluster import lock, watch
from spinstack.session import Session
from spinstack.tasks import history, ship
from spinstack.transport import probe
from spinstack.transport.probe import Answer
from tests.unit import kube_desk, kube_record, left_there, test_deploy
from tests.unit.kube_desk import KubeSession
from tests.unit.kube_node import KubeNode
from tests.unit.stack_session import run
from tests.unit.test_deploy import TestSession
from tests.unit.there import There


@dataclass
class Place:
    """A stack at a destination. `session`: a new one, as with Invoke; `spoils`: a new version will
    not be well from here on; `hold`: somebody takes the lock."""

    directory: Path
    address: str
    session: Callable[[], Session]
    spoils: Callable[[], None]
    hold: Callable[[str], object]
    two_steps: bool
    capsys: pytest.CaptureFixture[str] = field(repr=False)

    def types(self, task: Any, **options: Any) -> str:
        """What the task prints as its result."""
        self.capsys.readouterr()
        run(task, self.session(), **options)
        return self.capsys.readouterr().out

    def told(self, task: Any, **options: Any) -> Any:
        return json.loads(self.types(task, json=True, **options))

    def fails(self, task: Any, **options: Any) -> SpinstackError:
        with pytest.raises(SpinstackError) as error:
            run(task, self.session(), **options)
        return error.value

    def changes(self, text: str = "# other\n") -> None:
        """Another version; those of one second have no order."""
        time.sleep(1 - time.time() % 1)
        (self.directory / "web" / "nginx.conf").write_text(text)

    @property
    def past(self) -> list[tuple[str, str]]:
        return [(one["doing"], one["outcome"]) for one in self.told(history.history)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    place = tmp_path / "laptop" / "demo"
    (place / "web").mkdir(parents=True)
    (place / "stack.env").write_text("")
    (place / "web" / "nginx.conf").write_text("server { listen 8080; }\n")
    return place


@contextmanager
def rancher(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], _: object
) -> Iterator[Place]:
    node = There(tmp_path / "there")
    compose = test_deploy.COMPOSE.replace("${WEB_IMAGE}", test_deploy.IMAGE)
    (files / "docker-compose.yml").write_text(compose)
    yield Place(
        files,
        test_deploy.ADDRESS,
        lambda: TestSession(files, node),
        lambda: node.odd(new=test_deploy.ILL),
        lambda who: left_there.locked(node, who=who, host="far", doing="deploy"),
        two_steps=True,
        capsys=capsys,
    )
    node.over()


@contextmanager
def kubernetes(
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    node = KubeNode()
    compose = files / "docker-compose.yml"
    compose.write_text(kube_desk.COMPOSE)

    def spoils() -> None:
        compose.write_text(kube_desk.COMPOSE.replace("web:1.0", "web:2.0"))
        node.ill = {"web:2.0": "ErrImagePull"}

    def hold(who: str) -> None:
        """Somebody who lives: each time that one listens there is a heartbeat."""
        kube_record.hold(node, who)
        lives = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: kube_record.renewed(node))
        monkeypatch.setattr(lock, "time", lives)

    yield Place(
        files,
        kube_desk.ADDRESS,
        lambda: KubeSession(files, node),
        spoils,
        hold,
        two_steps=False,
        capsys=capsys,
    )


@pytest.fixture(params=[rancher, kubernetes])
def place(
    request: pytest.FixtureRequest,
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    monkeypatch.setattr(probe, "ask", lambda url: Answer(200, "OK"))
    monkeypatch.setattr(image_state, "findings", lambda *_, **__: [])
    monkeypatch.setattr(registry, "has", lambda image, login: True)
    monkeypatch.setattr(watch, "PAUSE", 0.0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with request.param(files, tmp_path, capsys, monkeypatch) as made:
        yield made


def test_a_deploy_prints_the_address_and_is_in_the_history(place: Place) -> None:
    assert place.types(ship.deploy) == f"{place.address}\n"
    place.changes()
    told = place.told(ship.deploy)
    assert told == {
        **{"stack": "demo", "destination": "dev"},
        **{"action": "deploy", "url": place.address},
    }
    (first, second) = place.told(history.history)
    assert (first["doing"], first["outcome"]) == (second["doing"], "done") == ("deploy", "done")
    assert second["previous"] == first["release"] != second["release"]
    assert {one["who"] for one in (first, second)} == {"alice"}


def test_the_same_files_again_change_nothing(place: Place) -> None:
    place.types(ship.deploy)
    assert place.types(ship.deploy) == f"{place.address}\n"
    assert len(place.past) == 1
    assert len(place.told(ship.releases)) == 1


def test_a_version_that_is_not_well_is_taken_back(place: Place) -> None:
    place.types(ship.deploy)
    place.changes()
    place.spoils()
    error = place.fails(ship.deploy)
    assert (error.exit_code, error.now) == (1, "the previous version is running again")
    assert place.past == [("deploy", "done"), ("deploy", "taken back")]
    states = [one["state"] for one in place.told(ship.releases)]
    assert states == ["current", "failed"]


def test_one_goes_back_to_the_release_before(place: Place) -> None:
    place.types(ship.deploy)
    place.changes()
    place.types(ship.deploy)
    first, second = place.told(ship.releases)
    assert (first["state"], second["state"]) == ("confirmed", "current")
    tried = place.told(ship.rollback, check=True)
    assert (tried["action"], tried["check"]) == ("rollback", first["id"])
    assert [one for one in tried["findings"] if one["severity"] == "error"] == []
    assert len(place.past) == 2, "nothing was done"
    assert place.told(ship.rollback, yes=True)["url"] == place.address
    assert [one["state"] for one in place.told(ship.releases)] == ["current", "confirmed"]
    assert place.past[-1] == ("rollback", "done")


def test_there_is_no_release_to_go_back_to_but_an_earlier_one(place: Place) -> None:
    place.types(ship.deploy)
    (only,) = place.told(ship.releases)
    for options, what in (
        ({}, "there is no earlier release to go back to"),
        ({"release": only["id"]}, f"{only['id']} is already running"),
        ({"release": "nonsense"}, "can't go back to 'nonsense'"),
    ):
        for check in (True, False):
            error = place.fails(ship.rollback, check=check, yes=True, **options)
            assert (error.exit_code, error.what) == (2, what)


def test_somebody_elses_change_is_left_alone_until_its_lock_is_broken(place: Place) -> None:
    place.types(ship.deploy)
    place.hold("bob")
    place.changes()
    for task in (ship.deploy, ship.rollback):
        error = place.fails(task)
        assert error.exit_code == 1
        assert error.what.startswith("locked by bob on far")
    told = place.told(ship.unlock, yes=True)
    assert (told["action"], told["owner"].startswith("bob on far")) == ("unlock", True)
    assert place.past[-1] == ("unlock", "done")
    assert place.fails(ship.unlock, yes=True).what == "there is no lock"
    assert place.types(ship.deploy) == f"{place.address}\n"


def test_a_second_step_is_refused_where_there_is_none_to_take(place: Place) -> None:
    place.types(ship.deploy)
    error = place.fails(ship.confirm, yes=True)
    if place.two_steps:
        assert (error.exit_code, error.what) == (1, "there is no unfinished upgrade")
    else:
        assert error.exit_code == 2
        assert "run `invoke deploy`; `invoke rollback` goes back" in error.remedy


def test_old_releases_go_and_the_running_one_stays(place: Place) -> None:
    for number in range(3):
        place.changes(f"# {number}\n")
        place.types(ship.deploy)
    *old, current = (one["id"] for one in place.told(ship.releases))
    told = place.told(ship.prune, keep=1, yes=True)
    assert told["releases"] == old[:1]
    assert [one["id"] for one in place.told(ship.releases)] == [old[1], current]


def test_a_journal_tells_how_the_last_change_ended(place: Place) -> None:
    place.types(ship.deploy)
    assert place.types(ship.journal).rstrip().endswith("done")
    told = place.told(ship.journal)
    assert told["outcome"] == "done"
    assert {"render", "bring up", "wait until healthy"} <= {one["name"] for one in told["steps"]}


def test_what_is_new_to_a_stack_is_not_up(place: Place) -> None:
    assert place.told(ship.releases) == []
    assert place.past == []
    assert place.types(ship.up) == f"{place.address}\n"
    error = place.fails(ship.up)
    assert (error.exit_code, error.what) == (2, "demo is already running")


def test_a_rollback_goes_to_what_ran_before_and_not_to_what_was_gone_back_from(
    place: Place,
) -> None:
    place.types(ship.deploy)
    (good,) = [one["release"] for one in place.told(history.history)]
    place.changes("# bad\n")
    place.types(ship.deploy)
    place.types(ship.rollback, yes=True)
    place.changes("# another\n")
    place.types(ship.deploy)
    place.types(ship.rollback, yes=True)
    assert place.told(history.history)[-1]["release"] == good
