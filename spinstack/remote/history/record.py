"""The history of a stack: one line for every change, on the project file system.

`<project dir>/<stack>/history.jsonl`, one JSON object per line, in ASCII, readable by the group.
Lines are only ever appended, each by one write, so that those of two people do not mix. Pure:
values to steps, text to values.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any

from spinstack import __version__
from spinstack.text import one_line
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import UMASK, Step, json_object

FILE = "history.jsonl"
STEP = "history"

DONE = "done"
FAILED = "failed"
TAKEN_BACK = "taken back"
LEFT_OPEN = "left open"

# Values that the login node fills in when the line is appended.
WHEN = "@WHEN@"
WHO = "@WHO@"
RELEASE = "@RELEASE@"
# Value -> the bash that finds it there: its clock, the account, the release that `current` links.
_FILLED = {
    ("when", WHEN): "date -u +%Y-%m-%dT%H:%M:%SZ",
    ("who", WHO): "id -un | tr -cd 'A-Za-z0-9._@+-'",
    ("release", RELEASE): "readlink current | grep -oE '[0-9]{8}-[0-9]{6}-[0-9a-f]{8}$'",
}
# A write of up to PIPE_BUF bytes is atomic everywhere; bash's printf writes that much at once.
LONGEST = 4095


@dataclass(frozen=True)
class Record:
    """A change that has ended.

    `when`: ISO 8601 in UTC, to the second; `who`: login name there; `host`: the laptop's name;
    `doing`: the task; `outcome`: one of the four above. `release`: the one that runs after it,
    or that was tried (`outcome` failed or taken back); `previous`: the one before. `commit` of
    the stack's git repository, `dirty`: with uncommitted changes. `images`: variable →
    reference, with its digest if known. `detail`: what it was done to (`web=3`, names of
    secrets, never a value), or the first line of the error. `spinstack`: our version.
    """

    when: str = WHEN
    who: str = WHO
    host: str = ""
    stack: str = ""
    destination: str = ""
    doing: str = ""
    outcome: str = DONE
    release: str = ""
    previous: str = ""
    commit: str = ""
    dirty: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    spinstack: str = __version__

    @property
    def moment(self) -> datetime:
        """`when` as a time. Raises ValueError if it is not one."""
        return datetime.strptime(self.when, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def line(record: Record) -> str:
    """One line of JSON, without its newline. The detail is cut so that the line fits into one
    write; many images may still make it longer."""
    text = _json(record)
    while len(text) > LONGEST - 100 and record.detail:
        record = replace(record, detail=record.detail[: len(record.detail) // 2].rstrip())
        text = _json(record)
    return text


def _json(record: Record) -> str:
    return json.dumps(asdict(record), ensure_ascii=True)


def line_template(record: Record) -> str:
    """The line with WHEN in place of its time, for scripts that end while nobody watches;
    `append_command` fills it in."""
    return line(replace(record, when=WHEN))


def filled_in(template: str, who: str) -> str:
    """A line with its time and its author, for one who writes it now; RELEASE stays."""
    when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return template.replace(f'"{WHEN}"', json.dumps(when)).replace(f'"{WHO}"', json.dumps(who))


def append_command(root: PurePosixPath, template: str, *, make: bool = True) -> Command:
    """Append a line, its marks (WHEN, WHO, RELEASE) filled in, in a shell of its own.

    Exit code and message are those of the write. A line cut off by a full disk or a dead node is
    ended first. Without `make`, do nothing if there is no project directory.
    """
    there, project = shlex.quote(str(root)), shlex.quote(str(root.parent))
    lines = ["(", UMASK.script()] if make else ["(", f"test -d {project} || exit 0", UMASK.script()]
    lines += [f"mkdir -p {there} && cd {there} || exit", f"line={shlex.quote(template)}"]
    # Appending would follow it, perhaps into a file of ours.
    theirs = f'find {FILE} -type l ! -user "$UID" ! -user 0 2>/dev/null | grep -q .'
    lines += [f"if {theirs}; then echo {FILE} is a link of somebody else; exit 1; fi"]
    lines += [_fill(key, mark, value) for (key, mark), value in _FILLED.items()]
    lines += [
        f"{{ gap=; test -s {FILE} && test -n \"$(tail -c 1 {FILE})\" && gap=$'\\n'; }} 2>/dev/null",
        f'printf \'%s%s\\n\' "$gap" "$line" >>{FILE} )',
    ]
    return Command(Raw("\n".join(lines)))


def _fill(key: str, mark: str, command: str) -> str:
    """The mark is matched with its key: inside a value the quotes would be `\\"`."""
    old = shlex.quote(f'"{key}": "{mark}"')
    found = f"case $line in (*{old}*)"
    new = f'new="\\"{key}\\": \\"$({command} 2>/dev/null)\\""'
    return f'{found} {new}; line=${{line/{old}/"$new"}};; esac'


def append_step(root: PurePosixPath, record: Record) -> Step:
    """Append the record to the history; if that fails, nothing else does. The record of a failure
    does not create the project directory, whose name may be a typo."""
    command = append_command(root, line(record), make=record.outcome != FAILED)
    return Step(STEP, (command,), must=False)


def read_step(root: PurePosixPath) -> Step:
    """Prints the history; nothing if there is none yet. Fails if it can't be read."""
    path = shlex.quote(str(root / FILE))
    return Step(STEP, (Command(Raw(f"if test -e {path}; then cat {path}; fi")),), must=False)


def parse(output: str) -> list[Record]:
    """The records, oldest first; other lines (cut off, blank) are skipped."""
    found = [_record(text.strip("\0 \r")) for text in output.split("\n")]
    return sorted((one for one in found if one), key=lambda one: one.when)


_TEXTS = {item.name for item in fields(Record)} - {"dirty", "images"}


def _record(text: str) -> Record | None:
    value = json_object(text)
    if value is None:
        return None
    texts = {key: _text(value.get(key)) for key in _TEXTS}
    record = Record(**texts, dirty=value.get("dirty") is True, images=_images(value.get("images")))
    try:
        record.moment  # noqa: B018 - raises ValueError for a line without a time
    except ValueError:
        return None
    return record if record.doing else None


def _images(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {_text(key): _text(reference) for key, reference in items}


def _text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""
