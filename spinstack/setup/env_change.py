"""Changing the env file: by name and value, or in an editor; never into something that the check
refuses. Comments, order, line endings, mode and owner stay as they are.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from spinstack.checks import stack as checks_stack
from spinstack.config import env_file
from spinstack.config.stack import Stack, read_text
from spinstack.errors import SpinstackError, UsageError
from spinstack.rules import finding
from spinstack.rules.finding import Finding
from spinstack.session import Session
from spinstack.setup import settings
from spinstack.text import split_lines
from spinstack.transport import runner
from spinstack.transport.command import Command


@dataclass(frozen=True)
class Change:
    """A variable before and after; None where it is not set."""

    name: str
    old: str | None
    new: str | None

    def line(self) -> str:
        if self.new is None:
            return f"{self.name} removed (was {self.old})"
        if self.old is None:
            return f"{self.name} added: {self.new}"
        return f"{self.name}: {self.old} → {self.new}"


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """The names and values of `NAME=VALUE` texts. Raises UsageError."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or set(text) & set("\r\n\0"):
            remedy = "write, for example, --set WEB_PORT=60021"
            raise UsageError(f"{text!r} is not NAME=VALUE", remedy=remedy)
        found[name] = value
    return found


def edited(text: str, sets: Mapping[str, str], unsets: Iterable[str]) -> str:
    """The text of an env file with variables set and removed.

    An existing variable keeps its line; a new one comes last. If a name is set twice, the line
    that counts (the last one) is changed. Raises UsageError if a variable to remove does not
    exist.
    """
    lines = split_lines(text, ends=True)
    for name in unsets:
        kept = [line for line in lines if _name(line) != name]
        if len(kept) == len(lines):
            raise UsageError(f"{name} is not set", remedy="see `invoke env` for what is set")
        lines = kept
    for name, value in sets.items():
        lines = _with(lines, name, value)
    return "".join(lines)


def added(session: Session, name: str, value: str) -> dict[str, str]:
    """The new text of the stack's env file, by its name, with a variable that it does not set yet;
    empty if it does."""
    if name in session.stack.env:
        return {}
    path = session.directory / session.stack.env_name
    text = read_text(path) if path.exists() else ""
    return {session.stack.env_name: edited(text, {name: value}, ())}


def _name(line: str) -> str:
    return "" if line.lstrip().startswith("#") else line.partition("=")[0]


def _with(lines: list[str], name: str, value: str) -> list[str]:
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    places = [index for index, line in enumerate(lines) if _name(line) == name]
    if places:
        old = lines[places[-1]]
        own_end = old[len(old.rstrip("\r\n")) :]
        return [*lines[: places[-1]], f"{name}={value}{own_end}", *lines[places[-1] + 1 :]]
    if lines and not lines[-1].endswith("\n"):
        lines = [*lines[:-1], lines[-1] + end]
    return [*lines, f"{name}={value}{end}"]


def changes(before: str, after: str) -> list[Change]:
    """What differs, variable by variable, in the order of the new text."""
    old, new = ({n: v.value for n, v in env_file.parse(t, "")[0].items()} for t in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        Change(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    ]


def new_errors(session: Session, after: str) -> list[Finding]:
    """What the check would refuse with the new text but does not refuse now.

    Raises as the check does if the stack or the destination can't be read.
    """
    now, then = settings.stack_of(session), _with_env(settings.stack_of(session), after)
    known = {(found.rule, found.problem) for found in _errors(session, now)}
    return [found for found in _errors(session, then) if (found.rule, found.problem) not in known]


def _errors(session: Session, stack: Stack) -> list[Finding]:
    return finding.errors(
        checks_stack.check(session.settings, session.destination, stack, session.platform)
    )


def _with_env(stack: Stack, text: str) -> Stack:
    """The stack as it would be with another env file."""
    env, wrong = env_file.parse(text, stack.env_name)
    others = [found for found in stack.findings if not _of_env(found, stack)]
    return replace(stack, env=env, findings=[*others, *wrong])


def _of_env(found: Finding, stack: Stack) -> bool:
    return found.where.partition(":")[0] == stack.env_name


def write(path: Path, text: str) -> None:
    """Replace the file completely or not at all, keeping mode and owner. Raises
    SpinstackError."""
    target = path.resolve()  # the file behind a link, not the link
    status = target.stat()
    try:
        descriptor, half = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8"))
            os.fchmod(stream.fileno(), status.st_mode & 0o7777)
            with suppress(PermissionError):  # another's file, in a directory of a group
                os.fchown(stream.fileno(), status.st_uid, status.st_gid)
            stream.flush()
            os.fsync(stream.fileno())
        Path(half).replace(target)
    except OSError as error:
        Path(half).unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> SpinstackError:
    return SpinstackError(
        f"can't write {path.name}: {error.strerror}; it was not changed",
        where=str(path),
        remedy="check that you may write to its directory and that there is free space",
    )


def refuse(path: Path, found: list[Finding], remedy: str = "use another value") -> None:
    """Raises SpinstackError if there are findings."""
    if found:
        raise SpinstackError(
            f"the check would refuse that: {found[0].problem}",
            where=found[0].where,
            remedy=f"{remedy}; {path.name} was not changed",
            details="\n".join(one.line() for one in found),
        )


def in_editor(session: Session, path: Path, before: str) -> str:
    """Let the person edit a copy. Returns its text.

    The copy is kept if the text is refused, so that no work is lost. Raises SpinstackError if the
    editor fails, the result is refused, or the file itself was changed meanwhile.
    """
    copy = Path(tempfile.mkdtemp(prefix="spinstack-env-")) / path.name
    copy.write_bytes(before.encode("utf-8"))
    code = runner.run_in_foreground(
        session.runner, Command(*shlex.split(settings.editor()), str(copy))
    )
    if code:
        raise SpinstackError(
            f"the editor failed with exit code {code}; {path.name} was not changed",
            where=settings.editor(),
            remedy=f"set EDITOR to one that works; your copy is {copy}",
        )
    after = read_text(copy)
    refuse(path, new_errors(session, after), f"correct your text, which is kept in {copy}")
    if read_text(path) != before:
        raise SpinstackError(
            f"somebody else has changed {path.name} meanwhile",
            where=str(path),
            remedy=f"edit it again; your text is kept in {copy}",
        )
    copy.unlink()
    copy.parent.rmdir()
    return after
