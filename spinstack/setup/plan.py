"""What `setup` will do about what it found: a line for each thing, some with a step. Pure.

Nothing is created outside the project directory, nothing that belongs to somebody else is changed,
and no checkout with local changes is touched: for those, a line says what you have to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from spinstack.config.settings import Checkout
from spinstack.console import known_errors
from spinstack.remote.history.checkouts import Source
from spinstack.rules import names
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding
from spinstack.setup.facts import Facts, Place, Repository
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.script import Step

State = Literal["ok", "made", "updated", "left", "needs you"]

# Seconds that a clone or a fetch may take.
CLONE_SECONDS = 900


@dataclass(frozen=True)
class Line:
    """What a person reads about one thing: its state, where it is, and what they have to do."""

    state: State
    what: str
    where: str
    text: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Item:
    """A line; if it has a step, it is true once the step has succeeded."""

    line: Line
    step: Step | None = None


def unmountable(project_dir: str, wanted: Sequence[Source], centre: Centre) -> list[Finding]:
    """What Spin could not mount, found before anything is created."""
    findings = names.mountable_path(project_dir, centre, "project_dir")
    for source in wanted:
        findings += names.mountable_path(source.path, centre, source.name)
    return findings


def leads_away(facts: Facts, path: str, centre: Centre) -> str:
    """Where a path really leads, if Spin can't mount that; else empty."""
    real = facts.real.get(path, path)
    away = names.is_below(real, centre.unmountable) and not names.is_below(real, centre.mountable)
    return real if away else ""


def plan(project_dir: str, wanted: Sequence[Source], facts: Facts) -> list[Item]:
    """A line for the project directory, each mounted directory and each closed directory above
    them, in the order in which things can be created."""
    items = [_project(project_dir, facts)]
    for source in wanted:
        items.append(_source(source, project_dir, facts))
    items += _closed([project_dir, *(source.path for source in wanted)], project_dir, facts)
    return items


def _project(path: str, facts: Facts) -> Item:
    what = "project directory"
    if path not in facts.places:
        line = Line("made", what, path, "created, with o+x")
        # Everything else is inside it: without it nothing else is tried.
        return Item(line, Step(f"make the {what}", (_make(path),), must=True))
    return _usable(what, Source(what, path, writable=True), facts)


def _make(path: str) -> Command:
    return Command("mkdir", "-p", "--", path)


def _usable(what: str, source: Source, facts: Facts) -> Item:
    """An existing directory: whether we may do in it what the containers, which run as us, have
    to do."""
    place = facts.places[source.path]
    if not place.is_directory and source.writable:
        text = "exists but is not a directory"
        remedy = "move it away, then run setup again"
        return Item(Line("needs you", what, source.path, text, remedy))
    access = facts.access.get(source.path, "")
    wanted = "rwx" if source.writable else "rx" if place.is_directory else "r"
    if set(wanted) <= set(access):
        return Item(Line("ok", what, source.path, _by(place, facts)))
    verb = "write to" if source.writable else "read"
    text = f"{facts.user} can't {verb} it; it belongs to {place.owner} ({place.mode})"
    # Of its owner's rights nothing counts but those of the owner.
    who = "u" if place.uid == facts.uid else "g"
    right = f"{who}+rwx" if source.writable else f"{who}+rX"
    command = Command("chmod", right, source.path).shown()
    remedy = f"run: {command}"
    if place.uid != facts.uid:
        remedy = f"ask {place.owner} to run: {command}; you must be in its group"
    return Item(Line("needs you", what, source.path, text, remedy))


def _by(place: Place, facts: Facts) -> str:
    return "yours" if place.uid == facts.uid else f"belongs to {place.owner}"


def _source(source: Source, project_dir: str, facts: Facts) -> Item:
    there = source.path in facts.places and source.path not in facts.empty
    if there:
        return _checkout(source, facts) if source.checkout else _usable(source.name, source, facts)
    hidden = _hidden(source.path, facts)
    if hidden:
        return Item(Line("needs you", source.name, source.path, *hidden))
    command = _clone(source.checkout, source.path) if source.checkout else (_make(source.path),)
    if not names.is_below(source.path, [project_dir]):
        remedy = "check the env file for a typo, or run on the login node: "
        remedy += " && ".join(part.shown() for part in command)
        text = "is missing; nothing is created outside the project directory"
        return Item(Line("needs you", source.name, source.path, text, remedy))
    text = "created"
    if source.checkout:
        text = f"cloned at {source.checkout.ref or 'its default branch'}"
    line = Line("made", source.name, source.path, text)
    return Item(line, Step(f"make {source.name}", command, must=False))


def _hidden(path: str, facts: Facts) -> tuple[str, str] | None:
    """What can be said of a missing path below a closed directory, and what to do: whether it is
    there nobody can see."""
    there = [part for part in facts.way_to(path) if part in facts.places]
    place = facts.places[there[-1]] if there else None
    if path in there or place is None or place.passable or place.uid == facts.uid:
        return None
    last = there[-1]
    text = f"can't be seen: {last} is closed; it belongs to {place.owner} ({place.mode})"
    return text, f"ask {place.owner} to run: {_passable(last)}; then run setup again"


def _passable(path: str) -> str:
    return Command("chmod", "o+x", "--", path).shown()


def _clone(checkout: Checkout, path: str) -> tuple[Command, ...]:
    """The checkout appears complete or not at all: an interrupted clone is thrown away."""
    partial = f"{path}.partial"
    commands = [
        _make(str(PurePosixPath(path).parent)),
        Command("rm", "-rf", "--", partial),
        _slow("git", "clone", "--quiet", "--no-checkout", "--", checkout.url, partial),
        Command("git", "-C", partial, "checkout", "--quiet", checkout.ref or "HEAD"),
        Command("mv", "-T", "--", partial, path),
    ]
    return tuple(commands)


def _slow(*words: str) -> Command:
    return Command("timeout", "-k", "5", str(CLONE_SECONDS), *words)


def _checkout(source: Source, facts: Facts) -> Item:
    """A directory where a checkout belongs: it is at the wanted commit, moved to it, or left."""
    checkout, path = source.checkout, source.path
    assert checkout is not None
    usable = _usable(source.name, source, facts)
    if usable.line.state != "ok":
        return usable
    found = facts.repositories.get(path)
    if found is None:
        return _left(source, "exists but is not a git checkout: left as it is")
    if facts.places[path].uid != facts.uid:
        owner = facts.places[path].owner
        return _left(source, f"{owner}'s checkout, at {found.head[:10]}: left as it is")
    if found.origin and _same_place(found.origin) != _same_place(checkout.url):
        return _left(source, f"a checkout of {found.origin}, not {checkout.url}: left as it is")
    return _moved(source, checkout, found)


def _left(source: Source, text: str) -> Item:
    return Item(Line("left", source.name, source.path, text))


def _same_place(url: str) -> str:
    """`host/path` of a repository, whatever the protocol."""
    bare = re.sub(r"^[a-z+]+://", "", url.rstrip("/").removesuffix(".git"))
    return re.sub(r"^[^@/]+@", "", bare).replace(":", "/").lower()


def _moved(source: Source, checkout: Checkout, found: Repository) -> Item:
    ref = checkout.ref or "the default branch"
    if found.silent or not found.head:
        reason, remedy = why(found.said)
        text = f"at {found.head[:10] or 'no commit'}; {checkout.url} could not be asked for {ref}"
        return Item(Line("needs you", source.name, source.path, f"{text}: {reason}", remedy))
    if not found.target and not re.fullmatch("[0-9a-f]{7,40}", checkout.ref):
        text = f"{checkout.url} has no branch or tag {ref!r}"
        remedy = f"set checkouts.{source.name}.ref in invoke.yaml to one that exists"
        return Item(Line("needs you", source.name, source.path, text, remedy))
    if found.target == found.head:
        mine = ", with local changes" if found.changed else ""
        return Item(Line("ok", source.name, source.path, f"{ref} at {found.head[:10]}{mine}"))
    aim = f"{ref} ({found.target[:10]})" if found.target else ref
    if found.changed or found.ahead:
        mine = "local changes" if found.changed else "commits that are not pushed"
        text = f"has {mine}: left at {found.head[:10]}, not moved to {aim}"
        remedy = "push or stash them, then run setup again; see "
        remedy += Command("git", "-C", source.path, "status").shown()
        return Item(Line("needs you", source.name, source.path, text, remedy))
    line = Line("updated", source.name, source.path, f"from {found.head[:10]} to {aim}")
    return Item(line, update_step(source, found))


def update_step(source: Source, found: Repository | None = None) -> Step:
    """Fetch, then check out the ref; a branch is only fast-forwarded, so that nothing is lost."""
    checkout = source.checkout
    assert checkout is not None
    git = ("git", "-C", source.path)
    commands = [_slow(*git, "fetch", "--quiet", "--tags", "origin")]
    if found and not found.is_branch:
        commands.append(
            Command(*git, "checkout", "--quiet", "--detach", found.target or checkout.ref)
        )
    else:
        commands.append(Command(*git, "switch", "--quiet", checkout.ref))
        upstream = f"refs/remotes/origin/{checkout.ref}"
        commands.append(Command(*git, "merge", "--quiet", "--ff-only", upstream))
    return Step(f"update {source.name}", tuple(commands), must=False)


def _closed(paths: Sequence[str], project_dir: str, facts: Facts) -> Iterator[Item]:
    """Directories that others can't enter; one line if there are none."""
    roots = [project_dir, facts.real.get(project_dir, project_dir)]
    seen = dict.fromkeys(part for path in paths for part in facts.way_to(path))
    closed = [part for part in seen if part in facts.places and not facts.places[part].passable]
    for part in closed:
        yield _opened(part, mendable=names.is_below(part, roots), facts=facts)
    if not closed:
        text = "others can enter every directory down to the mounts (o+x)"
        yield Item(Line("ok", "permissions", project_dir, text))


def _opened(path: str, *, mendable: bool, facts: Facts) -> Item:
    place = facts.places[path]
    ours = place.uid == facts.uid
    chmod = Command("chmod", "o+x", "--", path)
    if ours and mendable:
        line = Line("updated", "permissions", path, "added o+x, so that Spin can enter it")
        return Item(line, Step(f"open {path}", (chmod,), must=False))
    text = f"lacks o+x, so Spin can't enter it; it belongs to {place.owner} ({place.mode})"
    remedy = f"it is yours, but above the project directory; run: {chmod.shown()}"
    if not ours:
        remedy = f"ask {place.owner} to run: {chmod.shown()}"
    return Item(Line("needs you", "permissions", path, text, remedy))


def failed(line: Line, reason: str, remedy: str) -> Line:
    """The line of something that could not be done."""
    return replace(line, state="needs you", text=f"not done: {reason}", remedy=remedy)


def why(output: str) -> tuple[str, str]:
    """What a program's output says about its failure, and what to do."""
    lines = [line for line in split_lines(output.strip()) if line.strip()]
    telling = [line for line in lines if re.match("(fatal|error|mkdir|mv|chmod):", line)]
    reason = next(iter(telling or lines[-1:]), "it printed nothing")
    known = known_errors.explain(output)
    if known:
        return f"{known.cause.rstrip('.')} ({reason})", known.remedy
    return reason, "fix what it reports; `--dry` shows the commands"
