"""Logins to a registry: logging in, and finding the logins that docker and podman keep."""

from __future__ import annotations

import base64
import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from spinstack.errors import SpinstackError, UsageError
from spinstack.images.engine import Engine
from spinstack.images.errors import LOGIN, explained
from spinstack.text import harmless, read_json
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

# Seconds for one answer of a registry, and for a login through the engine.
ANSWER_WITHIN = 10.0
LOGIN_WITHIN = 90.0


def read_password(prompt: str, stdin: TextIO) -> str:
    """The password typed at a terminal (not shown), or the first line of standard input.

    Raises UsageError for an empty one.
    """
    if stdin.isatty():
        try:
            password = getpass.getpass(harmless(prompt))
        except EOFError:
            password = ""
    else:
        password = stdin.readline().rstrip("\r\n")
    if not password:
        raise UsageError(
            "no password given",
            remedy="type it at the prompt, or pass it on standard input",
        )
    return password


def login(runner: Runner, engine: Engine, registry: str, user: str, password: str) -> None:
    """Store the credentials of a registry in the engine's own configuration.

    The password goes over standard input, so it is in no process list and no log. Raises
    SpinstackError for refused credentials and for a registry that can't be reached, UsageError
    for an empty user name or a registry that is not a host.
    """
    if not user:
        raise UsageError(
            "no user name for the registry", remedy="add --user, or set user: in invoke.yaml"
        )
    if not re.fullmatch(r"\w[\w.-]*(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", registry):
        raise UsageError(
            f"{registry!r} is not the name of a registry",
            remedy="use a host name, with a port if needed, such as registry.spin.nersc.gov",
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
        raise explained(LOGIN, output, fields)


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


def credentials(runner: Runner, engine: Engine, place: str) -> Credentials | None:
    """What `docker login` stored for a registry, or for a repository in it (REGISTRY/PATH); None
    if there is nothing usable."""
    registry = place.partition("/")[0]
    for path in _config_files(engine):
        config = _json_mapping(path)
        helpers, entries = mapping_of(config, "credHelpers"), mapping_of(config, "auths")
        names = _names(entries, engine, place)
        own = _names(helpers, engine, place)
        helper = helpers[own[0]] if own else config.get("credsStore")
        if isinstance(helper, str) and re.fullmatch(r"[\w.-]+", helper):
            asked = dict.fromkeys((registry, *own, *names))
            kept = (_from_helper(runner, helper, name) for name in asked)
        else:
            kept = (_from_entry(mapping_of(entries, name)) for name in names)
        found = next(filter(None, kept), None)
        if found:
            return found
    return None


def _names(kept: Mapping[str, Any], engine: Engine, place: str) -> list[str]:
    """Those of the names that stand for the place, the closest first.

    Podman knows repositories, namespaces and registries (containers-auth.json(5)). Docker, and
    both for an address such as https://REGISTRY/v2/, go by the host name alone (docker/cli,
    config/credentials, ConvertToHostname).
    """
    parts = place.split("/")
    ends = range(len(parts), 0, -1) if engine.is_podman else (1,)
    above = ["/".join(parts[:end]) for end in ends]
    by_host = [
        name
        for name in kept
        if re.sub(r"^https?://", "", name).partition("/")[0] == parts[0]
        and (not engine.is_podman or "://" in name)
    ]
    return list(dict.fromkeys((*(name for name in above if name in kept), *by_host)))


def _config_files(engine: Engine) -> list[Path]:
    """Docker's file; before it Podman's own, which has the same format."""
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if not engine.is_podman:
        return [docker]
    own = os.environ.get("REGISTRY_AUTH_FILE")
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    places = [Path(own)] if own else [runtime / "containers/auth.json"]
    return [*places, Path.home() / ".config/containers/auth.json", docker]


def _json_mapping(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def mapping_of(mapping: dict[str, Any], key: str) -> dict[str, Any]:
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
        answer = read_json(result.stdout) if result.ok else {}
        return Credentials(answer["Username"], answer["Secret"])
    except (SpinstackError, ValueError, KeyError, TypeError):
        return None
