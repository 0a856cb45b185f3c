"""What is written down beside the releases: who deploys, what is unfinished, what ran.

Small files in the stack's directory on the global file system, so that two people, or one
with a dead laptop, find out about each other:

    lock/owner.json            who is changing the stack now
    unfinished.json            an upgrade between its two steps
    releases/<id>/release.json who made the release, when, from what
    releases/<id>/confirmed    it ran, and was confirmed
    current                    link to the release that runs

Pure: values to steps, text to values.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any

from spinstack.command import Command, Raw
from spinstack.script import Step

# Files are the group's to read, directories everybody's to pass through.
UMASK = Command("umask", "0026")


@dataclass(frozen=True)
class Mark:
    """Somebody did, or does, something: who, from which machine (and process), since when
    (ISO 8601, UTC), with which release; `previous` is the one that ran before it. `job`: the
    change that goes on there by itself."""

    who: str
    host: str
    pid: int = 0
    when: str = ""
    doing: str = ""
    release: str = ""
    previous: str = ""
    nonce: str = ""
    job: str = ""

    def text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True)

    def told(self) -> str:
        """For a person: `alice on laptop since 2025-11-03 04:05 UTC`."""
        when = self.when[:16].replace("T", " ")
        return f"{self.who} on {self.host}" + (f" since {when} UTC" if when else "")

    def is_of(self, other: Mark) -> bool:
        """Whether the same person made both, from the same machine."""
        return (self.who, self.host) == (other.who, other.host)


def now() -> str:
    """This moment as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def mark(who: str, host: str, doing: str, **more: str) -> Mark:
    """A mark of this process, now."""
    import secrets

    nonce = secrets.token_hex(6)
    return Mark(who, host, os.getpid(), now(), doing=doing, nonce=nonce, **more)


def with_job(owner: Mark, job: str) -> Mark:
    """The mark of a change that goes on there by itself."""
    return replace(owner, job=job)


def parse_mark(output: str) -> Mark | None:
    """The mark in what `cat` printed; None if there is none that can be read."""
    value = _json_line(output)
    if value is None or not isinstance(value.get("who"), str):
        return None
    known = {item.name for item in fields(Mark)}
    texts = {key: value[key] for key in known & value.keys() if isinstance(value[key], str)}
    pid = value.get("pid")
    return Mark(**{"host": "?", **texts, "pid": pid if isinstance(pid, int) else 0})


@dataclass(frozen=True)
class ReleaseNote:
    """What is known of a release. `commit`: of the stack's git repository, empty without one;
    `dirty`: there were changes beyond it. `images`: variable → reference."""

    id: str
    who: str = ""
    host: str = ""
    when: str = ""
    destination: str = ""
    commit: str = ""
    dirty: bool = False
    images: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=True)


def parse_note(output: str, release_id: str) -> ReleaseNote:
    """A release's note; what can't be read stays empty."""
    value = _json_line(output) or {}
    texts = {
        key: value[key]
        for key in ("who", "host", "when", "destination", "commit")
        if isinstance(value.get(key), str)
    }
    images = value.get("images")
    return ReleaseNote(
        id=release_id,
        dirty=value.get("dirty") is True,
        images={str(k): str(v) for k, v in images.items()} if isinstance(images, dict) else {},
        **texts,
    )


def _json_line(output: str) -> dict[str, Any] | None:
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                return None
            return value if isinstance(value, dict) else None
    return None


def _write(text: str, path: PurePosixPath) -> Command:
    """Write a line to a file, which appears whole or not at all."""
    partial = f"{path}.new"
    words = ("printf", "%s\\n", text, Raw(">"), partial, Raw("&&"), "mv", "-f", partial, str(path))
    return Command(*words)


# Printed by the lock step if somebody has the lock, before who it is.
TAKEN = "taken"


def lock_step(root: PurePosixPath, owner: Mark) -> Step:
    """Take the lock; if somebody has it, fail and print TAKEN and who.

    It appears together with the name in it, so that nothing nameless is left by a connection
    that breaks here: renaming a directory is atomic, also on the global file systems, and
    fails if there is one with something in it already.
    """
    lock, mine = root / "lock", root / f"lock.{owner.nonce}"
    refused = (
        *("test", "!", "-d", str(lock), Raw("||"), "echo", TAKEN, Raw(";")),
        *("rm", "-rf", str(mine), Raw(";")),
        *("cat", str(lock / "owner.json"), Raw("2>/dev/null; false")),
    )
    return Step(
        "lock",
        (
            UMASK,
            Command("mkdir", "-p", str(root)),
            Command("mkdir", str(mine)),
            _write(owner.text(), mine / "owner.json"),
            # Also when one of the commands above has failed.
            Command("mv", "-T", str(mine), str(lock), Raw("|| {"), *refused, Raw("; }")),
        ),
    )


def as_it_was_step(root: PurePosixPath, current: str, unfinished: Mark | None) -> Step:
    """Fails if another release became the current one, or an upgrade was begun or ended, since
    somebody looked."""
    link = shlex.quote(str(root / "current"))
    expected = shlex.quote(f"releases/{current}" if current else "")
    note = root / "unfinished.json"
    # A note that nobody can read is none.
    sign = unfinished.nonce if unfinished else '"who"'
    begun = Command(*([] if unfinished else [Raw("!")]), "grep", "-qsF", sign, str(note))
    return Step(
        "as it was",
        (
            Command(Raw(f'test "$(readlink {link} 2>/dev/null)" = {expected}')),
            begun,
        ),
    )


def still_ours_step(root: PurePosixPath, owner: Mark) -> Step:
    """Fails if the lock is not the owner's any more."""
    words = ("grep", "-q", owner.nonce, str(root / "lock" / "owner.json"))
    return Step("lock still ours", (Command(*words),))


def hand_over_step(root: PurePosixPath, owner: Mark) -> Step:
    """Give the lock, which the owner has, to a change of the owner that goes on by itself."""
    (mine,) = still_ours_step(root, owner).commands
    return Step("lock", (UMASK, mine, _write(owner.text(), root / "lock" / "owner.json")))


def free_lock_step(root: PurePosixPath, owner: Mark) -> Step:
    """Give the lock back, if it is still the owner's."""
    (mine,) = still_ours_step(root, owner).commands
    # It goes with the name in it, as it came: nobody may find a lock of nobody.
    lock, gone = str(root / "lock"), str(root / f"lock.{owner.nonce}.gone")
    away = (Command("mv", "-T", lock, gone), Command("rm", "-rf", gone))
    return Step("unlock", (mine, *away), must=False)


def break_lock_step(root: PurePosixPath, owner: Mark) -> Step:
    """Remove the owner's lock, and what is left of attempts to take one. Fails if somebody else
    has it by now."""
    lock = root / "lock"
    attempts = Raw(f"{shlex.quote(str(lock))}.*")
    remove = Command("rm", "-rf", str(lock), attempts)
    if not owner.nonce:
        return Step("break the lock", (remove,), must=False)
    (theirs,) = still_ours_step(root, owner).commands
    gone = Command("test", "!", "-e", str(lock), Raw("||"), *theirs.words)
    return Step("break the lock", (Command(Raw("{"), *gone.words, Raw("; }")), remove), must=False)


def read_lock_step(root: PurePosixPath) -> Step:
    """Fails if there is no lock."""
    there = Command("test", "-d", str(root / "lock"))
    # One that has just been given back is none.
    owner = Command("cat", str(root / "lock" / "owner.json"), Raw("||"), *there.words)
    return Step("lock owner", (there, Command(Raw("{"), *owner.words, Raw("; }"))), must=False)


def note_release_step(directory: PurePosixPath, note: ReleaseNote) -> Step:
    """Write down who made a release, unless it is written down already."""
    path = directory / "release.json"
    absent = Command("test", "-e", str(path), Raw("||"), Raw("{"))
    write = Command(*absent.words, *_write(note.text(), path).words, Raw(";"), Raw("}"))
    return Step("note the release", (UMASK, write))


def unfinished_step(root: PurePosixPath, begun: Mark) -> Step:
    """Write down that an upgrade begins, before it does."""
    return Step("note the upgrade", (UMASK, _write(begun.text(), root / "unfinished.json")))


def read_unfinished_step(root: PurePosixPath) -> Step:
    return Step("unfinished", (Command("cat", str(root / "unfinished.json")),), must=False)


def finished_step(root: PurePosixPath) -> Step:
    """The upgrade is over, one way or the other."""
    return Step("forget the upgrade", (Command("rm", "-f", str(root / "unfinished.json")),))


def current_step(root: PurePosixPath, release_id: str) -> Step:
    """The release runs and was confirmed: `current` leads to it, changed in one go."""
    link = str(root / "current")
    commands = (
        UMASK,
        Command("touch", str(root / "releases" / release_id / "confirmed")),
        Command("ln", "-sfn", f"releases/{release_id}", f"{link}.new"),
        Command("mv", "-T", f"{link}.new", link),
    )
    return Step("mark as current", commands)


def read_current_step(root: PurePosixPath) -> Step:
    return Step("current release", (Command("readlink", str(root / "current")),), must=False)


def read_releases_step(root: PurePosixPath) -> Step:
    """For each release a line `release ID yes|no` (confirmed), then its note if it has one."""
    loop = (
        f"cd {shlex.quote(str(root / 'releases'))} && for id in *; do "
        'test -d "$id" || continue; '
        'if test -e "$id/confirmed"; then ran=yes; else ran=no; fi; '
        'printf "release %s %s\\n" "$id" "$ran"; cat "$id/release.json" 2>/dev/null; done; true'
    )
    return Step("releases", (Command(Raw(loop)),), must=False)


def parse_releases(output: str) -> list[tuple[ReleaseNote, bool]]:
    """The releases, oldest first, each with whether it was confirmed once."""
    found: list[tuple[ReleaseNote, bool]] = []
    entry: list[str] = []
    name, ran = "", False

    def close() -> None:
        if name:
            found.append((parse_note("\n".join(entry), name), ran))

    for line in output.splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[0] == "release":
            close()
            name, ran, entry = words[1], words[2] == "yes", []
        else:
            entry.append(line)
    close()
    return sorted(found, key=lambda pair: pair[0].id)
