"""What is running, since when, from which release and by whom: read in one go.

Pure except for the one script that `look` and `watch` run.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.platforms import base
from spinstack.platforms.base import Container, Phase, ServiceState
from spinstack.platforms.health import site
from spinstack.remote.stack import RemoteStack, Seen
from spinstack.text import whole_number
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step, StepResult

if TYPE_CHECKING:
    from spinstack.operate.stats import Stats


# Seconds between two looks of `watch`.
PAUSE = 2
_MARK = "@spinstack"


@dataclass(frozen=True)
class Overview:
    """A stack at a destination. `release`: id of the running one, `note`: what was noted when it
    was uploaded; `unfinished`: the note of an unfinished upgrade; `stats`: what services report
    about themselves."""

    stack: str
    destination: str
    environment: str
    services: list[ServiceState]
    containers: dict[str, list[Container]] = field(default_factory=dict)
    release: str = ""
    note: dict[str, Any] = field(default_factory=dict)
    unfinished: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Stats] = field(default_factory=dict)
    url: str = ""

    @property
    def unconfirmed(self) -> list[str]:
        return [service.name for service in self.services if service.open]

    @property
    def kept(self) -> list[Container]:
        """The containers from before an upgrade that is neither confirmed nor rolled back."""
        upgraded = [one.name for one in self.services if one.phase is Phase.UPGRADED]
        found = [one for name in upgraded for one in self.containers.get(name, [])]
        return [container for container in found if container not in base.running(found)]

    def since(self, service: ServiceState) -> str:
        """When the oldest of its running containers was created, ISO 8601; empty if none is
        running."""
        found = base.running(self.containers.get(service.name, []))
        return min((container.created for container in found if container.created), default="")

    def starts_again(self, service: ServiceState) -> int:
        """How often its containers had to be restarted."""
        found = base.running(self.containers.get(service.name, []))
        return sum(max(container.starts - 1, 0) for container in found)


def look(there: RemoteStack, asked: Mapping[str, Sequence[str]] | None = None) -> Overview:
    """Everything, once. `asked`: the commands by which services report about themselves. Raises
    SpinstackError if the platform does not answer."""
    steps = there.overview_steps()
    if not asked:
        return _overview(there, there.read_overview(_outputs(there, steps)))
    from spinstack.operate import stats

    outputs = _outputs(there, stats.beside(steps, there, asked))
    listing = there.platform.containers().name
    listed = outputs.get(listing, "")
    seen = there.read_overview({**outputs, listing: stats.listing(listed)})
    found = _overview(there, seen)
    told = stats.read(listed, asked, found.services, there.platform, seen.answering)
    return replace(found, stats=told)


def _outputs(there: RemoteStack, steps: Sequence[Step]) -> dict[str, str]:
    result = there.run(*steps)
    return {step.name: result.output(step.name) for step in steps}


def watch(
    there: RemoteStack, seen: Callable[[Overview], None], failed: Callable[[SpinstackError], None]
) -> None:
    """Everything, again and again over one channel, until Ctrl-C or the connection ends.

    `failed` is called when the platform does not answer once; watching continues.
    """
    rounds = _Rounds()
    listing = there.platform.states().name

    def take(step: str, line: str) -> bool:
        outputs = rounds.take(line) if step == "watch" else None
        if outputs is None:
            return False
        try:
            if rounds.code:
                states = StepResult(listing, outputs.get(listing, ""), rounds.code)
                raise there.failure(states)
            found = _overview(there, there.read_overview(outputs))
        except SpinstackError as error:
            failed(error)
        else:
            seen(found)
        return False

    there.run(_watch_step(there.overview_steps()), seconds=base.DAY, endless=True, on_line=take)


class _Rounds:
    """Collects what `_watch_step` prints. `code`: the exit code of the round's states."""

    def __init__(self) -> None:
        self.code = 0
        self._name = ""
        self._lines: dict[str, list[str]] = {}

    def take(self, line: str) -> dict[str, str] | None:
        """The outputs of a round by the names of its steps, when this line ends it."""
        mark, _, told = line.partition(" ")
        if mark != _MARK:
            self._lines.setdefault(self._name, []).append(line)
            return None
        word, _, code = told.partition(" ")
        # A step's name may be several words.
        self._name = told
        if word != "end":
            return None
        number = whole_number(code)
        self.code = 1 if number is None else number
        outputs = {name: "\n".join(lines) for name, lines in self._lines.items()}
        self._lines.clear()
        return outputs


def _watch_step(steps: Sequence[Step]) -> Step:
    """The steps in a loop, each after its mark. Descriptor 3 is closed when we leave."""
    parts = []
    for step in steps:
        parts.append(f"echo {_MARK} {shlex.quote(step.name)}; {step.body()}")
        if step.must:
            parts.append("code=$?")
    shown = "; ".join(parts)
    loop = f"while :; do {shown}; echo; echo {_MARK} end $code; "
    loop += f"read -r -t {PAUSE} -u 3 _; [ $? -gt 128 ] || break; done"
    return Step("watch", (Command(Raw(loop)),), must=False)


def _counted(service: ServiceState, containers: Mapping[str, list[Container]]) -> ServiceState:
    """With the number of its running containers: the platform's own may count stopped ones."""
    found = containers.get(service.name, [])
    return replace(service, current=len(base.running(found))) if found else service


def _overview(there: RemoteStack, seen: Seen) -> Overview:
    noted = seen.noted
    return Overview(
        stack=there.stack,
        destination=there.destination.name,
        environment=there.destination.environment,
        services=[_counted(service, seen.containers) for service in seen.services],
        containers=dict(seen.containers),
        release=noted.release,
        note=dict(noted.note),
        unfinished=dict(noted.unfinished),
        url=site(list(seen.services), there.destination),
    )
