"""Lists of resources with `-q`, `--format` and a table, as `secrets ls` and `volumes ls` have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import log
from ..api import Resource
from ..table import table
from .formatting import print_formatted

# Not listed without --all.
_AT_REST = ("inactive", "stopped", "removing")


def listed(found: Sequence[Resource], options: Mapping[str, Any]) -> list[Resource]:
    """Those that a list has which may be asked for `--all`."""
    return [item for item in found if options["all"] or item.get("state") not in _AT_REST]


def show(
    kind: str, found: Sequence[Resource], columns: Mapping[str, str], options: Mapping[str, Any]
) -> None:
    """`kind`: the Go name of the resource; `columns`: heading -> field."""
    if options["quiet"]:
        for resource in found:
            log.say(resource["id"])
    elif options["format"]:
        from ..gostruct import struct

        rows = [{"ID": item["id"], kind: struct(kind, item)} for item in found]
        print_formatted(options["format"], rows)
    else:
        cells = [[str(item.get(key) or "") for key in columns.values()] for item in found]
        for line in table(tuple(columns), cells):
            log.say(line)
