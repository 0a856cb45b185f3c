"""Both images of a stack, built and run the way Spin runs them: any user, no capabilities,
a read-only root, and only what docker-compose.yml mounts."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from spinstack import engine
from spinstack.rehearsal import base_images, sample
from spinstack.runner import LocalRunner
from tests.baking import bake

pytestmark = pytest.mark.real("engine")

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

    def start(self, service: str, container: str = "", static: str = "rw") -> str:
        """A container of a service, with what its part of docker-compose.yml says."""
        container = container or f"{self.name}-{service}"
        composed = yaml.safe_load((self.stack / "docker-compose.yml").read_text())
        asked = self._filled_in(composed["services"][service])
        # A file that is mounted has to be readable by the user of the container.
        (self.stack / "web/nginx.conf").chmod(0o644)
        words = ["run", "--detach", "--name", container, "--network", self.name]
        words += ["--network-alias", service, "--user", asked["user"], "--read-only"]
        words += [word for cap in asked["cap_drop"] for word in ("--cap-drop", cap)]
        words += [word for path in asked["tmpfs"] for word in ("--tmpfs", path)]
        for volume in asked["volumes"]:
            source, target, mode = volume.split(":")
            mode = static if target == "/app/static" else mode
            words += ["--volume", f"{(self.stack / source).resolve()}:{target}:{mode}"]
        words += [f"--publish=127.0.0.1::{port.split(':')[1]}" for port in asked.get("ports", [])]
        words += ["--entrypoint", asked["entrypoint"]] if "entrypoint" in asked else []
        self.docker(*words, self.images[service], *asked.get("command", []))
        return container

    def _filled_in(self, service: dict[str, Any]) -> Any:
        lines = (self.stack / "stack.env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
        for name in [name for name in values if name.endswith("_DIR")]:
            values[name] = str(self.project / values[name])
        values |= {"UID": str(UID), "GROUP_ID": str(GID)}
        return interpolated(service, values)

    def get(self, path: str, container: str = "") -> http.client.HTTPResponse:
        """The answer of web at its outside port; waits until web listens."""
        port = int(self.docker("port", f"{self.name}-web", "8080").split(":")[-1])
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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("lab")
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
    yield lab
    containers = lab.docker("ps", "--all", "--quiet", "--filter", f"name={lab.name}").split()
    if containers:
        lab.docker("rm", "--force", "--volumes", *containers)
    lab.docker("network", "rm", lab.name)
    for service, image in images.items():
        # Kept under one name, so that the next build finds its layers again.
        lab.docker("tag", image, f"spinstack-test/{service}:kept")
        lab.docker("rmi", image)


@pytest.fixture(scope="module")
def web_alone(lab: Lab) -> int:
    """web, started when there is no app yet; the status that it answers."""
    lab.start("web")
    assert lab.get("/healthz").status == 200
    return lab.get("/").status


@pytest.fixture(scope="module")
def site(lab: Lab, web_alone: int) -> Lab:
    """Both services, on the sample data."""
    lab.start("app")
    lab.wait_for("/nights.html", 200)
    return lab


def an_image(lab: Lab) -> str:
    """The address of an image page that is not there yet but can be made."""
    static, data = lab.project / "nightwatchtest/output", lab.project / "nightwatchtest/data/output"
    for image in sorted(data.glob("*/*/preproc-*.fits")):
        page = f"{image.parent.relative_to(data)}/{image.stem}-9x.html"
        if not (static / page).exists():
            return f"/{page}"
    raise AssertionError("no image among the sample data")


def test_web_starts_without_app_and_says_so(web_alone: int):
    assert web_alone == 502


def test_the_calendar_is_served(site: Lab):
    start = site.get("/")
    assert (start.status, start.headers["Location"]) == (302, "nights.html")
    assert b"<html" in site.get("/nights.html").read()


def test_redirects_lead_to_the_outside_port(site: Lab):
    outside = site.docker("port", f"{site.name}-web", "8080")
    night = an_image(site).split("/")[1]
    location = site.get(f"/{night}").headers["Location"]
    assert location in (f"http://{outside}/{night}/", f"/{night}/")


def test_a_page_is_made_on_demand_as_the_owner_of_the_files(site: Lab):
    address = an_image(site)
    assert b"<html" in site.get(address).read()
    made = site.project / "nightwatchtest/output" / address[1:]
    assert (made.stat().st_uid, made.stat().st_gid) == (UID, GID)


def test_the_containers_hold_no_privilege(site: Lab):
    for service in ("app", "web"):
        status = site.docker("exec", f"{site.name}-{service}", "cat", "/proc/1/status")
        assert re.search(rf"^Uid:\s+{UID}\s", status, re.MULTILINE)
        assert re.search(rf"^Gid:\s+{GID}\s", status, re.MULTILINE)
        assert not re.search(r"^Cap(Prm|Eff|Bnd):\s*0*[1-9a-f]", status, re.MULTILINE)


def test_the_libraries_of_nightwatch_are_there(site: Lab):
    wanted = "numpy, scipy, astropy.table, astropy.io.fits, fitsio, bokeh.plotting, bokeh.embed"
    # desitarget itself imports desiutil, which is mounted and here only a stand-in.
    found = "from importlib.util import find_spec; assert find_spec('desitarget.targets')"
    code = f"import {wanted}, matplotlib, healpy, yaml; {found}"
    site.docker("exec", f"{site.name}-app", "python3", "-c", code)


def test_web_finds_app_at_a_new_address(site: Lab):
    site.start("app", container=f"{site.name}-other", static="ro")
    site.docker("rm", "--force", f"{site.name}-app")
    site.wait_for("/nights.html", 200)
    # This app may not write: what is there is served, what is not is told.
    answer = site.get(an_image(site))
    assert answer.status == 503
    assert b"can&#x27;t be written to" in answer.read()


def test_both_stop_when_they_are_told(site: Lab):
    for container in (f"{site.name}-other", f"{site.name}-web"):
        before = time.monotonic()
        site.docker("stop", "--time", "20", container)
        assert time.monotonic() - before < 10
