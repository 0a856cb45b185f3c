"""Finds the directories of a tree that others may not enter, without a `stat` of any file.

The result is that of `find TREE -type d ! -perm -o+x`. This file is sent to the login node and
run there by whatever `python3` it has, so it needs Python 3.6 and nothing else (hence no
`from __future__ import annotations`).

    python3 -I -S -c SOURCE LIMIT TREE...

Prints a line of JSON for each tree: how many directories were looked at, how many lack o+x,
the first LIMIT of them, how many could not be listed.
"""

import json
import os
import stat
import sys

# On these file systems a directory with two links (its name and its own `.`) has no
# subdirectory, so that it need not be listed. Others, such as btrfs and overlay, always report 1,
# and parallel file systems promise nothing.
COUNTING_FILE_SYSTEMS = frozenset(["ext4", "xfs"])


class Audit:
    """What was found in one tree. `closed`: [mode, uid, gid, path] of each directory."""

    def __init__(self, tree: "str | bytes") -> None:
        self.tree = os.fsencode(tree)
        self.directories = 0
        self.closed = []  # type: list[tuple[int, int, int, bytes]]
        self.unreadable = 0

    def as_dict(self, limit: int) -> "dict[str, object]":
        """The first `limit` closed directories by name, and the numbers of all."""
        shown = sorted(self.closed, key=lambda found: found[3])[:limit]
        return {
            "tree": os.fsdecode(self.tree),
            "directories": self.directories,
            "closed": len(self.closed),
            "first": [[mode, uid, gid, os.fsdecode(path)] for mode, uid, gid, path in shown],
            "unreadable": self.unreadable,
        }


def audit(tree: "str | bytes") -> Audit:
    """Look through a tree; links are not followed, unreadable directories are counted."""
    found = Audit(tree)
    counting = counting_devices()
    todo = []
    try:
        root = os.lstat(found.tree)
    except OSError:
        found.unreadable += 1
        return found
    if stat.S_ISDIR(root.st_mode):
        todo.append((found.tree, root))
    while todo:
        path, status = todo.pop()
        found.directories += 1
        if not status.st_mode & stat.S_IXOTH:
            mode = stat.S_IMODE(status.st_mode)
            found.closed.append((mode, status.st_uid, status.st_gid, path))
        if status.st_nlink == 2 and status.st_dev in counting:
            continue
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    # The type comes with the listing: no stat, unless the file system does not
                    # provide it.
                    if not entry.is_dir(follow_symlinks=False):
                        continue
                    try:
                        todo.append((entry.path, entry.stat(follow_symlinks=False)))
                    except OSError:
                        found.unreadable += 1
        except OSError:
            found.unreadable += 1
    return found


def counting_devices() -> "set[int]":
    """The devices whose directories count their links (`st_dev`), from proc(5), mountinfo."""
    devices = set()  # type: set[int]
    try:
        with open("/proc/self/mountinfo", "rb") as mounts:  # noqa: PTH123
            lines = mounts.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return devices
    for line in lines:
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] in COUNTING_FILE_SYSTEMS:
            major, minor = before.split(" ")[2].split(":")
            devices.add(os.makedev(int(major), int(minor)))
    return devices


def main(words: "list[str]") -> None:
    for tree in words[1:]:
        sys.stdout.write(json.dumps(audit(tree).as_dict(int(words[0]))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
