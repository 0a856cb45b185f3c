"""The images that a stack runs, as found in the engine on this machine and in registries."""

from __future__ import annotations

from collections.abc import Iterator

from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.errors import SpinstackError
from spinstack.images import registry, registry_login
from spinstack.images.engine import Engine
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName, Service
from spinstack.text import read_json
from spinstack.transport.runner import Runner

# Seconds for the engine to look up an image.
_WITHIN = 20


def findings(
    runner: Runner,
    engine: Engine,
    services: list[Service],
    stack: Stack,
    destination: Destination,
    *,
    ask_registries: bool,
) -> list[Finding]:
    """Images for another platform, and (`ask_registries`) images that don't exist.

    An image of the stack that has not been built yet is no problem: `deploy` builds it.
    """
    found: list[Finding] = []
    for service in services:
        if not service.image:
            continue
        platform = _platform(runner, engine, service.image)
        if platform:
            found += _wrong_platform(service, platform, destination)
        elif ask_registries and service.image not in stack.images.values():
            found += _missing(runner, engine, service)
    return found


def _platform(runner: Runner, engine: Engine, reference: str) -> str:
    """`OS/ARCHITECTURE` of an image that the engine has; empty if it has none."""
    command = engine.command("image", "inspect", reference)
    result = runner.run(command, timeout=_WITHIN, changes=False)
    try:
        image = read_json(result.stdout)[0] if result.ok else {}
        return f"{image['Os']}/{image['Architecture']}"
    except (ValueError, LookupError, TypeError):
        return ""


def _wrong_platform(service: Service, platform: str, destination: Destination) -> Iterator[Finding]:
    wanted = destination.build_platform
    if platform.split("/") != wanted.split("/")[:2]:
        problem = f"{service.image} is for {platform}, but Spin's nodes are {wanted}"
        remedy = "rebuild it: invoke build --force"
        yield Finding("image-platform", service.where("image"), problem, remedy)


def _missing(runner: Runner, engine: Engine, service: Service) -> Iterator[Finding]:
    try:
        image = ImageName.parse(service.image)
    except ValueError:
        return
    try:
        login = registry_login.credentials(runner, engine, f"{image.registry}/{image.path}")
        there = image.digest or registry.manifest(image, login)
    except SpinstackError:
        there = None
    if not there:
        problem = f"{service.image} is neither on this machine nor visible on {image.registry}"
        remedy = "check its name; if it is private, run `invoke registry.login`"
        yield Finding("image-missing", service.where("image"), problem, remedy, "warning")
