"""Rancher 1 ("cattle"): its commands as steps of a script, its output as values.

Driven with suspicion, for what its command line does (v0.6.7): it exits 0 on failures, logs
to standard output, asks for ever at end-of-file, creates stacks when asked about unknown
ones and waits without limit. So the environment is always set, every call has a time limit,
and states are read back from `ps --format json`, which creates nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spinstack.command import Command, Raw, Word
from spinstack.script import Step

# Seconds that one quick call may take (its own limit to the server is 10 s a request).
QUICK = 60
# Seconds for calls that wait for containers: an image of 1 GB may have to be pulled.
SLOW = 900
# Seconds that a log or a status is followed at most.
DAY = 86_400


def rancher(*words: Word, seconds: int | None = None) -> Command:
    """A call of the CLI under a time limit (coreutils' `timeout`, exit code 124), QUICK if
    none is given."""
    limit = QUICK if seconds is None else seconds
    return Command("timeout", "-k", "5", str(limit), "rancher", *words)


def ready_step(modules: Sequence[str], environment: str) -> Step:
    """Make the CLI usable in this shell. `UID` is a variable of bash that is not exported,
    and the compose file needs it."""
    return Step(
        "rancher environment",
        (
            *(Command("module", "load", module) for module in modules),
            Command("export", f"RANCHER_ENVIRONMENT={environment}"),
            Command("export", "UID"),
            Command("command", "-v", "rancher"),
        ),
    )


def key_step() -> Step:
    """Whether the account has a key of the Rancher API (written by spin-keygen.sh)."""
    return Step(
        "rancher key", (Command("test", "-s", Raw('"$HOME"/.rancher/cli.json')),), must=False
    )


def states_if_key_step() -> Step:
    """The same for an account that may have no key yet."""
    key = Command("test", "-s", Raw('"$HOME"/.rancher/cli.json'))
    return Step("states", (key, rancher("ps", "--all", "--format", "json")), must=False)


def states_step(must: bool = True) -> Step:
    """All services of the environment, also inactive ones; creates nothing."""
    return Step("states", (rancher("ps", "--all", "--format", "json"),), must=must)


def watch_step(seconds: int) -> Step:
    """The states again and again, after each a line `round` with the exit code, for `seconds`."""
    loop = f"end=$((SECONDS + {int(seconds)})); while [ $SECONDS -lt $end ]; do"
    call = rancher("ps", "--all", "--format", "json").script()
    body = f'{call}; echo "round $?"; sleep 1'
    return Step("watch", (Command(Raw(f"{loop} {body}; done")),), must=False)


def _up(
    stack: str, env_file: str, *flags: str, services: Sequence[Word] = (), seconds: int
) -> Command:
    flags = (*flags, "--stack", stack, "--env-file", env_file)
    return rancher("up", *flags, *services, seconds=seconds)


def render_step(stack: str, env_file: str) -> Step:
    """Let the CLI read the files as `up` would. It creates the stack if there is none, and
    prints the files without filling in variables: a check, no preview."""
    return Step("render", (_up(stack, env_file, "--render", seconds=QUICK),), must=False)


def create_step(stack: str, env_file: str) -> Step:
    return Step("up", (_up(stack, env_file, "-d", seconds=SLOW),), must=False)


def upgrade_step(stack: str, env_file: str) -> Step:
    """Start new containers, keeping the old ones stopped; creates services that are new."""
    return Step("upgrade", (_up(stack, env_file, "-d", "--upgrade", seconds=SLOW),), must=False)


def confirm_step(stack: str, env_file: str) -> Step:
    """Remove the old containers of an upgrade. Without `--upgrade`, so that a changed file
    can't start another one."""
    up = _up(stack, env_file, "-d", "--confirm-upgrade", seconds=SLOW)
    return Step("confirm", (up,), must=False)


def put_back(stack: str, env_file: str, service: Word) -> Command:
    """Back to the old containers of a service."""
    return _up(stack, env_file, "-d", "--rollback", services=(service,), seconds=SLOW)


def rollback_steps(stack: str, env_file: str, services: Sequence[str]) -> list[Step]:
    """Back to the old containers, service by service: for several at once the CLI fails if
    one of them has nothing to go back to."""
    return [
        Step(f"roll back {name}", (put_back(stack, env_file, name),), must=False)
        for name in services
    ]


def inspect_step(stack: str, service: str) -> Step:
    """A service as Rancher has it, JSON in one line; for an unknown one the CLI prints an
    error, exits 0, and creates the stack: ask only about services that `ps` lists."""
    return Step(f"inspect {service}", (rancher("inspect", f"{stack}/{service}"),), must=False)


def logs_of(service: Word, lines: int) -> Command:
    """The last lines of a service, named `STACK/SERVICE`."""
    return rancher("logs", "--timestamps", "--tail", str(lines), service, seconds=QUICK)


def logs_step(stack: str, service: str, lines: int) -> Step:
    return Step(f"logs of {service}", (logs_of(f"{stack}/{service}", lines),), must=False)


# Before the service, as `STACK/SERVICE`.
STOP_SERVICE = ("stop", "--type", "service")


def stop_step(stack: str, service: str = "") -> Step:
    call = (
        rancher(*STOP_SERVICE, f"{stack}/{service}")
        if service
        else rancher("stop", "--type", "stack", stack)
    )
    return Step("stop", (call,), must=False)


def remove_step(stack: str, service: str = "") -> Step:
    """`rm` without `--type` can refuse with "you don't own this volume"; it never asks."""
    call = (
        rancher("rm", "--type", "service", f"{stack}/{service}")
        if service
        else rancher("rm", "--type", "stack", stack)
    )
    return Step("remove", (call,), must=False)


@dataclass(frozen=True)
class Endpoint:
    """Where a published port answers."""

    ip: str
    port: int


@dataclass(frozen=True)
class ServiceState:
    """A service as Rancher tells it. `state`: active, upgraded, …; `health`: healthy,
    initializing, unhealthy or empty without a check; `message`: why it is stuck."""

    stack: str
    name: str
    state: str
    health: str = ""
    transitioning: str = "no"
    message: str = ""
    image: str = ""
    scale: int = 1
    current: int = 0
    fqdn: str = ""
    endpoints: tuple[Endpoint, ...] = field(default_factory=tuple)
    created: str = ""

    @property
    def shown(self) -> str:
        """One word, as `rancher ps` combines state and health."""
        return self.health if self.state == "active" and self.health else self.state

    @property
    def stuck(self) -> bool:
        """Rancher has given up on it: an image that can't be pulled, a refused mount."""
        return self.transitioning == "error"

    @property
    def up(self) -> bool:
        """Running, and healthy if there is a health check."""
        running = self.state in ("active", "upgraded") and self.transitioning != "yes"
        return running and self.health in ("", "healthy")

    @property
    def unconfirmed(self) -> bool:
        """An upgrade was begun and neither confirmed nor rolled back."""
        return self.state in ("upgraded", "upgrading")


def is_garbled(text: str) -> bool:
    """Whether `ps --format json` printed something else than objects and log lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    objects = [line for line in lines if line.startswith("{")]
    if not objects:
        return len(lines) > len(parse_log(text))
    return any(_object(line) is None for line in objects)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def parse_states(text: str, stack: str) -> list[ServiceState]:
    """The services of a stack from `ps --format json`: an object a line, other lines (log
    lines, warnings) passed over; fields that are empty are left out by the CLI."""
    states = []
    for line in text.splitlines():
        entry = _object(line) if line.startswith("{") else None
        state = _state(entry) if entry else None
        if state and state.stack == stack:
            states.append(state)
    return sorted(states, key=lambda state: state.name)


def _state(entry: dict[str, Any]) -> ServiceState | None:
    service = entry.get("Service")
    stack, _, name = str(entry.get("Name") or "").partition("/")
    # A sidekick's name has a second slash; its state is that of its service.
    if not isinstance(service, dict) or not name or "/" in name:
        return None
    config = service.get("launchConfig")
    image = config.get("imageUuid") if isinstance(config, dict) else ""
    points = service.get("publicEndpoints")
    return ServiceState(
        stack=stack,
        name=name,
        state=str(service.get("state") or entry.get("CombinedState") or ""),
        health=str(service.get("healthState") or ""),
        transitioning=str(service.get("transitioning") or "no"),
        message=str(service.get("transitioningMessage") or ""),
        image=str(image or "").removeprefix("docker:"),
        scale=_number(service.get("scale")),
        current=_number(service.get("currentScale")),
        fqdn=str(service.get("fqdn") or ""),
        endpoints=tuple(
            Endpoint(str(point.get("ipAddress") or ""), _number(point.get("port")))
            for point in (points if isinstance(points, list) else [])
            if isinstance(point, dict)
        ),
        created=str(service.get("created") or ""),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


_PLAIN = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg="?(?P<text>.*?)"?\s*$')
_TERMINAL = re.compile(r"(?P<level>INFO|WARN|ERRO|FATA)\[\d+\] (?P<text>.*?)\s*$")
_LEVELS = {"INFO": "info", "WARN": "warning", "ERRO": "error", "FATA": "fatal"}


@dataclass(frozen=True)
class LogLine:
    """A line of the CLI's own log: level (info, warning, error, fatal) and text."""

    level: str
    text: str


def parse_log(output: str) -> list[LogLine]:
    """The CLI's log lines, with and without a terminal's colours; all else is passed over."""
    lines = []
    for line in output.splitlines():
        bare = re.sub(r"\x1b\[[0-9;]*m", "", line)
        match = _PLAIN.match(bare) or _TERMINAL.match(bare)
        if match:
            level = _LEVELS.get(match["level"], match["level"])
            lines.append(LogLine(level, match["text"].replace('\\"', '"').strip()))
    return lines


def complaints(output: str, levels: Iterable[str] = ("warning", "error", "fatal")) -> list[str]:
    """What the CLI complained of: its log lines of these levels and its `error ID: …` lines."""
    wanted = set(levels)
    texts = [line.text for line in parse_log(output) if line.level in wanted]
    texts += [line for line in output.splitlines() if line.startswith("error ")]
    return list(dict.fromkeys(texts))
