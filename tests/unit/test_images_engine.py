"""Finding the engine, and what its failures mean, with the words that engines really use."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine, find
from spinstack.images.errors import BUILD, LOGIN, PUSH, Failure, explained
from spinstack.transport.command import Command
from spinstack.transport.probe import is_loopback
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result

DOCKER = '{"Client":{"Os":"linux","Arch":"amd64"},"Server":{"Os":"linux"}}'
PODMAN = '{"Client":{"APIVersion":"4.3.1","OsArch":"linux/amd64"},"Server":null}'


class Absent(RecordingRunner):
    """A machine where programs without an announced answer are missing or say nothing."""

    def run(self, command: Command, **options: object) -> Result:
        if not any(command.shown().startswith(prefix) for prefix in self.answers):
            raise SpinstackError(f"{command.shown()}: no answer")
        return super().run(command, **options)  # type: ignore[arg-type]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_to(*names: str) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: name if name in names else None)

    return set_to


def test_takes_the_first_that_answers(installed: Callable[..., None]) -> None:
    installed("docker", "podman")
    silent_docker = Result(stderr="Cannot connect to the Docker daemon at unix:///x", code=1)
    both = {"docker version": Result(DOCKER), "podman version": Result(PODMAN)}
    assert find(Absent(dict(both))) == Engine("docker")
    assert find(Absent(dict(both)), "podman") == Engine("podman", is_podman=True)
    mixed = Absent({"docker version": silent_docker, "podman version": Result(PODMAN)})
    assert find(mixed) == Engine("podman", is_podman=True)
    disguised = find(Absent({"docker version": Result(PODMAN)}))
    assert disguised == Engine("docker", is_podman=True)


@pytest.mark.parametrize(
    ("stderr", "what", "remedy"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "run", "start"),
        ("permission denied while trying to connect to the Docker daemon", "may not", "usermod"),
        ("Error: something else", "does not work", "docker version"),
    ],
)
def test_an_engine_that_refuses_says_why(
    installed: Callable[..., None], stderr: str, what: str, remedy: str
) -> None:
    installed("docker")
    with pytest.raises(SpinstackError) as caught:
        find(Absent({"docker version": Result(stderr=stderr, code=1)}))
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert caught.value.details == stderr


NO_ADDRESS = 'error during connect: Get "http://nowhere": dial tcp: lookup nowhere: no such host'


@pytest.mark.parametrize(
    ("name", "variable"), [("docker", "DOCKER_HOST"), ("docker", "DOCKER_CONTEXT"),
                           ("podman", "CONTAINER_HOST"), ("podman", "CONTAINER_CONNECTION")]
)  # fmt: skip
@pytest.mark.parametrize(
    "said",
    ["Cannot connect to the Docker daemon at tcp://nowhere:1. Is the docker daemon running?",
     "unable to parse docker host `nowhere`", NO_ADDRESS, None],
)  # fmt: skip
def test_a_variable_that_leads_elsewhere_is_named(
    installed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    variable: str,
    said: str | None,
) -> None:
    installed(name)
    monkeypatch.setenv(variable, "tcp://me:s3cret@nowhere:1")
    answers = {f"{name} version": Result(stderr=said, code=1)} if said else {}
    with pytest.raises(SpinstackError) as caught:
        find(Absent(answers), name)
    assert variable in caught.value.what
    assert caught.value.where == f"{variable}=tcp://me:********@nowhere:1"
    assert f"unset {variable}" in caught.value.remedy
    # The general remedy for an engine that is stopped takes the place of no other.
    assert caught.value.explained


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DOCKER_HOST", "unix:///var/run/docker.sock"), ("DOCKER_CONTEXT", "default")],
)
def test_a_variable_that_names_this_machine_s_engine_is_not_blamed(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    installed("docker")
    monkeypatch.setenv(variable, value)
    said = f"Cannot connect to the Docker daemon at {value}. Is the docker daemon running?"
    with pytest.raises(SpinstackError) as caught:
        find(Absent({"docker version": Result(stderr=said, code=1)}), "docker")
    assert "unset" not in caught.value.remedy and "start" in caught.value.remedy


def test_a_socket_that_is_not_there_is_to_be_corrected_or_its_engine_started(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To start this machine's own engine makes no other socket."""
    installed("docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    said = "Cannot connect to the Docker daemon at unix:///run/user/1000/docker.sock."
    with pytest.raises(SpinstackError) as caught:
        find(Absent({"docker version": Result(stderr=said, code=1)}), "docker")
    assert caught.value.where == "DOCKER_HOST=unix:///run/user/1000/docker.sock"
    assert caught.value.remedy.startswith("correct DOCKER_HOST or start that engine, or ")


def test_absence_and_silence_are_told_apart(installed: Callable[..., None]) -> None:
    installed()
    with pytest.raises(SpinstackError, match="neither docker nor podman"):
        find(Absent())
    with pytest.raises(SpinstackError, match="podman is not installed"):
        find(Absent(), "podman")
    installed("docker")
    with pytest.raises(SpinstackError, match="docker is installed, but did not respond"):
        find(Absent())


def test_a_dry_run_asks_nobody() -> None:
    shown: list[str] = []
    assert find(PrintingRunner(shown.append)) == Engine("docker")
    assert find(PrintingRunner(shown.append), "podman").is_podman
    assert shown == []


def test_plain_http_only_for_this_machine() -> None:
    for registry in ("127.0.0.1:5000", "127.9.9.9", "localhost:1", "[::1]:5000"):
        assert is_loopback(registry)
    for registry in ("registry.spin.nersc.gov", "10.0.0.1:5000", "localhost.example.org"):
        assert not is_loopback(registry)
    assert Engine("podman", True).plain_http("127.0.0.1:5000") == ("--tls-verify=false",)
    assert Engine("docker").plain_http("127.0.0.1:5000") == ()


FIELDS = {
    **dict.fromkeys(["engine", "registry", "user", "namespace", "reference", "not_let_in"], "X"),
    **dict.fromkeys(["doing", "where", "platform", "key", "dockerfile"], "X"),
}

# What was said -> words of the sentence that must come of it.
BUILDS = {
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such '
    "host": "base image",
    "pull access denied for nosuch, repository does not exist or may require login": "base image",
    "ERROR: failed to solve: python:3.99: docker.io/library/python:3.99: not found\n"
    "failed to resolve source metadata for docker.io/library/python:3.99": "base image",
    "manifest for python:3.99 not found: manifest unknown": "base image",
    "WARNING: Failed to establish a new connection: [Errno -2] Name or service not known": (
        "no network"
    ),
    "Temporary failure resolving 'deb.debian.org'": "no network",
    "exec /bin/sh: exec format error": "processor",
    "write /usr/lib/x: no space left on device": "no space",
    "COPY failed: file not found in build context or excluded by .dockerignore: stat nofile: "
    "file does not exist": "copies a file",
    'failed to compute cache key: "/nofile": not found': "copies a file",
    'building at STEP "COPY nofile /": checking on sources under "/x": stat: no such file or '
    "directory": "copies a file",
    "dockerfile parse error line 2: unknown instruction: FRM": "has an error",
    "ERROR: BuildKit is enabled but the buildx component is missing or broken.": "buildx",
    "The command '/bin/sh -c exit 3' returned a non-zero code: 3": "could not be built",
}
PUSHES = {
    "An image does not exist locally with the tag: x/y": "is not on this machine",
    "no basic auth credentials": "X",
    "unauthorized: authentication required": "X",
    "denied: requested access to the resource is denied": "may not push",
    "name unknown: repository name not known to registry": "no namespace",
    "unauthorized: project demo not found": "no namespace",
    'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused': (
        "can't be reached"
    ),
    'Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host': "can't be reached",
    'Get "https://r/v2/": dial tcp 192.0.2.1:443: i/o timeout': "in time",
    'Get "https://r/v2/": net/http: TLS handshake timeout': "in time",
    'Get "https://r/v2/": x509: certificate signed by unknown authority': "TLS",
    'Get "https://r/v2/": http: server gave HTTP response to HTTPS client': "TLS",
    "error parsing HTTP 413 response body: 413 Request Entity Too Large": "size",
    "received unexpected HTTP status: 503 Service Unavailable": "internal error",
    "write /var/lib/registry/x: no space left on device": "no space",
    "something never seen": "could not be pushed",
}
LOGINS = {
    'Get "http://127.0.0.1:1/v2/": unauthorized: authentication required': "does not accept",
    "Error response from daemon: login attempt to http://r/v2/ failed with status: 401 "
    "Unauthorized": "does not accept",
    "Error saving credentials: permission denied": "could not be stored",
    'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused': (
        "can't be reached"
    ),
}
SAID = [
    *((BUILD, said, words) for said, words in BUILDS.items()),
    *((PUSH, said, words) for said, words in PUSHES.items()),
    *((LOGIN, said, words) for said, words in LOGINS.items()),
]


@pytest.mark.parametrize(("failure", "said", "words"), SAID)
def test_what_engines_say_is_translated(failure: Failure, said: str, words: str) -> None:
    error = explained(failure, said, FIELDS)
    assert words in error.what
    assert error.remedy
    assert error.details == said


def test_the_details_are_the_last_lines_without_advertisement() -> None:
    output = "\n".join(f"line {n}\n" for n in range(40))
    advertisement = (
        "DEPRECATED: The legacy builder is deprecated.\n"
        "            Install the buildx component to build images with BuildKit:\n"
        "            https://docs.docker.com/go/buildx/\n"
    )
    error = explained(BUILD, output + advertisement, FIELDS)
    assert error.details.splitlines() == [f"line {n}" for n in range(25, 40)]


def test_a_failed_push_is_not_buried_under_its_figures() -> None:
    states = [f"aa37c9dfce77: Pushing  {number}MB/197.2MB" for number in range(40)]
    said = "\n".join([*states, "denied: requested access to the resource is denied", *states])
    fields = {"namespace": "demo", "registry": "r", "reference": "r/demo/a:c-1", "engine": "docker"}
    error = explained(PUSH, said, fields)
    assert error.details == "denied: requested access to the resource is denied"
    assert error.what == "you may not push to demo on r"
