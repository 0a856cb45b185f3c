"""The notes beside the releases: who made one, what is unfinished, what ran. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

from spinstack.remote.owner import Owner
from spinstack.text import split_lines
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import UMASK, Step, json_object, write_line


@dataclass(frozen=True)
class ReleaseNote:
    """What is known about a release. `commit`: of the stack's git repository, empty without one;
    `dirty`: there were uncommitted changes. `images`: variable → reference."""

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
    value = json_object(output) or {}
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


def as_it_was_step(root: PurePosixPath, current: str, unfinished: Owner | None) -> Step:
    """Fails if another release became the current one, or an upgrade was begun or ended, since
    we looked."""
    link = shlex.quote(str(root / "current"))
    expected = shlex.quote(f"releases/{current}" if current else "")
    note = root / "unfinished.json"
    # A note that can't be read counts as none.
    sign = unfinished.nonce if unfinished else '"who"'
    begun = Command(*([] if unfinished else [Raw("!")]), "grep", "-qsF", sign, str(note))
    return Step(
        "as it was",
        (
            Command(Raw(f'test "$(readlink {link} 2>/dev/null)" = {expected}')),
            begun,
        ),
    )


def note_release_step(directory: PurePosixPath, note: ReleaseNote) -> Step:
    """Note who made a release, unless there is a note already."""
    path = directory / "release.json"
    absent = Command("test", "-e", str(path), Raw("||"), Raw("{"))
    write = Command(*absent.words, *write_line(note.text(), path).words, Raw(";"), Raw("}"))
    return Step("note the release", (UMASK, write))


def unfinished_step(root: PurePosixPath, begun: Owner) -> Step:
    """Note that an upgrade begins, before it does."""
    return Step("note the upgrade", (UMASK, write_line(begun.text(), root / "unfinished.json")))


def read_unfinished_step(root: PurePosixPath) -> Step:
    return Step("unfinished", (Command("cat", str(root / "unfinished.json")),), must=False)


def finished_step(root: PurePosixPath) -> Step:
    """The upgrade is over, one way or the other."""
    return Step("forget the upgrade", (Command("rm", "-f", str(root / "unfinished.json")),))


def current_step(root: PurePosixPath, release_id: str) -> Step:
    """The release is running and confirmed: point `current` to it, atomically."""
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
    """The releases, oldest first, each with whether it was ever confirmed."""
    found: list[tuple[ReleaseNote, bool]] = []
    entry: list[str] = []
    name, ran = "", False

    def close() -> None:
        if name:
            found.append((parse_note("\n".join(entry), name), ran))

    for line in split_lines(output):
        words = line.split(" ")
        if len(words) == 3 and words[0] == "release":
            close()
            name, ran, entry = words[1], words[2] == "yes", []
        else:
            entry.append(line)
    close()
    return sorted(found, key=lambda pair: pair[0].id)
