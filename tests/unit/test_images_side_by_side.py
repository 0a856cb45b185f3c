"""The images of a stack, brought into the registry side by side."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spinstack.deploy import images as deploy_images
from spinstack.errors import SpinstackError, Stopped
from spinstack.images import registry, registry_login
from spinstack.images.engine import Engine
from spinstack.images.registry import Manifest
from spinstack.rules.service import ImageName
from spinstack.transport.command import Command
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result
from tests.unit.stack_session import StackSession, baked

WITHIN = 20.0
DIGEST = "sha256:" + "0" * 64
Answer = Callable[["Programs", str], Result]


@dataclass
class Programs(RecordingRunner):
    """Several at the same time, as the real runner has them; stopped ones say so."""

    stopped: threading.Event = field(default_factory=threading.Event)
    on_build: Answer = lambda programs, key: Result("Step 1/1 : FROM scratch")
    begun: threading.Event = field(default_factory=threading.Event)

    def apart(self) -> Programs:
        return self

    def stop(self) -> None:
        self.stopped.set()

    def run(self, command: Command, **options: object) -> Result:  # type: ignore[override]
        result = super().run(command, **options)  # type: ignore[arg-type]
        if "image build" in command.shown():
            self.begun.set()
            result = self.on_build(self, "app" if "/app/" in command.shown() else "web")
            if self.stopped.is_set():
                raise Stopped("ended")
        return result


@pytest.fixture(autouse=True)
def registry_has(monkeypatch: pytest.MonkeyPatch) -> dict[str, Manifest]:
    """What the registry has: name -> manifest; nobody asks a network."""
    has: dict[str, Manifest] = {}
    monkeypatch.setattr(registry, "manifest", lambda image, login: has.get(str(image)))
    monkeypatch.setattr(registry_login, "credentials", lambda *_: None)
    return has


@pytest.fixture
def session(tmp_path: Path) -> StackSession:
    session = StackSession(baked(tmp_path))
    session.programs = Programs(
        {
            "docker image inspect": Result("[]", "No such image", 1),
            "docker image push": Result(f"x: digest: {DIGEST} size: 1\n"),
            "docker image rm": Result(),
            "docker image build": Result(),
        }
    )
    for name, inspected in zip(references(session), has_both(session), strict=True):
        session.programs.answers[f"docker image inspect {name}"] = inspected
    both = " ".join(references(session))
    session.programs.answers[f"docker image inspect {both}"] = Result("[]", "No such image", 1)
    return session


def references(session: StackSession) -> list[str]:
    return [session.image_reference(image) for image in session.settings.images]


def has_both(session: StackSession) -> list[Result]:
    """What the engine says of each image once it is built."""
    return [Result(json.dumps([inspected(name)])) for name in references(session)]


def inspected(name: str) -> dict[str, object]:
    return {
        "Id": f"sha256:of-{name}",
        "Os": "linux",
        "Architecture": "amd64",
        "Config": {"Labels": {"spinstack.content": name.rpartition(":")[2]}},
        "RepoTags": [name],
    }


def is_built(session: StackSession) -> None:
    both = json.dumps([inspected(name) for name in reversed(references(session))])
    session.programs.answers["docker image inspect " + " ".join(references(session))] = Result(both)


def programs(session: StackSession) -> Programs:
    assert isinstance(session.programs, Programs)
    return session.programs


def did(session: StackSession, words: str) -> int:
    return sum(words in call for call in session.programs.calls)


def test_two_images_are_built_at_the_same_time(session: StackSession) -> None:
    both_build = threading.Barrier(2, timeout=WITHIN)

    def meet(_: Programs, key: str) -> Result:
        both_build.wait()
        return Result()

    programs(session).on_build = meet
    with deploy_images.images_under_way(session) as images:
        assert programs(session).begun.wait(WITHIN), "they build while the caller goes on"
        assert images.wait() == {"APP_IMAGE": DIGEST, "WEB_IMAGE": DIGEST}
    assert (did(session, "image build"), did(session, "image push")) == (2, 2)


def test_nothing_is_done_twice_and_the_engine_is_asked_once(
    session: StackSession, registry_has: dict[str, Manifest], capsys: pytest.CaptureFixture[str]
) -> None:
    is_built(session)
    for number, name in enumerate(references(session)):
        registry_has[name] = Manifest(f"sha256:{number}", f"sha256:of-{name}")
    with deploy_images.images_under_way(session) as images:
        assert images.wait() == {"APP_IMAGE": "sha256:0", "WEB_IMAGE": "sha256:1"}
    assert session.programs.calls == ["docker image inspect " + " ".join(references(session))]
    lines = capsys.readouterr().err.splitlines()
    assert [line[:14].strip() for line in lines] == [
        *("✓ build app", "✓ build web", "✓ push app", "✓ push web")
    ]
    assert all("(already there)" in line for line in lines)


@pytest.mark.parametrize("podman", [True, False])
def test_each_image_is_asked_for_with_its_own_login(
    session: StackSession, monkeypatch: pytest.MonkeyPatch, podman: bool
) -> None:
    """Podman keeps logins for repositories too, Docker one for a registry, which is looked up
    once."""
    session.engine = Engine("docker", is_podman=podman)
    repositories = [name.rpartition(":")[0] for name in references(session)]
    wanted = repositories if podman else [repositories[0].partition("/")[0]]
    asked: list[str] = []
    used: dict[str, str] = {}

    def kept(runner: object, engine: object, place: str) -> registry_login.Credentials:
        asked.append(place)
        return registry_login.Credentials(place, "x")

    def manifest(image: ImageName, login: registry_login.Credentials) -> Manifest:
        used[f"{image.registry}/{image.path}"] = login.user
        return Manifest("sha256:1", f"sha256:of-{image}")

    monkeypatch.setattr(registry_login, "credentials", kept)
    monkeypatch.setattr(registry, "manifest", manifest)
    is_built(session)
    with deploy_images.images_under_way(session):
        pass
    assert sorted(asked) == sorted(wanted)
    assert used == {name: name if podman else wanted[0] for name in repositories}


def test_what_is_built_is_only_pushed(session: StackSession) -> None:
    is_built(session)
    deploy_images.build(session)
    assert deploy_images.push(session) == {"APP_IMAGE": DIGEST, "WEB_IMAGE": DIGEST}
    assert (did(session, "image build"), did(session, "image push")) == (0, 2)


def test_what_somebody_else_built_and_pushed_is_taken(
    session: StackSession, registry_has: dict[str, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, web = references(session)
    registry_has |= {app: Manifest("sha256:a", "sha256:c"), web: Manifest("sha256:b", "sha256:d")}
    made = {app: (app.rpartition(":")[2], "linux/amd64"), web: ("c-other", "linux/amd64")}
    monkeypatch.setattr(registry, "made_of", lambda image, login, manifest: made[str(image)])
    with deploy_images.images_under_way(session) as images:
        assert images.wait() == {"APP_IMAGE": "sha256:a", "WEB_IMAGE": DIGEST}
    assert (did(session, "image build"), did(session, "image push")) == (1, 1)


def test_a_failure_of_one_stops_the_other_and_is_told_once(
    session: StackSession, capsys: pytest.CaptureFixture[str]
) -> None:
    app_builds = threading.Event()

    def build(programs: Programs, key: str) -> Result:
        if key == "web":
            assert app_builds.wait(WITHIN)
            return Result("Unknown instruction: COPPY", "", 1)
        app_builds.set()
        assert programs.stopped.wait(WITHIN)
        return Result("", "", -15)

    programs(session).on_build = build
    with (
        pytest.raises(SpinstackError, match="the Dockerfile has an error") as caught,
        deploy_images.images_under_way(session) as images,
    ):
        images.wait()
    assert "web" in caught.value.where
    assert did(session, "image push") == 0
    ends = sorted(line.rsplit(" ", 2)[0].split() for line in capsys.readouterr().err.splitlines())
    assert ends == [["✗", "build", "app", "stopped"], ["✗", "build", "web"]]


@pytest.mark.parametrize("saved", [False, True])
def test_an_exception_of_the_caller_stops_the_builds(session: StackSession, saved: bool) -> None:
    """And where a file was saved meanwhile, the name of what was built is taken back."""

    def build(programs: Programs, key: str) -> Result:
        assert programs.stopped.wait(WITHIN)
        return Result()

    programs(session).on_build = build
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), deploy_images.images_under_way(session):
        assert programs(session).begun.wait(WITHIN)
        if saved:
            (session.directory / "app/app.py").write_text("changed")
            (session.directory / "web/start.sh").write_text("changed")
        raise KeyboardInterrupt
    until = time.monotonic() + WITHIN
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert did(session, "image push") == 0
    assert (did(session, "image rm") > 0) is saved


def test_a_caller_who_does_not_wait_still_gets_the_images(session: StackSession) -> None:
    with deploy_images.images_under_way(session):
        pass
    assert did(session, "image push") == 2


def test_an_engine_that_makes_no_sense_is_told_where_images_are_waited_for(
    session: StackSession,
) -> None:
    both = "docker image inspect " + " ".join(references(session))
    session.programs.answers[both] = Result("WARNING: surprise")
    with (
        pytest.raises(SpinstackError, match="unexpected output from"),
        deploy_images.images_under_way(session) as images,
    ):
        images.wait()
    assert did(session, "image build") == 0


def test_force_builds_and_pushes_what_is_there(session: StackSession) -> None:
    is_built(session)
    deploy_images.build(session, force=True)
    assert did(session, "image build") == 2


def test_a_changed_conf_of_nginx_makes_no_new_image(session: StackSession) -> None:
    before = references(session)
    conf = session.directory / "web/site.conf"
    conf.write_text(conf.read_text() + "# changed\n")
    assert references(session) == before, "it is mounted, not copied"


def test_a_dry_run_shows_the_commands_in_one_order(tmp_path: Path) -> None:
    shown: list[str] = []
    session = StackSession(baked(tmp_path), dry=True)
    session.console.result = shown.append  # type: ignore[method-assign]
    session.programs = PrintingRunner(shown.append)  # type: ignore[assignment]
    with deploy_images.images_under_way(session) as images:
        assert images.wait() == {"APP_IMAGE": "", "WEB_IMAGE": ""}
    heads = [" ".join(line.split()[:4]) if line[0] == "$" else line for line in shown]
    assert heads == [
        *("# look for images", "$ docker image inspect"),
        *("# build app", "$ docker image build", "# push app", "$ docker image push"),
        *("# build web", "$ docker image build", "# push web", "$ docker image push"),
    ]
