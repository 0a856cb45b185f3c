"""Headless Chromium: what a page looks like once its scripts have run."""

from __future__ import annotations

import base64
import json
import re
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
# Counts the colours of a picture; the browser has all that is needed for that.
COUNT = """\
<body><script>
const picture = new Image();
picture.onload = () => {
  const paper = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  paper.drawImage(picture, 0, 0);
  const data = paper.getImageData(0, 0, picture.width, picture.height).data, found = {};
  for (let at = 0; at < data.length; at += 4) {
    const colour = `#${[...data.slice(at, at + 3)].map(
      (part) => part.toString(16).padStart(2, "0")).join("")}`;
    found[colour] = (found[colour] || 0) + 1;
  }
  document.body.textContent = JSON.stringify(found);
};
picture.src = "data:image/png;base64,PICTURE";
</script></body>
"""
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


def colours(picture: Path) -> dict[str, int]:
    """How many pixels of a picture have which colour, such as `#ffffff`."""
    text = COUNT.replace("PICTURE", base64.b64encode(picture.read_bytes()).decode())
    with tempfile.NamedTemporaryFile("w", suffix=".html") as page:
        page.write(text)
        page.flush()
        shown = _chromium("--dump-dom", f"file://{page.name}").stdout
    found = re.search(r"\{.*\}", shown)
    assert found, shown[-2000:]
    counted: dict[str, int] = json.loads(found[0])
    return counted


def _chromium(*words: str) -> subprocess.CompletedProcess[str]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(found for found in map(shutil.which, names) if found)
    with tempfile.TemporaryDirectory(prefix="spinstack-chromium-") as profile:
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={BUDGET}"]
        command = [program, *flags, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
