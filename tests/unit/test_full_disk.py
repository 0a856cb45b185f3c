"""Real disks that are full: one clear error each, and nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from spinstack.errors import SpinstackError
from spinstack.remote import lock_steps, upload
from spinstack.remote.errors import not_locked, not_written
from spinstack.remote.owner import make_owner
from spinstack.sample.layout import lay_out
from spinstack.tasks import defects
from tests.unit.stack_session import StackSession, baked
from tests.unit.there import run_here

pytestmark = pytest.mark.real("root", "mount")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=755", "tmpfs", str(place)]
    subprocess.run(mount, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"), (disk / "filler").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))


def test_a_release_that_does_not_fit_leaves_nothing_behind(disk: Path, tmp_path: Path) -> None:
    session = StackSession(baked(tmp_path))
    made = upload.make(session.stack, session.destination)
    release = upload.Release(made.id, PurePosixPath(disk, "releases", made.id), made.archive)
    before = disk / "releases" / "before"
    before.mkdir(parents=True)
    _fill(disk)
    (disk / "filler").write_bytes(bytes(512_000 - 40_000))  # room for a part
    error = not_written(run_here([upload.upload_step(release)]), str(release.directory), "it")
    assert "the file system is full" in error.remedy
    assert [path.name for path in before.parent.iterdir()] == ["before"]


def test_no_room_for_a_lock_is_told_and_leaves_none(disk: Path) -> None:
    _fill(disk)
    root = PurePosixPath(disk, "stack")
    output = run_here([lock_steps.lock_step(root, make_owner("alice", "laptop", "deploy"))])
    assert "the file system is full" in not_locked(output, root).remedy
    assert not list(Path(root).glob("lock*"))


def test_a_setting_that_can_not_be_written_is_as_it_was(disk: Path, tmp_path: Path) -> None:
    stack = Path(shutil.copytree(baked(tmp_path), disk / "stack"))
    before = (stack / "stack.env").read_bytes()
    _fill(disk)
    words = [sys.executable, "-m", "invoke", "env", "--to", "dev", "--set", "WEB_PORT=60021"]
    done = subprocess.run(words, cwd=stack, capture_output=True, text=True)
    assert done.returncode == 1
    assert "can't write stack.env: No space left on device; it was not changed" in done.stderr
    assert (stack / "stack.env").read_bytes() == before
    assert not list(stack.glob(".stack.env.*"))


def test_the_full_disk_is_named_even_if_the_error_names_no_file(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(disk)
    with (disk / "filler").open("wb", 0) as file, pytest.raises(OSError) as error:
        while True:
            file.write(bytes(4096))
    assert defects.explained(error.value).where == str(disk)


def test_sample_data_that_does_not_fit_is_told(disk: Path) -> None:
    with pytest.raises(SpinstackError, match="No space left on device") as error:
        lay_out(disk / "project")
    assert len(error.value.lines()) == 3
    assert not list(disk.rglob("*.half"))
