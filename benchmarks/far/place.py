"""What is measured with: the far account with its Rancher, and a stack of 12 files and 33 kB
that goes there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.far.namespaces import FAR, Server

STACK = "nightwatch-desi"
TEMPLATE = Path(__file__).resolve().parents[2]
# Of the template's files those that are a stack of the size that goals were set for; all of
# them are 27 files and 160 kB.
FILES = (
    "README.md",
    "app/Dockerfile",
    "app/app.ini",
    "app/app.py",
    "docker-compose.yml",
    "invoke.yaml",
    "stack.env",
    "tasks.py",
    "web/Dockerfile",
    "web/nginx/parts/compression.conf",
    "web/site.conf",
    "web/start.sh",
)
SERVICES = ("app", "web")
LOG_LINES = 100
SITE_PORT = 60037
REGISTRY_PORT = 5005
# By wire: the destination that uses it.
DESTINATIONS = {"openssh": "far-openssh", "fabric": "far-fabric"}


@dataclass(frozen=True)
class Place:
    """`home`: of the far account; `project`: its project directory; `stack`, `whole`: the
    12 files, and all that the template makes; `near`: the home of whoever deploys."""

    home: Path
    project: Path
    stack: Path
    whole: Path
    near: Path

    @property
    def environment(self) -> str:
        """For sshd's SetEnv: the account's home, and programs also for shells without `-l`.
        A bash below another one (SHLVL) does not take itself for a new login and reads no rc
        file."""
        path = f"{self.home}/bin:/usr/local/bin:/usr/bin:/bin"
        return f"HOME={self.home} PATH={path} SHLVL=2"

    def uploads(self) -> list[Path]:
        return [self.stack / name for name in FILES]


def make(work: Path) -> Place:
    """Everything that needs no server."""
    place = Place(*(work / name for name in ("home", "project", STACK, "whole", "near")))
    _engine(place)
    _account(place)
    baked = bake(place.whole)
    for name in FILES:
        (place.stack / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(baked / name, place.stack / name)
    for service in SERVICES:
        _copy_nothing(place.stack / service / "Dockerfile")
    return place


def _copy_nothing(dockerfile: Path) -> None:
    """A deploy refuses a COPY of a file that is not there. Nothing is built here, so none is
    needed."""
    lines = dockerfile.read_text().splitlines(keepends=True)
    kept = (line for line in lines if not line.startswith("COPY ") or "--from=" in line)
    dockerfile.write_text("".join(kept))


def _engine(place: Place) -> None:
    (place.near / "bin").mkdir(parents=True)
    docker = place.near / "bin" / "docker"
    shutil.copyfile(Path(__file__).with_name("docker.sh"), docker)
    docker.chmod(0o755)


def bake(output: Path) -> Path:
    """The stack that the template makes with the default answers."""
    words = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(output)]
    answers = ["nersc_user=demo", f"stack_name={STACK}"]
    subprocess.run([*words, str(TEMPLATE), *answers], check=True, stdout=subprocess.DEVNULL)
    return output / STACK


def _account(place: Place) -> None:
    (place.home / "bin").mkdir(parents=True)
    (place.home / ".rancher").mkdir()
    (place.home / ".rancher" / "cli.json").write_text("{}\n")
    rancher = place.home / "bin" / "rancher"
    shutil.copyfile(Path(__file__).with_name("rancher.sh"), rancher)
    rancher.chmod(0o755)
    # /etc/profile sets PATH anew; modules are there as at the centre.
    profile = f"PATH={place.home}/bin:$PATH\nmodule() {{ :; }}\n"
    (place.home / ".bash_profile").write_text(profile)
    answers = place.home / "rancher"
    answers.mkdir()
    (answers / "containers").write_text("".join(_line(_container(name)) for name in SERVICES))
    # Whatever is deployed, these are other images.
    _write_state(place, "before", "active", dict.fromkeys(SERVICES, "older"))
    log = (f"2026-01-31T04:05:{n % 60:02d}Z worker {n} answered\n" for n in range(LOG_LINES))
    (answers / "log").write_text("".join(log))


def know_images(place: Place, images: Mapping[str, str]) -> None:
    """What Rancher tells of the services once the stack was deployed. `images`: by the
    variables of the compose file."""
    wanted = {name: images[f"{name.upper()}_IMAGE"] for name in SERVICES}
    for state in ("upgraded", "active"):
        _write_state(place, state, state, wanted)


def _write_state(place: Place, name: str, state: str, images: Mapping[str, str]) -> None:
    answers = place.home / "rancher"
    rows = "".join(_row(service, state) for service in SERVICES)
    services = "".join(_line(_service(service, state, images[service])) for service in SERVICES)
    (answers / f"rows.{name}").write_text(rows)
    (answers / f"services.{name}").write_text(services)


def _line(value: object) -> str:
    return json.dumps(value) + "\n"


def _row(name: str, state: str) -> str:
    """A service as the product's own format of `ps` has it."""
    point = f"{FAR}:{SITE_PORT} " if name == "web" else ""
    return f"row|{STACK}/{name}|{state}|healthy|no|{point}||\n"


def _service(name: str, state: str, image: str) -> dict[str, object]:
    points = [{"ipAddress": FAR, "port": SITE_PORT}] if name == "web" else []
    service = {
        "state": state,
        "healthState": "healthy",
        "transitioning": "no",
        "launchConfig": {"imageUuid": f"docker:{image}"},
        "scale": 1,
        "currentScale": 1,
        "publicEndpoints": points,
        "created": "2026-01-31T04:05:06Z",
    }
    return {"Name": f"{STACK}/{name}", "CombinedState": "healthy", "Service": service}


def _container(name: str) -> dict[str, object]:
    found = {"id": f"1i{name}", "name": f"{STACK}-{name}-1", "state": "running", "startCount": 1}
    return {"Container": {**found, "created": "2026-01-31T04:05:06Z"}}


def settle(place: Place) -> None:
    """The far side as before a deploy: what runs is healthy, nothing was uploaded yet."""
    shutil.rmtree(place.project, ignore_errors=True)
    (place.project / STACK).mkdir(parents=True)
    (place.home / "rancher" / "state").write_text("before\n")


def add_destinations(place: Place, server: Server) -> None:
    """Tell both stacks of the far side, once for each wire."""
    from spinstack.config import schema

    known = {key.name for key in schema.DESTINATION_KEYS}
    common = {
        "host": FAR,
        "port": server.port,
        "user": server.user,
        "identity_file": str(server.identity),
        "known_hosts_file": str(server.known_hosts),
        "environment": "dev-cattle",
        "project_dir": str(place.project),
        "address": "endpoint",
        "registry": f"127.0.0.1:{REGISTRY_PORT}",
        "namespace": "demo",
        "centre": {
            "storage": {"mountable": [str(place.project)]},
            "registries": {"own": [f"127.0.0.1:{REGISTRY_PORT}"]},
        },
    }
    for stack in (place.stack, place.whole / STACK):
        settings = stack / "invoke.yaml"
        read = yaml.safe_load(settings.read_text(encoding="utf-8"))
        for wire, name in DESTINATIONS.items():
            own = {**common, "wire": wire} if "wire" in known else common
            read["spinstack"]["destinations"][name] = own
        settings.write_text(yaml.safe_dump(read, sort_keys=False), encoding="utf-8")
