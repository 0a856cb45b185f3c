"""The lock of a stack and the notes beside its releases: where they are, and the lock's steps.

Small files in the stack's directory on the global file system, so that two people, or one with
a dead laptop, find out about each other:

    lock/owner.json            who is changing the stack now
    unfinished.json            an upgrade between its two steps
    releases/<id>/release.json who made the release, when, from what
    releases/<id>/confirmed    it ran, and was confirmed
    current                    link to the running release

Pure: values to steps, text to values.
"""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from spinstack.remote.owner import Owner
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import UMASK, Step, write_line

# Printed by the lock step if somebody has the lock, before their name.
TAKEN = "taken"
# Printed by it before the kind (`l` for a link, else `d`) and the path of what must not be used.
UNSAFE = "unsafe"


def lock_step(root: PurePosixPath, owner: Owner) -> Step:
    """Take the lock; if somebody has it, fail and print TAKEN and who.

    The lock appears with the name already in it, so that a connection that breaks here leaves no
    nameless lock: renaming a directory is atomic, also on the global file systems, and fails if
    the target exists and is not empty.
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
            _safe(root),
            Command("mkdir", "-p", str(root)),
            Command("mkdir", str(mine)),
            write_line(owner.text(), mine / "owner.json"),
            # Even if one of the commands above has failed.
            Command("mv", "-T", str(mine), str(lock), Raw("|| {"), *refused, Raw("; }")),
        ),
    )


def _safe(root: PurePosixPath) -> Command:
    """Fails, and prints UNSAFE, for a link that somebody else (not root) made, which could lead
    into our own home, and for a directory that everybody may write to. The names can be foreseen,
    and the group can write to the project directory."""
    places = (str(root), *(str(root / name) for name in ("releases", "changes")))
    bad = Raw('"(" -type l ! -user "$UID" ! -user 0 -o ! -type l -perm -002 ")"')
    printed = ("-printf", f"{UNSAFE} %y %p\\n", Raw("2>/dev/null | grep ."))
    return Command(Raw("!"), "find", *places, "-maxdepth", "0", bad, *printed)


def still_ours_step(root: PurePosixPath, owner: Owner) -> Step:
    """Fails if the lock is no longer the owner's."""
    words = ("grep", "-q", owner.nonce, str(root / "lock" / "owner.json"))
    return Step("lock still ours", (Command(*words),))


def hand_over_step(root: PurePosixPath, owner: Owner) -> Step:
    """Hand the owner's lock to a change of theirs that runs on its own."""
    (mine,) = still_ours_step(root, owner).commands
    return Step("lock", (UMASK, mine, write_line(owner.text(), root / "lock" / "owner.json")))


def free_lock_step(root: PurePosixPath, owner: Owner) -> Step:
    """Give the lock back, if it is still the owner's."""
    (mine,) = still_ours_step(root, owner).commands
    # It goes with the name in it, as it came, so that nobody ever finds a nameless lock.
    lock, gone = str(root / "lock"), str(root / f"lock.{owner.nonce}.gone")
    away = (Command("mv", "-T", lock, gone), Command("rm", "-rf", gone))
    return Step("unlock", (mine, *away), must=False)


def break_lock_step(root: PurePosixPath, owner: Owner) -> Step:
    """Remove the owner's lock, and leftovers of attempts to take one. Fails if somebody else has
    it by now."""
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
    # A lock that has just been given back is no lock.
    owner = Command("cat", str(root / "lock" / "owner.json"), Raw("||"), *there.words)
    return Step("lock owner", (there, Command(Raw("{"), *owner.words, Raw("; }"))), must=False)
