"""The seam to what runs a stack: a `Platform`, and the values that go through it.

A platform is pure: it turns values into steps and commands for the login node, and their
output into values. `client.py` runs them, the same for all platforms; nothing above it knows
the terms of any one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from spinstack.text import whole_number

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.rules.finding import Finding
    from spinstack.transport.command import Command, Word
    from spinstack.transport.script import Step

# Seconds that one quick call may take (its own limit to the server is 10 s a request).
QUICK = 60
# Seconds for calls that wait for containers: an image of 1 GB may have to be pulled.
SLOW = 900
# The longest that a log or a status is followed, in seconds.
DAY = 86_400
# In place of a number of bytes: all that comes, to its end.
UNTIL_END = -1
# Seconds until services are stopped or removed: SIGTERM, 10 s, SIGKILL, and some margin.
STOP_SECONDS = 120


class Phase(str, Enum):
    """Where a service is in its life, in words that every platform shares."""

    RUNNING = "running"
    STOPPED = "stopped"
    # An upgrade that is neither confirmed nor rolled back; one that is still running.
    UPGRADED = "upgraded"
    UPGRADING = "upgrading"
    # These end by themselves; most orders are refused meanwhile.
    CONFIRMING = "being confirmed"
    ROLLING_BACK = "being rolled back"
    REMOVING = "being removed"
    CREATING = "being created"
    STOPPING = "being stopped"
    SCALING = "being scaled"
    # Given up by a platform that upgrades it all the same, without stopping it first.
    FAILED = "failed"
    OTHER = "changing"


UP = (Phase.RUNNING, Phase.UPGRADED)
OPEN = (Phase.UPGRADED, Phase.UPGRADING)
# From here a platform upgrades a service without stopping it first.
AT_REST = (Phase.RUNNING, Phase.STOPPED, Phase.FAILED, *OPEN)
PASSING = (
    *(Phase.CONFIRMING, Phase.ROLLING_BACK, Phase.REMOVING),
    *(Phase.CREATING, Phase.STOPPING),
)


@dataclass(frozen=True)
class StateWords:
    """A platform's own words for the states of a service, each with its phase."""

    phases: Mapping[str, Phase]

    def phase(self, word: str) -> Phase:
        return self.phases.get(word, Phase.OTHER)

    def of(self, *phases: Phase) -> tuple[str, ...]:
        """The words for these phases."""
        return tuple(word for word, phase in self.phases.items() if phase in phases)


@dataclass(frozen=True)
class Endpoint:
    """Where a published port can be reached. `ip`: or a host name."""

    ip: str
    port: int
    scheme: str = "http"


@dataclass(frozen=True)
class ServiceState:
    """A service as its platform reports it. `state`: the platform's own word; `phase`: what it
    means; `health`: healthy, initializing, unhealthy, or empty without a check;
    `transitioning`: `yes` while it changes state, `error` if the platform gave up, or `no`;
    `message`: why it is stuck."""

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
    phase: Phase = Phase.OTHER

    @property
    def shown(self) -> str:
        """One word: its health if it is running and has a check, else its state."""
        return self.health if self.phase is Phase.RUNNING and self.health else self.state

    @property
    def stuck(self) -> bool:
        """The platform has given up on it: an image that can't be pulled, a refused mount."""
        return self.transitioning == "error"

    @property
    def moving(self) -> bool:
        """Still changing state."""
        return self.transitioning == "yes"

    @property
    def up(self) -> bool:
        """Running, and healthy if there is a health check."""
        return self.phase in UP and not self.moving and self.health in ("", "healthy")

    @property
    def stopped(self) -> bool:
        return self.phase is Phase.STOPPED

    @property
    def open(self) -> bool:
        """An upgrade was started and neither confirmed nor rolled back."""
        return self.phase in OPEN

    @property
    def at_rest(self) -> bool:
        return self.phase in AT_REST

    @property
    def passing(self) -> bool:
        """In a phase that ends by itself, in which most orders are refused."""
        return self.phase in PASSING


@dataclass(frozen=True)
class TakenPort:
    """A port that a service of some stack publishes."""

    port: str
    stack: str
    service: str


@dataclass(frozen=True)
class Container:
    """A container of a service. `state`: `running` where it runs, else the platform's own word;
    `created`: ISO 8601, UTC; `starts`: how often it was started, 0 if unknown; `image`: as the
    compose file names it, empty if unknown."""

    id: str
    name: str
    state: str
    created: str = ""
    starts: int = 0
    message: str = ""
    image: str = ""

    @property
    def number(self) -> int:
        """The last part of its name: `nw-desi-web-2` has 2; 0 without one."""
        last = self.name.rsplit("-", 1)[-1]
        return whole_number(last) or 0


def running(containers: Sequence[Container]) -> list[Container]:
    """The running ones: an upgrade keeps old ones with the same name, stopped."""
    return [container for container in containers if container.state == "running"]


@dataclass(frozen=True)
class Kept:
    """A secret or a volume, which outlives containers. `created`: ISO 8601; empty for volumes.
    `stack`: whose it is, `used_by`: the services that use it, as far as the platform tells."""

    id: str
    name: str
    created: str = ""
    state: str = ""
    driver: str = ""
    stack: str = ""
    used_by: str = ""


# Exit code of `Platform.ask` if there is no container for the command, as with `docker exec`.
NO_CONTAINER = 125

# As the number of lines of a log: all of them.
ALL = -1


@dataclass(frozen=True)
class LogQuery:
    """Which lines of a log: the last `tail` ones (ALL: all), `since` a number of seconds ago
    (`600s`) or an ISO 8601 moment; empty: from the beginning."""

    tail: int = ALL
    since: str = ""


@dataclass(frozen=True)
class LogLine:
    """A line of a log; `time` as Docker writes it, in UTC, without the Z: it sorts as text."""

    time: str
    service: str
    container: str
    text: str


@dataclass(frozen=True)
class HealthCheck:
    """What has to respond for a service to be healthy: a port (empty: no check), to a request or
    just a connection. `where`: file and line that say so."""

    port: str
    request: str
    where: str


@dataclass(frozen=True)
class RunningService:
    """A service as it was started, to be compared with the stack's files. Mounts are written
    as in the compose file: those of a release by their path in it."""

    image: str = ""
    user: str = ""
    entrypoint: object = None
    command: object = None
    mounts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grant:
    """How an account gets access: `command` may ask for the password. For messages: `what` it
    gives, `place` where it is on the login node, `program` that gives it."""

    command: Command
    what: str
    place: str
    program: str


@dataclass(frozen=True)
class ChangeCommands:
    """The commands of a change, run in the directory of its release (`remote/job.sh`). Those
    for one service take its name as a word, which may be a shell variable.

    `render` looks at the files and changes nothing that runs; `rows`: see `rows.py`; `bring`
    makes the release run. `put_back`: what ran before it runs again. With two steps it is given
    services whose upgrade is open; with one all of the stack, and must leave alone what `bring`
    has not changed. `confirm` makes it final, and does nothing where there is one step.
    """

    render: Command
    rows: Command
    bring: Command
    confirm: Command
    put_back: Callable[[Word], Command]
    stop: Callable[[Word], Command]
    log_of: Callable[[Word], Command]


class Garbled(ValueError):
    """A platform command printed something unexpected, which must not count as `nothing runs`."""


class Platform(Protocol):
    """What runs stacks. `name`: in the setting; `title`, `program`, `look_by_hand`: for messages;
    `two_steps`: whether an upgrade can stay open until it is confirmed or rolled back (if not, no
    word of `words` has a phase in OPEN); `words`: those that `read_states` and
    `ChangeCommands.rows` use for states, apart from a reason; `beside`: files that it reads
    besides the compose file, if they exist.

    A step that asks (`states`, `containers`, …) has a name that no step of `remote/` and `checks/`
    has; a dry run shows it and reads an empty answer, which never raises.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def program(self) -> str: ...
    @property
    def look_by_hand(self) -> str: ...
    @property
    def quick(self) -> int:
        """Seconds that a query may take; `slow`: a command that waits for an image pull."""
        ...

    @property
    def slow(self) -> int: ...
    @property
    def two_steps(self) -> bool: ...
    @property
    def detached(self) -> bool:
        """Whether a change is a job on the login node, made of the commands of `change`; if not, it
        is made from here, step by step, and `change` must not be asked."""
        ...

    @property
    def words(self) -> StateWords: ...
    @property
    def beside(self) -> tuple[str, ...]: ...

    # The stack's files.

    def check(self, stack: Stack, destination: Destination) -> list[Finding]:
        """What the platform would refuse in the stack's files, or silently ignore."""
        ...

    def rendered(self, stack: Stack, destination: Destination) -> str:
        """What a deploy sends, for people to read."""
        ...

    def release_files(self, stack: Stack, destination: Destination) -> Mapping[str, bytes]:
        """Files that a release needs besides those of the stack's directory, or instead of those
        with their names."""
        ...

    def health_checks(self, stack: Stack) -> Mapping[str, HealthCheck] | None:
        """For each service; None if the files don't say."""
        ...

    def own_keys(self) -> tuple[frozenset[str], str]:
        """Keys of the compose file that no other program knows, and the prefix of its labels."""
        ...

    # Access.

    def ready(self, destination: Destination) -> Step:
        """Prepares the shell for all that follows; exports UID, which compose files use."""
        ...

    def has_access(self) -> Step:
        """Whether the account may use the platform."""
        ...

    def grant(self, destination: Destination) -> Grant | None:
        """How the account gets access; None if nothing on the login node can give it."""
        ...

    def access_findings(
        self,
        destination: Destination,
        *,
        ready: bool,
        access: bool,
        states: bool,
        said: str = "",
    ) -> list[Finding]:
        """What keeps the account from it: the step `ready`, `has_access` or `states` failed;
        `said`: what the last one printed."""
        ...

    def rights(self) -> Step | None:
        """Asks what the account may do, never failing; None if that cannot be asked."""
        ...

    def missing_rights(self, output: str) -> list[Finding]:
        """What `rights` says that a deploy lacks."""
        ...

    # What runs.

    def states(self, *, if_access: bool = False, must: bool = True) -> Step:
        """All services, even stopped ones; creates nothing. `if_access`: fails without access,
        but never ends the script."""
        ...

    def watch(self, seconds: int) -> Step:
        """The states again and again, after each a line `round` with the exit code."""
        ...

    def read_states(self, output: str, stack: str) -> list[ServiceState]:
        """The stack's services by name, each with the image as the compose file names it.
        Raises Garbled for what is no answer."""
        ...

    def containers(self, *, must: bool = False) -> Step:
        """All containers, including those kept from before an upgrade."""
        ...

    def read_containers(self, output: str, stack: str) -> dict[str, list[Container]]:
        """By service. Raises Garbled for what is no answer."""
        ...

    def ask(self, stack: str, service: str, words: Sequence[str], seconds: int) -> Command:
        """Runs a command in any healthy container of the service; `$found` holds what
        `containers` printed, if that was asked for. Exit code NO_CONTAINER if there is none, unless
        that shows in what is read beside it; 124 after the seconds."""
        ...

    def taken_ports(self, output: str) -> Iterator[TakenPort]:
        """Every published port of every stack, from what `states` printed."""
        ...

    def exists(self, stack: str) -> Step:
        """Prints a resource, see `read_inspect`, if there is a stack of this name."""
        ...

    def inspect(self, stack: str, service: str) -> Step:
        """All that the platform knows about an existing service."""
        ...

    def read_inspect(self, output: str) -> dict[str, Any] | None:
        """None if there is none of the name. Raises Garbled for what is no answer."""
        ...

    def running(self, resource: Mapping[str, Any], release: str) -> RunningService:
        """A service, as inspected, whose files come from the directory `release`."""
        ...

    def log(self, stack: str, service: str, query: LogQuery) -> Step: ...

    def follow_logs(self, stack: str, services: Sequence[str], query: LogQuery) -> Step:
        """The logs as they grow, each line after its service and a TAB."""
        ...

    def read_log(self, output: str, stack: str, service: str) -> Iterator[LogLine]: ...

    # Orders. Each step may fail; what it prints says why.

    def start(self, stack: str, services: Sequence[str]) -> Step: ...

    def stop(self, stack: str, service: str = "") -> Step:
        """Stop the stack or one service."""
        ...

    def restart(self, stack: str, services: Sequence[str]) -> Step: ...

    def scale(self, stack: str, service: str, count: int) -> Step: ...

    def remove(self, stack: str, service: str = "") -> Step: ...

    def gone(self, stack: str) -> Step:
        """Waits until the stack is removed; fails after STOP_SECONDS."""
        ...

    def exec(
        self, container: Container, words: Sequence[str], *, terminal: bool, input_bytes: int
    ) -> Command:
        """Runs a command in a container; it reads so many bytes of input and then its end, or all
        of it (UNTIL_END), where `streams_input`."""
        ...

    def shell(self) -> Sequence[str]:
        """The command of a shell in a container."""
        ...

    @property
    def streams_input(self) -> bool:
        """Whether a command in a container sees the end of its input, however long that is."""
        ...

    @property
    def largest_input(self) -> int:
        """Bytes that a command in a container can be given."""
        ...

    # Secrets and volumes: `kind` is `secret` or `volume`.

    @property
    def volume_driver(self) -> str: ...

    def kept(self, kind: str) -> Step: ...

    def read_kept(self, kind: str, output: str) -> list[Kept]:
        """By name, without those that are being removed. Raises Garbled for what is no answer."""
        ...

    def create_secret(self, name: str, value: bytes) -> Step: ...

    def create_volume(self, name: str, driver: str) -> Step: ...

    def remove_kept(self, kind: str, id: str) -> Step: ...

    # A change of the stack.

    def change(self, stack: str, env_file: str, *, creating: bool) -> ChangeCommands: ...

    # What it says when it fails.

    def complaints(self, text: str, *, errors_only: bool = False) -> list[str]:
        """Its complaints, including warnings unless `errors_only`."""
        ...

    def is_noise(self, line: str) -> bool:
        """Whether a line in a program's output is from the platform's own log."""
        ...

    @property
    def complaint_pattern(self) -> str:
        """What `complaints` finds, as a pattern of `grep -E`; `error_pattern` without warnings."""
        ...

    @property
    def error_pattern(self) -> str: ...

    def known(self, text: str) -> tuple[str, str] | None:
        """Cause and remedy of a known complaint."""
        ...
