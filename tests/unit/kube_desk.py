"""A desk at which tasks are typed for a stack on Kubernetes; the cluster is `kube_node.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from spinstack.checks import image_state
from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.remote.cluster import watch
from spinstack.session import Session
from spinstack.transport import probe
from spinstack.transport.login_node import LoginNode, PrintingLoginNode
from spinstack.transport.probe import Answer
from spinstack.transport.runner import RecordingRunner, Result, Runner
from tests.unit.kube_node import KubeNode
from tests.unit.stack_session import run

COMPOSE = """\
version: '2'
services:
  app:
    image: registry.nersc.gov/alice/app:1.0
    user: ${UID}:58102
    command: [serve, --port, '5000']
    cap_drop: [ALL]
  web:
    image: registry.nersc.gov/alice/web:1.0
    ports: ["60037:8080"]
    user: ${UID}:58102
    cap_drop: [ALL]
    volumes: ["./web/nginx.conf:/etc/nginx/nginx.conf:ro"]
"""
CLUSTER = {"cluster": "development", "namespace": "attic", "uid": 41037}
ADDRESS = "http://demo.attic.development.svc.spin.nersc.org/"


class KubeSession(Session):
    """At a destination on Kubernetes; programs here only answer what was announced."""

    def __init__(
        self,
        directory: Path,
        node: KubeNode,
        *,
        user: str = "alice",
        to: str | None = None,
        dry: bool = False,
    ) -> None:
        settings = {
            "stack": "demo",
            "destination": "dev",
            "platform": "kubernetes",
            "registry": "registry.nersc.gov",
            "user": user,
            "namespace": "alice",
            "healthy_within": 20,
            "project_dir": "/global/cfs/cdirs/desi/attic",
            "destinations": {"dev": {"kubernetes": CLUSTER}},
        }
        config = Config(overrides={"spinstack": settings, "run": {"dry": dry}})
        super().__init__(Context(config), to)
        self.__dict__.update(directory=directory, engine=Engine("docker"))
        self.node = node
        self.files: LoginNode | None = None
        self.programs = RecordingRunner(
            {
                "docker image inspect": Result("", "No such image", 1),
                "git -C": Result("", "not a git repository", 128),
            }
        )

    @property
    def runner(self) -> Runner:
        return self.programs

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        yield PrintingLoginNode("bash", self.console.result) if self.dry else self.node

    @contextmanager
    def file_node(self, *, asking: bool) -> Iterator[LoginNode | None]:
        yield self.files


class Desk:
    """Somebody who types tasks: each has a session of its own, as with Invoke."""

    def __init__(self, directory: Path, node: KubeNode, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.node = node
        self._capsys = capsys
        self.told = ""
        # The login node, whose login is open, where the mounted directories are.
        self.files: LoginNode | None = None

    def types(self, task: Any, *, user: str = "alice", dry: bool = False, **options: Any) -> str:
        """What the task prints as its result; `told`: all else that it says."""
        self._capsys.readouterr()
        session = KubeSession(self.directory, self.node, user=user, dry=dry, to=options.get("to"))
        session.files = self.files
        run(task, session, **options)
        out, self.told = self._capsys.readouterr()
        return out

    def heard(self) -> tuple[str, str]:
        """What was printed since somebody last listened."""
        return self._capsys.readouterr()

    def fails(self, task: Any, *, user: str = "alice", **options: Any) -> SpinstackError:
        """The error that the task ends with."""
        self._capsys.readouterr()
        session = KubeSession(self.directory, self.node, user=user)
        session.files = self.files
        with pytest.raises(SpinstackError) as error:
            run(task, session, **options)
        _, self.told = self._capsys.readouterr()
        return error.value

    def changes(self, image: str = "2.0", *, of: str = "web") -> None:
        """Another image in the compose file."""
        path = self.directory / "docker-compose.yml"
        old = path.read_text().partition(f"alice/{of}:")[2].partition("\n")[0]
        path.write_text(path.read_text().replace(f"alice/{of}:{old}", f"alice/{of}:{image}"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "laptop" / "demo"
    (place / "web").mkdir(parents=True)
    (place / "docker-compose.yml").write_text(COMPOSE)
    (place / "stack.env").write_text("")
    (place / "web" / "nginx.conf").write_text("server { listen 8080; }\n")
    return place


@pytest.fixture
def node() -> KubeNode:
    return KubeNode()


@pytest.fixture
def desk(
    directory: Path,
    node: KubeNode,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Desk:
    monkeypatch.setattr(probe, "ask", lambda url: Answer(200, "OK"))
    monkeypatch.setattr(image_state, "findings", lambda *_, **__: [])
    monkeypatch.setattr(watch, "PAUSE", 0.0)
    monkeypatch.setattr(watch, "SOON", 0.0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Desk(directory, node, capsys)
