"""What an update does with git: is the stack committed, what differs, apply it."""

from __future__ import annotations

import shlex
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import Result, Runner

if TYPE_CHECKING:
    from spinstack.console.console import Console

# Directories with the two renderings, side by side.
OLD, NEW = "old", "new"
_TIMEOUT = 120
# What a person's own settings would change of a difference.
_PLAIN = ("-c", "core.autocrlf=false", "-c", "core.safecrlf=false", "-c", "diff.renames=true")
_DIFF = ("diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index")
_PREFIXES = ("--src-prefix=a/", "--dst-prefix=b/")
# Of `a/old/app/app.py`, what is not part of the path in the stack.
_LEADING = 2


def require_committed(runner: Runner, stack: Path) -> None:
    """Raises SpinstackError unless all of the stack is committed: then what an update changes can
    be told from what was there, and taken back."""
    if not tracked(runner, stack):
        raise SpinstackError(
            "the stack is in no git repository",
            where=str(stack),
            remedy="in that directory: git init && git add --all && git commit -m 'As it is'",
        )
    changed = split_lines(_git(runner, stack, "status", "--porcelain", "--", ".").stdout)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise SpinstackError(
            "the stack has changes that are not committed",
            where=f"{changed[0][3:]}{more}",
            remedy="commit them, or git stash --include-untracked, then run this again",
        )


def offer(runner: Runner, stack: Path, console: Console) -> None:
    """Ask on a terminal whether a new stack shall be a git repository, unless it is in one: it can
    take over a newer template then."""
    if not sys.stdin.isatty() or shutil.which("git") is None:
        return
    if _git(runner, stack, "rev-parse", "--git-dir").ok:
        return
    with console.paused():
        answer = input("Make it a git repository, so that it can be updated? [yes/no] ")
    if answer.strip().lower() not in ("y", "yes"):
        return
    _git(runner, stack, "init", "--quiet")
    _git(runner, stack, "add", "--all")
    console.note(f"to commit it: git -C {shlex.quote(str(stack))} commit -m 'A new stack'")


def tracked(runner: Runner, stack: Path) -> set[str]:
    """The stack's files that git knows; empty outside a repository."""
    return set(_git(runner, stack, "ls-files", "-z", "--", ".").stdout.split("\0")) - {""}


def difference(runner: Runner, work: Path) -> Path:
    """A file with what differs between the two directories in `work`: it is left to git, since a
    program's output has lost how its lines end."""
    patch = work / "patch"
    _difference(runner, work, "--binary", f"--output={patch}")
    return patch


def removed(runner: Runner, work: Path) -> list[str]:
    """The files that are in the old directory alone, under whatever name."""
    told = _difference(runner, work, "--name-status", "-z").split("\0")
    return [name.removeprefix(f"{OLD}/") for status, name in pairwise(told) if status == "D"]


def _difference(runner: Runner, work: Path, *options: str) -> str:
    # No repository around it has a say.
    nowhere = {"GIT_CEILING_DIRECTORIES": str(work.parent)}
    command = Command("git", *_PLAIN, *_DIFF, *_PREFIXES, *options, "--", OLD, NEW)
    done = runner.run(command, cwd=work, env=nowhere, timeout=_TIMEOUT, changes=False)
    if done.code not in (0, 1):
        raise SpinstackError("git can't compare two templates", details=done.stderr)
    return done.stdout


def apply(look: Runner, change: Runner, stack: Path, work: Path, patch: Path) -> list[str]:
    """Apply a difference of `work`; the files with conflicts. `change`: starts what changes files.

    Raises SpinstackError if git refuses; then nothing was changed.
    """
    top = _git(look, stack, "rev-parse", "--show-toplevel").stdout.strip() or str(stack)
    prefix = _git(look, stack, "rev-parse", "--show-prefix").stdout.strip()
    # What git merges with, where it is in no commit: the files as they were made.
    paths = [str(path) for path in sorted((work / OLD).rglob("*")) if path.is_file()]
    blobs = Command("git", "-C", top, "hash-object", "-w", "--no-filters", "--stdin-paths")
    change.run(blobs, input="\n".join(paths) + "\n", timeout=_TIMEOUT)
    where = (f"--directory={prefix}",) if prefix else ()
    options = ("--3way", "--whitespace=nowarn", f"-p{_LEADING}", *where)
    command = Command("git", "-C", top, "apply", *options, str(patch))
    done = change.run(command, timeout=_TIMEOUT)
    told = _git(look, stack, "diff", "--name-only", "--diff-filter=U", "--relative", "-z")
    conflicts = sorted(set(told.stdout.split("\0")) - {""})
    if not done.ok and not conflicts:
        raise SpinstackError(
            "git refuses to apply what the template has changed; nothing was changed",
            where=str(stack),
            remedy="see above; invoke --dry update shows the difference",
            details="\n".join(
                line for line in split_lines(done.stderr) if line.startswith("error:")
            ),
        )
    return conflicts


def _git(runner: Runner, stack: Path, *words: str) -> Result:
    return runner.run(Command("git", "-C", str(stack), *words), timeout=_TIMEOUT, changes=False)
