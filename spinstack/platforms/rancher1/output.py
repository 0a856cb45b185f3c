"""The output of Rancher's command line: its log lines and its complaints. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from spinstack.text import split_lines
from spinstack.transport.script import json_object

_PLAIN = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg="?(?P<text>.*?)"?\s*$')
_TERMINAL = re.compile(r"(?P<level>INFO|WARN|ERRO|FATA)\[\d+\] (?P<text>.*?)\s*$")
# What it puts in front of an error when it logs it once more.
_REPEATED = re.compile(r"^(Failed (Creating|Starting) \S+ : |Failed to start: \S+ : )")
_LEVELS = {"INFO": "info", "WARN": "warning", "ERRO": "error", "FATA": "fatal"}

ERRORS = ("error", "fatal")
COMPLAINTS = ("warning", *ERRORS)

# States of what was removed: `--all` also lists that, for a while.
REMOVED = ("removed", "purging", "purged")

# What `complaints` finds, for grep.
_COLOUR = "(\x1b\\[[0-9;]*m)*"
# A line of a page, from something on the way that answers in Rancher's place.
_PAGE = r"<(!|\?xml|[Hh][Tt][Mm][Ll])"


def _pattern(words: str, short: str) -> str:
    return f'^{_COLOUR}(time="[^"]*" level=({words}) |({short}){_COLOUR}\\[|error |{_PAGE})'


ERROR_PATTERN = _pattern("error|fatal", "ERRO|FATA")
COMPLAINT_PATTERN = _pattern("warning|error|fatal", "WARN|ERRO|FATA")


@dataclass(frozen=True)
class LogLine:
    """A line of the CLI's own log: level (info, warning, error, fatal) and text."""

    level: str
    text: str


def parse_log(output: str) -> list[LogLine]:
    """The CLI's log lines, with and without a terminal's colours; all else is skipped."""
    lines = []
    for line in split_lines(output):
        bare = re.sub(r"\x1b\[[0-9;]*m", "", line)
        match = _PLAIN.match(bare) or _TERMINAL.match(bare)
        if match:
            level = _LEVELS.get(match["level"], match["level"])
            lines.append(LogLine(level, match["text"].replace('\\"', '"').strip()))
    return lines


def complaints(output: str, levels: Iterable[str] = COMPLAINTS) -> list[str]:
    """The CLI's complaints: its log lines of these levels and its `error ID: …` lines, and pages
    in their place. What it says twice or three times, in front of the same cause, is given once."""
    wanted = set(levels)
    texts = [line.text for line in parse_log(output) if line.level in wanted]
    texts += [line for line in split_lines(output) if re.match(f"error |{_PAGE}", line)]
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(_REPEATED.sub("", text), text)
    return list(found.values())


def is_garbled(text: str) -> bool:
    """Whether a command with `--format json` printed anything but objects and log lines."""
    lines = [line for line in split_lines(text) if line.strip()]
    objects = [line for line in lines if line.startswith("{")]
    if not objects:
        # It exits 0 on failures: where there is nothing to list, it prints no error either.
        return len(lines) > len(parse_log(text)) or bool(complaints(text, ERRORS))
    return any(json_object(line) is None for line in objects)
