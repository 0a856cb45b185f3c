"""The compose files as Rancher's CLI reads them: version, keys, types, line ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spinstack.config.compose import ComposeFile
from spinstack.config.settings import Destination, Settings
from spinstack.config.stack import Stack
from spinstack.platforms.rancher1 import compose_keys
from spinstack.rules.finding import Finding, Severity


def findings(stack: Stack, destination: Destination) -> list[Finding]:
    """What Rancher or Spin's audit would refuse in the two files, or pass over in silence."""
    found = list(_strangers(stack))
    for file in (stack.compose, stack.rancher):
        if file is None or file.findings:
            continue
        found += _version(file, destination.centre.compose_version)
        found += _sections(file)
        found += _twice(file)
        for name, service in file.services.items():
            if isinstance(service, dict):
                found += _keys(file, name, service)
                found += _forbidden(file, name, service, destination)
    return found


def _version(file: ComposeFile, wanted: str) -> list[Finding]:
    version = file.data.get("version")
    if str(version) == wanted and not isinstance(version, float):
        return []
    problem = f"compose file version {version!r}"
    remedy = f"version: '{wanted}' (Rancher 1 reads no other)"
    where = file.where("version") if "version" in file.data else f"{file.source}:1"
    return [Finding("compose-version", where, problem, remedy)]


def _sections(file: ComposeFile) -> Iterator[Finding]:
    for key in map(str, file.data):
        # x-… is where newer formats keep what is only referred to.
        if key not in compose_keys.TOP_LEVEL and not key.startswith("x-"):
            problem = f"Rancher passes over {key}: in silence"
            remedy = f"one of {', '.join(sorted(compose_keys.TOP_LEVEL))}; or remove it"
            yield Finding("compose-section", file.where(key), problem, remedy, "warning")


def _twice(file: ComposeFile) -> Iterator[Finding]:
    for key, first, later in file.twice:
        problem = f"{key} is there again (first in line {first}): the later one wins"
        yield Finding("yaml-twice", f"{file.source}:{later}", problem, "keep one of the two")


def _keys(file: ComposeFile, name: str, service: dict[str, Any]) -> Iterator[Finding]:
    for key, value in service.items():
        where = file.where("services", name, str(key))
        if key not in compose_keys.TYPES:
            problem = f"Rancher knows no key {key!r} of a service ({name})"
            yield Finding("compose-key", where, problem, compose_keys.nearest(str(key)))
        elif wanted := compose_keys.wanted(key, value):
            problem = f"{key} of {name} has a value of a wrong type: {value!r}"
            yield Finding("compose-type", where, problem, f"{key} must be {wanted}")


def _forbidden(
    file: ComposeFile, name: str, service: dict[str, Any], destination: Destination
) -> Iterator[Finding]:
    for key, allowed in destination.centre.forbidden_keys.items():
        value = service.get(key)
        if value is None or value in allowed or (value == [] and not allowed):
            continue
        problem = f"Spin gives no service {key}: {value} ({name})"
        remedy = f"one of {', '.join(map(str, allowed))}" if allowed else "remove the key"
        where = file.where("services", name, key)
        yield Finding("compose-forbidden", where, problem, remedy)


def _strangers(stack: Stack) -> Iterator[Finding]:
    """Services that rancher-compose.yml has and the compose file has not."""
    if stack.rancher is None or stack.rancher.findings:
        return
    for name in stack.rancher.services:
        if name not in stack.compose.services:
            where = stack.rancher.where("services", name)
            problem = f"there is no service {name} in {stack.compose.source}"
            yield Finding(
                "service-unknown", where, problem, "make the names of the two files agree"
            )


def line_ends(settings: Settings, stack: Stack) -> list[Finding]:
    """Files with the line ends of Windows: a script with them does not start at all."""
    found = []
    for path in checked_texts(settings, stack):
        data = _bytes(path)
        line = data.partition(b"\r\n")[0].count(b"\n") + 1
        if b"\r\n" not in data:
            continue
        script = data.startswith(b"#!")
        problem = "a script with Windows line ends does not start" if script else "CRLF line ends"
        where = f"{path.relative_to(settings.directory).as_posix()}:{line}"
        remedy = "save it with Unix line ends (LF)"
        severity: Severity = "error" if script else "warning"
        found.append(Finding("line-ends", where, problem, remedy, severity))
    return found


def checked_texts(settings: Settings, stack: Stack) -> Iterator[Path]:
    """The files of the stack that programs read, without those of the applications."""
    names = [settings.compose_file, stack.env_name]
    names += [stack.rancher.source] if stack.rancher else []
    for name in names:
        yield settings.directory / name
    for image in settings.images:
        context = settings.directory / image.context
        patterns = ("Dockerfile", "*.sh", "*.ini", "*.conf")
        for pattern in patterns:
            yield from sorted(path for path in context.glob(pattern) if path.is_file())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # That it can't be read is said by whoever needs it.
        return b""
