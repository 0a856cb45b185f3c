"""kubectl as the person who has the cluster: always with its kubeconfig and context."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spinstack.errors import SpinstackError
from spinstack.text import read_json
from spinstack.transport.command import Command
from spinstack.transport.runner import Result, Runner

# Of a request to the server, and of a call that waits for nothing; seconds.
_REQUEST = 15
_WITHIN = 120.0


@dataclass(frozen=True)
class Kubectl:
    """`kubeconfig`: one file; `context`: one of its contexts."""

    runner: Runner
    kubeconfig: str
    context: str

    def command(self, *words: str, request: int = _REQUEST) -> Command:
        chosen = ("--kubeconfig", self.kubeconfig, "--context", self.context)
        return Command("kubectl", *chosen, f"--request-timeout={request}s", *words)

    def try_(self, *words: str, input: str | None = None, changes: bool = False) -> Result:
        """For those who expect a failure."""
        command = self.command(*words)
        return self.runner.run(command, input=input, timeout=_WITHIN, changes=changes)

    def run(self, *words: str, input: str | None = None, changes: bool = True) -> str:
        """What it prints. Raises SpinstackError with what it says if it fails."""
        result = self.try_(*words, input=input, changes=changes)
        if not result.ok:
            raise self.failure(result.stderr.strip())
        return result.stdout

    def get(self, *words: str) -> Any:
        """An object or a list of them; None for one that is not there. Raises SpinstackError."""
        words = ("get", *words, "--ignore-not-found", "-o", "json")
        text = self.run(*words, changes=False)
        try:
            return read_json(text) if text.strip() else None
        except ValueError:
            raise self.failure(f"no JSON: {text[:200]}") from None

    def apply(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Have the objects, and their fields as they are here. Raises SpinstackError."""
        words = ("apply", "--server-side", "--force-conflicts", "--field-manager=spinstack")
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.run(*words, "-f", "-", input=json.dumps(listed))

    def failure(self, said: str) -> SpinstackError:
        return SpinstackError(
            "the cluster did not do what a rehearsal needs",
            where=f"{self.kubeconfig}, context {self.context}",
            remedy="see what kubectl says above; a rehearsal needs the rights of an administrator",
            details=said,
        )
