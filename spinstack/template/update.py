"""`invoke update`: what a newer template has changed, brought into a stack.

As cruft does it: the template is filled in as it was and as it is, with the same answers, and git
applies what differs to the stack, where a person may have changed the same files.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spinstack import template
from spinstack.directories import expanded
from spinstack.errors import SpinstackError, UsageError
from spinstack.template import answers, git, record
from spinstack.template.record import Record
from spinstack.text import split_lines, without_password
from spinstack.transport.command import Command
from spinstack.transport.runner import Result, Runner

_TIMEOUT = 300


@dataclass(frozen=True)
class Source:
    """A template as cookiecutter takes it, and the commit, tag or branch of it."""

    place: str
    checkout: str = ""


@dataclass
class Outcome:
    """What an update did, or would do. `old`: the version before, empty if unknown. `patch`: the
    difference of the two templates. `changed`: files in which they differ. `conflicts`: files
    that both sides changed. `kept`: files that the template no longer has, but were changed.
    `left_out`: files that the stack's repository does not have. `new_answers`: of questions that
    are new."""

    old: str
    new: str
    patch: str = ""
    changed: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    new_answers: dict[str, str] = field(default_factory=dict)

    @property
    def nothing_to_do(self) -> bool:
        return not self.changed and self.old == self.new

    def as_dict(self) -> dict[str, Any]:
        """The fields for a script."""
        return asdict(self)

    def lines(self, *, dry: bool) -> list[str]:
        """The result for people, and what to do next."""
        if self.nothing_to_do:
            return [f"the stack is that of the template of spinstack {self.new}; nothing to do"]
        told = [f"conflict: {name}" for name in self.conflicts]
        told += [f"kept, though the template no longer has it: {name}" for name in self.kept]
        told += [
            f"left out, since it is not in the stack's repository: {name}" for name in self.left_out
        ]
        versions = f"from {self.old} to {self.new}" if self.old else f"to {self.new}"
        count = f"{len(self.changed)} file{'' if len(self.changed) == 1 else 's'}"
        if dry:
            return [*told, f"would update {versions}: {count}"]
        if self.conflicts:
            end = "edit the files with conflicts (<<<<<<<), then git add them and commit"
        else:
            end = "see git diff --staged, run `invoke check`, and commit"
        return [*told, f"updated {versions}: {count}; {end}"]


def update(
    look: Runner,
    change: Runner,
    stack: Path,
    *,
    given: Mapping[str, str],
    source: Source | None = None,
) -> Outcome:
    """Bring the template of this spinstack into the stack; nothing is committed.

    `look`: starts what only looks. `change`: starts what changes the stack, or shows it in a dry
    run. `given`: answers that replace those of the stack. `source`: the template that it was made
    from, for a stack that has no record of that. Raises SpinstackError if the stack is not
    committed, if it has no record, and if a template can't be filled in.
    """
    known = _record(stack, source)
    if not change.dry:
        git.require_committed(look, stack)
    with TemporaryDirectory(prefix="spinstack-update-") as name:
        work = Path(name)
        old, new = work / git.OLD, work / git.NEW
        before = dict(known.answers) if known else answers.of(stack)
        if source:
            _render(look, work, source, before, old)
        else:
            old.mkdir()
            record.unpack(stack, old)
        _render(look, work, Source(str(template.path())), {**before, **given}, new)
        made = record.read(new)
        asked = made.answers if made else {}
        _refuse_unasked(given, asked)
        outcome = Outcome(known.version if known else "", made.version if made else "")
        outcome.new_answers = {
            key: asked[key] for key in asked if key not in before and key not in given
        }
        return _bring(look, change, stack, work, outcome)


def _record(stack: Path, source: Source | None) -> Record | None:
    """Raises UsageError for a stack of which it is not known what it was made from."""
    known = record.read(stack)
    if source:
        return known
    if known is None:
        raise UsageError(
            f"it is not known which template the stack was made from: there is no {record.FILE}",
            where=str(stack),
            remedy="name that template, and its commit or tag at the time: "
            "invoke update --from gh:OWNER/spinstack --checkout COMMIT",
        )
    if not (stack / record.ORIGINAL).is_file():
        raise UsageError(
            f"{record.ORIGINAL}, the files as the template made them, is missing",
            where=str(stack),
            remedy="restore it from git, or make them again: "
            f"invoke update --from {known.template} --checkout {known.commit}",
        )
    return known


def _render(
    runner: Runner, work: Path, source: Source, given: Mapping[str, str], into: Path
) -> None:
    """Fill in a template, without a question. Raises SpinstackError if that fails."""
    # A person's own settings of cookiecutter, and clones of templates, stay as they are.
    mine = work / f"cookiecutter-{into.name}"
    output = mine / "output"
    output.mkdir(parents=True)
    config = mine / "config.yaml"
    directories = {name: str(mine / name) for name in ("cookiecutters_dir", "replay_dir")}
    config.write_text(json.dumps(directories), encoding="utf-8")
    options = ["--no-input", "--config-file", str(config), "--output-dir", str(output)]
    place = source.place
    if source.checkout:
        options += ["--checkout", source.checkout]
        # Of a directory, cookiecutter takes what is there, whatever is to be checked out.
        local = expanded(place)
        place = f"git+file://{local.resolve()}" if local.is_dir() else place
    words = [f"{key}={value}" for key, value in given.items()]
    program = (sys.executable, "-m", "cookiecutter")
    done = runner.run(
        Command(*program, *options, "--", place, *words), timeout=_TIMEOUT, changes=False
    )
    made = list(output.iterdir())
    if not done.ok or len(made) != 1:
        raise SpinstackError(
            "the template can't be filled in with the answers of this stack",
            where=without_password(f"{source.place} {source.checkout}".strip()),
            remedy="see above: name another commit with --checkout"
            if source.checkout
            else "see above: answer otherwise with --answer KEY=VALUE",
            details=_said(done),
        )
    made[0].rename(into)


def _said(done: Result) -> str:
    """What cookiecutter printed last: without where in its code it failed, and no password."""
    lines = split_lines(done.stderr.strip() or done.stdout.strip())
    traced = next((at for at, line in enumerate(lines) if line.startswith("Traceback ")), None)
    if traced is not None:
        lines = [*lines[:traced], *lines[-1:]]
    return without_password("\n".join(lines[-8:]))


def _refuse_unasked(given: Mapping[str, str], asked: Mapping[str, str]) -> None:
    for key in given:
        if key not in asked:
            raise UsageError(
                f"the template has no question {key!r}", remedy=f"use one of {', '.join(asked)}"
            )


def _bring(look: Runner, change: Runner, stack: Path, work: Path, outcome: Outcome) -> Outcome:
    old, new = work / git.OLD, work / git.NEW
    # These are the update's own; people are not shown how they change.
    made = {name: _taken(new / name) for name in record.FILES}
    for name in record.FILES:
        (old / name).unlink(missing_ok=True)
    _leave_out(look, stack, work, outcome)
    outcome.patch = git.difference(look, work).read_text(encoding="utf-8", errors="replace")
    outcome.changed = _changed(old, new)
    if outcome.nothing_to_do:
        return outcome
    for name, content in made.items():
        (new / name).write_bytes(content)
        if (stack / name).is_file():
            shutil.copyfile(stack / name, old / name)
    outcome.conflicts = git.apply(look, change, stack, work, git.difference(look, work))
    return outcome


def _taken(path: Path) -> bytes:
    content = path.read_bytes()
    path.unlink()
    return content


def _leave_out(look: Runner, stack: Path, work: Path, outcome: Outcome) -> None:
    """Forget the files that are not in the stack's repository, which git would refuse to change,
    and those that the template no longer has, but which a person has changed."""
    old, new = work / git.OLD, work / git.NEW
    there = git.tracked(look, stack) or set(_files(stack))
    for name in _files(old):
        if name not in there or not (stack / name).is_file():
            if _content(new / name) != _content(old / name):
                outcome.left_out.append(name)
            (old / name).unlink()
            (new / name).unlink(missing_ok=True)
    for name in git.removed(look, work):
        if _content(stack / name) != _content(old / name):
            outcome.kept.append(name)
            (old / name).unlink()


def _files(directory: Path) -> list[str]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return sorted(path.relative_to(directory).as_posix() for path in found)


def _changed(old: Path, new: Path) -> list[str]:
    names = sorted({*_files(old), *_files(new)})
    return [name for name in names if _content(old / name) != _content(new / name)]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
