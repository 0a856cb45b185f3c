"""The deep audit of a tree against `find` and against `os.walk` with a stat of everything.

    python benchmarks/audit.py [--rounds 7] [--place DIRECTORY]

200 nights x 100 exposures x 10 empty files: 200 000 files in 20 201 directories, warm cache.
The ways take turns (A B C, then C B A, …); a ratio is the median of the ratios within the
rounds, above 1 = faster than that way. Writes `results/audit.json` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from spinstack.checks import walk, walk_tree  # noqa: E402

RESULTS = Path(__file__).with_name("results") / "audit.json"
NIGHTS, EXPOSURES, FILES = 200, 100, 10
# One directory in so many lacks o+x.
CLOSED_EVERY = 1000

WALK_AND_STAT = """
import os, stat, sys
closed = 0
for path, names, files in os.walk(sys.argv[1]):
    closed += not os.stat(path).st_mode & stat.S_IXOTH
    for name in files:
        os.lstat(os.path.join(path, name))
print(closed)
"""


def make_tree(root: Path) -> int:
    """Make the tree; how many directories lack o+x."""
    made = closed = 0
    root.chmod(0o755)
    for night in range(NIGHTS):
        for exposure in range(EXPOSURES):
            path = root / f"{20250000 + night}" / f"{exposure:08d}"
            path.mkdir(parents=True)
            for number in range(FILES):
                os.close(os.open(path / f"qa-{number}.html", os.O_CREAT | os.O_WRONLY, 0o644))
            if made % CLOSED_EVERY == 0:
                path.chmod(0o750)
                closed += 1
            made += 1
    return closed


def ways(root: Path) -> dict[str, tuple[list[str], Callable[[str], int]]]:
    """Each way: its command, and how many closed directories its output tells."""
    python = [getattr(sys, "_base_executable", sys.executable), "-I", "-S"]
    find = ["find", str(root), "-type", "d", "!", "-perm", "-o+x"]
    return {
        "ours": (
            [*python, walk_tree.__file__, "1000", str(root)],
            lambda text: int(json.loads(text)["closed"]),
        ),
        "find": (find, lambda text: len(text.splitlines())),
        "walk": ([*python, "-c", WALK_AND_STAT, str(root)], int),
    }


def timed(command: list[str]) -> tuple[float, str]:
    """Seconds of a whole process, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, done.stdout


def rounds(root: Path, closed: int, number: int) -> dict[str, list[float]]:
    """The seconds of each way, round by round; every answer must be right."""
    chosen = ways(root)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for name in chosen:
        timed(chosen[name][0])  # warms the cache
    for turn in range(number):
        for name in sorted(chosen, reverse=bool(turn % 2)):
            command, count = chosen[name]
            took, text = timed(command)
            assert count(text) == closed, f"{name} found {count(text)} of {closed}"
            seconds[name].append(took)
    return seconds


def counted(root: Path) -> tuple[int, int, int]:
    """What an audit asks the kernel, counted in this process: stats of directories, stats
    of files, directories."""
    looked = {"directories": 0, "files": 0}
    scandir = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[bytes]) -> None:
            self._entry, self.path = entry, entry.path

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return self._entry.is_dir(follow_symlinks=follow_symlinks)

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            kind = "directories" if self._entry.is_dir(follow_symlinks=False) else "files"
            looked[kind] += 1
            return self._entry.stat(follow_symlinks=follow_symlinks)

    class Listing:
        def __init__(self, path: bytes) -> None:
            self._entries = scandir(path)

        def __enter__(self) -> Any:
            return map(Entry, self._entries)

        def __exit__(self, *_: object) -> None:
            self._entries.close()

    os.scandir = Listing  # type: ignore[assignment,misc]
    try:
        found = walk_tree.audit(str(root))
    finally:
        os.scandir = scandir
    # The root itself is looked at by its path.
    return looked["directories"] + 1, looked["files"], found.directories


def ratio(seconds: dict[str, list[float]], name: str) -> float:
    pairs = zip(seconds[name], seconds["ours"], strict=True)
    return statistics.median(other / ours for other, ours in pairs)


def result(name: str, goal: str, measured: float, unit: str, met: bool) -> dict[str, Any]:
    return {"name": name, "goal": goal, "measured": round(measured, 3), "unit": unit, "met": met}


def measure(place: Path, number: int) -> list[dict[str, Any]]:
    """Make the tree in `place`, measure, and judge against the goals."""
    with tempfile.TemporaryDirectory(dir=place, prefix="spinstack-audit-") as name:
        root = Path(name)
        closed = make_tree(root)
        seconds = rounds(root, closed, number)
        of_directories, of_files, directories = counted(root)
    find, slow = ratio(seconds, "find"), ratio(seconds, "walk")
    ways_asked = walk.stat_command(walk.parts("/global/cfs/cdirs/desi/users/alice")).argv()
    asked = len(ways_asked) - ways_asked.index("--") - 1
    return [
        result("tree audit against find", ">= 1.0", find, "times as fast", find >= 1.0),
        result("tree audit against os.walk and stat", ">= 5.0", slow, "times as fast", slow >= 5),
        result(
            "stats of directories in a tree audit",
            "<= 1 a directory",
            of_directories / directories,
            "stats a directory",
            of_directories <= directories,
        ),
        result("stats of files in a tree audit", "0", of_files, "stats", of_files == 0),
        result("stats of the walk to a mount", "1 a part", asked / 7, "stats a part", asked == 7),
        *(
            result(f"{name}, median", "-", statistics.median(taken) * 1000, "ms", True)
            for name, taken in seconds.items()
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of all ways (default: 7)")
    parser.add_argument("--place", type=Path, default=Path("/var/tmp"), help="on a disk")
    chosen = parser.parse_args()
    results = measure(chosen.place, chosen.rounds)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for each in results:
        mark = "met   " if each["met"] else "MISSED"
        goal = f"(goal {each['goal']})" if each["goal"] != "-" else ""
        print(f"{mark} {each['name']}: {each['measured']} {each['unit']} {goal}".rstrip())
    sys.exit(0 if all(each["met"] for each in results) else 1)


if __name__ == "__main__":
    main()
