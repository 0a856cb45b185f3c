"""The stack on the laptop, by the compose program and the engine that are here: what a person
types and sees, and what the containers may do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage, Typed

pytestmark = pytest.mark.real("engine", "registry", "compose")

NAME = "local-desi"
UID = os.getuid() or 41037


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Laptop:
    """A stack of its own on the shared stage, one of whose directories is not here."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.port = free_port()
        self.stack = stage.bake(NAME, 60042)
        self.cache = stage.home / ".cache/spinstack/local" / NAME

    def invoke(self, *words: str) -> Typed:
        return self.stage.invoke(*words, at=self.stack)

    def done(self, *words: str) -> Typed:
        typed = self.invoke(*words)
        assert typed.code == 0, typed
        return typed

    def engine(self, *words: str) -> str:
        words = (str(self.stage.rehearsal["engine"]), *words)
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def left(self) -> str:
        """Its containers and networks."""
        containers = self.engine("ps", "--all", "--filter", f"name=spinstack-{NAME}", "--quiet")
        return containers + self.engine(
            "network", "ls", "--filter", f"name=spinstack-{NAME}", "--quiet"
        )


@pytest.fixture(scope="module")
def laptop(stage: Stage) -> Iterator[Laptop]:
    made = Laptop(stage)
    made.done("env", "--set", "STATIC_DIR=pages")
    yield made
    made.invoke("local.down", "--data", "--yes")


@pytest.fixture(scope="module")
def up(laptop: Laptop) -> Typed:
    return laptop.done("local.up", "--port", str(laptop.port))


def test_up_ends_with_an_address_where_the_calendar_is(laptop: Laptop, up: Typed) -> None:
    assert up.last_line == f"http://127.0.0.1:{laptop.port}/"
    assert "replaced by sample data: STATIC_DIR" in up.err
    # The rehearsal's project directory is on this machine.
    assert f"DATA_DIR: {laptop.stage.file_systems}" in up.err
    status, page = get(up.last_line)
    assert status == 200
    assert b"Nights" in page


def test_containers_have_what_they_have_at_spin(laptop: Laptop, up: Typed) -> None:
    told = json.loads(laptop.done("local.status", "--json").out)
    names = [service["name"] for service in told["services"]]
    assert [service["service"] for service in told["services"]] == ["app", "web"]
    for container in json.loads(laptop.engine("inspect", *names)):
        host: dict[str, Any] = container["HostConfig"]
        assert container["Config"]["User"] == f"{UID}:58102"
        assert host["CapDrop"] == ["ALL"]
        assert host["ReadonlyRootfs"] is True
        writable = [m["Destination"] for m in container["Mounts"] if m["RW"]]
        assert writable in ([], ["/app/static"])
        for bindings in (host["PortBindings"] or {}).values():
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]


def test_a_page_is_made_on_demand_in_the_sample(laptop: Laptop, up: Typed) -> None:
    data = laptop.stage.file_systems / "global/cfs/cdirs/desi/demo/nightwatchtest/data/output"
    image = sorted(data.glob("*/*/preproc-*.fits"))[0]
    path = f"{image.parent.relative_to(data)}/{image.stem}-8x.html"
    assert get(up.last_line + path)[0] == 200
    made = laptop.cache / "nightwatchtest/output" / path
    assert (made.stat().st_uid, made.stat().st_gid) == (UID, 58102)


def test_status_and_logs_are_for_reading(laptop: Laptop, up: Typed) -> None:
    status = laptop.done("local.status").out
    assert f"address: {up.last_line} (200)" in status
    logs = laptop.done("local.logs", "--service", "web", "--tail", "5").out
    assert "GET / HTTP/1.1" in logs
    assert "\x1b" not in logs


def test_up_again_changes_what_changed(laptop: Laptop, up: Typed) -> None:
    def containers() -> dict[str, str]:
        told = json.loads(laptop.done("local.status", "--json").out)
        return {service["service"]: service["since"] for service in told["services"]}

    before = containers()
    conf = laptop.stack / "web/site.conf"
    text = conf.read_text()
    conf.write_text(text.replace("302 nights.html", '200 "other\\n"'))
    time.sleep(1.1)  # the engine's times are told in seconds
    laptop.done("local.up", "--port", str(laptop.port))
    conf.write_text(text)
    after = containers()
    assert get(up.last_line) == (200, b"other\n")
    assert after["app"] == before["app"]
    assert after["web"] != before["web"]


def test_an_app_that_does_not_start_is_shown_with_its_log(laptop: Laptop, up: Typed) -> None:
    app = laptop.stack / "app/app.py"
    text = app.read_text()
    app.write_text("raise RuntimeError('planted')\n")
    typed = laptop.invoke("local.up", "--port", str(laptop.port))
    app.write_text(text)
    assert typed.code == 1
    assert "app (exited with code" in typed.err
    assert "planted" in typed.err
    assert 'Traceback (most recent call last)\n  File "/work' not in typed.err


def test_a_taken_port_is_told_with_a_remedy(laptop: Laptop, up: Typed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        typed = laptop.invoke("local.up", "--port", str(server.getsockname()[1]))
    assert typed.code == 1
    assert "a port of the stack is already in use" in typed.err
    assert "--port NUMBER" in typed.err


def test_down_leaves_nothing(laptop: Laptop, up: Typed) -> None:
    assert laptop.left()
    laptop.done("local.down")
    assert laptop.left() == ""
    assert laptop.cache.exists()
    laptop.done("local.down", "--data", "--yes")
    assert not laptop.cache.exists()
    assert "is not running on this machine" in laptop.invoke("local.status").err


def test_one_image_runs_alone_until_ctrl_c(laptop: Laptop) -> None:
    port = free_port()
    words = ("invoke", "image.run", "--image", "web", "--port", str(port))
    with subprocess.Popen(
        words,
        cwd=laptop.stack,
        env=laptop.stage.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert answers(f"http://127.0.0.1:{port}/healthz")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert f"running web at http://127.0.0.1:{port}/" in output
    assert laptop.left() == ""


def answers(url: str) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return get(url)[0] == 200
        except OSError:
            time.sleep(0.2)
    return False


def test_the_images_are_listed_with_what_the_registry_has(
    laptop: Laptop, first_deploy: Typed
) -> None:
    """The other stack of the stage is made of the same images, and was deployed."""
    listed = json.loads(laptop.done("image.list", "--json").out)
    current = {image["key"]: image for image in listed if image["current"]}
    assert {key: image["services"] for key, image in current.items()} == {
        "app": ["app"],
        "web": ["web"],
    }
    assert all(image["pushed"] is True for image in current.values())
    assert all(image["size"] > 1_000_000 for image in current.values())
    assert "* " in laptop.done("image.list").out


def test_the_doctor_finds_a_rehearsal_well_and_a_stopped_part_ill(laptop: Laptop) -> None:
    well = laptop.done("doctor")
    assert "problem" not in well.out
    lines = {line[9:].split("  ")[0]: line for line in well.out.splitlines()}
    for part in ("engine", "compose", "login node", "host key", "registry", "settings"):
        assert lines[part].startswith("ok"), well
    there = laptop.stage.private / "known_hosts"
    text = there.read_text()
    kind = text.split()[1]
    key = Path(laptop.stage.work / "key")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind.removeprefix("ssh-"), "-N", "", "-f", str(key)], check=True
    )
    there.write_text(f"{text.split()[0]} {key.with_suffix('.pub').read_text()}")
    begin = time.monotonic()
    ill = laptop.invoke("doctor", "--json")
    there.write_text(text)
    assert time.monotonic() - begin < 15
    assert ill.code == 1
    told = {one["part"]: one for one in json.loads(ill.out)}
    assert told["host key"]["state"] == "problem"
    assert "ssh-keygen -R" in told["host key"]["remedy"]


def test_settings_of_the_rehearsal_are_told_with_their_file(laptop: Laptop) -> None:
    told = json.loads(laptop.done("env", "--json").out)
    settings = {row["name"]: row for row in told["settings"]}
    variables = {row["name"]: row for row in told["variables"]}
    assert settings["host"]["origin"].endswith("default/destination.yml:2")
    assert settings["user"]["value"] == "demo"
    assert variables["STATIC_DIR"]["origin"] == "stack.env:14, below project_dir"
