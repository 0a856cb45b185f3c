"""The compose program of this machine, and what its failures mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.images.errors import Failure
from spinstack.text import split_lines
from spinstack.transport.command import Command, Word
from spinstack.transport.runner import Runner

# Seconds for a program to print its version.
ANSWER_WITHIN = 20.0

# Two of them are the system's Python programs, which a person's own libraries can break.
ENVIRONMENT = {"PYTHONPATH": "", "PYTHONHOME": ""}

# In order of preference, by engine: the plugin, then the older separate program.
CANDIDATES = {
    False: (("docker", "compose"), ("docker-compose",)),
    True: (("podman", "compose"), ("podman-compose",)),
}


@dataclass(frozen=True)
class ComposeProgram:
    """How compose is called here: `docker compose`, `docker-compose`, `podman compose`…

    `is_podman`: whether it is podman-compose, under any name. Debian 12's 1.0.3 knows fewer
    options and leaves the network behind.
    """

    words: tuple[str, ...]
    version: str = ""
    is_podman: bool = False

    @property
    def name(self) -> str:
        return " ".join(self.words)

    @property
    def up(self) -> tuple[str, ...]:
        """The words that start a stack. podman-compose leaves an existing container as it is,
        whatever has changed, unless it is told to recreate all of them."""
        return ("up", "-d", "--remove-orphans", *(("--force-recreate",) if self.is_podman else ()))

    @property
    def down(self) -> tuple[str, ...]:
        """The words that stop it."""
        return ("down",) if self.is_podman else ("down", "--remove-orphans")

    @property
    def plain_logs(self) -> tuple[str, ...]:
        """The flag for logs without colours; podman-compose has neither the flag nor colours."""
        return () if self.is_podman else ("--no-color",)

    def command(self, project: str, file: Path, *words: Word) -> Command:
        return Command(*self.words, "-p", project, "-f", str(file), *words)


def find(runner: Runner, engine: Engine) -> ComposeProgram:
    """The first compose program that works for this engine.

    Raises SpinstackError with a remedy if there is none. A dry run tries none of them.
    """
    candidates = CANDIDATES[engine.is_podman]
    if runner.dry:
        return ComposeProgram(candidates[0])
    for words in candidates:
        said = _version(runner, words)
        if said:
            match = re.search(r"compose\D*(\d+\.\d+[.\w+~-]*)", said, re.IGNORECASE)
            version = match[1] if match else "of an unknown version"
            return ComposeProgram(words, version, is_podman="podman-compose" in said)
    raise SpinstackError(
        f"no compose program for {engine.name} on this machine",
        where=" and ".join(f"`{' '.join(words)}`" for words in candidates) + " do not work",
        remedy=_REMEDIES[engine.is_podman],
    )


_REMEDIES = {
    False: "install it (Debian: `sudo apt install docker-compose`; Ubuntu: `sudo apt install "
    "docker-compose-v2`; elsewhere: docs.docker.com/compose/install)",
    True: "run `sudo apt install podman-compose`, or `pip install podman-compose`",
}


# What docker-compose 1 and podman-compose print about themselves among other output.
_CHATTER = re.compile(
    r"Attaching to |\['podman'|using podman version: |podman (run|start|logs|stop|rm|network) |"
    r"exit code: \d|\*\* excluding: "
)


def is_chatter(line: str) -> bool:
    """Whether a line of a compose program's output is of no use to a person."""
    return _CHATTER.match(line) is not None


def without_chatter(output: str) -> str:
    return "\n".join(line for line in split_lines(output) if not is_chatter(line))


def _version(runner: Runner, words: tuple[str, ...]) -> str:
    """What it prints about its version; empty if it is missing.

    `docker-compose version 1.29.2, …`, `Docker Compose version v2.24.5`; podman-compose
    prints more in several lines, and podman's own subcommand says which program it calls.
    """
    command = Command(*words, "version")
    try:
        result = runner.run(command, env=ENVIRONMENT, timeout=ANSWER_WITHIN, changes=False)
    except SpinstackError:
        return ""
    return result.stdout + result.stderr if result.ok else ""


UP = Failure(
    "local-up",
    "compose could not start the stack",
    "see the reason above; `invoke local.logs` shows more",
)
