"""What the server answered to an order about single objects: the objects, or why not. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster.output import (
    CONFLICT,
    EXISTS,
    NOT_FOUND,
    bare,
    complaints,
)
from spinstack.platforms.kubernetes.cluster.tree import items, text
from spinstack.transport.script import json_objects


@dataclass(frozen=True)
class Answer:
    """`objects`: as they are in the cluster now. `exists`: one of them was there already;
    `conflict`: somebody has changed one since it was read; `missing`: one is not there."""

    objects: tuple[dict[str, Any], ...] = ()
    exists: bool = False
    conflict: bool = False
    missing: bool = False

    @property
    def ok(self) -> bool:
        return not (self.exists or self.conflict or self.missing)


def read(output: str) -> Answer:
    """From what `get`, `create`, `replace`, `patch` or `delete` printed: with `-o json` objects,
    else a line for each. Raises Garbled for any other complaint, and for what is no answer; nothing
    (a dry run, or what is not there and need not be) has no objects."""
    said = complaints(output, errors_only=True)
    objects: list[dict[str, Any]] = []
    shown = list(json_objects(output))
    for one in shown:
        objects += items(one, "items") if text(one, "kind").endswith("List") else [one]
    known = {key: any(line.startswith(key) for line in said) for key in _KEYS}
    unknown = [line for line in said if not line.startswith(_KEYS)]
    rest = bare(output)
    done = any(_DONE.match(line) for line in rest)
    if unknown or (rest and not (shown or said or done)):
        raise Garbled(output)
    return Answer(tuple(objects), known[EXISTS], known[CONFLICT], known[NOT_FOUND])


# `configmap/x`, `deployment.apps/x patched`, `configmap "x" deleted from y namespace`.
_DONE = re.compile(r"[a-z0-9.-]+/\S+( [a-z-]+)?$|[a-z0-9.-]+ \"[^\"]+\" deleted")
_KEYS = (EXISTS, CONFLICT, NOT_FOUND)
