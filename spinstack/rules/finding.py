"""A finding: what is wrong, where, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from spinstack.errors import SpinstackError

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


def unseen(error: SpinstackError, place: str) -> Finding:
    """What the platform did not say, to stand beside what was found."""
    said = error.details.strip().rpartition("\n")[2] if not error.explained else ""
    problem = f"{error.what}: {said}" if said else error.what
    return Finding("deploy-unseen", error.where or place, problem, error.remedy)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that prevent a deploy."""
    return [finding for finding in findings if finding.severity == "error"]
