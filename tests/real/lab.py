"""A stack in containers, run the way Spin runs it: any user, no capabilities, a read-only
root, and only what docker-compose.yml mounts."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spin_rehearsal import base_images
from spinstack import sample
from spinstack.images import engine
from spinstack.transport.runner import LocalRunner
from tests.baking import bake

# Numbers that no image knows.
UID, GID = (41037, 58102) if os.geteuid() == 0 else (os.getuid(), os.getgid())


@dataclass
class Lab:
    """A network of its own for the services of one stack."""

    engine: str
    stack: Path
    project: Path
    images: dict[str, str]
    name: str = field(default_factory=lambda: f"spinstack-images-{uuid.uuid4().hex[:8]}")

    def docker(self, *words: str) -> str:
        done = subprocess.run([self.engine, *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(
        self,
        service: str,
        container: str = "",
        static: str = "rw",
        alias: str = "",
        more: tuple[str, ...] = (),
        limits: tuple[str, ...] = (),
    ) -> str:
        """A container of a service, with what its part of docker-compose.yml says, and `more`
        words of its command. `alias`: its name in the network, unless it is the service's.
        `limits`: more options of the engine's `run`."""
        container = container or f"{self.name}-{service}"
        composed = yaml.safe_load((self.stack / "docker-compose.yml").read_text())
        asked = self._filled_in(composed["services"][service])
        # A file that is mounted has to be readable by the user of the container.
        (self.stack / "web/site.conf").chmod(0o644)
        words = ["run", "--detach", "--name", container, "--network", self.name]
        words += ["--network-alias", alias or service, "--user", asked["user"], "--read-only"]
        words += [word for cap in asked["cap_drop"] for word in ("--cap-drop", cap)]
        words += [word for path in asked["tmpfs"] for word in ("--tmpfs", path)]
        for volume in asked["volumes"]:
            source, target, mode = volume.split(":")
            mode = static if target == "/app/static" else mode
            words += ["--volume", f"{(self.stack / source).resolve()}:{target}:{mode}"]
        words += [f"--publish=127.0.0.1::{port.split(':')[1]}" for port in asked.get("ports", [])]
        words += ["--entrypoint", asked["entrypoint"]] if "entrypoint" in asked else []
        words += limits
        self.docker(*words, self.images[service], *asked.get("command", []), *more)
        return container

    def _filled_in(self, service: dict[str, Any]) -> Any:
        lines = (self.stack / "stack.env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
        for name in [name for name in values if name.endswith("_DIR")]:
            values[name] = str(self.project / values[name])
        values |= {"UID": str(UID), "GROUP_ID": str(GID)}
        return interpolated(service, values)

    def logs(self, container: str) -> str:
        """What it has written, standard output and errors."""
        words = [self.engine, "logs", container]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    @property
    def static(self) -> Path:
        return self.project / "nightwatchtest/output"

    @property
    def data(self) -> Path:
        return self.project / "nightwatchtest/data/output"

    def port(self) -> int:
        """web's, outside."""
        return int(self.docker("port", f"{self.name}-web", "8080").split(":")[-1])

    def get(self, path: str) -> http.client.HTTPResponse:
        """The answer of web at its outside port; waits until web listens."""
        port = self.port()
        deadline = time.monotonic() + 15
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", path)
                return connection.getresponse()
            except (ConnectionError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def wait_for(self, path: str, status: int) -> http.client.HTTPResponse:
        deadline = time.monotonic() + 30
        while (answer := self.get(path)).status != status and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer.status == status
        return answer


def interpolated(value: Any, values: dict[str, str]) -> Any:
    """As Rancher does it: in the values, after the file was read."""
    if isinstance(value, dict):
        return {key: interpolated(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, values) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), value)
    return value


@contextmanager
def laboratory(place: Path) -> Iterator[Lab]:
    """Images of a default stack and the sample's files, in an empty directory; all that was
    started goes at the end."""
    runner = LocalRunner()
    program = engine.find(runner).name
    arguments = base_images.ensure(runner, program, print)
    stack, project = bake(place), place / "project"
    sample.lay_out(project, owner=(UID, GID) if os.geteuid() == 0 else None)
    images = {
        service: f"spinstack-test/{service}:{uuid.uuid4().hex[:8]}" for service in ("app", "web")
    }
    lab = Lab(program, stack, project, images)
    for service, image in images.items():
        given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        lab.docker("build", "--tag", image, *given, str(stack / service))
    lab.docker("network", "create", lab.name)
    try:
        yield lab
    finally:
        _clear(lab)


def _clear(lab: Lab) -> None:
    containers = lab.docker("ps", "--all", "--quiet", "--filter", f"name={lab.name}").split()
    if containers:
        lab.docker("rm", "--force", "--volumes", *containers)
    lab.docker("network", "rm", lab.name)
    for service, image in lab.images.items():
        # Kept under one name, so that the next build finds its layers again.
        lab.docker("tag", image, f"spinstack-test/{service}:kept")
        lab.docker("rmi", image)
