"""Commands in what people are told, for the destination that they are working with."""

from __future__ import annotations

import re

# A command of a task, in backquotes; and the tasks that have no destination.
_COMMAND = re.compile(
    r"`((?:invoke|spinstack) (?!(?:new|init|update|completion)\b|rehearsal\.)[a-z][\w.-]*)([^`]*)`"
)
_GIVEN = re.compile(r" --to \S+")


def addressed(text: str, to: str) -> str:
    """The text with `--to` in every command: typed as it stands, a command would otherwise go to
    the destination that is set in invoke.yaml. `to`: what was typed; empty if nothing was."""
    if not to:
        return text
    return _COMMAND.sub(lambda it: f"`{it[1]} --to {to}{_GIVEN.sub('', it[2])}`", text)
