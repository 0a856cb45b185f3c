"""The images of a stack by a real engine and a real registry, side by side: each made once,
and all given up together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import Context

from spinstack.config import schema
from spinstack.deploy import images as deploy_images
from spinstack.session import Session
from spinstack.transport.runner import LocalRunner

from .at_terminal import AtTerminal
from .test_registry_images import Counting, registries

pytestmark = pytest.mark.real("engine", "registry")

__all__ = ["registries"]

# A step that takes longer than any test waits, in an image that needs no base image.
SLOW = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "300"]\n'

SETTINGS = """\
spinstack:
  stack: twins-desi
  destination: here
  project_dir: /global/cfs/cdirs/desi/demo
  images:
    app: {{context: app, name: twin-app}}
    web: {{context: web, name: twin-web}}
  destinations:
    here: {{environment: dev-cattle, registry: '{registry}', namespace: twins}}
"""


@pytest.fixture
def stack(tmp_path: Path, registries: Mapping[str, str]) -> Path:
    """Two images of a file each."""
    (tmp_path / "invoke.yaml").write_text(SETTINGS.format(registry=registries["open"]))
    (tmp_path / "tasks.py").write_text("from spinstack.tasks import ns\n")
    for key in ("app", "web"):
        (tmp_path / key).mkdir()
        (tmp_path / key / "Dockerfile").write_text("FROM scratch\nCOPY page /\n")
        (tmp_path / key / "page").write_text(f"{key} {tmp_path}\n")
    return tmp_path


class TwinSession(Session):
    """Runs for real, and keeps the commands."""

    def __init__(self, stack: Path) -> None:
        config = Config(defaults={**Config.global_defaults(), **schema.known_to_invoke()})
        config.set_project_location(str(stack))
        config.load_project()
        super().__init__(Context(config))
        self.counting = Counting()

    @property
    def runner(self) -> LocalRunner:  # type: ignore[override]
        return self.counting

    def brought(self) -> dict[str, str]:
        with deploy_images.images_under_way(self) as images:
            return images.wait()


def test_the_second_time_nothing_is_built_or_pushed(stack: Path) -> None:
    first, again = TwinSession(stack), TwinSession(stack)
    digests = first.brought()
    assert (first.counting.count("image build"), first.counting.count("image push")) == (2, 2)
    assert sorted(digests) == ["APP_IMAGE", "WEB_IMAGE"]
    assert all(digest.startswith("sha256:") for digest in digests.values())
    assert again.brought() == digests
    assert [line.split()[1:3] for line in again.counting.shown] == [
        *(["version", "--format"], ["image", "inspect"])
    ]


def test_only_the_image_that_changed_is_made_again(stack: Path) -> None:
    digests = TwinSession(stack).brought()
    (stack / "app/page").write_text("another\n")
    again = TwinSession(stack)
    changed = again.brought()
    assert changed["WEB_IMAGE"] == digests["WEB_IMAGE"]
    assert changed["APP_IMAGE"] != digests["APP_IMAGE"]
    assert (again.counting.count("image build"), again.counting.count("image push")) == (1, 1)


def test_what_somebody_else_pushed_is_not_built_here(stack: Path) -> None:
    first = TwinSession(stack)
    digests = first.brought()
    names = [first.image_reference(image) for image in first.settings.images]
    subprocess.run([first.engine.name, "image", "rm", *names], check=True, capture_output=True)
    other = TwinSession(stack)
    assert other.brought() == digests
    assert (other.counting.count("image build"), other.counting.count("image push")) == (0, 0)


def _is_there(session: Session) -> list[str]:
    """The names of the stack's images that the engine has."""
    names = [session.image_reference(image) for image in session.settings.images]
    look = [session.engine.name, "image", "inspect", *names]
    found = json.loads(subprocess.run(look, capture_output=True, text=True).stdout or "[]")
    return [tag for image in found for tag in image["RepoTags"]]


def test_a_caller_who_fails_stops_the_builds(stack: Path) -> None:
    _make_slow(stack, "app", "web")
    session = TwinSession(stack)
    # Those of what other tests keep running here.
    threads = set(threading.enumerate())
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt), deploy_images.images_under_way(session):
        while session.counting.count("image build") < 2:
            time.sleep(0.05)
        time.sleep(1)
        raise KeyboardInterrupt
    assert time.monotonic() - before < 60
    assert set(threading.enumerate()) <= threads
    assert _is_there(session) == []


def _make_slow(stack: Path, *keys: str) -> None:
    for key in keys:
        (stack / key / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (stack / key / "busybox").chmod(0o755)
        (stack / key / "Dockerfile").write_text(SLOW)


def test_ctrl_c_at_a_terminal_stops_all_and_leaves_no_client(stack: Path) -> None:
    """What runs is shown by its step; then the keys are pressed that everybody presses."""
    _make_slow(stack, "app")
    (stack / "web/Dockerfile").write_text("FROM scratch\nCOPY page /other\n")
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    environment = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    words = (sys.executable, "-m", "invoke", "build")
    person = AtTerminal(words, environment, stack)
    person.wait_for("✓", 60)
    # The engine's own last step is the label.
    person.wait_for("step 3/", 60)
    assert "RUN" in person.shown
    person.type("\x03", "stopped by Ctrl-C", 30)
    assert person.code(30) == 1
    assert "build app" in person.shown
    session = TwinSession(stack)
    assert [name for name in _is_there(session) if "twin-app" in name] == []
    running = subprocess.run(["pgrep", "-f", f"image build .*{stack}"], capture_output=True)
    assert running.stdout == b""
