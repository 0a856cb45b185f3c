"""What this machine needs for a deploy, part by part: is it there, does it answer?

All parts are checked in parallel and with a time limit, so that it takes seconds, with or without
a network. Nothing is changed and nobody is logged in.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from spinstack.errors import SpinstackError

# Seconds for everything together.
PATIENCE = 10.0

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Outcome:
    """What was found about one part. `state`: a problem prevents a deploy, a warning does not.
    `remedy` is empty if all is well."""

    part: str
    state: State
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Part:
    """A part to check: its name and the function that looks at it, maybe at several parts."""

    name: str
    look: Callable[[], Outcome | Sequence[Outcome]]


def examine(parts: Sequence[Part], *, patience: float = PATIENCE) -> list[Outcome]:
    """Look at all parts in parallel. Returns their outcomes in the order of the parts.

    A part that does not answer in time is a problem. So is a SpinstackError, in its own words.
    """
    answers: queue.Queue[tuple[int, list[Outcome]]] = queue.Queue()
    for number, part in enumerate(parts):
        # Daemon threads: one that hangs in the network must not keep the program from ending.
        look = threading.Thread(
            target=lambda n=number, p=part: answers.put((n, _looked_at(p))), daemon=True
        )
        look.start()
    found: dict[int, list[Outcome]] = {}
    deadline = time.monotonic() + patience
    while len(found) < len(parts):
        try:
            number, outcomes = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[number] = outcomes
    late = {n: [_silent(part, patience)] for n, part in enumerate(parts) if n not in found}
    return [one for n in range(len(parts)) for one in {**found, **late}[n]]


def examine_in_turn(parts: Iterable[Part]) -> list[Outcome]:
    """The same one after another, for a dry run, whose lines must not mix."""
    return [outcome for part in parts for outcome in _looked_at(part)]


def _looked_at(part: Part) -> list[Outcome]:
    try:
        outcome = part.look()
    except SpinstackError as error:
        where = f" ({error.where})" if error.where else ""
        return [Outcome(part.name, "problem", error.what + where, error.remedy)]
    except Exception as error:  # a thread's traceback would be lost, and the part with it
        remedy = "please report this bug of spinstack"
        return [Outcome(part.name, "problem", f"{type(error).__name__}: {error}", remedy)]
    return [outcome] if isinstance(outcome, Outcome) else list(outcome)


def _silent(part: Part, patience: float) -> Outcome:
    return Outcome(
        part.name,
        "problem",
        f"no answer within {patience:.0f} s",
        "check whether the network or the program hangs",
    )


def problems(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that prevent a deploy."""
    return [outcome for outcome in outcomes if outcome.state == "problem"]
