"""What `setup` finds on the login node: the steps that look, and their output as values.

Pure, except that shell functions are read from the package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from spinstack.config.settings import Destination
from spinstack.platforms.base import Platform
from spinstack.remote.history.checkouts import Source, git_step
from spinstack.text import split_lines
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import Script, ScriptResult, Step

_FUNCTIONS = Path(__file__).with_name("look.sh")
# Seconds that looking may take: each repository is asked once, for 60 s at most.
SECONDS = 300.0


@dataclass(frozen=True)
class Place:
    """What exists at a path, links followed. `mode` as `ls -l` shows it (`drwxr-x--x`)."""

    uid: str
    owner: str
    mode: str

    @property
    def is_directory(self) -> bool:
        return self.mode.startswith("d")

    @property
    def passable(self) -> bool:
        """Whether everybody can enter it: `t` is the sticky bit with x, `T` without."""
        return not self.is_directory or self.mode[9:10] in ("x", "t")


@dataclass(frozen=True)
class Repository:
    """A git checkout. `target`: the commit that its remote repository has for the ref, empty if
    none. `silent`: the remote repository did not answer. `said`: git's own messages."""

    head: str
    origin: str
    changed: bool
    ahead: bool
    target: str
    is_branch: bool
    silent: bool
    said: str


@dataclass(frozen=True)
class Facts:
    """Everything that was found. `has_access` is None if the platform can't be used at all;
    `refused`: its message to an account that it did not let in."""

    uid: str
    user: str
    places: dict[str, Place] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    has_access: bool | None = None
    refused: str = ""

    def way_to(self, path: str) -> Iterator[str]:
        """Every directory from / down to a path, then those down to where its links lead."""
        for end in dict.fromkeys((path, self.real.get(path, path))):
            pure = PurePosixPath(end)
            yield from (str(part) for part in (*reversed(pure.parents), pure))


def look(
    project_dir: str, sources: Sequence[Source], destination: Destination, platform: Platform
) -> Script:
    """The script that finds out everything and changes nothing."""
    paths = [project_dir, *(source.path for source in sources)]
    return Script(
        (
            git_step(),
            # $USER, since `id -un` fails if the files that it reads have no name for the number.
            Step("account", (Command("id", "-u"), Command("echo", Raw('"$USER"')))),
            Step(
                "directories",
                (Command(Raw(program(_FUNCTIONS))), Command("spinstack_directories", *paths)),
            ),
            *(
                Step(
                    f"look at {source.name}",
                    (Command("spinstack_checkout", source.path, source.checkout.ref),),
                    must=False,
                )
                for source in sources
                if source.checkout
            ),
            platform.ready(destination),
            platform.has_access(),
            platform.states(if_access=True),
        ),
        seconds=SECONDS,
    )


def parse(
    result: ScriptResult, project_dir: str, sources: Sequence[Source], platform: Platform
) -> Facts:
    """The facts from what the script printed."""
    paths = [project_dir, *(source.path for source in sources)]
    numbered = {str(number): path for number, path in enumerate(paths)}
    account = [*result.output("account").split(), "", ""]
    places: dict[str, Place] = {}
    real: dict[str, str] = {}
    access: dict[str, str] = {}
    for name, *parts in _facts(result.output("directories")):
        if name == "place" and len(parts) == 4:
            uid, owner, mode, path = parts
            places[path] = Place(uid, f"uid {uid}" if owner == "UNKNOWN" else owner, mode)
        elif name in ("real", "access") and parts[0] in numbered and len(parts) == 2:
            (real if name == "real" else access)[numbered[parts[0]]] = parts[1]
    repositories, empty = {}, []
    for source in sources:
        if source.checkout is None:
            continue
        output = result.output(f"look at {source.name}")
        found = _repository(output, source.checkout.ref)
        if found:
            repositories[source.path] = found
        elif "empty\t" in output:
            empty.append(source.path)
    begun = {step.name: step for step in result.steps}
    allowed, states = begun.get(platform.has_access().name), begun.get(platform.states().name)
    return Facts(
        uid=account[0],
        user=account[1],
        places=places,
        real=real,
        access=access,
        repositories=repositories,
        empty=frozenset(empty),
        has_access=allowed.ok if allowed else None,
        refused=states.output if allowed and allowed.ok and states and not states.ok else "",
    )


def _facts(output: str) -> Iterator[list[str]]:
    """Each line's parts; a path, which comes last, may have tabs of its own."""
    for line in split_lines(output):
        name, tab, rest = line.partition("\t")
        if tab:
            yield [name, *rest.split("\t", 3 if name == "place" else 1)]


def _repository(output: str, ref: str) -> Repository | None:
    facts = {name: parts[0] for name, *parts in _facts(output)}
    if "head" not in facts:
        return None
    heads = {
        parts[0]: name for name, *parts in _facts(output) if re.fullmatch("[0-9a-f]{40}", name)
    }
    tag = heads.get(f"refs/tags/{ref}^{{}}") or heads.get(f"refs/tags/{ref}")
    branch = heads.get(f"refs/heads/{ref}")
    # A commit is not a ref: only the checkout can tell whether it knows it.
    commit = facts.get("known", "") if re.fullmatch("[0-9a-f]{7,40}", ref) else ""
    target = tag or branch or commit if ref else heads.get("HEAD", "")
    said = [line for line in split_lines(output) if "\t" not in line and line.strip()]
    return Repository(
        head=facts["head"],
        origin=facts.get("origin", ""),
        changed=facts.get("changed", "0").strip() != "0",
        ahead=facts.get("ahead", "0") not in ("0", ""),
        target=target or "",
        is_branch=bool(branch and not tag),
        silent="silent" in facts,
        said="\n".join(said),
    )
