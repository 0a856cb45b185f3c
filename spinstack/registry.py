"""The registry: logging in, and asking which image a tag stands for.

The question is an optimisation before a push. Every doubt is answered by "unknown", and then
the engine pushes and skips by itself what is there already.
"""

from __future__ import annotations

import base64
import getpass
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, TextIO

from spinstack.command import Command
from spinstack.engine import Engine, is_loopback
from spinstack.engine_failures import LOGIN, LOGIN_OTHERWISE, explained
from spinstack.errors import SpinstackError, UsageError
from spinstack.image_lookup import CONTENT_LABEL
from spinstack.runner import Runner
from spinstack.service import ImageName

# Seconds for one answer of a registry, and for a login through the engine.
ANSWER_WITHIN = 10.0
LOGIN_WITHIN = 90.0

# A manifest is a few kB; the registry specification asks for 4 MiB at most.
_LARGEST_MANIFEST = 4 << 20

# Source: distribution/spec image-spec v2 schema 2, opencontainers/image-spec media types.
_MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    )
)


def read_password(prompt: str, stdin: TextIO) -> str:
    """The password typed at a terminal (unseen), or the first line of standard input.

    Raises UsageError for an empty one.
    """
    if stdin.isatty():
        try:
            password = getpass.getpass(prompt)
        except EOFError:
            password = ""
    else:
        password = stdin.readline().rstrip("\r\n")
    if not password:
        raise UsageError(
            "no password was given",
            remedy="type it at the prompt, or hand it over on standard input",
        )
    return password


def login(runner: Runner, engine: Engine, registry: str, user: str, password: str) -> None:
    """Store the credentials of a registry in the engine's own configuration.

    The password goes over standard input, so that it is in no list of processes and no log.
    Raises SpinstackError for refused credentials and for a registry that can't be reached,
    UsageError for an empty user name or a registry that is no host.
    """
    if not user:
        raise UsageError("no user name for the registry", remedy="give the one you log in with")
    if not re.fullmatch(r"\w[\w.-]*(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", registry):
        raise UsageError(
            f"{registry!r} is not the name of a registry",
            remedy="a host name, with a port if need be: registry.spin.nersc.gov",
        )
    flags = engine.plain_http(registry)
    command = engine.command("login", *flags, "--username", user, "--password-stdin", registry)
    result = runner.run(command, input=password, timeout=LOGIN_WITHIN)
    if not result.ok:
        output = (result.stdout + "\n" + result.stderr).replace(password, "********")
        fields = {
            "registry": registry,
            "user": user,
            "where": f"registry {registry}",
            "engine": engine.name,
            "doing": "logging in",
        }
        raise explained(LOGIN, LOGIN_OTHERWISE, output, fields)


@dataclass(frozen=True)
class Credentials:
    """User name and password (or token) that the engine keeps for a registry."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ********)"

    def basic(self) -> str:
        pair = f"{self.user}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def credentials(runner: Runner, engine: Engine, registry: str) -> Credentials | None:
    """What `docker login` stored for the registry; None where there is nothing usable."""
    for path in _config_files(engine):
        config = _json_mapping(path)
        helper = _mapping(config, "credHelpers").get(registry) or config.get("credsStore")
        if isinstance(helper, str) and re.fullmatch(r"[\w.-]+", helper):
            found = _from_helper(runner, helper, registry)
        else:
            found = _from_entry(_mapping(_mapping(config, "auths"), registry))
        if found:
            return found
    return None


def _config_files(engine: Engine) -> list[Path]:
    """Docker's file; before it Podman's own, which comes in the same format."""
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if not engine.is_podman:
        return [docker]
    own = os.environ.get("REGISTRY_AUTH_FILE")
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    places = [Path(own)] if own else [runtime / "containers/auth.json"]
    return [*places, Path.home() / ".config/containers/auth.json", docker]


def _json_mapping(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _mapping(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}


def _from_entry(entry: dict[str, Any]) -> Credentials | None:
    try:
        user, colon, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    except (ValueError, TypeError):
        return None
    return Credentials(user, password) if colon else None


def _from_helper(runner: Runner, helper: str, registry: str) -> Credentials | None:
    """By the protocol of docker-credential-helpers: registry on stdin, JSON on stdout."""
    command = Command(f"docker-credential-{helper}", "get")
    try:
        result = runner.run(command, input=registry, timeout=ANSWER_WITHIN, changes=False)
        answer = json.loads(result.stdout) if result.ok else {}
        return Credentials(answer["Username"], answer["Secret"])
    except (SpinstackError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Manifest:
    """What a tag stands for: the manifest's own digest and that of the image's configuration
    (empty for a list of several platforms)."""

    digest: str
    config: str


def manifest(image: ImageName, login: Credentials | None) -> Manifest | None:
    """The manifest behind a tag; None if there is none or the registry gives no clear answer."""
    scheme = "http" if is_loopback(image.registry) else "https"
    url = f"{scheme}://{image.registry}/v2/{image.path}/manifests/{image.tag}"
    try:
        headers, body = _asked(url, login)
        value = json.loads(body)
        config = _mapping(value, "config").get("digest", "")
        return Manifest(headers.get("Docker-Content-Digest", ""), str(config))
    except (OSError, ValueError, LookupError, AttributeError, HTTPException):
        # Unreachable, refused, redirected, not JSON: for the engine to find out and say.
        return None


def made_of(
    image: ImageName, login: Credentials | None, manifest: Manifest
) -> tuple[str, str] | None:
    """What spinstack says in an image of the registry about itself: the content that it was
    built from, and its platform. None where there is nothing of this, or no clear answer.

    Source: distribution/spec, "Pulling blobs"; opencontainers/image-spec, "Image Configuration".
    """
    if not manifest.config:
        return None
    scheme = "http" if is_loopback(image.registry) else "https"
    url = f"{scheme}://{image.registry}/v2/{image.path}/blobs/{manifest.config}"
    try:
        value = json.loads(_asked(url, login)[1])
        content = _mapping(_mapping(value, "config"), "Labels").get(CONTENT_LABEL)
        return (str(content), f"{value['os']}/{value['architecture']}") if content else None
    except (OSError, ValueError, LookupError, AttributeError, TypeError, HTTPException):
        return None


@dataclass(frozen=True)
class State:
    """What a registry says to who wants in. `status`: of its answer, 0 if nothing answered;
    `reason`: why not. `date`: its HTTP Date, empty where it gave none."""

    status: int
    reason: str = ""
    date: str = ""

    @property
    def reached(self) -> bool:
        return self.status > 0

    @property
    def let_in(self) -> bool:
        return self.status == 200


def ask(registry: str, login: Credentials | None, *, seconds: float = ANSWER_WITHIN) -> State:
    """Whether the registry answers and accepts the login; never raises.

    Source: distribution/spec, "API Version Check".
    """
    scheme = "http" if is_loopback(registry) else "https"
    try:
        headers, _ = _asked(f"{scheme}://{registry}/v2/", login, seconds)
        return State(200, date=headers.get("Date", ""))
    except urllib.error.HTTPError as error:
        error.close()
        return State(error.code, str(error.reason), error.headers.get("Date", ""))
    except urllib.error.URLError as error:
        return State(0, getattr(error.reason, "strerror", None) or str(error.reason))
    except (OSError, ValueError, LookupError, HTTPException) as error:
        return State(0, str(error) or type(error).__name__)


def _asked(
    url: str, login: Credentials | None, seconds: float = ANSWER_WITHIN
) -> tuple[Message, bytes]:
    """The answer to a GET, after the authentication that the registry asks for.

    Raises HTTPError for a refusal, also where there is no login to answer a question with.
    """
    try:
        return _get(url, {"Accept": _MANIFESTS}, seconds)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        error.close()
        if error.code != 401:
            raise
        try:
            authorization = _authorization(challenge, login, seconds)
        except ValueError:
            raise error from None
    return _get(url, {"Accept": _MANIFESTS, "Authorization": authorization}, seconds)


def _authorization(challenge: str, login: Credentials | None, seconds: float) -> str:
    """The header that answers a `WWW-Authenticate`. Raises ValueError if there is none to give.

    Source: distribution/spec, "Token Authentication Specification".
    """
    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic" and login:
        return login.basic()
    asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = asked.pop("realm", "")
    parts = urllib.parse.urlsplit(realm)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
    if kind.lower() != "bearer" or not safe:
        raise ValueError("no way to authenticate")
    query = urllib.parse.urlencode({k: v for k, v in asked.items() if k in ("service", "scope")})
    url = f"{realm}{'&' if parts.query else '?'}{query}"
    _, body = _get(url, {"Authorization": login.basic()} if login else {}, seconds)
    answer = json.loads(body)
    return f"Bearer {answer.get('token') or answer['access_token']}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The standard library would carry the Authorization header to the other host."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def _get(url: str, headers: dict[str, str], seconds: float) -> tuple[Message, bytes]:
    handlers: list[Any] = [_NoRedirects()]
    if is_loopback(urllib.parse.urlsplit(url).netloc):
        handlers.append(urllib.request.ProxyHandler({}))
    opener: Callable[..., Any] = urllib.request.build_opener(*handlers).open
    with opener(urllib.request.Request(url, headers=headers), timeout=seconds) as response:
        return response.headers, response.read(_LARGEST_MANIFEST)
