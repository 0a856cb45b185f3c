"""Changes that run on their own on the login node: following, holding, stopping them. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePosixPath

from spinstack.text import whole_number
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import ScriptResult, Step

_FOLLOW = Path(__file__).with_name("follow.sh")
# A job whose journal has been silent for this many seconds is dead.
SILENT_SECONDS = 60
# Seconds to wait for its first line.
BEGIN_SECONDS = 15
# Seconds to listen to a job that looks dead by the time of its file: another machine's clock has
# set that.
LISTEN_SECONDS = 12
# Exit code of the step `follow`: the journal has been silent for too long.
SILENT = 4


def place(root: PurePosixPath, job_id: str) -> PurePosixPath:
    """The directory of a change."""
    return root / "changes" / job_id


def mark_word(job_id: str) -> str:
    """The first word of those lines of its journal that are not output."""
    return f"spinstack-{job_id}"


def follow_step(root: PurePosixPath, job_id: str, after: int = 0) -> Step:
    """Print the journal from line `after` + 1 until the change is over (`follow.sh`), waiting for
    lines still to come. Exit code SILENT if there was no heartbeat for SILENT_SECONDS, or for
    LISTEN_SECONDS if the journal had already been silent that long.
    """
    values = {
        "journal": str(place(root, job_id) / "journal"),
        "mark": mark_word(job_id),
        "first": str(after + 1),
        "begin_seconds": str(BEGIN_SECONDS),
        "silent_seconds": str(SILENT_SECONDS),
        "listen_seconds": str(LISTEN_SECONDS),
        "silent": str(SILENT),
    }
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return Step("follow", (Command(Raw(f"{given}\n{program(_FOLLOW)}")),), must=False)


def stop_step(root: PurePosixPath, job_id: str) -> Step:
    """Ask it to roll back what it has done."""
    return Step("ask it to stop", (Command("touch", str(place(root, job_id) / "stop")),))


def hold_step(root: PurePosixPath, job_id: str) -> Step:
    """Ask it to make nothing final for now."""
    return Step("hold", (Command("touch", str(place(root, job_id) / "hold")),), must=False)


def go_on_step(root: PurePosixPath, job_id: str) -> Step:
    return Step("go on", (Command("rm", "-f", str(place(root, job_id) / "hold")),), must=False)


def under_way_step(root: PurePosixPath) -> Step:
    """Seconds since the last heartbeat of the job that has the lock; fails without a job. They
    count for more until its first line."""
    journal = _journal_under_way(root)
    more = f"$(test -s {journal} || echo + {SILENT_SECONDS - BEGIN_SECONDS})"
    age = f"echo $(( $(date +%s) - $(stat -L -c %Y {journal}) {more} ))"
    return Step(
        "change under way", (Command("test", "-e", Raw(journal)), Command(Raw(age))), must=False
    )


def age(found: ScriptResult) -> int | None:
    """What `under_way_step` printed; None if no change is running on its own."""
    return whole_number(found.output("change under way").strip())


def listen_step(root: PurePosixPath) -> Step:
    """Whether the journal of the change that has the lock grows within LISTEN_SECONDS."""
    size = f"wc -c <{_journal_under_way(root)}"
    words = f'before=$({size}); sleep {LISTEN_SECONDS}; after=$({size}); test "$before" != "$after"'
    return Step("listen", (Command(Raw(words)),), must=False)


def _journal_under_way(root: PurePosixPath) -> str:
    """The journal of the job that has the lock, quoted for a shell."""
    return shlex.quote(str(root / "lock" / "job" / "journal"))


def newest_step(root: PurePosixPath, wanted: str = "") -> Step:
    """The id of the newest change, or of the newest whose id starts with `wanted`. Newest by the
    file system's clock, not by those of laptops."""
    changes = shlex.quote(str(root / "changes"))
    find = f"cd {changes} 2>/dev/null && ls -1dt -- {shlex.quote(wanted)}* 2>/dev/null | head -n 1"
    return Step("newest change", (Command(Raw(find)),), must=False)
