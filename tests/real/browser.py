"""Headless Chromium: what a page looks like once its scripts have run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# It neither looks for updates nor speaks to anybody but the site.
FLAGS = (
    "--headless",
    "--no-sandbox",  # as root it starts only without
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)
# Milliseconds of the page's own clock that its scripts get.
BUDGET = 10_000


@dataclass(frozen=True)
class Page:
    """`dom`: the document as HTML, scripts done. `complaints`: errors on its console."""

    dom: str
    complaints: list[str]


def visit(url: str, picture: Path, *, height: int = 1200) -> Page:
    """Open a page twice: for its document, and for a picture of it, `picture`."""
    picture.parent.mkdir(exist_ok=True)
    picture.unlink(missing_ok=True)
    shown = _chromium("--dump-dom", url)
    _chromium(f"--screenshot={picture}", f"--window-size=1280,{height}", url)
    assert picture.exists(), f"no picture of {url}"
    errors = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    return Page(shown.stdout, [line for line in errors if "Uncaught" in line or "Error" in line])


def _chromium(*words: str) -> subprocess.CompletedProcess[str]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(found for found in map(shutil.which, names) if found)
    with tempfile.TemporaryDirectory(prefix="spinstack-chromium-") as profile:
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={BUDGET}"]
        command = [program, *flags, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
