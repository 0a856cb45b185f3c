"""The walk of a Spin node to the directories that a container mounts.

The node's root is `nobody` on the global file systems: it needs the other-execute bit on
every directory from `/` down to what is mounted, and can't make a directory that is
missing. Source: Spin documentation on file systems; the text is Docker's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from spinstack.rules.service import Mount


def problem(mounts: Iterable[Mount]) -> str:
    """What the engine says when a node can't reach one of the mounts; empty if it can."""
    for mount in mounts:
        if mount.source.startswith("/"):
            blocked = unreachable(Path(mount.source))
            if blocked is not None:
                return (
                    f"error while creating mount source path '{mount.source}': "
                    f"mkdir {blocked}: permission denied"
                )
    return ""


def unreachable(source: Path) -> Path | None:
    """The first part of the way to `source` that `nobody` can't get at; None if all of it
    is passable. Links are followed: the way to where they point counts too."""
    blocked = _first_blocked(source)
    if blocked is not None:
        return blocked
    real = Path(os.path.realpath(source))
    return None if real == source else _first_blocked(real)


def _first_blocked(path: Path) -> Path | None:
    """Walks from the root down. A directory that can't be entered is named by what was
    looked for in it, as the engine does; the mounted directory by itself."""
    steps = [*reversed(path.parents), path]
    for step, following in zip(steps, [*steps[1:], path], strict=True):
        try:
            mode = step.stat().st_mode
        except OSError:
            return step
        if stat.S_ISDIR(mode) and not mode & stat.S_IXOTH:
            return following
    return None
