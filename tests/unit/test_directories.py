"""Directories in places where somebody else may have been first, and who that may be."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spin_rehearsal import paths, start, stop
from spin_rehearsal.paths import Places
from spinstack.directories import Directory, make_parents, read_small
from spinstack.errors import SpinstackError
from spinstack.sample.layout import lay_out
from spinstack.transport.openssh import sockets
from spinstack.transport.runner import RecordingRunner, Result

NOBODY = 65534

ENGINE = {"docker version": Result("{}"), "docker": Result("[]")}


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory as /var/tmp, in which rehearsals have their storage."""
    with tempfile.TemporaryDirectory(prefix="shared-", dir="/var/tmp") as place:
        directory = Path(place)
        directory.chmod(0o1777)
        monkeypatch.setenv(paths.STORAGE_VARIABLE, place)
        yield directory


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file and a directory of ours that nobody else may change."""
    (tmp_path / "directory").mkdir(mode=0o755)
    (tmp_path / "directory" / "kept").write_text("kept")
    (tmp_path / "file").write_text("kept")
    return tmp_path


def _untouched(precious: Path) -> bool:
    directory = precious / "directory"
    return (
        [path.name for path in directory.iterdir()] == ["kept"]
        and (precious / "file").read_text() == "kept"
        and stat.S_IMODE(directory.stat().st_mode) == 0o755
        and directory.stat().st_uid == os.geteuid()
    )


def _as_nobody(script: str, *words: Path | str) -> None:
    command = ["sh", "-euc", script, "sh", *map(str, words)]
    subprocess.run(command, check=True, user=NOBODY, group=NOBODY, extra_groups=[])


def _started(where: Places) -> SpinstackError:
    """The error of a start; an engine answers, and has all images."""
    with pytest.raises(SpinstackError) as refused:
        start.start(runner=RecordingRunner(ENGINE), say=lambda text: None)
    assert not where.state.exists()
    return refused.value


PREPARED = {
    "the storage": (
        'mkdir -m 777 "$1"; ln -s "$2/file" "$1/.rehearsal.json"; '
        'mkdir -p "$1/global/homes/d"; ln -s "$2/directory" "$1/global/homes/d/demo"'
    ),
    "a link for the storage": 'ln -s "$2/directory" "$1"',
}


@pytest.mark.real("root")
@pytest.mark.parametrize("script", PREPARED.values(), ids=PREPARED)
def test_a_storage_that_another_user_prepared_is_refused(
    shared: Path, precious: Path, script: str
) -> None:
    where = paths.of("default")
    _as_nobody(script, where.storage, precious)
    refused = _started(where)
    assert "the rehearsal's storage " in refused.what
    assert len(refused.lines()) == 3 and paths.STORAGE_VARIABLE in refused.remedy
    with pytest.raises(SpinstackError, match="the rehearsal's storage "):
        stop.stop(runner=RecordingRunner(), say=lambda text: None)
    assert _untouched(precious)


BELOW = {
    "a directory": ('mkdir "$1/global"', "belongs to somebody else"),
    "a link": ('ln -s "$2/directory" "$1/global"', "is a link"),
    "a file": ('touch "$1/global"', "is not a directory"),
}


@pytest.mark.real("root")
@pytest.mark.parametrize(("script", "problem"), BELOW.values(), ids=BELOW)
def test_a_part_of_the_storage_that_another_user_prepared_is_refused(
    shared: Path, precious: Path, script: str, problem: str
) -> None:
    where = paths.of("default")
    where.storage.mkdir()
    where.storage.chmod(0o777)
    _as_nobody(script, where.storage, precious)
    assert "accessible to others" in _started(where).what
    where.storage.chmod(0o755)
    refused = _started(where)
    assert problem in refused.what and refused.where == str(where.storage / "global")
    assert not list(where.private.glob("*"))
    stop.stop(runner=RecordingRunner(ENGINE), say=lambda text: None)
    assert _untouched(precious) and not where.storage.exists()


def test_a_storage_that_everybody_can_exchange_is_refused(shared: Path) -> None:
    shared.chmod(0o777)
    assert "everybody can exchange it" in _started(paths.of("default")).what


@pytest.mark.real("root")
def test_the_sample_follows_no_link_of_the_one_it_is_given_to(precious: Path, shared: Path) -> None:
    project = shared / "project"
    lay_out(project, owner=(NOBODY, NOBODY))
    script = 'cd "$1/nightwatchtest"; rm -r output .spinstack-sample; ln -s "$2/directory" output'
    _as_nobody(script, project, precious)
    with pytest.raises(SpinstackError, match="is a link"):
        lay_out(project, owner=(NOBODY, NOBODY))
    assert _untouched(precious)


def test_under_an_open_umask_state_is_still_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make_parents(tmp_path / "state" / "spinstack" / "file")
        sockets.make(tmp_path / "home" / "spinstack" / "ssh")
        with Directory(tmp_path / "own" / "directory", what="", remedy="") as own:
            own.directory("below", 0o755).write("file", b"")
    finally:
        os.umask(old)
    modes = {
        path.name: f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in tmp_path.rglob("*")
        if path.name != "file"
    }
    assert modes.pop("below") == "755"
    assert set(modes.values()) == {"700"}
    assert stat.S_IMODE((tmp_path / "own/directory/below/file").stat().st_mode) == 0o644


def test_writing_replaces_a_link_and_leaves_what_it_points_to(precious: Path) -> None:
    place = precious / "place"
    with Directory(place, what="", remedy="") as own:
        (place / "name").symlink_to(precious / "file")
        (place / ".name.half").symlink_to(precious / "file")
        own.write("name", b"new", 0o600)
    assert (place / "name").read_text() == "new" and not (place / "name").is_symlink()
    shutil.rmtree(place)
    assert _untouched(precious)


def test_a_marker_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # opening it would wait for ever
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "large").write_bytes(bytes(1 << 20))
    (tmp_path / "small").write_bytes(b"{}")
    names = ("fifo", "link", "large", "missing", "small")
    assert [read_small(tmp_path / name) for name in names] == [None, None, None, None, b"{}"]


@pytest.mark.parametrize(
    "words",
    [
        ("new", "--no-input", "--app", "~nobody-here/app"),
        ("rehearsal.start", "--files", "~nobody-here/pages"),
    ],
)
def test_a_home_that_nobody_has_is_told(words: tuple[str, ...], tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("spinstack")
    told = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 2 and "is in the home directory of somebody whom" in told.stderr, told
