"""Every rule: what it requires, why, and who says so."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from spinstack.errors import UsageError


@dataclass(frozen=True)
class Rule:
    """A rule, by the id in findings. `fix`: what `--fix` does about it; empty if a person has to
    decide."""

    id: str
    about: str
    reason: str
    source: str
    fix: str = ""

    def lines(self) -> list[str]:
        """As `invoke check --explain` prints it."""
        lines = [f"{self.id}: {self.about}", f"  why: {self.reason}", f"  source: {self.source}"]
        return [*lines, f"  --fix: {self.fix}"] if self.fix else lines


@cache
def rules() -> dict[str, Rule]:
    """All rules by id, from `rules.yaml`."""
    text = Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    return {key: Rule(id=key, **values) for key, values in data.items()}


def explain(id: str) -> Rule:
    """A rule. Raises UsageError for an unknown id, suggesting similar ones."""
    known = rules()
    if id not in known:
        near = difflib.get_close_matches(id, known, n=3, cutoff=0.5)
        remedy = "list them with `invoke check --explain all`"
        if near:
            remedy = f"did you mean {' or '.join(near)}?"
        raise UsageError(f"there is no rule {id!r}", remedy=remedy)
    return known[id]
