"""What `rehearsal.start` makes of the directories that a stack mounts, and copies to one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from spin_rehearsal import paths
from spin_rehearsal.paths import Places

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
