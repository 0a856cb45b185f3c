"""The container engine of this machine: which one there is, and why it does not work."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass

from spinstack.console import known_errors
from spinstack.errors import SpinstackError
from spinstack.text import read_json
from spinstack.transport.command import Command, Word
from spinstack.transport.probe import is_loopback
from spinstack.transport.runner import Runner

# In order of preference: Spin's own pages are written for docker.
KNOWN = ("docker", "podman")

# How long an engine may take to print its version, in seconds: a sleeping virtual machine
# (Docker Desktop, podman machine) needs some to wake up.
ANSWER_WITHIN = 30.0


@dataclass(frozen=True)
class Engine:
    """A program that builds and pushes images.

    `name`: the program. `is_podman`: whether it is Podman (which some systems also install
    under the name docker).
    """

    name: str
    is_podman: bool = False

    def command(self, *words: Word) -> Command:
        """A command line of this engine."""
        return Command(self.name, *words)

    def plain_http(self, registry: str) -> tuple[str, ...]:
        """The flag that lets this engine use plain HTTP for a registry on this machine.

        Docker does so by default for 127.0.0.0/8 and localhost; Podman needs the flag.
        """
        if self.is_podman and is_loopback(registry):
            return ("--tls-verify=false",)
        return ()


def find(runner: Runner, wanted: str | None = None) -> Engine:
    """The engine that works: `wanted`, or the first of docker and podman.

    Raises SpinstackError, with a remedy for each cause: not installed, installed but silent, no
    permission. With a dry runner it is `wanted` or docker, untried.
    """
    if runner.dry:
        name = wanted or KNOWN[0]
        return Engine(name, is_podman=name == "podman")
    problems = []
    for name in (wanted,) if wanted else KNOWN:
        answer = _ask(runner, name)
        if isinstance(answer, Engine):
            return answer
        if answer:
            problems.append(answer)
    # An installed engine that could be fixed is a better hint than a missing one.
    raise problems[0] if problems else _missing(wanted)


def _ask(runner: Runner, name: str) -> Engine | SpinstackError | None:
    """The engine if it works, what is wrong with it if not, None if it is not installed."""
    command = Command(name, "version", "--format", "{{json .}}")
    try:
        result = runner.run(command, timeout=ANSWER_WITHIN, changes=False)
    except SpinstackError:
        # The runner raises for a program that is missing and for one that is too slow.
        return (_elsewhere(name) or _silence(name)) if shutil.which(name) else None
    if not result.ok:
        return _refusal(name, result.stderr.strip() or result.stdout.strip())
    return Engine(name, is_podman=_is_podman(name, result.stdout))


def _is_podman(name: str, version: str) -> bool:
    """Podman's client reports `OsArch`, Docker's `Os` and `Arch`."""
    try:
        client = read_json(version)["Client"]
        return name == "podman" or "OsArch" in client
    except (ValueError, KeyError, TypeError):
        return name == "podman"


def _refusal(name: str, said: str) -> SpinstackError:
    """Why an installed engine does not work, from what its client printed."""
    known = known_errors.find(said, "engine-version", {"engine": name, "start": _start(name)})
    if known is None or known.id == "engine-stopped":
        elsewhere = _elsewhere(name, said)
        if elsewhere:
            return elsewhere
    error = SpinstackError(
        known.cause if known else f"{name} is installed, but does not work",
        where=f"{name} version",
        remedy=known.remedy if known else f"get `{name} version` to work, then run this again",
        details=said,
    )
    error.explained = known is not None
    return error


# The variables that lead a client to another engine than this machine's own, the strongest first
# (docker(1), "Environment variables"; podman(1)).
_ELSEWHERE = {
    "docker": ("DOCKER_HOST", "DOCKER_CONTEXT"),
    "podman": ("CONTAINER_HOST", "CONTAINER_CONNECTION"),
}


def _elsewhere(name: str, said: str = "") -> SpinstackError | None:
    """The error for an engine that a variable names; None if none is set."""
    variable = next(filter(os.environ.get, _ELSEWHERE.get(name, ())), "")
    # What a client uses without the variable.
    own = r"(unix://)?(/var)?/run/docker\.sock|npipe:.*|default"
    if not variable or re.fullmatch(own, os.environ[variable]):
        return None
    value = re.sub(r"(?<=://)([^/@\s:]*):[^/@\s]+@", r"\1:********@", os.environ[variable])
    error = SpinstackError(
        f"{name} can't reach the engine that {variable} names",
        where=f"{variable}={value}",
        remedy=f"correct {variable} or start that engine, or use this machine's own: "
        f"`unset {variable}`",
        details=said,
    )
    error.explained = True
    return error


def _start(name: str) -> str:
    if name == "podman":
        return "run `podman machine start`"
    return "start it (Linux: `sudo systemctl start docker`; macOS, Windows: Docker Desktop)"


def _silence(name: str) -> SpinstackError:
    """The engine was asked for its version and said nothing."""
    return SpinstackError(
        f"{name} is installed, but did not respond within {ANSWER_WITHIN:.0f} s",
        where=f"{name} version",
        remedy=f"stop it, then {_start(name)}",
    )


def _missing(wanted: str | None) -> SpinstackError:
    if wanted:
        what = f"{wanted} is not installed"
    else:
        what = "no container engine: neither docker nor podman is installed"
    return SpinstackError(
        what,
        remedy="install one (Debian and Ubuntu: `sudo apt install docker.io`; elsewhere: "
        "docs.docker.com/engine/install or podman.io)",
    )
