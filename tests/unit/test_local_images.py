"""The stack's images on this machine: the list, and one of them run alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError
from spinstack.images import registry
from spinstack.tasks import image as tasks_image
from spinstack.transport import runner
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, Result
from tests.unit.stack_session import StackSession, baked, run

ID = "sha256:" + "a" * 64


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSession:
    monkeypatch.setattr("spinstack.local.mounts.prepare", lambda *_: None)
    return StackSession(baked(tmp_path))


def reference(session: StackSession, key: str) -> str:
    setting = next(image for image in session.settings.images if image.key == key)
    return session.image_reference(setting)


def has(session: StackSession, *images: dict[str, Any]) -> None:
    """The engine has these images."""
    session.programs.answers |= {
        "docker image ls --quiet --no-trunc --filter label=spinstack.content": Result(f"{ID}\n"),
        f"docker image inspect {ID}": Result(json.dumps(images)),
    }


def image(*tags: str, **more: Any) -> dict[str, Any]:
    """As the engine inspects it."""
    base = {"Id": ID, "RepoTags": tags, "Size": 197_000_000, "Created": "2026-01-02T03:04:05.6Z"}
    return {**base, **more}


@pytest.mark.parametrize(
    ("status", "config", "pushed"),
    [(200, ID, "yes"), (200, "sha256:" + "b" * 64, "no"), (200, None, "no"), (401, None, "?")],
)
def test_the_list_tells_what_is_current_and_what_the_registry_has(
    session: StackSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    config: str | None,
    pushed: str,
) -> None:
    there = registry.Manifest("", config) if config else None
    monkeypatch.setattr(registry, "ask", lambda *_: registry.State(status))
    monkeypatch.setattr(registry, "manifest", lambda *_: there)
    current = reference(session, "web")
    old = current.rpartition(":")[0] + ":c-000000000000"
    has(session, image(old, "elsewhere.org/other:1", Created="2027-01-01"), image(current))
    run(tasks_image.list_images, session)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "TAG", "SIZE", "CREATED", "SERVICE", "PUSHED"]
    name, _, tag = current.rpartition(":")
    assert lines[1].split() == ["*", name, tag, "197", "MB", "2026-01-02T03:04:05Z", "web", pushed]
    assert lines[2].split()[:2] == [name, "c-000000000000"]
    assert len(lines) == 3
    run(tasks_image.list_images, session, json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told[0]["key"], told[0]["current"], told[0]["size"]) == ("web", True, 197_000_000)


def test_no_images_are_no_failure(
    session: StackSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.programs.answers["docker image ls"] = Result("")
    run(tasks_image.list_images, session)
    assert "invoke build" in capsys.readouterr().err


def test_dry_shows_what_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = StackSession(baked(tmp_path), {"docker": Result()}, dry=True)
    run(tasks_image.list_images, session)
    assert session.programs.calls == [
        "docker image ls --quiet --no-trunc --filter label=spinstack.content",
        "docker image inspect IMAGE",
    ]
    assert "GET the manifest of each" in capsys.readouterr().out


def there_already(session: StackSession, key: str) -> str:
    """The engine has the image of the current files; its reference."""
    name = reference(session, key)
    tag = name.rpartition(":")[2]
    found = {"Id": ID, "Os": "linux", "Architecture": "amd64",
             "Config": {"Labels": {"spinstack.content": tag}}}  # fmt: skip
    session.programs.answers[f"docker image inspect {name}"] = Result(json.dumps([found]))
    return name


def test_an_image_runs_alone_with_what_spin_gives_its_service(session: StackSession) -> None:
    name = there_already(session, "app")
    session.programs.answers |= {"docker run": Result(), "docker rm --force": Result()}
    run(tasks_image.run_image, session, image="app", port=8123)
    started, removed = session.programs.calls[-2:]
    assert "--publish 127.0.0.1:8123:5000" in started  # where its health check asks
    assert "--cap-drop ALL" in started
    assert "--read-only" in started
    assert "--tmpfs /tmp" in started
    assert ":/app/data:ro" in started
    assert f"--entrypoint uwsgi {name} --ini app.ini" in started
    assert removed.startswith("docker rm --force --volumes spinstack-nightwatch-desi-app-")


def test_an_image_that_ends_by_itself_is_a_failure_and_is_removed(session: StackSession) -> None:
    there_already(session, "web")
    session.programs.answers |= {"docker run": Result(code=125), "docker rm --force": Result()}
    with pytest.raises(SpinstackError, match="exited with code 125"):
        run(tasks_image.run_image, session, image="web")
    assert "docker rm --force" in session.programs.calls[-1]
    session.programs.answers["docker run"] = Result(code=130)  # Ctrl-C
    run(tasks_image.run_image, session, image="nginx-nightwatch")


def test_an_unknown_image_is_told_the_known_ones(session: StackSession) -> None:
    with pytest.raises(SpinstackError) as error:
        run(tasks_image.run_image, session, image="db")
    assert error.value.remedy.endswith("app, web")


def test_ctrl_c_without_a_terminal_reaches_the_program(tmp_path: Path) -> None:
    """As a supervisor or a script sends it: to us alone."""
    trapped, waiting = tmp_path / "trapped", tmp_path / "waiting"
    program = f"trap 'exit 7' INT; touch {trapped}; while :; do sleep 0.05; done"
    code = f"""
import pathlib, subprocess
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, run_in_foreground
wait = subprocess.Popen.wait
def waits(process):
    pathlib.Path({str(waiting)!r}).touch()
    return wait(process)
subprocess.Popen.wait = waits
raise SystemExit(run_in_foreground(LocalRunner(), Command('sh', '-c', {program!r})))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        # Whoever runs the tests in the background of a script lets them ignore it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 20
    while not (trapped.exists() and waiting.exists()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 7


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(SpinstackError, match="no-such-program can't be started"):
        runner.run_in_foreground(LocalRunner(), Command("no-such-program"))
