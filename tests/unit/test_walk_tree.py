"""The audit of a whole tree: the answer of `find`, without a stat of any file."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinstack.checks import trees, walk_tree

NAMES = st.sampled_from(["a", "b", "c d", "new\nline", "ü", "-x", "'\""])
KINDS = st.sampled_from(["file", "link", "loop", *(f"{mode:o}" for mode in range(0o700, 0o1000))])


@contextmanager
def tree(made: list[tuple[list[str], str]]) -> Iterator[Path]:
    """A directory with these in it; what can't be made (a name is taken) is left out."""
    root = Path(tempfile.mkdtemp(prefix="tree-"))
    try:
        for names, kind in made:
            path = root.joinpath(*names)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if kind == "file":
                    path.touch()
                elif kind == "link":
                    path.symlink_to(root / "a")
                elif kind == "loop":
                    path.symlink_to(root)
                else:
                    path.mkdir(exist_ok=True)
                    path.chmod(int(kind, 8))
            except OSError:
                continue
        yield root
    finally:
        shutil.rmtree(root)


def find(root: Path) -> set[bytes]:
    """What the tutorial's own way says."""
    words = ["find", str(root), "-type", "d", "!", "-perm", "-o+x", "-print0"]
    done = subprocess.run(words, capture_output=True)
    return set(done.stdout.split(b"\0")) - {b""}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=4), KINDS), max_size=25))
def test_it_is_the_answer_of_find(made: list[tuple[list[str], str]]) -> None:
    with tree(made) as root:
        found = walk_tree.audit(str(root))
        assert {path for _, _, _, path in found.closed} == find(root)
        listed = subprocess.run(["find", str(root), "-type", "d", "-print0"], capture_output=True)
        assert found.directories == listed.stdout.count(b"\0")
        assert found.unreadable == 0


@pytest.mark.parametrize("counting", [True, False])
def test_it_is_the_answer_of_find_whether_or_not_links_are_counted(
    counting: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    devices = {tmp_path.stat().st_dev} if counting else set()
    monkeypatch.setattr(walk_tree, "counting_devices", lambda: devices)
    for path in ("a/b/c", "a/d", "e"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "a" / "b").chmod(0o750)
    (tmp_path / "e").chmod(0o700)
    found = walk_tree.audit(str(tmp_path))
    assert {path for _, _, _, path in found.closed} == find(tmp_path)


def test_no_file_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every system call that Python could look at a file with, counted."""
    for number in range(20):
        place = tmp_path / f"{number}" / "night"
        place.mkdir(parents=True)
        for name in range(10):
            (place / f"{name}.html").touch()
    looked: list[str] = []
    scandir = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[bytes]) -> None:
            self._entry = entry
            self.path = entry.path

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return self._entry.is_dir(follow_symlinks=follow_symlinks)

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            looked.append(os.fsdecode(self.path))
            return self._entry.stat(follow_symlinks=follow_symlinks)

    @contextmanager
    def counted(path: bytes) -> Iterator[Iterator[Entry]]:
        with scandir(path) as entries:
            yield map(Entry, entries)

    monkeypatch.setattr(os, "scandir", counted)
    found = walk_tree.audit(str(tmp_path))
    monkeypatch.undo()
    assert found.directories == 41
    assert len(looked) == 40, "one stat a directory, besides the root's"
    assert not [path for path in looked if path.endswith(".html")]


def test_as_a_program_it_tells_the_first_and_counts_all(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in "cab":
        (tmp_path / name).mkdir(mode=0o700)
    program = [sys.executable, "-I", "-S", walk_tree.__file__, "2", str(tmp_path), "/nowhere"]
    lines = subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()
    told, nowhere = map(json.loads, lines)
    assert told["closed"] == 3 and told["directories"] == 4
    assert [path for *_, path in told["first"]] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert nowhere["unreadable"] == 1


@pytest.mark.parametrize("programs", [["python3", "find"], ["find"]])
def test_the_step_for_the_login_node_does_it_with_what_is_there(
    programs: list[str], tmp_path: Path
) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    for name, real in (("python3", sys.executable), ("find", shutil.which("find") or "")):
        if name in programs:
            (place / name).symlink_to(real)
    places = [tmp_path / "a tree", tmp_path / "b"]
    for path in places:
        (path / "it's" / "deep").mkdir(parents=True)
    (places[0] / "it's").chmod(0o750)
    paths = [str(path) for path in places]
    step = trees.step(paths)
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", step.body()],
        env={"PATH": str(place)},
        capture_output=True,
        text=True,
    )
    found = trees.parse(done.stdout + done.stderr, paths)
    assert [(tree.path, tree.closed) for tree in found] == [(paths[0], 1), (paths[1], 0)]
    assert [entry.path for entry in found[0].first] == [str(places[0] / "it's")]
    assert found[0].first[0].mode & 0o777 == 0o750


def test_a_link_as_the_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    assert walk_tree.audit(str(tmp_path / "link")).directories == 0
    assert find(tmp_path / "link") == set()


def test_an_old_python_can_run_it() -> None:
    text = Path(walk_tree.__file__).read_text()
    ast.parse(text, feature_version=(3, 6))
    assert "from __future__ import annotations\n" not in text.split('"""', 2)[2]
