"""Services exactly as Rancher has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from spinstack import cattle
from spinstack.errors import SpinstackError
from spinstack.on_rancher import OnRancher
from spinstack.script import Step


def inspect(there: OnRancher, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rancher's own resource of each service. Ask only about services that `ps` lists: for
    others the CLI creates a stack, prints an error and exits 0.

    Raises SpinstackError for an answer that is no JSON.
    """
    steps = [
        Step(f"inspect {name}", (cattle.rancher("inspect", f"{there.stack}/{name}"),), must=False)
        for name in names
    ]
    result = there.run(*steps, seconds=cattle.QUICK * len(steps) + 60)
    if there.node.dry:
        return {}
    found = {}
    for name, step in zip(names, steps, strict=True):
        resource = _resource(result.output(step.name))
        if resource is None:
            done = result[step.name]
            raise there.failure(done, f"Rancher does not tell what it has of {name}")
        found[name] = resource
    return found


def _resource(output: str) -> dict[str, Any] | None:
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                return None
            return value if isinstance(value, dict) else None
    return None


def must_run(there: OnRancher, names: Sequence[str]) -> None:
    """Raises SpinstackError where there is nothing to look at."""
    if not names and not there.node.dry:
        raise SpinstackError(
            f"{there.stack} does not run", where=there.where, remedy="invoke deploy"
        )
