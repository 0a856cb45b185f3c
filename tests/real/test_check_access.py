"""Who may read what: what is reckoned from modes, against programs that really try."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.checks import walk, walk_tree

pytestmark = pytest.mark.real("root")

OWNER, GROUP, OTHER = 41037, 58102, 41038
# Accounts that try: uid, gid, further groups.
ACCOUNTS = [(OWNER, GROUP, []), (OTHER, GROUP, []), (OTHER, 500, [GROUP]), (OTHER, 500, [])]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can get to."""
    root = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="spinstack-access-"))
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


def tried(account: tuple[int, int, list[int]], script: str, path: Path) -> str:
    """What a shell of that account says: a line for each thing that worked."""
    uid, gid, groups = account
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(path)],
        user=uid,
        group=gid,
        extra_groups=groups,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


# For each entry of the directory: can it be read, can it be written to.
TRY = """
cd "$1" || exit
for name in *; do
    if [ -d "$name" ]; then
        (cd "$name" && ls >/dev/null) 2>/dev/null && echo "read $name"
        (cd "$name" && : >./new && rm ./new) 2>/dev/null && echo "write $name"
    else
        cat "$name" >/dev/null 2>&1 && echo "read $name"
        (: >>"$name") 2>/dev/null && echo "write $name"
    fi
done
"""


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_the_reckoning_is_what_happens(place: Path, kind: str) -> None:
    modes = sorted({*range(0, 0o1000, 7), 0o777, 0o755, 0o750, 0o705, 0o057})
    for mode in modes:
        path = place / f"{mode:o}"
        path.mkdir() if kind == "directory" else path.write_text("x")
        os.chown(path, OWNER, GROUP)
        path.chmod(mode)
    entry = {}
    asked = [str(place / f"{mode:o}") for mode in modes]
    said = subprocess.run(walk.stat_command(asked).argv(), capture_output=True, text=True).stdout
    for path_text, found in walk.parse(said, asked).items():
        assert found is not None
        entry[Path(path_text).name] = found
    enter = 1 if kind == "directory" else 0
    for account in ACCOUNTS:
        uid, gid, groups = account
        worked = set(tried(account, TRY, place).splitlines())
        mine = {gid, *groups}
        # Writing into a directory needs no right to list it.
        reckoned = {f"read {n}" for n, e in entry.items() if e.allows(4 | enter, uid, mine)}
        reckoned |= {f"write {n}" for n, e in entry.items() if e.allows(2 | enter, uid, mine)}
        assert worked == reckoned, account


def test_the_first_closed_directory_is_where_nobody_stops(place: Path) -> None:
    """The walk of Spin's nodes, walked by somebody with the rights of others alone."""
    chance = random.Random(4)
    for number in range(12):
        parts = [f"{number}", "b", "c", "d"]
        path = place
        for part in parts:
            path = path / part
            path.mkdir()
        path = place
        for part in parts:
            path = path / part
            os.chown(path, OWNER, GROUP)
            path.chmod(chance.choice([0o750, 0o751, 0o711, 0o741, 0o700, 0o755]))
        asked = walk.parts(str(path))
        output = subprocess.run(walk.stat_command(asked).argv(), capture_output=True, text=True)
        blocked = walk.walk(str(path), walk.parse(output.stdout, asked)).blocked
        reached = tried((65534, 65534, []), 'cd "$1" 2>/dev/null && pwd', path)
        assert bool(reached) == (blocked is None), blocked
        if blocked:
            above = Path(blocked.path).parent
            assert tried((65534, 65534, []), 'cd "$1" && pwd', above).strip() == str(above)
            assert not tried((65534, 65534, []), 'cd "$1" 2>/dev/null && pwd', Path(blocked.path))


def test_the_audit_of_a_tree_agrees_with_find_where_not_all_can_be_read(place: Path) -> None:
    chance = random.Random(7)
    directories = [place]
    for number in range(120):
        path = chance.choice(directories) / f"d{number}"
        path.mkdir()
        directories.append(path)
        (path / "file").touch()
        if number % 9 == 0:
            (path / "loop").symlink_to(place)
    for path in directories[1:]:
        os.chown(path, chance.choice([OWNER, OTHER]), chance.choice([GROUP, 500]))
        path.chmod(chance.choice([0o755, 0o755, 0o751, 0o750, 0o740, 0o744, 0o711, 0o700, 0o000]))
    # Where this account can read it.
    program = place / "walk_tree.py"
    shutil.copyfile(walk_tree.__file__, program)
    program.chmod(0o644)
    python = next(p for p in (sys.executable, "/usr/bin/python3") if _runs(p))
    audit = tried((OTHER, 500, []), f'{python} -I -S "$1/walk_tree.py" 1000 "$1"', place)
    find = tried((OTHER, 500, []), 'find "$1" -type d ! -perm -o+x 2>/dev/null', place)
    told = json.loads(audit)
    assert {path for *_, path in told["first"]} == set(find.splitlines())
    assert told["unreadable"] > 0


def _runs(python: str) -> bool:
    try:
        done = subprocess.run([python, "-c", ""], user=OTHER, group=500, extra_groups=[])
    except OSError:
        return False
    return done.returncode == 0
