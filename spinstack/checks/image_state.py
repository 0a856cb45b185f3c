"""The images that a stack runs, as found in the engine on this machine and in registries."""

from __future__ import annotations

from collections.abc import Iterator

from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.errors import SpinstackError
from spinstack.images import lookup, registry, registry_login
from spinstack.images.engine import Engine
from spinstack.images.lookup import Local
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName, Service
from spinstack.transport.runner import Runner


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
    images = dict.fromkeys(service.image for service in services if service.image)
    try:
        here = {image: lookup.local(runner, engine, image) for image in images}
    except SpinstackError:
        # An engine that makes no sense is for `deploy` and `doctor` to tell; the other findings
        # are worth more.
        return []
    found: list[Finding] = []
    for service in services:
        image = here.get(service.image)
        if image:
            found += _wrong_platform(service, image, stack, destination, engine)
        elif service.image and ask_registries and service.image not in stack.images.values():
            found += _missing(runner, engine, service, destination)
    return found


def _wrong_platform(
    service: Service, image: Local, stack: Stack, destination: Destination, engine: Engine
) -> Iterator[Finding]:
    wanted = destination.build_platform
    if not image.is_for(wanted):
        problem = f"{service.image} is for {image.platform}, but Spin's nodes are {wanted}"
        remedy = f"run `invoke build --force --to {destination.name}`"
        if service.image not in stack.images.values():
            remedy = f"run `{engine.name} pull --platform {wanted} {service.image}`"
        yield Finding("image-platform", service.where("image"), problem, remedy)


def _missing(
    runner: Runner, engine: Engine, service: Service, destination: Destination
) -> Iterator[Finding]:
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
        login_there = f"`{engine.name} login {image.registry}`"
        if image.registry == destination.registry:
            login_there = f"`invoke registry.login --to {destination.name}`"
        remedy = f"check its name; if it is private, run {login_there}"
        yield Finding("image-missing", service.where("image"), problem, remedy, "warning")
