"""A finding: what is wrong, where, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One violation of a rule.

    `rule`: id such as `port-range`. `where`: file and line, path, or name of the answer.
    `problem`: what is wrong, naming the value. `remedy`: what is allowed, what to do.
    """

    rule: str
    where: str
    problem: str
    remedy: str
    severity: Severity = "error"

    def line(self) -> str:
        return f"{self.where}: {self.problem} ({self.remedy}) [{self.rule}]"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that prevent a deploy."""
    return [finding for finding in findings if finding.severity == "error"]
