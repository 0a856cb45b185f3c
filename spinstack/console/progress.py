"""The progress of one step, as it is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from spinstack.text import harmless, one_line

# Seconds: between two updates; until a step gets a live line, and its amount a bar.
TICK, A_MOMENT, BAR_AFTER = 0.1, 0.2, 1.0

# Seconds until the first heartbeat in a log; then twice, four times … as many, but never
# longer apart than `LONGEST_SILENCE`.
FIRST_SIGN, LONGEST_SILENCE = 10.0, 60.0

# As much of a program's line as is worth showing.
_LONGEST_DETAIL = 200


@dataclass(frozen=True)
class Amount:
    """The progress of a step: `done` of `total`, and the words for it (`step 4/9`)."""

    done: float
    total: float
    told: str

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total else 0.0


class StepDisplay:
    """A running step. All its texts are harmless, and of one line."""

    def __init__(self, name: str) -> None:
        self.name = _shown(name)
        self.began = time.monotonic()
        self.outcome = ""
        self.doing = ""
        self.amount: Amount | None = None
        self.next_sign = FIRST_SIGN

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def detail(self, text: str) -> None:
        """What it is waiting for; shown only while it runs."""
        self.doing = _shown(text)[:_LONGEST_DETAIL]

    def bytes(self, done: float, total: float) -> None:
        """How much is uploaded; a bar if it takes longer than a second."""
        self.amount = Amount(done, total, bytes_told(done, total))
        self.amount = replace(self.amount, told=f"{self.amount.told} {self.amount.share:.0%}")

    def parts(self, done: float, total: float, told: str) -> None:
        """How many parts are done, in words such as `step 4/9`."""
        self.amount = Amount(done, total, _shown(told))

    def done(self, outcome: str) -> None:
        """Its outcome, shown when the step ends."""
        self.outcome = _shown(outcome)

    def sign(self) -> str:
        """A heartbeat: a line in a log that says that it is still running."""
        far = " ".join(
            part for part in (self.amount.told if self.amount else "", self.doing) if part
        )
        return f"… {self.name:<18} {far[:80]}{' ' if far else ''}{self.seconds:.0f} s"


def _shown(text: str) -> str:
    return one_line(harmless(text))


def bytes_told(done: float, total: float) -> str:
    """`12.3/114.0 MB`, in powers of 1000 as engines show sizes."""
    unit, size = next((unit, size) for unit, size in _UNITS if total >= size or size == 1)
    digits = 0 if size == 1 else 1
    return f"{min(done, total) / size:.{digits}f}/{total / size:.{digits}f} {unit}"


_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))
