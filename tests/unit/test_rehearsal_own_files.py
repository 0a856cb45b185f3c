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

from spin_rehearsal import own_files, paths, start
from spin_rehearsal.kubernetes import start as in_cluster
from spin_rehearsal.paths import Places
from spinstack.errors import SpinstackError
from spinstack.tasks import rehearsal
from tests.unit.stack_session import StackSession, baked

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
from spin_rehearsal import own_files, paths, start
from spin_rehearsal.kubernetes import start as in_cluster
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


@pytest.fixture
def stack(where: Places, tmp_path: Path) -> Path:
    """A stack of pages; the rehearsal that is one of its destinations was never started."""
    return baked(tmp_path / "stacks", kind="static")


def _refused(stack: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> SpinstackError:
    """The error of a start that would copy the files; before anything was started."""
    for module in (start, in_cluster):
        monkeypatch.setattr(module, "start", lambda *_, **__: pytest.fail("it was started"))
    refused = []
    for platform in (rehearsal.CATTLE, rehearsal.KUBERNETES):
        context = StackSession(stack)._context
        with pytest.raises(SpinstackError) as one:
            rehearsal.start.body(context, platform=platform, files=str(files))
        refused.append(one.value)
    assert refused[0].lines() == refused[1].lines()
    return refused[0]


def test_files_that_cannot_be_copied_are_refused_before_the_start(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tree(tmp_path, {"page.html": ""})
    refused = _refused(stack, tmp_path / "page.html", monkeypatch)
    assert refused.what == f"{tmp_path / 'page.html'} is not a directory that you can read"
    several = baked(tmp_path / "several", kind="nightwatch")
    assert "this one mounts 5" in _refused(several, tmp_path, monkeypatch).what
    (tmp_path / "nothing").mkdir()
    refused = _refused(tmp_path / "nothing", tmp_path, monkeypatch)
    assert refused.what == "--files needs a stack that is deployed there"


@pytest.mark.parametrize(("name", "text"), [("stack.env", None), ("docker-compose.yml", "a: [")])
def test_files_of_the_stack_that_cannot_be_read_are_named(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None
) -> None:
    (stack / name).unlink()
    if text:
        (stack / name).write_text(text)
    refused = _refused(stack, tmp_path, monkeypatch)
    assert name in refused.what + refused.where and "deployed there" not in refused.what


def _mount(stack: Path, mount: str) -> None:
    """In place of site.conf, which is a part of the release."""
    compose = stack / "docker-compose.yml"
    text = compose.read_text().replace("./web/site.conf:/etc/nginx/site.conf:ro", mount)
    compose.write_text(text)


def test_a_file_that_is_mounted_is_no_directory(
    stack: Path, where: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "start", lambda *_, **__: None)
    _mount(stack, "${PAGES_DIR}/site.conf:/etc/nginx/site.conf:ro")
    files = _tree(tmp_path / "files", {"index.html": "start"})
    rehearsal.start.body(StackSession(stack)._context, files=str(files))
    (made,) = where.project.iterdir()
    assert [it.name for it in made.iterdir()] == ["index.html"]


def test_conf_d_is_a_directory(stack: Path, where: Places) -> None:
    _mount(stack, "${PAGES_DIR}/conf.d:/etc/nginx/conf.d:ro")
    found = own_files.mounted(StackSession(stack).settings, where)
    assert [it.name for it in found or []] == ["conf.d", "my-pages-files"]
