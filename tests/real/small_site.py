"""A stack that is deployed in seconds, for tests that deploy often: two services of busybox.

`web` publishes a port, `app` does not; both serve the directory `site` of the release, and
have the release's generation in their environment, so that one sees whether they belong
together.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .stage import REPOSITORY, Stage, Typed

PORT = 60043
NAME = "small-desi"
TOOLS = ("sh", "httpd", "sleep", "cat", "echo", "id", "mkdir")
# As the first process of a container it has to say itself what ends it.
SERVE = 'trap "exit 0" TERM; httpd -f -p 8080 -h /site & wait'

SERVICE = """\
  {name}:
    image: ${{TINY_IMAGE}}
    command: ['sh', '-c', {command}]
    user: '${{UID}}:58102'
    cap_drop: [ALL]
    environment: {{GENERATION: '${{GENERATION}}'}}
    volumes: ['./site:/site:ro']
"""
HEALTH = """\
  {name}:
    scale: 1
    health_check:
      port: 8080
      request_line: GET {page} HTTP/1.0
      interval: 500
      response_timeout: 2000
      initializing_timeout: {patience}
      reinitializing_timeout: {patience}
      healthy_threshold: 1
      unhealthy_threshold: 2
      strategy: recreate
"""


def make_image(stage: Stage) -> str:
    """An image of busybox alone, in the rehearsal's registry; its name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
        for tool in TOOLS:
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    engine = str(stage.rehearsal["engine"])
    name = f"{registry(stage)}/demo/tiny:1.0"
    quiet = {"check": True, "capture_output": True, "env": stage.environment()}
    subprocess.run([engine, "import", "-", name], input=content.getvalue(), **quiet)  # type: ignore[call-overload]
    subprocess.run([engine, "push", name], **quiet)  # type: ignore[call-overload]
    return name


def registry(stage: Stage) -> str:
    told = yaml.safe_load((stage.private / "destination.yml").read_text())
    return str(told["registry"])


def assert_told_well(typed: Typed) -> None:
    """It failed as a tired person wants it: one error, what to do, no traceback."""
    print(typed)
    assert typed.code == 1
    assert typed.out == "", typed
    assert len(re.findall("^error: ", typed.err, flags=re.MULTILINE)) == 1, typed
    assert re.search("^  fix:   ", typed.err, flags=re.MULTILINE), typed
    assert "Traceback" not in typed.err, typed


@dataclass
class SmallSite:
    """The stack's directory, and what is typed in it."""

    stage: Stage
    directory: Path
    image: str
    name: str = NAME
    port: int = PORT

    def gone(self) -> None:
        """Remove it from Rancher and from the pretend global file system."""
        self.write("gone")
        self.invoke("unlock", "--yes")
        self.invoke("rm", "--yes")
        shutil.rmtree(self.root, ignore_errors=True)

    def write(
        self,
        generation: str,
        *,
        command: str = SERVE,
        page: str = "/",
        patience: int = 10_000,
        stack: dict[str, Any] | None = None,
        **destination: Any,
    ) -> None:
        """The stack's files. `command`: what `web` runs; `page`: its health check's;
        `patience`: milliseconds until it must be healthy; `stack` and the rest: settings."""
        site = self.directory / "site"
        site.mkdir(parents=True, exist_ok=True)
        (site / "index.html").write_text(f"generation {generation}\n")
        web = SERVICE.format(name="web", command=json.dumps(command))
        web += f"    ports: ['{self.port}:8080']\n"
        app = SERVICE.format(name="app", command=json.dumps(SERVE))
        self._file("docker-compose.yml", f"version: '2'\nservices:\n{app}{web}")
        checks = HEALTH.format(name="app", page="/", patience=10_000)
        checks += HEALTH.format(name="web", page=page, patience=patience)
        self._file("rancher-compose.yml", f"version: '2'\nservices:\n{checks}")
        builds = "images" in (stack or {})
        image = "" if builds else f"TINY_IMAGE={self.image}\n"
        self._file("stack.env", f"GENERATION={generation}\n{image}")
        include = str(self.stage.private / "destination.yml")
        settings = {
            "stack": self.name,
            "destination": "rehearsal",
            "healthy_within": 30,
            "destinations": {"rehearsal": {"include": include, **destination}},
            **(stack or {}),
        }
        self._file("invoke.yaml", yaml.safe_dump({"spinstack": settings}))
        if not (self.directory / "tasks.py").exists():
            template = REPOSITORY / "<<cookiecutter.stack_name>>" / "tasks.py"
            shutil.copy(template, self.directory / "tasks.py")

    def _file(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def invoke(self, *words: str, **variables: str) -> Typed:
        return self.stage.invoke(*words, at=self.directory, **variables)

    def deployed(self, generation: str, *, command: str = SERVE) -> None:
        """Write and deploy, which has to succeed, unless that generation runs already."""
        self.write(generation, command=command)
        if sorted(self.generations().values()) != [f"{generation} running"] * 2:
            typed = self.invoke("deploy")
            assert typed.code == 0, typed

    def on_a_bad_day(self, deed: str, step: str, nth: int, *words: str, **variables: str) -> Typed:
        """`invoke …`, with something happening to its connection (see `cut_short.py`)."""
        return self.stage.type(
            *self.bad_day(deed, step, nth, *words), at=self.directory, **variables
        )

    @staticmethod
    def bad_day(deed: str, step: str, nth: int, *words: str) -> tuple[str, ...]:
        return (sys.executable, str(Path(__file__).with_name("cut_short.py")), deed, step,
                str(nth), *words)  # fmt: skip

    @property
    def address(self) -> str:
        return f"http://{self.stage.rehearsal['node_address']}:{self.port}/"

    def seen(self) -> str:
        """What a visitor sees; a word for an error."""
        try:
            with urllib.request.urlopen(self.address, timeout=10) as answer:
                return str(answer.read().decode().strip())
        except urllib.error.HTTPError as error:
            return f"status {error.code}"
        except OSError as error:
            return f"nothing: {error}"

    def generations(self) -> dict[str, str]:
        """Container (stopped ones too) → its generation, and whether it runs."""
        found = {}
        for name, (ident, state) in self._containers().items():
            form = "{{range .Config.Env}}{{println .}}{{end}}"
            told = self._engine("inspect", "--format", form, ident)
            env = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
            found[name] = f"{env.get('GENERATION')} {state}"
        return found

    def _containers(self) -> dict[str, tuple[str, str]]:
        listed = self.stage.containers(self.name)
        return {name: (rest.split(" ")[0], rest.split(" ")[1]) for name, rest in listed.items()}

    def _engine(self, *words: str) -> str:
        engine = str(self.stage.rehearsal["engine"])
        done = subprocess.run([engine, *words], capture_output=True, text=True, check=True)
        return done.stdout

    @property
    def root(self) -> Path:
        """The stack's directory on the pretend global file system."""
        return self.stage.file_systems / "global/cfs/cdirs/desi/demo" / self.name

    def assert_whole(self, generation: str, root: Path | None = None) -> None:
        """One container a service, all of this generation, all running; nothing left open.
        `root`: the stack's directory there, if not the usual one."""
        assert self.seen() == f"generation {generation}"
        assert sorted(self.generations().values()) == [f"{generation} running"] * 2
        root = root or self.root
        left = sorted({path.name for path in root.iterdir()} - {"history.jsonl", "changes"})
        assert left == ["current", "releases"], left
        assert not list((root / "releases").glob("*.partial"))
        current = (root / "current" / "site" / "index.html").read_text()
        assert current == f"generation {generation}\n"


@pytest.fixture(scope="module")
def small(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSite]:
    """Deployed, in its generation 0; gone when the module's tests are over."""
    made = SmallSite(stage, tmp_path_factory.mktemp("small") / NAME, make_image(stage))
    made.deployed("0")
    yield made
    made.gone()
