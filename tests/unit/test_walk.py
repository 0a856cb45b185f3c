"""The walk to a mount, over random trees: against the kernel where it can judge."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinstack.checks import walk
from spinstack.checks.walk import Entry, Way

NAMES = st.sampled_from(["a", "b", "c d", "q'\"\\", "new\nline", "ü", "-x", "$HOME"])
MODES = st.integers(0, 0o777)
IDS = st.integers(0, 3)


def lstat(path: str) -> Entry | None:
    """What `stat` would say, from Python's own."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    target = str(Path(path).readlink()) if stat.S_ISLNK(found.st_mode) else ""
    return Entry(path, found.st_mode, found.st_uid, found.st_gid, target=target)


def resolved(source: str) -> Way:
    """The walk with as many rounds as it asks for."""
    table: dict[str, Entry | None] = {}
    asked = walk.parts(source)
    for _ in range(walk.MOST_LINKS + 2):
        assert not set(asked) & set(table), "nothing is asked twice"
        table.update({path: lstat(path) for path in asked})
        way = walk.walk(source, table)
        asked = way.unknown
        if not asked:
            return way
    raise AssertionError("it never ends")


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Paths with what they are: a directory, a file, or a link to somewhere in the tree."""
    paths: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(1, 12))):
        path = "/".join(draw(st.lists(NAMES, min_size=1, max_size=4)))
        kind = draw(st.sampled_from(["directory", "directory", "file", "link"]))
        if kind == "link":
            up = draw(st.sampled_from(["", "../", "../../", "ROOT/", "./"]))
            kind = "-> " + up + "/".join(draw(st.lists(NAMES, max_size=3)))
        paths.append((path, kind))
    return paths


def build(root: Path, tree: list[tuple[str, str]]) -> None:
    for path, kind in tree:
        place = root / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "directory":
                place.mkdir(exist_ok=True)
            elif kind == "file":
                place.touch()
            else:
                place.symlink_to(kind[3:].replace("ROOT", str(root)) or ".")
        except OSError:
            continue  # something else is there


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees(), st.lists(NAMES, max_size=5))
def test_the_walk_ends_where_the_kernel_ends(tree: list[tuple[str, str]], to: list[str]) -> None:
    root = Path(tempfile.mkdtemp(prefix="walk-")).resolve()
    try:
        build(root, tree)
        source = str(root.joinpath(*to))
        way = resolved(source)
        try:
            there = Path(source).stat()
        except FileNotFoundError:
            assert way.missing and way.end is None
        except NotADirectoryError:
            assert way.missing
        except OSError as error:
            assert "symbolic links" in str(error), error
            assert way.loop
        else:
            assert way.end is not None
            assert (there.st_mode, there.st_uid) == (way.end.mode, way.end.uid)
            assert way.end.path == os.path.realpath(source)
    finally:
        shutil.rmtree(root)


@given(st.lists(MODES, min_size=1, max_size=6))
def test_the_first_directory_without_o_x_is_named(modes: list[int]) -> None:
    path = "/" + "/".join("abcdef"[: len(modes)])
    table = {"/": Entry("/", stat.S_IFDIR | 0o755, 0, 0)}
    table |= {
        part: Entry(part, stat.S_IFDIR | mode, 0, 0)
        for part, mode in zip(walk.parts(path)[1:], modes, strict=True)
    }
    way = walk.walk(path, table)
    closed = [mode for mode in modes if not mode % 2]
    assert (way.blocked.mode & 0o777 if way.blocked else None) == (closed[0] if closed else None)
    if closed:
        assert way.blocked and way.blocked.path.count("/") == modes.index(closed[0]) + 1


@given(MODES, IDS, IDS, IDS, st.frozensets(IDS), st.sampled_from([1, 2, 4, 5, 6, 7]))
def test_the_first_class_that_fits_decides_alone(
    mode: int, owner: int, group: int, uid: int, groups: frozenset[int], wanted: int
) -> None:
    # Reckoned from the letters of `ls -l`, one by one: another way to the same answer.
    letters = stat.filemode(stat.S_IFREG | mode)
    mine = {"owner": letters[1:4], "group": letters[4:7], "other": letters[7:10]}
    if uid == 0:
        which = "other"  # root squash
    elif uid == owner:
        which = "owner"
    else:
        which = "group" if group in groups else "other"
    needed = {letter for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if wanted & bit}
    entry = Entry("/x", stat.S_IFREG | mode, owner, group)
    assert entry.allows(wanted, uid, groups) == (needed <= set(mine[which]))


def test_stat_itself_is_asked_once_and_understood(tmp_path: Path) -> None:
    odd = tmp_path / "a b\nc'\"\\ü-$x"
    odd.mkdir(mode=0o751)
    (tmp_path / "link").symlink_to(odd)
    asked = [*walk.parts(str(odd)), str(tmp_path / "link"), str(tmp_path / "none")]
    command = walk.stat_command(asked)
    assert command.argv().count("stat") == 1
    done = subprocess.run(command.argv(), capture_output=True, text=True)
    table = walk.parse(done.stdout + done.stderr, asked)
    assert set(table) == set(asked)
    entry = table[str(odd)]
    assert entry and entry.mode == odd.stat().st_mode and entry.owner
    link = table[str(tmp_path / "link")]
    assert link and link.target == str(odd)
    assert table[str(tmp_path / "none")] is None


def test_many_mounts_share_the_parts_of_their_ways() -> None:
    sources = [f"/global/cfs/cdirs/desi/data/{n}" for n in range(50)]
    asked = sorted({part for source in sources for part in walk.parts(source)})
    assert len(asked) == 6 + 50
    assert len(walk.stat_command(asked).argv()) == 7 + len(asked)


def test_what_lies_behind_a_closed_directory_is_hidden_not_missing() -> None:
    table = {
        "/": Entry("/", stat.S_IFDIR | 0o755, 0, 0),
        "/a": Entry("/a", stat.S_IFDIR | 0o700, 1, 1, "bob"),
        "/a/b": None,
    }
    way = walk.walk("/a/b", table)
    assert way.missing == "/a/b"
    hidden = way.hidden_behind(2, {2})
    assert hidden and hidden.owner == "bob"
    assert way.hidden_behind(1, {1}) is None
    assert way.blocked == hidden
