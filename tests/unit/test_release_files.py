"""What of a stack's directory leaves this machine, as `check`, `diff` and `deploy` see it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.config import release_files
from spinstack.errors import SpinstackError
from tests.unit.stack_session import StackSession, baked

SECRET = "the content of a private key"

TASKS = (["check"], ["diff", "--to", "dev"], ["deploy", "--to", "dev"])
each_task = pytest.mark.parametrize("task", TASKS, ids=[task[0] for task in TASKS])


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return baked(tmp_path)


def _invoke(stack: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, with little memory."""

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))

    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=stack,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=little_memory,
    )


@pytest.mark.parametrize("name", ["data.bin", "web/data.bin"])
@each_task
def test_a_large_file_is_named_before_anything_is_read(
    stack: Path, name: str, task: list[str]
) -> None:
    with (stack / name).open("wb") as file:
        file.truncate(1 << 40)  # nobody reads a terabyte in a minute
    done = _invoke(stack, *task)
    assert done.returncode == 1
    assert "the stack's directory holds more than 20 MB" in done.stderr
    assert f"{name} is the largest file in it" in done.stderr


@each_task
def test_a_link_out_of_the_stack_is_named_and_not_followed(
    stack: Path, tmp_path: Path, task: list[str]
) -> None:
    outside = tmp_path / "id_ed25519"
    outside.write_text(SECRET)
    (stack / "web" / "notes.txt").symlink_to(outside)
    done = _invoke(stack, *task)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert "web/notes.txt" in output and str(outside) in output
    assert SECRET not in output


def test_a_directory_that_cannot_be_read_is_named(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that an engine made for root."""
    (stack / "cache").mkdir()
    usual = Path.iterdir

    def refused(path: Path) -> Iterator[Path]:
        if path.name == "cache":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    # It is no concern of who only wants to know the stack's variables.
    assert StackSession(stack).stack.env
    with pytest.raises(SpinstackError, match="the directory cache can't be read"):
        release_files.check(stack)


def test_links_that_stay_inside_are_part_of_a_release(stack: Path, tmp_path: Path) -> None:
    (stack / "inside").symlink_to("stack.env")
    (stack / "chain").symlink_to(tmp_path / "there")
    (tmp_path / "there").symlink_to(stack / "stack.env")
    (stack / "broken").symlink_to("nowhere")
    (stack / "directory").symlink_to(tmp_path)
    (stack / "loop").symlink_to("loop")
    release_files.check(stack)
    names = {path.name for path in release_files.files(stack)}
    assert {"inside", "chain"} <= names
    assert names.isdisjoint({"broken", "directory", "loop"})


def test_a_link_by_way_of_others_still_leads_outside(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(SECRET)
    (stack / "directory").symlink_to(tmp_path)
    (stack / "notes").symlink_to("directory/file")
    with pytest.raises(SpinstackError, match="notes is a link out of the stack's directory"):
        release_files.check(stack)
    assert stack / "notes" not in set(release_files.files(stack))


@pytest.mark.parametrize(
    "name", ["docker-compose.yml", "stack.env", "rancher-compose.yml", "web/Dockerfile", "web/x.sh",
             "app/x.ini", "web/x.conf", "notes"]
)  # fmt: skip
def test_nothing_waits_for_a_fifo(stack: Path, name: str) -> None:
    (stack / name).unlink(missing_ok=True)
    os.mkfifo(stack / name)
    done = _invoke(stack, "check")  # would run into the time limit
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or name.rpartition("/")[2] in done.stderr
