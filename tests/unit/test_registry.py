"""Logging in, the credentials that engines keep, and what a registry is asked before a push."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.images.engine import Engine
from spinstack.images.push import push
from spinstack.images.registry import Manifest, made_of, manifest
from spinstack.images.registry_login import Credentials, credentials, login, read_password
from spinstack.rules.service import ImageName
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result

DOCKER = Engine("docker")
REGISTRY = "registry.example.org"


def test_the_password_goes_over_standard_input_only() -> None:
    runner = RecordingRunner({"docker login": Result("Login Succeeded")})
    login(runner, DOCKER, REGISTRY, "ann", "s3cret")
    assert runner.calls == [f"docker login --username ann --password-stdin {REGISTRY}"]
    assert runner.inputs == ["s3cret"]


def test_a_refused_login_is_told_without_the_password() -> None:
    said = "unauthorized: authentication required for s3cret"
    runner = RecordingRunner({"docker login": Result(stderr=said, code=1)})
    with pytest.raises(SpinstackError, match="does not accept this user name") as caught:
        login(runner, DOCKER, REGISTRY, "ann", "s3cret")
    assert "s3cret" not in str(caught.value) + caught.value.details


def test_podman_is_told_that_this_machines_registry_speaks_http() -> None:
    runner = RecordingRunner({"podman login": Result()})
    login(runner, Engine("podman", True), "127.0.0.1:5000", "ann", "x")
    assert "--tls-verify=false" in runner.calls[0]


@pytest.mark.parametrize(("registry", "user"), [("--help", "ann"), ("a/b", "ann"), (REGISTRY, "")])
def test_a_login_without_a_registry_or_a_user_is_wrong_use(registry: str, user: str) -> None:
    with pytest.raises(UsageError):
        login(RecordingRunner(), DOCKER, registry, user, "x")


def test_reads_the_first_line_of_standard_input() -> None:
    assert read_password("?", io.StringIO("pass word \r\nnext\n")) == "pass word "
    for nothing in ("", "\n"):
        with pytest.raises(UsageError):
            read_password("?", io.StringIO(nothing))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_asks_at_a_terminal_without_showing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: {"Password: ": "s3cret"}[prompt])
    assert read_password("Password: ", Terminal()) == "s3cret"


def keep(home: Path, config: object) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def entry(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_finds_the_credentials_that_docker_keeps() -> None:
    keep(Path.home(), {"auths": {REGISTRY: entry("ann", "a:b")}})
    assert credentials(RecordingRunner(), DOCKER, REGISTRY) == Credentials("ann", "a:b")
    assert credentials(RecordingRunner(), DOCKER, "other.example.org") is None
    assert "a:b" not in repr(credentials(RecordingRunner(), DOCKER, REGISTRY))


def test_a_byte_order_mark_before_what_docker_keeps_is_no_part_of_it() -> None:
    keep(Path.home(), {"auths": {REGISTRY: entry("ann", "b")}})
    path = Path.home() / ".docker" / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert credentials(RecordingRunner(), DOCKER, REGISTRY) == Credentials("ann", "b")


def test_asks_the_credential_helper() -> None:
    keep(Path.home(), {"auths": {REGISTRY: {}}, "credsStore": "x", "credHelpers": {REGISTRY: "y"}})
    answer = Result('{"ServerURL":"","Username":"ann","Secret":"s3cret"}')
    runner = RecordingRunner({"docker-credential-y get": answer})
    assert credentials(runner, DOCKER, REGISTRY) == Credentials("ann", "s3cret")
    assert runner.inputs == [REGISTRY]


PODMAN = Engine("podman", True)


@pytest.mark.parametrize("engine", [DOCKER, PODMAN])
@pytest.mark.parametrize(
    "key",
    [
        *(REGISTRY, f"https://{REGISTRY}", f"https://{REGISTRY}/v2/", f"http://{REGISTRY}/v1/"),
        *(f"{REGISTRY}/demo", f"{REGISTRY}/demo/app"),
    ],
)
def test_finds_a_login_however_its_registry_is_written(engine: Engine, key: str) -> None:
    """Docker compares host names, Podman also knows logins for a namespace."""
    keep(Path.home(), {"auths": {"other.example.org": entry("x", "y"), key: entry("ann", "b")}})
    found = credentials(RecordingRunner(), engine, f"{REGISTRY}/demo/app")
    assert found == Credentials("ann", "b")


def test_of_several_logins_the_one_that_the_engine_uses_is_found() -> None:
    names = (f"https://{REGISTRY}", f"{REGISTRY}/other", REGISTRY, f"{REGISTRY}/demo")
    keep(Path.home(), {"auths": {name: entry(name, "b") for name in names}})
    for engine, path, user in (
        (PODMAN, "demo/app", f"{REGISTRY}/demo"),
        (PODMAN, "x", REGISTRY),
        (DOCKER, "demo/app", REGISTRY),
    ):
        found = credentials(RecordingRunner(), engine, f"{REGISTRY}/{path}")
        assert found and found.user == user


def test_podman_uses_no_login_of_another_namespace_or_host() -> None:
    names = (f"{REGISTRY}/other", f"{REGISTRY}/dem", f"https://{REGISTRY}.evil.org/v2/")
    keep(Path.home(), {"auths": {name: entry("ann", "b") for name in names}})
    assert credentials(RecordingRunner(), PODMAN, f"{REGISTRY}/demo/app") is None


@pytest.mark.parametrize("kept", ["credHelpers", "credsStore"])
def test_asks_the_credential_helper_that_is_kept_under_an_address(kept: str) -> None:
    key = f"https://{REGISTRY}/v2/"
    helpers = {"credHelpers": {key: "y"}} if kept == "credHelpers" else {"credsStore": "y"}
    keep(Path.home(), {"auths": {key: {}}, **helpers})
    helper = Helper({key: '{"Username":"ann","Secret":"s3cret"}'})
    found = credentials(helper, DOCKER, f"{REGISTRY}/demo/app")
    assert found == Credentials("ann", "s3cret")


class Helper(RecordingRunner):
    """Runs a credential helper that knows an address only as it was stored."""

    def __init__(self, known: dict[str, str]) -> None:
        super().__init__()
        self.known = known

    def run(self, command: Any, *, input: str | None = None, **named: Any) -> Result:
        said = self.known.get(input or "")
        return Result(said) if said else Result("credentials not found", code=1)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"auths": []}', '{"auths": {"r": {"auth": 3}}}'])
def test_an_unusable_configuration_is_none(text: str) -> None:
    keep(Path.home(), {})
    (Path.home() / ".docker" / "config.json").write_text(text)
    assert credentials(RecordingRunner(), DOCKER, "r") is None


class Fake(BaseHTTPRequestHandler):
    """A registry with one image, behind a token; `mode` says how it misbehaves."""

    mode = "token"
    seen: tuple[str, ...] = ()

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        Fake.seen = (*Fake.seen, f"{self.path.partition('?')[0]} {authorization}".strip())
        host = self.headers["Host"]
        if self.path.startswith("/token"):
            self.answer(200, {"token": "t0ken"})
        elif Fake.mode == "redirect":
            self.answer(302, {}, Location=f"http://{host}/elsewhere")
        elif Fake.mode == "token" and authorization != "Bearer t0ken":
            realm = f'Bearer realm="http://{host}/token",service="r",scope="repository:a:pull"'
            self.answer(401, {}, **{"WWW-Authenticate": realm})
        elif Fake.mode == "garbage":
            self.answer(200, [1])
        elif self.path == "/v2/demo/app/blobs/sha256:config":
            labels = {"spinstack.content": "c-1"}
            self.answer(200, {"os": "linux", "architecture": "arm64", "config": {"Labels": labels}})
        elif self.path == "/v2/demo/app/blobs/sha256:strange":
            self.answer(200, {"config": {"Labels": None}})
        elif self.path == "/v2/demo/app/manifests/c-1":
            digest = {"Docker-Content-Digest": "sha256:manifest"}
            self.answer(200, {"config": {"digest": "sha256:config"}}, **digest)
        else:
            self.answer(404, {})

    def answer(self, status: int, body: object, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def fake() -> Iterator[str]:
    Fake.mode, Fake.seen = "token", ()
    with ThreadingHTTPServer(("127.0.0.1", 0), Fake) as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_asks_with_a_token_where_the_registry_wants_one(fake: str) -> None:
    image = ImageName(fake, "demo/app", "c-1")
    assert manifest(image, Credentials("ann", "x")) == Manifest("sha256:manifest", "sha256:config")
    assert Fake.seen == (
        "/v2/demo/app/manifests/c-1",
        "/token Basic YW5uOng=",
        "/v2/demo/app/manifests/c-1 Bearer t0ken",
    )


@pytest.mark.parametrize("mode", ["redirect", "garbage", "missing"])
def test_any_doubt_is_no_answer(fake: str, mode: str) -> None:
    Fake.mode = mode
    assert manifest(ImageName(fake, "demo/app", "c-2"), None) is None
    assert not any("elsewhere" in line for line in Fake.seen)
    assert manifest(ImageName("127.0.0.1:1", "demo/app", "c-1"), None) is None


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("sha256:config", ("c-1", "linux/arm64")),
        ("sha256:strange", None),
        ("sha256:missing", None),
        ("", None),
    ],
)
def test_an_image_of_the_registry_tells_what_it_was_made_of(
    fake: str, config: str, told: tuple[str, str] | None
) -> None:
    image = ImageName(fake, "demo/app", "c-1")
    assert made_of(image, None, Manifest("sha256:manifest", config)) == told


def local(identity: str, *digests: str) -> Result:
    image = {"Id": identity, "Os": "linux", "Architecture": "amd64", "RepoDigests": list(digests)}
    return Result(json.dumps([image]))


def pushing(inspected: Result) -> RecordingRunner:
    said = f"c-1: digest: sha256:{'0' * 64} size: 527\n"
    return RecordingRunner({"docker image inspect": inspected, "docker image push": Result(said)})


@pytest.mark.parametrize(
    "same",
    [local("sha256:config"), local("sha256:manifest"), local("sha256:x", "a/b@sha256:manifest")],
)
def test_does_not_push_what_the_registry_has(fake: str, same: Result) -> None:
    runner = pushing(same)
    outcome = push(runner, DOCKER, f"{fake}/demo/app:c-1")
    assert (outcome.pushed, outcome.digest) == (False, "sha256:manifest")
    assert not any("push" in call for call in runner.calls)


def test_pushes_what_the_registry_does_not_have(fake: str) -> None:
    outcome = push(pushing(local("sha256:config")), DOCKER, f"{fake}/demo/app:c-2")
    assert (outcome.pushed, outcome.replaced) == (True, False)
    assert outcome.digest == f"sha256:{'0' * 64}"
    other = push(pushing(local("sha256:other")), DOCKER, f"{fake}/demo/app:c-1")
    assert (other.pushed, other.replaced) == (True, True)


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_refused_push_says_whether_one_is_logged_in(logged_in: bool) -> None:
    if logged_in:
        keep(Path.home(), {"auths": {"127.0.0.1:1": entry("ann", "x")}})
    refusal = Result(stderr="unauthorized: authentication required", code=1)
    answers: dict[str, Result | list[Result]] = {
        "docker image inspect": local("sha256:a"),
        "docker image push": refusal,
    }
    with pytest.raises(SpinstackError) as caught:
        push(RecordingRunner(answers), DOCKER, "127.0.0.1:1/demo/app:c-1")
    words = "does not accept the login" if logged_in else "you are not logged in"
    assert words in caught.value.what
    assert "invoke registry.login" in caught.value.remedy


def test_an_image_that_was_never_built_is_not_pushed() -> None:
    runner = RecordingRunner({"docker image inspect": Result("[]", "No such image", 1)})
    with pytest.raises(SpinstackError, match="not on this machine"):
        push(runner, DOCKER, "127.0.0.1:1/demo/app:c-1")


def test_a_dry_run_asks_no_registry(fake: str) -> None:
    shown: list[str] = []
    runner = PrintingRunner(shown.append)
    push(runner, DOCKER, f"{fake}/demo/app:c-1")
    login(runner, DOCKER, fake, "ann", "s3cret")
    assert Fake.seen == ()
    assert [line.split()[:4] for line in shown] == [
        ["$", "docker", "image", "inspect"],
        ["$", "docker", "image", "push"],
        ["$", "docker", "login", "--username"],
    ]
    assert "s3cret" not in "".join(shown)
