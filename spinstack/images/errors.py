"""What an engine's error output means for the person who reads it.

Known texts are in the table of known errors; here is which of them apply when, and what is
said about all others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spinstack.console import known_errors
from spinstack.console.error_table import Occasion
from spinstack.errors import SpinstackError
from spinstack.text import split_lines

# How many lines of the output are shown with the sentence.
TAIL = 15


@dataclass(frozen=True)
class Failure:
    """What an engine failed to do: `when`, for the table of known errors; what failed and what
    to do if it is not in there, with fields in braces."""

    when: Occasion
    what: str
    remedy: str


LOGIN = Failure("registry-login", "the login to {registry} failed", "see the reason above")
PUSH = Failure("push", "{reference} could not be pushed", "see the reason above")
BUILD = Failure(
    "build",
    "the image {key} could not be built",
    "see the last lines above; fix {dockerfile} and build again",
)


def explained(failure: Failure, output: str, fields: Mapping[str, str]) -> SpinstackError:
    """The failure as an error: the cause's sentence, the last lines of the output as details.

    `fields` fill the sentences; `where` among them is where it happened.
    """
    end, where = tail(output), fields.get("where", "")
    known = known_errors.find(end, failure.when, fields)
    if known is None:
        what, remedy = failure.what.format(**fields), failure.remedy.format(**fields)
        return SpinstackError(what, where=where, remedy=remedy, details=end)
    error = SpinstackError(known.cause, where=where, remedy=known.remedy, details=end)
    error.explained = True
    return error


def tail(output: str) -> str:
    """The last lines, without empty ones and Docker's advertisement for BuildKit."""
    lines = [line.rstrip() for line in split_lines(output)]
    return "\n".join([line for line in lines if line and not is_chatter(line)][-TAIL:])


def is_chatter(line: str) -> bool:
    """Whether the line says nothing about a failure: Docker's advice to install its newer
    builder, the progress of a layer."""
    return _CHATTER.search(line) is not None


_CHATTER = re.compile(
    r"^DEPRECATED: The legacy builder|^\s+Install the buildx component|docs\.docker\.com/go/buildx"
    r"|^[0-9a-f]{12}: (Preparing|Waiting|Pushing)\b"
)
