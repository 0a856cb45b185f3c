"""What a Spin service of the rehearsal is told when it is made."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spinstack.rules.centre import Centre

EngineName = Literal["docker", "podman"]


@dataclass(frozen=True)
class Project:
    """An environment as Rancher's API calls it: `id` such as 1a5, `name` such as dev-cattle."""

    id: str
    name: str


def projects_of(environments: tuple[str, ...]) -> tuple[Project, ...]:
    """The environments with ids in Rancher's way; 1a5 is its first."""
    return tuple(Project(f"1a{number}", name) for number, name in enumerate(environments, 5))


@dataclass(frozen=True)
class SpinConfig:
    """Settings of one rehearsal's Spin service.

    `state_file`: where everything that survives is kept. `engine`: the program that runs the
    containers. `prefix`: in front of the names of this rehearsal's containers, networks and
    volumes, and value of the label by which they are found; unique on this machine.
    `node_address`: where published ports listen. `account` with `check_password`: who may
    have a key. Times are in seconds.
    """

    state_file: Path
    engine: EngineName
    prefix: str
    centre: Centre
    account: str
    check_password: Callable[[str], bool]
    node_address: str = "127.0.0.1"
    node_name: str = "spin-node01"
    fqdn_suffix: str = "rehearsal.localhost"
    projects: tuple[Project, ...] = field(default=())
    log_file: Path | None = None
    # How long a change of state lasts at least: short, yet long enough to be seen.
    transition: float = 0.3
    poll: float = 0.5
    # Rancher's own default between SIGTERM and SIGKILL.
    stop_timeout: int = 10
    restart_delay: float = 0.5
    restart_delay_longest: float = 30.0
    # How long after a failed start the server tries again.
    retry_delay: float = 5.0
    retry_delay_longest: float = 60.0
    # How long a removed thing can still be asked for by its id.
    remember_removed: float = 600.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,40}", self.prefix):
            raise ValueError(f"{self.prefix!r} can't start the name of a container")
        if not self.projects:
            object.__setattr__(self, "projects", projects_of(self.centre.environments))

    @property
    def secret_files(self) -> Path:
        """Where the files of secrets stand, a directory for each container."""
        return self.state_file.parent / "secrets"

    def password_is(self, account: str, password: str) -> bool:
        """Whether these are the account's name and its valid password."""
        same = hmac.compare_digest(account.encode(), self.account.encode())
        return same and self.check_password(password)
