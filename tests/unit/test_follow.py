"""Following a change: the shell's part through real bash."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path, PurePosixPath

import pytest

from spinstack.remote import changes
from spinstack.transport.script import Script, Step, StepResult, Transcript

JOB = "20251103-040506-12"
MARK = changes.mark_word(JOB)


def run_here(step: Step) -> StepResult:
    """A step through a real shell."""
    script = Script((step,))
    done = subprocess.run(
        ["bash"], input=script.text("@@"), capture_output=True, text=True, timeout=30
    )
    assert not done.stderr
    transcript = Transcript(script, "@@")
    transcript.feed(done.stdout)
    return transcript.result.steps[0]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """That of a change in a directory whose name is no easy one."""
    path = tmp_path / 'it\'s a "stack"\n$HOME' / "changes" / JOB / "journal"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def follow(journal: Path, after: int = 0) -> StepResult:
    return run_here(changes.follow_step(PurePosixPath(journal.parents[2]), JOB, after))


def test_a_journal_is_printed_to_the_word_that_ends_it(journal: Path) -> None:
    lines = ["one ", "  two\\n", "spinstack-other 1 over done", f"{MARK} 12 over taken back", "no"]
    journal.write_text("\n".join(lines) + "\n")
    assert follow(journal).output == "\n".join(lines[:4]) + "\n"
    told = follow(journal, after=2)
    assert (told.output, told.code) == ("\n".join(lines[2:4]) + "\n", 0)


@pytest.mark.parametrize(
    ("said", "silent_for", "seconds"),
    [
        ("", 0, {"BEGIN_SECONDS": 1}),
        ("one\n", 0, {"SILENT_SECONDS": 3}),
        ("one\n", 90, {"LISTEN_SECONDS": 1}),
    ],
)
def test_a_journal_that_says_nothing_any_more_is_left(
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    silent_for: float,
    seconds: dict[str, int],
) -> None:
    """After other seconds before its first line, later, and where it looks dead."""
    for name in ("BEGIN_SECONDS", "SILENT_SECONDS", "LISTEN_SECONDS"):
        monkeypatch.setattr(changes, name, seconds.get(name, 60))
    journal.write_text(said)
    os.utime(journal, (time.time() - silent_for,) * 2)
    told = follow(journal)
    assert (told.output, told.code) == (said, changes.SILENT)
