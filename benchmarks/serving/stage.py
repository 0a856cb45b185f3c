"""The containers that are measured: made from a compose file with all it says of users,
capabilities, mounts and read-only file systems, on networks of their own, and all removed."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.serving.machine import Processors
from benchmarks.serving.web import Address
from spin_rehearsal.rancher import composefile, launchconfig
from spin_rehearsal.rancher.variables import Variables
from spin_rehearsal.spin import containers, launch
from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

# The label by which what a run leaves behind is found; its value is the run's process.
LABEL = "org.spinstack.bench"
PORT = 8080
# Nothing that is asked of the engine takes longer, in seconds.
PATIENCE = 120.0


@dataclass(frozen=True)
class Variant:
    """What is started under which name: a directory with a compose file, and the values of
    its variables."""

    name: str
    directory: Path
    values: Mapping[str, str]


@dataclass(frozen=True)
class Site:
    """A variant that runs: the container of each service, and where `web` listens."""

    variant: Variant
    containers: Mapping[str, str]
    address: Address


@dataclass
class Stage:
    """Starts and stops variants; `close` removes whatever is left."""

    runner: Runner
    engine: Engine
    processors: Processors
    log_driver: str
    name: str = field(default_factory=lambda: f"spinstack-bench-{uuid.uuid4().hex[:6]}")

    def ask(self, *words: str) -> str:
        """What the engine answers. Raises SpinstackError when it fails."""
        done = self.runner.run(self.engine.command(*words), timeout=PATIENCE)
        if not done.ok:
            raise SpinstackError(
                f"{self.engine.name} {words[0]} failed",
                where=self.engine.command(*words).shown()[:200],
                remedy="read what it says above",
                details=(done.stdout + done.stderr).strip()[-800:],
            )
        return done.stdout.strip()

    def start(self, variant: Variant) -> Site:
        """Make and start all services of a variant, the first ones of its file first."""
        made = self.create(variant)
        self.ask("start", *made.values())
        return self.site(variant, made)

    def create(self, variant: Variant) -> dict[str, str]:
        """The containers of a variant, not started yet: service -> id."""
        network = f"{self.name}-{variant.name}"
        label = f"--label={LABEL}={os.getpid()}"
        known = self.ask("network", "ls", "--format={{.Name}}", f"--filter=name={network}")
        if network not in known.split():
            self.ask("network", "create", label, network)
        made = {}
        for service, wanted in services(variant).items():
            place = containers.Place(
                prefix=self.name,
                engine_name=f"{network}-{service}",
                api_name=service,
                network=network,
                aliases=(service,),
                node_address="127.0.0.1",
                labels=((LABEL, str(os.getpid())),),
            )
            made[service] = self._create(wanted, place)
        return made

    def _create(self, wanted: launch.Launch, place: containers.Place) -> str:
        """No published port: the harness talks to the container's own address."""
        with tempfile.NamedTemporaryFile("w", prefix=f"{self.name}-", suffix=".env") as env:
            env.write(containers.env_text(wanted))
            env.flush()
            without_ports = replace(wanted, ports=())
            command = containers.create(
                self.engine.name, without_ports, place, Path(env.name)
            ).argv()
            return self.ask("create", *self._harness_options(), *command[2:])

    def _harness_options(self) -> list[str]:
        pinned = self.processors.pinned
        words = [f"--cpuset-cpus={self.processors.server}"] if pinned else []
        if self.log_driver != "default":
            words.append(f"--log-driver={self.log_driver}")
        return words

    def site(self, variant: Variant, made: Mapping[str, str]) -> Site:
        """Where started containers are found."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return Site(variant, made, (self.ask("inspect", f"--format={form}", made["web"]), PORT))

    def stop(self, site: Site) -> None:
        """Remove the containers of a site, without asking them."""
        self.ask("rm", "--force", "--volumes", *site.containers.values())

    def processes(self, container: str) -> list[tuple[int, int]]:
        """Process and parent of everything in a container, by this machine's numbers."""
        lines = self.ask("top", container, "-eo", "pid,ppid").splitlines()[1:]
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines]

    def ended(self, site: Site) -> str:
        """Which container of a site has ended, in words; empty if all run."""
        form = "--format={{.State.Running}} {{.State.ExitCode}}"
        for service, container in site.containers.items():
            running, code = self.ask("inspect", form, container).split()
            if running != "true":
                return f"the container {service} has ended with exit code {code}"
        return ""

    def logs(self, site: Site) -> str:
        """The last lines of each container, for somebody who looks for the cause."""
        if self.log_driver == "none":
            return "to see what the containers print: --log-driver default"
        parts = []
        for service, container in site.containers.items():
            done = self.runner.run(
                self.engine.command("logs", "--tail", "15", container), timeout=PATIENCE
            )
            parts.append(f"--- {site.variant.name} {service}\n{done.stdout}{done.stderr}".rstrip())
        return "\n".join(parts)

    def close(self) -> None:
        """Remove what this run has made."""
        sweep(self.runner, self.engine, lambda process: process == os.getpid())


@contextmanager
def opened(stage: Stage) -> Iterator[Stage]:
    """The stage, cleared of what killed runs have left before, and of all of its own after."""
    sweep(stage.runner, stage.engine, lambda process: not Path(f"/proc/{process}").exists())
    try:
        yield stage
    finally:
        stage.close()


def sweep(runner: Runner, engine: Engine, whose: Callable[[int], bool]) -> None:
    """Remove containers, then networks, of the runs (given by their process) that are meant."""
    form = f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'
    for listing, removal in (
        (("ps", "--all"), ("rm", "--force", "--volumes")),
        (("network", "ls"), ("network", "rm")),
    ):
        words = (*listing, f"--filter=label={LABEL}", f"--format={form}")
        listed = runner.run(engine.command(*words), timeout=PATIENCE).stdout
        pairs = [line.split() for line in listed.splitlines()]
        ids = [pair[0] for pair in pairs if len(pair) == 2 and whose(int(pair[1]))]
        if ids:
            runner.run(Command(engine.name, *removal, *ids), timeout=PATIENCE)


def services(variant: Variant) -> dict[str, launch.Launch]:
    """What the compose file asks for, read in the way of the rehearsal's Rancher."""
    paths = [str(variant.directory / "docker-compose.yml")]
    variables = Variables(variant.values, {})
    found = composefile.read(composefile.read_sources(paths, ""), variables)
    return {
        name: launch.parse(launchconfig.launch_config(raw, variables))
        for name, raw in found.services.items()
    }


def copied(source: Path, target: Path, *, without: Sequence[str] = ()) -> Path:
    """A copy that any user may read, whatever the modes in the checkout are."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", *without))
    for directory, _, names in os.walk(target):
        Path(directory).chmod(0o755)
        for name in names:
            path = Path(directory, name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    return target
