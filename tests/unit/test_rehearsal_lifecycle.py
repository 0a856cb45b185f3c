"""Starting and stopping without a machine to start on: dry runs, messages, failures."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from spin_rehearsal import account, engine_setup, paths, serve, start, state, stop
from spin_rehearsal.paths import Places
from spinstack.errors import SpinstackError
from spinstack.tasks import rehearsal
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Places:
    # pytest's own directories are closed to others, which is not what is tested here.
    monkeypatch.setattr(account, "_closed_above", lambda storage: None)
    monkeypatch.setenv(paths.STORAGE_VARIABLE, str(tmp_path))
    return paths.of("default")


def _made(where: Places) -> state.State:
    """A rehearsal that has been made and does not run."""
    where.private.mkdir(parents=True)
    decided = state.decide("default", where, "docker")
    with account.open_storage(where) as storage:
        state.mark_storage(decided, where, storage)
    decided.save(where)
    return decided


def test_a_dry_start_shows_what_would_run_and_makes_nothing(where: Places) -> None:
    shown: list[str] = []
    assert start.start(runner=PrintingRunner(shown.append), say=shown.append) is None
    assert any("docker version" in line for line in shown)
    assert any("spin_rehearsal.serve" in line for line in shown)
    assert not paths.state_root().exists()
    assert not where.storage.exists()


def test_a_dry_stop_removes_nothing(where: Places) -> None:
    _made(where)
    shown: list[str] = []
    stop.stop(runner=PrintingRunner(shown.append), say=shown.append)
    assert any(str(where.storage) in line for line in shown)
    assert where.state.exists() and where.storage.exists()


def test_stopping_what_was_never_started_says_so(where: Places) -> None:
    said: list[str] = []
    stop.stop(runner=RecordingRunner(), say=said.append)
    assert said == ["no rehearsal 'default'"]


def test_a_supervisor_that_fails_shows_its_log(where: Places) -> None:
    _made(where)
    where.login.write_text("changed\n")
    with pytest.raises(SpinstackError) as failure:
        start._launch(where, 20, lambda text: None)
    assert "did not start" in failure.value.what
    assert "changed by hand" in failure.value.details


def test_only_images_of_the_rehearsals_registry_are_removed() -> None:
    listed = (
        "127.0.0.1:5001/demo/web:1 127.0.0.1:5001/demo/web@sha256:aa\n"
        "127.0.0.1:5001/demo/web:<none> 127.0.0.1:5001/demo/web@sha256:bb\n"
        "127.0.0.1:50017/demo/web:1 127.0.0.1:50017/demo/web@sha256:aa\n"
        "python:3.12 python@sha256:cc\n"
    )
    runner = RecordingRunner({"docker image ls": Result(listed), "docker image rm": Result()})
    stop.remove_images(runner, "docker", "127.0.0.1:5001")
    removed = runner.calls[-1].split()[4:]
    assert removed == ["127.0.0.1:5001/demo/web:1", "127.0.0.1:5001/demo/web@sha256:bb"]


def test_status_tells_how_to_start_or_how_to_practise(where: Places) -> None:
    assert "rehearsal.start" in rehearsal.described(start.status())[0]
    decided = _made(where)
    lines = rehearsal.how_to_practise(start.status())
    assert f"ssh -p {decided.ssh_port} " in lines[0] and "demo@127.0.0.1" in lines[0]
    assert str(where.login) in lines[1]


def test_a_rehearsal_with_a_name_tells_how_to_deploy_there(where: Places) -> None:
    told = rehearsal.how_to_practise(replace(start.status(), name="other"))
    added = told[0].partition("invoke.yaml:  ")[2]
    assert yaml.safe_load(added) == {"other": {"include": str(paths.of("other").destination)}}
    assert told[1].endswith("`invoke deploy --to other`")


def test_the_storage_of_another_home_is_refused_before_anything_is_installed(
    where: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with account.open_storage(where) as storage:
        other = Places(tmp_path / "elsewhere", where.storage)
        state.mark_storage(state.decide("default", other, "docker"), other, storage)
    monkeypatch.setattr(engine_setup, "ensure_engine", lambda *_: pytest.fail("too late"))
    with pytest.raises(SpinstackError, match="another rehearsal uses this directory"):
        start.start("default")


def test_a_supervisor_without_a_rehearsal_ends_with_1(tmp_path: Path) -> None:
    words = [sys.executable, "-m", serve.__name__, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
