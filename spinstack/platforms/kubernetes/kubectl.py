"""The one builder of kubectl commands: each says which cluster and namespace it means.

What happens to be the current context is never used.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spinstack.transport.command import Command, Raw, Secret, Word

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

PROGRAM = "kubectl"
# Who changes fields: the same for every command, or an apply conflicts with our own changes.
FIELD_MANAGER = "spinstack"
# Seconds that a request to the server may take; kubectl makes up to a handful of them.
REQUEST = 10
# For a stream, which ends when it ends.
NO_LIMIT = 0
# More of a text than a dry run shows.
_LONG = 300


def kubectl(cluster: Cluster, *words: Word, seconds: int = REQUEST) -> Command:
    """A call of kubectl. `seconds`: how long a request to the server may take."""
    return Command(
        *(PROGRAM, "--kubeconfig", home(cluster.kubeconfig)),
        *("--context", cluster.context, "--namespace", cluster.namespace),
        *(f"--request-timeout={seconds}s", *words),
    )


def home(path: str) -> Word:
    """A path whose `~` is the home directory where the command runs."""
    match = re.fullmatch(r"~([A-Za-z0-9._-]*)/(.*)", path, re.DOTALL)
    if match is None:
        return path
    home = f"~{match[1]}" if match[1] else '"$HOME"'
    return Raw(f"{home}/{shlex.quote(match[2])}")


def fed(text: str, command: Command) -> Command:
    """A command that gets the text as its input, from printf, which is a builtin of bash: it is
    in no process's arguments."""
    word = Secret(text, f"'({len(text)} characters)'") if len(text) > _LONG else text
    return Command("printf", "%s", word, Raw("|"), *command.words)


def as_text(objects: Sequence[Mapping[str, Any]]) -> str:
    """Objects as kubectl reads them: one as it is, several as a list."""
    value: Any = objects[0]
    if len(objects) != 1:
        value = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return json.dumps(value, separators=(",", ":"))


def create(cluster: Cluster, *objects: Mapping[str, Any], output: str = "json") -> Command:
    """Creates objects, prints them as JSON, or their names; fails for one that exists."""
    words = ("create", f"--field-manager={FIELD_MANAGER}", "-f", "-", "-o", output)
    return fed(as_text(objects), kubectl(cluster, *words))


def replace(cluster: Cluster, *objects: Mapping[str, Any]) -> Command:
    """Replaces objects, prints them as JSON. An object with a `resourceVersion` is only replaced
    if nobody has changed it since it was read."""
    words = ("replace", f"--field-manager={FIELD_MANAGER}", "-f", "-", "-o", "json")
    return fed(as_text(objects), kubectl(cluster, *words))


def merge(cluster: Cluster, resource: Word, name: Word, patch: Word) -> Command:
    """Merges a patch (JSON) into an object."""
    words: tuple[Word, ...] = ("patch", resource, name, "--type=merge", "-p", patch)
    return kubectl(cluster, *words, f"--field-manager={FIELD_MANAGER}")
