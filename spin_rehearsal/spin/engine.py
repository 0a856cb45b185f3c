"""The container engine of the pretend Spin node, through its command line."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spin_rehearsal.spin import containers
from spin_rehearsal.spin.containers import Place
from spin_rehearsal.spin.errors import StartFailure
from spin_rehearsal.spin.launch import Launch
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import Result, Runner

# Nothing but a pull takes the engine longer, unless it is stuck. Seconds.
_PATIENCE = 120.0
_PULL_PATIENCE = 1800.0


@dataclass(frozen=True)
class Sight:
    """What the engine says of a container."""

    running: bool
    exit_code: int
    address: str


class Engine:
    """Runs `docker` or `podman`. Failures of an order raise StartFailure with the engine's
    own words; SpinstackError comes from the runner when the engine is missing or stuck."""

    def __init__(self, name: str, prefix: str, stop_timeout: int, runner: Runner) -> None:
        self.name = name
        self._prefix = prefix
        self._stop_timeout = stop_timeout
        self._runner = runner
        # Docker lets two networks have one name if they are made at the same time.
        self._making_network = threading.Lock()

    def _run(self, command: Command, *, timeout: float = _PATIENCE, looks: bool = False) -> Result:
        return self._runner.run(command, timeout=timeout, changes=not looks)

    def _must(self, command: Command, *, timeout: float = _PATIENCE) -> str:
        result = self._run(command, timeout=timeout)
        if not result.ok:
            raise StartFailure(said(result))
        return result.stdout

    def has_image(self, image: str) -> bool:
        return self._run(Command(self.name, "image", "inspect", image), looks=True).ok

    def pull(self, image: str) -> None:
        self._must(Command(self.name, "pull", "--quiet", image), timeout=_PULL_PATIENCE)

    def ensure_network(self, name: str) -> None:
        with self._making_network:
            if self._run(Command(self.name, "network", "inspect", name), looks=True).ok:
                return
            made = self._run(containers.make_network(self.name, name, self._prefix))
        if not made.ok and "already exists" not in made.stderr:
            raise StartFailure(said(made))

    def remove_network(self, name: str) -> None:
        """Also when it is not there, or when something of another owner still hangs on it."""
        self._run(Command(self.name, "network", "rm", name))

    def remove_volume(self, name: str) -> bool:
        """Whether it is gone; one that was never mounted is none for the engine."""
        result = self._run(Command(self.name, "volume", "rm", name))
        return result.ok or "no such volume" in result.stderr.lower()

    def create(self, launch: Launch, place: Place) -> str:
        """Make a container and the named volumes that it mounts; its id."""
        for mount in launch.mounts:
            if mount.source and not mount.source.startswith("/"):
                name = containers.volume_name(mount.source, self._prefix)
                self._must(containers.make_volume(self.name, name, self._prefix))
        # A left-over of a start that was cut off has the same name.
        self._run(containers.remove(self.name, [place.engine_name]))
        handle, name = tempfile.mkstemp(prefix="spinstack-env-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(containers.env_text(launch))
            return self._must(containers.create(self.name, launch, place, Path(name))).strip()
        finally:
            Path(name).unlink()

    def start(self, container: str) -> None:
        self._must(Command(self.name, "start", container))

    def stop(self, ids: Sequence[str]) -> None:
        """All at the same time; one that is gone is no failure."""
        if ids:
            self._run(containers.stop(self.name, ids, self._stop_timeout))

    def restart(self, ids: Sequence[str]) -> None:
        if ids:
            self._must(containers.restart(self.name, ids, self._stop_timeout))

    def remove(self, ids: Sequence[str]) -> None:
        if ids:
            self._run(containers.remove(self.name, ids))

    def look(self, ids: Iterable[str]) -> dict[str, Sight]:
        """What there is of the containers; one that is gone is left out. Raises StartFailure
        if the engine does not answer, which says nothing of the containers."""
        wanted = list(ids)
        if not wanted:
            return {}
        result = self._run(containers.look(self.name, wanted), looks=True)
        sights = dict(_sight(line) for line in split_lines(result.stdout) if line.startswith("{"))
        missing = set(wanted) - set(sights)
        if missing and result.stderr.lower().count("no such container") < len(missing):
            raise StartFailure(said(result))
        return sights

    def purge(self) -> None:
        """Remove every container, network and volume of this rehearsal, and nothing else."""
        for kind, words in (
            ("container", ("rm", "--force", "--volumes")),
            ("network", ("network", "rm")),
            ("volume", ("volume", "rm", "--force")),
        ):
            found = self._run(containers.listed(self.name, kind, self._prefix), looks=True)
            ids = found.stdout.split()
            if ids:
                self._run(Command(self.name, *words, *ids))


def said(result: Result) -> str:
    """The engine's words about a failure: the daemon's own line, else the last."""
    lines = [line.strip() for line in split_lines(result.stderr or result.stdout)]
    told = [line for line in lines if line and not line.startswith(("See '", "Run '"))]
    daemon = [line for line in told if "Error response from daemon" in line]
    return next(iter([*daemon, *reversed(told)]), f"the engine failed with exit code {result.code}")


def _sight(line: str) -> tuple[str, Sight]:
    seen = json.loads(line)
    addresses = [network.get("IPAddress") for network in (seen["networks"] or {}).values()]
    state = seen["state"]
    address = next((address for address in addresses if address), "")
    return seen["id"], Sight(bool(state["Running"]), int(state["ExitCode"]), address)
