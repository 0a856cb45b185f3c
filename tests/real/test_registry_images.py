"""Images built by a real engine and pushed to real registries, one open, one with passwords."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import bcrypt
import pytest
import yaml

from spinstack.errors import SpinstackError
from spinstack.images import engine
from spinstack.images.build import build
from spinstack.images.dockerignore import Ignore
from spinstack.images.engine import Engine
from spinstack.images.push import push
from spinstack.images.registry_login import login
from spinstack.images.tag import ImageSpec, reference
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, Result

from .stage import REPOSITORY

pytestmark = pytest.mark.real("engine", "registry")

USER, PASSWORD = "ann", "correct horse; battery"


class Counting(LocalRunner):
    """Runs for real and keeps what was shown, to see what was not done."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        super().__init__(self.shown.append)

    def count(self, words: str) -> int:
        return sum(words in line for line in self.shown)


@pytest.fixture
def runner() -> Counting:
    return Counting()


@pytest.fixture
def docker(runner: Counting) -> Engine:
    return engine.find(LocalRunner())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            assert server.poll() is None, "the registry ended at once"
            time.sleep(0.05)
    raise AssertionError("the registry does not answer")


def _serve(directory: Path, auth: str) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    config = directory / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{directory}/data'}}}}\n{auth}"
    )
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=log, stderr=subprocess.STDOUT
        )
    _wait_for(port, server)
    return server, f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """`open` and `guarded`, with the images that the tests made for them removed afterwards."""
    guarded = tmp_path_factory.mktemp("guarded")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (guarded / "htpasswd").write_text(f"{USER}:{hashed}\n")
    auth = f"auth: {{htpasswd: {{realm: test, path: '{guarded}/htpasswd'}}}}\n"
    servers = {
        "open": _serve(tmp_path_factory.mktemp("open"), ""),
        "guarded": _serve(guarded, auth),
    }
    yield {name: host for name, (_, host) in servers.items()}
    for server, host in servers.values():
        _forget_images(host)
        server.terminate()
        server.wait(20)


def _forget_images(host: str) -> None:
    name = engine.find(LocalRunner()).name
    listing = [name, "image", "ls", "--quiet", "--filter", f"reference={host}/*/*"]
    ids = subprocess.run(listing, capture_output=True, text=True).stdout.split()
    if ids:
        subprocess.run([name, "image", "rm", "--force", *sorted(set(ids))], capture_output=True)


@pytest.fixture
def spec(tmp_path: Path) -> ImageSpec:
    """An image that needs no base image: a file on nothing."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG WORD=none\nCOPY . /tree/\n")
    (tmp_path / "page").write_text(f"{tmp_path}\n")
    return ImageSpec("app", tmp_path, "app", {"WORD": "two words", "UNUSED": "x"})


@pytest.fixture
def made(
    runner: Counting, docker: Engine, spec: ImageSpec, registries: Mapping[str, str]
) -> Callable[[str], str]:
    """The image of `spec`, built under the name of one of the registries."""

    def make(registry: str) -> str:
        name = reference(spec, registries[registry], "demo")
        build(runner, docker, spec, name)
        return name

    return make


def test_builds_only_what_has_changed(
    runner: Counting, docker: Engine, spec: ImageSpec, registries: Mapping[str, str]
) -> None:
    lines: list[str] = []

    def built() -> tuple[str, bool]:
        name = reference(spec, registries["open"], "demo")
        return name, build(runner, docker, spec, name, on_line=lines.append).built

    first, was_built = built()
    assert was_built
    assert any("COPY . /tree/" in line for line in lines)
    os.utime(spec.context / "page", (1, 1))
    assert built() == (first, False)
    (spec.context / "page").write_text("another\n")
    second, was_built = built()
    assert was_built
    assert second != first
    assert runner.count("image build") == 2


def test_pushes_only_what_the_registry_does_not_have(
    runner: Counting, docker: Engine, made: Callable[[str], str]
) -> None:
    name = made("open")
    first = push(runner, docker, name)
    again = push(runner, docker, name)
    assert (first.pushed, first.replaced, again.pushed) == (True, False, False)
    assert again.digest.startswith("sha256:")
    assert first.digest in ("", again.digest)
    assert runner.count("image push") == 1


def test_a_guarded_registry_wants_a_login_and_then_lets_in(
    runner: Counting,
    docker: Engine,
    made: Callable[[str], str],
    registries: Mapping[str, str],
) -> None:
    name = made("guarded")
    with pytest.raises(SpinstackError, match="you are not logged in to 127") as stranger:
        push(runner, docker, name)
    assert "invoke registry.login" in stranger.value.remedy
    with pytest.raises(SpinstackError, match="does not accept this user name and password"):
        login(runner, docker, registries["guarded"], USER, "wr0ng-word")
    login(runner, docker, registries["guarded"], USER, PASSWORD)
    assert push(runner, docker, name).pushed
    assert not push(runner, docker, name).pushed
    assert not any(word in "\n".join(runner.shown) for word in ("wr0ng-word", PASSWORD))


def test_a_login_that_is_kept_under_an_address_serves_doctor_and_spares_a_push(
    runner: Counting, docker: Engine, registries: Mapping[str, str], tmp_path: Path
) -> None:
    host = registries["guarded"]
    login(runner, docker, host, USER, PASSWORD)
    kept = Path.home() / ".docker" / "config.json"
    auths = json.loads(kept.read_text())["auths"]
    kept.write_text(json.dumps({"auths": {f"https://{host}": auths[host]}}))
    _write_stack(tmp_path, host)

    def invoke(*words: str) -> str:
        program = str(Path(sys.executable).with_name("invoke"))
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 or words == ("doctor",), done
        return done.stdout + done.stderr

    invoke("build")
    assert "(already there)" not in invoke("push")
    assert "(already there)" in invoke("push")
    # Nothing else of this destination is there.
    assert f"{host}: logged in as {USER}" in invoke("doctor")


def _write_stack(directory: Path, registry: str) -> None:
    """One with an image of its own, whose destination has this registry."""
    (directory / "image").mkdir()
    (directory / "image" / "Dockerfile").write_text("FROM scratch\nCOPY . /tree/\n")
    way = {"host": "127.0.0.1", "port": 9, "environment": "dev-cattle", "project_dir": "/x"}
    settings = {
        "stack": "small-desi",
        "user": "demo",
        "namespace": "demo",
        "images": {"tiny": {"context": "image", "name": "tiny"}},
        "destination": "lab",
        "destinations": {"lab": {**way, "registry": registry}},
    }
    service = "version: '2'\nservices:\n  web: {image: '${TINY_IMAGE}'}\n"
    (directory / "invoke.yaml").write_text(yaml.safe_dump({"spinstack": settings}))
    (directory / "docker-compose.yml").write_text(service)
    (directory / "stack.env").touch()
    shutil.copy(REPOSITORY / "<<cookiecutter.stack_name>>" / "tasks.py", directory / "tasks.py")


def test_a_registry_that_is_not_there_is_told(
    runner: Counting, docker: Engine, spec: ImageSpec
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(SpinstackError, match=f"{nowhere} can't be reached"):
        login(runner, docker, nowhere, USER, PASSWORD)
    name = reference(spec, nowhere, "demo")
    build(runner, docker, spec, name)
    try:
        with pytest.raises(SpinstackError, match=f"{nowhere} can't be reached"):
            push(runner, docker, name)
    finally:
        _forget_images(nowhere)


@pytest.mark.parametrize(
    ("dockerfile", "what"),
    [
        ("FROM scratch\nCOPY nofile /\n", "copies a file that is not"),
        ("FROM scratch\nCOPPY page /\n", "has an error"),
        ("FROM registry.invalid/demo/base:1\n", "base image can't be pulled"),
    ],
)
def test_a_build_that_fails_says_why(
    runner: Counting, docker: Engine, spec: ImageSpec, dockerfile: str, what: str
) -> None:
    spec.dockerfile_path.write_text(dockerfile)
    with pytest.raises(SpinstackError, match=what) as caught:
        build(runner, docker, spec, "127.0.0.1:1/demo/app:c-0")
    assert caught.value.details
    assert "DEPRECATED" not in caught.value.details


TREE = ["a", "b.pyc", "README.md", "x.md", "d/a", "d/b.pyc", "d/e/a", "d/e/x.md", "d/e/f/tmp/g"]
TREE += ["tmp/g", "te st", "[z]", "k/keep", "k/x"]
IGNORED = [
    "# d\n*.md\n!README.md\n",
    "/d/\n",
    "**/tmp\n**/*.pyc\n",
    "d/**\n!d/e/a\n",
    "*\n!d/e\nd/e/*.md\n!Dockerfile\n",
    "d/*/f\n?\n",
    "**/a\nd/**/x.md\n",
    "[a-c]*\n\\[z\\]\nte st\n",
    "k\n!k/keep\n.dockerignore\n",
    "./d//e/../b.pyc\nk/\n",
]


def _files_in_image(runner: Counting, docker: Engine, name: str) -> set[str]:
    """The files below /tree, as the engine copied them."""

    def done(*words: str) -> Result:
        return runner.run(Command(docker.name, *words))

    container = done("container", "create", name, "none").stdout.strip()
    try:
        archive = subprocess.run([docker.name, "export", container], capture_output=True)
    finally:
        done("container", "rm", container)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        return {
            member.name.removeprefix("tree/")
            for member in tar
            if member.isfile() and member.name.startswith("tree/")
        }


@pytest.mark.parametrize("text", IGNORED)
def test_leaves_out_what_the_engine_leaves_out(
    runner: Counting,
    docker: Engine,
    spec: ImageSpec,
    registries: Mapping[str, str],
    text: str,
) -> None:
    (spec.context / "page").unlink()
    for path in TREE:
        (spec.context / path).parent.mkdir(parents=True, exist_ok=True)
        (spec.context / path).write_text(path)
    (spec.context / ".dockerignore").write_text(text)
    ignore = Ignore.parse(text)
    expected = {p for p in [*TREE, "Dockerfile", ".dockerignore"] if not ignore.ignores(p)}
    name = reference(spec, registries["open"], "ignore")
    build(runner, docker, spec, name)
    assert _files_in_image(runner, docker, name) == expected
