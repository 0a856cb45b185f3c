"""What `rehearsal.start` makes of the directories that a stack mounts, and copies to one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from spin_rehearsal import own_files, paths
from spin_rehearsal.paths import Places
from spinstack.errors import SpinstackError

NOBODY = 65534
PAGES = PurePosixPath("pages")


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """The places of a rehearsal, for anybody; pytest's own directories are closed to others."""
    with tempfile.TemporaryDirectory(prefix="shared-", dir="/var/tmp") as place:
        Path(place).chmod(0o1777)
        monkeypatch.setenv(paths.STORAGE_VARIABLE, place)
        yield paths.of("default")


def _tree(top: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def test_a_tree_may_have_more_directories_than_a_process_may_open(
    where: Places, tmp_path: Path
) -> None:
    files = _tree(tmp_path, {f"day/{day}/index.html": "" for day in range(1200)})
    script = """
import resource, sys
from pathlib import Path, PurePosixPath
from spin_rehearsal import own_files, paths
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
own_files.prepare(paths.of("default"), [PurePosixPath("pages")], Path(sys.argv[1]))
"""
    subprocess.run([sys.executable, "-c", script, str(files)], check=True)
    assert len(list((where.project / PAGES / "day").glob("*/index.html"))) == 1200


@pytest.fixture
def unprivileged(where: Places) -> Iterator[Path]:
    """A directory of a user who may not read everything, also where root runs the tests."""
    files = where.storage.parent / "files"
    files.mkdir()
    if os.geteuid() != 0:
        yield files
        return
    os.chown(files, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield files
    finally:
        os.seteuid(0)


def _copied(where: Places) -> dict[str, str]:
    """The files that are there, by name."""
    top = where.project / PAGES
    files = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(top).as_posix(): path.read_text() for path in sorted(files)}


def test_links_are_copied_as_what_they_lead_to(where: Places, tmp_path: Path) -> None:
    elsewhere = _tree(tmp_path / "elsewhere", {"plot/day.txt": "new", "page.html": "page"})
    files = _tree(tmp_path / "files", {"index.html": "start", ".git/config": "hidden"})
    (files / "page.html").symlink_to(elsewhere / "page.html")
    (files / "latest").symlink_to(elsewhere / "plot")
    (files / "today").symlink_to("latest")
    (files / "nowhere").symlink_to("missing")
    # Two loops: to itself, and over another directory to a directory that it is in.
    (files / "self").symlink_to("self")
    (elsewhere / "plot" / "back").symlink_to(files)
    own_files.prepare(where, [PAGES], files)
    assert _copied(where) == {
        "index.html": "start",
        "latest/day.txt": "new",
        "page.html": "page",
        "today/day.txt": "new",
    }


def test_a_directory_that_cannot_be_read_is_named(where: Places, unprivileged: Path) -> None:
    files = _tree(unprivileged, {"index.html": "start", "private/page.html": "page"})
    (files / "private").chmod(0)
    with pytest.raises(SpinstackError, match="Permission denied") as refused:
        own_files.prepare(where, [PAGES], files)
    assert refused.value.where == str(files / "private")
    (files / "private").chmod(0o755)


def test_programs_stay_executable(where: Places, tmp_path: Path) -> None:
    files = _tree(tmp_path, {"hook.cgi": "", "index.html": ""})
    (files / "hook.cgi").chmod(0o700)
    (files / "index.html").chmod(0o600)
    own_files.prepare(where, [PAGES], files)
    modes = {it.name: stat.S_IMODE(it.stat().st_mode) for it in (where.project / PAGES).iterdir()}
    assert modes == {"hook.cgi": 0o755, "index.html": 0o644}
