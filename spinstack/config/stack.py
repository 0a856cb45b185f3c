"""The model of a stack: its files, and its variables for a destination.

Reads the stack's own files and nothing else; knows nothing about ssh or engines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from spinstack.config import compose, env_file, release_files
from spinstack.config import services as config_services
from spinstack.config.compose import ComposeFile
from spinstack.config.env_file import Variable
from spinstack.config.service_settings import ServiceSetting
from spinstack.config.settings import Destination, Settings
from spinstack.errors import SpinstackError
from spinstack.rules.finding import Finding
from spinstack.rules.service import Service

# Set on the login node, not in the env file: the numeric id of the person who deploys.
COMPUTED_THERE = ("UID",)
# Stands in for the ids in checks on the laptop.
SOME_UID = "1000"
_LEADING_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)", re.ASCII)


@dataclass(frozen=True)
class Stack:
    """A stack's files as read from its directory, for one destination.

    `beside`: files that its platform reads besides the compose file, by name. `more_env`: the
    variables of further files under `env_file:` of services, by file. `findings`: what is wrong
    with the files themselves. `images`: variable → reference. `service_settings`: the
    setting `services`, by service. `destinations`: the names of all.
    """

    name: str
    directory: Path
    compose: ComposeFile
    beside: Mapping[str, ComposeFile]
    env: dict[str, Variable]
    env_name: str
    images: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    more_env: Mapping[str, Mapping[str, Variable]] = field(default_factory=dict)
    service_settings: Mapping[str, ServiceSetting] = field(default_factory=dict)
    destinations: Sequence[str] = ()

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

    def environment(self, service: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
        """The variables that a container of a service gets: those of its env files, later ones
        winning, then its own. `values`: the variables of the release, which the stack's own env
        file has there, and from which a name without a value is taken, if it is in them."""
        found: dict[str, str] = {}
        for name in config_services.env_files(service):
            if self.is_own_env(name):
                found.update(values)
            else:
                variables = self.more_env.get(PurePosixPath(name).as_posix(), {})
                found.update({key: variable.value for key, variable in variables.items()})
        for name, value in config_services.own_environment(service).items():
            if value is not None:
                found[name] = value
            elif name in values:
                found[name] = values[name]
        return found

    def is_own_env(self, name: str) -> bool:
        """Whether a path relative to the stack's directory is that of its env file."""
        return PurePosixPath(name) == PurePosixPath(self.env_name)

    @property
    def read_as_text(self) -> set[str]:
        """The files that programs read as text, by name: there, a byte order mark would be part
        of the first word."""
        return {self.compose.source, *self.beside, *self.more_env}

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
            service, wrong = config_services.read(self.compose, name, values)
            services.append(replace(service, origins=self._origins(service, destination)))
            findings += wrong
        return services, findings

    def _origins(self, service: Service, destination: Destination) -> dict[str, str]:
        """Where the variables of mounts, ports and groups are set."""
        found = {}
        for key, name in service.variables.items():
            if name in destination.env:
                found[key] = f"invoke.yaml, destination {destination.name}, env.{name}"
            elif name in self.env:
                found[key] = f"{self.env_name}:{self.env[name].line} ({name})"
        return found

    def require_readable(self) -> None:
        """Raises SpinstackError if the compose file could not be read at all."""
        for found in self.compose.findings:
            raise SpinstackError(found.problem, where=found.where, remedy=found.remedy)

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
    text = read_text(directory / settings.compose_file)
    parsed = compose.parse(text, settings.compose_file)
    more = {
        name: compose.parse(read_text(directory / name), name, optional=True)
        for name in beside
        if (directory / name).exists()
    }
    env_text = _env_text(directory / settings.env_file, parsed, settings.env_file)
    env, env_findings = env_file.parse(env_text, settings.env_file)
    more_env, more_findings = further_env_files(parsed, settings.env_file, directory)
    files = (parsed, *more.values())
    findings = [found for file in files for found in (*file.findings, *file.advice)]
    findings += [*env_findings, *more_findings]
    return Stack(
        name=settings.stack,
        directory=directory,
        compose=parsed,
        beside=more,
        env=env,
        env_name=settings.env_file,
        images=images,
        findings=findings,
        more_env=more_env,
        service_settings=settings.services,
        destinations=settings.destination_names,
    )


def _env_text(path: Path, file: ComposeFile, name: str) -> str:
    """The stack's own env file, which may be missing if no service names it. Raises
    SpinstackError."""
    written = [service for service in file.services.values() if isinstance(service, dict)]
    named = {PurePosixPath(n) for it in written for n in config_services.env_files(it)}
    if path.exists() or path.is_symlink():
        return read_text(path)
    if PurePosixPath(name) not in named:
        return ""
    for ending in ("template", "example", "sample", "dist"):
        if path.with_name(f"{path.name}.{ending}").is_file():
            raise SpinstackError(
                f"{name} is missing",
                where=str(path.parent),
                remedy=f"cp {name}.{ending} {name}, and set the variables in it",
            )
    return read_text(path)


def further_env_files(
    file: ComposeFile, own: str, directory: Path
) -> tuple[dict[str, dict[str, Variable]], list[Finding]]:
    """The env files of services besides the stack's own, if they are part of a release: variables
    by file, and what is wrong with their lines. Raises SpinstackError for an unreadable one."""
    written = [service for service in file.services.values() if isinstance(service, dict)]
    names = {PurePosixPath(n).as_posix() for it in written for n in config_services.env_files(it)}
    wanted = names - {PurePosixPath(own).as_posix()}
    found: dict[str, dict[str, Variable]] = {}
    findings: list[Finding] = []
    if not wanted:  # the directory may be large
        return found, findings
    released = {path.relative_to(directory).as_posix() for path in release_files.files(directory)}
    for name in sorted(wanted & released):
        text = read_text(directory / name)
        found[name], wrong = env_file.parse(text, name, names_alone=True)
        findings += wrong
    return found, findings


def read_text(path: Path) -> str:
    """A file of the stack, its line ends as they are. Raises SpinstackError."""
    if path.exists() and not path.is_file():  # opening a FIFO would wait for ever
        raise SpinstackError(
            f"{path.name} is not a file",
            where=str(path),
            remedy=f"remove it, then restore {path.name} from git",
        )
    try:
        # Without the byte order mark that Windows editors put before the first line; line ends
        # stay as they are.
        return path.read_bytes().decode("utf-8-sig")
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
