"""How far a build or a push is, read from what the engine's client prints.

Builds: the classic builder (`Step 4/9 : RUN …`), Podman (`[1/2] STEP 4/9: RUN …`), BuildKit
(`#7 [build 3/6] RUN …`, `#7 0.5 …`, `#7 DONE 1.2s`). Pushes: Docker's client on a terminal
(`5f70bf18a086: Pushing [==> ]  12.3MB/114MB`) and elsewhere (the same without figures), and
Podman's (`Copying blob 5f70bf18a086 [==>---] 12.3MiB / 114.0MiB`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinstack.console.progress import StepDisplay

_STEP = re.compile(r"(?:\[\d+/\d+\] )?step (\d+)/(\d+) ?: ?(.*)", re.IGNORECASE)
_VERTEX = re.compile(r"#(\d+) \[(?:(\S+) +)?(\d+)/(\d+)\] (.*)")
_OF_VERTEX = re.compile(r"#(\d+) (?:(DONE|CACHED|ERROR)\b.*|[\d.]+ (.*))")


@dataclass
class BuildProgress:
    """Feeds a build's output into its step."""

    step: StepDisplay
    # BuildKit's: which stage and number a vertex is, how many a stage has, which are done.
    _places: dict[str, tuple[str, int]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _done: set[tuple[str, int]] = field(default_factory=set)

    def line(self, text: str) -> None:
        """One line of output."""
        if found := _STEP.fullmatch(text.strip()):
            number, total, command = int(found[1]), int(found[2]), found[3]
            self.step.parts(number - 1, total, f"step {number}/{total}")
            self.step.detail(command)
        elif found := _VERTEX.fullmatch(text.strip()):
            self._began(found[1], found[2] or "", int(found[3]), int(found[4]))
            self.step.detail(found[5])
        elif found := _OF_VERTEX.fullmatch(text.strip()):
            self._goes_on(found[1], found[2] or "", found[3] or "")
        elif not text.strip().startswith("--->"):
            # The classic builder's names of containers and layers mean nothing to people.
            self.step.detail(text)

    def _began(self, vertex: str, stage: str, number: int, total: int) -> None:
        self._places[vertex] = (stage, number)
        self._sizes[stage] = total
        self._tell()

    def _goes_on(self, vertex: str, end: str, said: str) -> None:
        if end and vertex in self._places:
            self._done.add(self._places[vertex])
            self._tell()
        elif said:
            self.step.detail(said)

    def _tell(self) -> None:
        done, total = len(self._done), sum(self._sizes.values())
        self.step.parts(done, total, f"step {min(done + 1, total)}/{total}")


_LAYER = re.compile(
    r"([0-9a-f]{12}): (Preparing|Waiting|Pushing|Pushed|Layer already exists|Mounted from)\b(.*)"
)
_BLOB = re.compile(r"Copying blob (?:sha256:)?([0-9a-f]{12})[0-9a-f]* *(.*)")
_FIGURES = re.compile(r"([\d.]{1,20}) ?([kKMGT]i?)?B ?/ ?([\d.]{1,20}) ?([kKMGT]i?)?B")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


@dataclass
class _Layer:
    """Of an image. Sizes in bytes, 0 if unknown."""

    done: float = 0
    size: float = 0
    there: bool = False


@dataclass
class PushProgress:
    """Feeds a push's output into its step: bytes if the client reports them, otherwise layers."""

    step: StepDisplay
    _layers: dict[str, _Layer] = field(default_factory=dict)

    def line(self, text: str) -> None:
        """One line of output, or one state of a line that is overwritten."""
        found = _LAYER.match(text.strip()) or _BLOB.match(text.strip())
        if not found:
            self.step.detail(text)
            return
        state, rest = (found[2], found[3]) if len(found.groups()) == 3 else ("", found[2])
        layer = self._layers.setdefault(found[1], _Layer())
        _note(layer, state, rest)
        self._tell()

    def _tell(self) -> None:
        layers = list(self._layers.values())
        size = sum(layer.size for layer in layers)
        there = sum(layer.there for layer in layers)
        self.step.detail(f"layer {min(there + 1, len(layers))} of {len(layers)}" if size else "")
        if size:
            self.step.bytes(sum(layer.done for layer in layers), size)
        else:
            self.step.parts(there, len(layers), f"{there} of {len(layers)} layers")


def _note(layer: _Layer, state: str, rest: str) -> None:
    figures = _FIGURES.search(rest)
    if figures:
        layer.size = _bytes(figures[3], figures[4])
        layer.done = min(_bytes(figures[1], figures[2]), layer.size)
    elif state == "Pushing":
        # Docker leaves the size out if the layer turns out larger than expected.
        layer.done = layer.size
    if state in ("Pushed", "Layer already exists", "Mounted from") or rest.startswith(
        ("done", "skipped")
    ):
        layer.there, layer.done = True, layer.size


def _bytes(number: str, unit: str | None) -> float:
    """`12.3`, `M` -> 12 300 000. Units with an `i` are powers of 1024."""
    base = 1024 if unit and unit.endswith("i") else 1000
    try:
        return float(number) * float(base ** _POWERS[(unit or "")[:1].replace("K", "k")])
    except ValueError:  # dots only
        return 0.0
