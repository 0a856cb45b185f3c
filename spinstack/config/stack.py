"""The model of a stack: its files, and its variables for a destination.

Reads the stack's own files and nothing else; knows nothing about ssh or engines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from spinstack.config import compose, env_file
from spinstack.config.compose import ComposeFile
from spinstack.config.env_file import Variable
from spinstack.config.settings import Destination, Settings
from spinstack.errors import SpinstackError
from spinstack.rules.finding import Finding
from spinstack.rules.service import Service

# Set on the login node, not in the env file: the numeric id of the person who deploys.
COMPUTED_THERE = ("UID",)
# Stands in for the ids in checks on the laptop.
SOME_UID = "1000"
_LEADING_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Stack:
    """A stack's files as read from its directory, for one destination.

    `beside`: files that its platform reads besides the compose file, by name. `findings`:
    what is wrong with the files themselves. `images`: variable → reference.
    """

    name: str
    directory: Path
    compose: ComposeFile
    beside: Mapping[str, ComposeFile]
    env: dict[str, Variable]
    env_name: str
    images: dict[str, str]
    findings: list[Finding] = field(default_factory=list)

    def variables(self, destination: Destination) -> dict[str, str]:
        """The variables in the release's env file: the env file, overrides of the destination,
        mount sources as absolute paths, and the images."""
        values = {name: variable.value for name, variable in self.env.items()}
        values.update(destination.env)
        for name in self.mount_variables():
            if values.get(name):
                values[name] = absolute(values[name], destination.project_dir)
        values.update(self.images)
        return values

    def mount_variables(self) -> set[str]:
        """The variables that are the source of a mount, such as STATIC_DIR."""
        names = set()
        for service in self.compose.services.values():
            volumes = service.get("volumes") if isinstance(service, dict) else None
            for volume in volumes if isinstance(volumes, list) else []:
                match = _LEADING_VARIABLE.match(str(volume))
                if match:
                    names.add(match[1])
        return names

    def services(
        self, destination: Destination, uid: str = SOME_UID
    ) -> tuple[list[Service], list[Finding]]:
        """The services with everything filled in, and what could not be read. `uid`: that of
        the account on the login node, if it is known."""
        values = {**dict.fromkeys(COMPUTED_THERE, uid), **self.variables(destination)}
        services, findings = [], []
        for name in self.compose.services:
            service, wrong = compose.service(self.compose, name, values)
            services.append(replace(service, origins=self._origins(service, destination)))
            findings += wrong
        return services, findings

    def _origins(self, service: Service, destination: Destination) -> dict[str, str]:
        """Where the env file sets the variables that mounts and ports begin with."""
        return {
            key: f"{self.env_name}:{self.env[name].line} ({name})"
            for key, name in service.variables.items()
            if name in self.env and name not in destination.env
        }

    @property
    def service_names(self) -> list[str]:
        return list(self.compose.services)

    @property
    def public_service(self) -> str:
        """The service that publishes a port; the first one's name if none does."""
        for name, service in self.compose.services.items():
            if isinstance(service, dict) and service.get("ports"):
                return name
        return next(iter(self.compose.services), "")


def absolute(path: str, project_dir: str) -> str:
    """A directory of the env file as the login node sees it: relative ones are relative to the
    project directory, so that one env file works for every destination."""
    return str(PurePosixPath(project_dir, path))


def read(settings: Settings, images: dict[str, str], beside: Sequence[str]) -> Stack:
    """Read the files of the stack.

    `images`: the reference of each image by its variable. `beside`: names of files that are
    read besides the compose file, if they exist. Raises SpinstackError if a file is missing or
    unreadable; what is wrong inside is in `findings`.
    """
    directory = settings.directory
    text = _text(directory / settings.compose_file)
    parsed = compose.parse(text, settings.compose_file)
    more = {
        name: compose.parse(_text(directory / name), name)
        for name in beside
        if (directory / name).exists()
    }
    env, env_findings = env_file.parse(_text(directory / settings.env_file), settings.env_file)
    findings = [
        *parsed.findings,
        *(found for file in more.values() for found in file.findings),
        *env_findings,
    ]
    return Stack(
        name=settings.stack,
        directory=directory,
        compose=parsed,
        beside=more,
        env=env,
        env_name=settings.env_file,
        images=images,
        findings=findings,
    )


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # opening a FIFO would wait for ever
        raise SpinstackError(
            f"{path.name} is not a file",
            where=str(path),
            remedy=f"remove it, then restore {path.name} from git",
        )
    try:
        # Without the byte order mark that Windows editors put before the first line.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpinstackError(
            f"{path.name} is missing",
            where=str(path.parent),
            remedy="change to the directory of a stack, or restore the file from git",
        ) from None
    except UnicodeDecodeError as error:
        raise SpinstackError(
            f"{path.name} is not UTF-8 text (byte {error.start + 1})",
            where=str(path),
            remedy="save it as UTF-8, or restore the file from git",
        ) from None
    except OSError as error:
        raise SpinstackError(
            f"{path.name} can't be read: {error.strerror}",
            where=str(path),
            remedy=f"chmod u+r {path}",
        ) from None
