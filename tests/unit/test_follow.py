"""Following a change: what is shown of it, and the shell's part through real bash."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from spinstack.console.console import Console
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.remote import changes
from spinstack.remote.follow import Follow
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


def follower(**more: Any) -> Follow:
    session: Any = SimpleNamespace(
        console=Console(),
        platform=Rancher1(),
        stack=SimpleNamespace(service_names=["web"]),
        settings=SimpleNamespace(stack="demo"),
    )
    return Follow(session, JOB, **more)


def told(following: Follow, text: str) -> None:
    """The journal goes on; `@` stands for its mark and a time."""
    for line in text.splitlines():
        following.line("follow", line.replace("@", f"{MARK} 12"))


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on the console, each without its time."""
    return [line.rsplit(None, 2)[0].rstrip() for line in capsys.readouterr().err.splitlines()]


def test_a_step_is_shown_with_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    following = follower(uploaded="20251103-040506-0badcafe")
    following.sent(1, 2)
    following.sent(2, 2)
    following.outer("start")
    assert following.started
    told(following, "@ begin render\n@ end 0\n@ begin bring up\nno\n@ end 65")
    told(following, "@ begin look again\n@ end 1\n@ begin mark as current\n@ end 1")
    assert shown(capsys) == [
        "✓ upload             20251103-040506-0badcafe",
        "✓ render",
        "✗ upgrade",
        "✗ mark as current",
    ]


def test_a_step_that_is_left_is_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    following = follower(creating=True)
    told(following, "@ begin bring up")
    following.leave(goes_on=True)
    following.leave(well=False)
    following.rejoin()
    told(following, "@ end 0")
    assert shown(capsys) == ["✓ start              continues on the login node", "✓ start"]


def test_what_it_waits_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    following = follower()
    told(following, "@ begin wait until healthy\nrow|demo/web|active|initializing|no|||\nround 0")
    told(following, "no answer\nround 1")
    following.leave(well=False)
    told(following, "@ begin ask the site\nasked http://x/: 200\n@ end 0")
    assert shown(capsys) == [
        "✗ wait until healthy web initializing",
        "✓ ask the site       http://x/: 200",
    ]
