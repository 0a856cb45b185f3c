"""Pages of docs/, done to the letter.

The tutorial is typed from top to bottom by somebody who has nothing yet but pipx. Each command has
to end as the page says, and to print each line that the page shows; numbers, which are others each
time, count as equal.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests import pages

from .stage import REPOSITORY, WITHIN, Stage, Typed

pytestmark = pytest.mark.real("engine", "registry")

# Ends the rehearsal of all tests: typed at the very end, by the fixture `stage`.
STOPS = "invoke rehearsal.stop"
# Of the images in it, and of what may differ between two runs.
CHANGING = re.compile(r"\b[0-9a-f]{12}\b|\b[0-9a-f]{8}\b|\d+(\.\d+)?")


def comparable(line: str) -> str:
    return " ".join(CHANGING.sub("0", line).split())


def is_printed(shown: str, printed: list[str]) -> bool:
    """Whether a line of the page is among those printed; `…` in it stands for anything."""
    parts = [re.escape(it) for it in comparable(shown).split("…")]
    return any(re.fullmatch(".*".join(parts), comparable(it)) for it in printed)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    words = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(REPOSITORY)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=300)
    (made,) = tmp_path.glob("spinstack-*.whl")
    return made


def environment(stage: Stage, wheel: Path, tmp_path: Path) -> dict[str, str]:
    """Of somebody with pipx and without spinstack, whose pip gets it from here."""
    constraint = tmp_path / "constraint.txt"
    constraint.write_text(f"spinstack @ {wheel.as_uri()}\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pipx").symlink_to(Path(sys.executable).with_name("pipx"))
    here = Path(sys.executable).parent
    path = [it for it in os.environ["PATH"].split(os.pathsep) if Path(it) != here]
    installed = stage.home / ".local" / "bin"
    return stage.environment(
        PATH=os.pathsep.join([str(installed), str(programs), *path]),
        PIP_CONSTRAINT=str(constraint),
        PIPX_DEFAULT_BACKEND="pip",
    )


@pytest.mark.real("pipx")
def test_the_tutorial_as_it_is_typed(
    stage: Stage, first_deploy: Typed, wheel: Path, tmp_path: Path
) -> None:
    """After another deploy, whose images are the same: building them once is enough."""
    typed = pages.commands("tutorial.md")
    assert [it.line for it in typed if it.line == STOPS] == [STOPS]
    assert typed[0].line.startswith("pipx install ") and len(typed) > 12
    typed = [it for it in typed if it.line != STOPS]
    # One shell for all, as a person has one; a line of our own after each command.
    script = "".join(f"{it.line}\nprintf '\\n:ended: %d\\n' $?\n" for it in typed)
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        cwd=tmp_path,
        env=environment(stage, wheel, tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=WITHIN,
    )
    print(done.stdout)
    parts = re.split(r"(?m)^:ended: (\d+)$", done.stdout)
    ends = list(zip(parts[0::2], parts[1::2], strict=False))
    assert len(ends) == len(typed)
    for command, (printed, code) in zip(typed, ends, strict=True):
        assert int(code) == command.code, f"{command.line}\n{printed}"
        for line in command.shown:
            assert is_printed(line, printed.splitlines()), f"{command.line}: {line}\n{printed}"


@pytest.mark.real("uv")
def test_an_application_of_ones_own(stage: Stage) -> None:
    """The guest book of the how-to page takes what a visitor writes."""
    guestbook = stage.work / "guestbook"
    pages.write(guestbook, pages.files("how-to/application.md"))
    typed = [it.line.split("#")[0].split() for it in pages.commands("how-to/application.md")]
    typed = [words[1:] for words in typed if words[0] == "invoke"]
    assert typed[-1] == ["deploy"]
    try:
        for words in typed:
            done = stage.done(*words, at=guestbook)
        note = urllib.parse.urlencode({"note": "was here"}).encode()
        for body in (note, None):
            with urllib.request.urlopen(done.last_line, data=body, timeout=20) as answer:
                assert answer.read() == b"was here\n"
    finally:
        stage.invoke("rm", "--yes", at=guestbook)
