"""One image of the stack on its own on this machine, as its service has it on Spin: the same
user, capabilities and mounts, and read-only; a port on 127.0.0.1; removed when it ends.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError, UsageError
from spinstack.images import build
from spinstack.images.progress import BuildProgress
from spinstack.local import images, stack, up
from spinstack.local.compose_file import HERE
from spinstack.sample.owner import GID
from spinstack.text import read_json, whole_number
from spinstack.transport import runner
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.settings import ImageSetting
    from spinstack.session import Session

# Signals that end a program on request: SIGINT, SIGKILL, SIGTERM (128 + number).
ENDED_BY_HAND = {0, 130, 137, 143, -2, -15}


@dataclass(frozen=True)
class Alone:
    """An image to run: `service` is what the derived compose file says, or Spin's minimum if no
    service of the stack uses the image."""

    reference: str
    service: Mapping[str, Any]
    inside: int


def run(session: Session, key: str, *, port: int | None, inside: int | None) -> None:
    """Build the image if its files changed, run it in the foreground until Ctrl-C, remove it.

    `port` on 127.0.0.1 (default: the one inside). Raises SpinstackError if it ends by itself
    with an error.
    """
    setting = _setting(session, key)
    _build(session, setting)
    alone = _alone(session, setting, inside)
    outside = port or alone.inside
    name = f"spinstack-{session.settings.stack}-{setting.key}-{os.getpid()}"
    command = session.engine.command(*_words(alone, name, outside))
    if not session.dry:
        session.console.note(f"$ {command.shown()}")
    session.console.note(f"running {setting.key} at http://{HERE}:{outside}/; Ctrl-C stops it")
    # It has the terminal to itself: what it prints is shown as it is, unlike all else.
    try:
        code = runner.run_in_foreground(session.runner, command)
    finally:
        _gone(session, name)
    if code not in ENDED_BY_HAND:
        raise SpinstackError(
            f"the container of {setting.key} exited with code {code}",
            where=alone.reference,
            remedy="see its output above; code 125 comes from the engine, often because the port "
            "is in use: choose another with --port",
        )


def _setting(session: Session, key: str) -> ImageSetting:
    known = session.settings.images
    names = [image.key for image in known]
    if not key and len(known) == 1:
        return known[0]
    for image in known:
        if key in (image.key, image.name):
            return image
    what = f"the stack has no image {key!r}" if key else "the stack has several images"
    raise UsageError(what, remedy=f"add --image with one of {', '.join(names)}")


def _build(session: Session, setting: ImageSetting) -> None:
    # Before looking for an engine: an unknown destination is reported without one.
    spec, reference = session.image_spec(setting), session.image_reference(setting)
    with session.console.step(f"build {setting.key}") as step:
        outcome = build.build(
            session.runner,
            session.engine,
            spec,
            reference,
            on_line=BuildProgress(step).line,
        )
        step.done("" if outcome.built else "up to date")


def _alone(session: Session, setting: ImageSetting, inside: int | None) -> Alone:
    here = stack.LocalStack(session)
    users = images.users_of(session, setting)
    service: dict[str, Any] = {
        "user": f"{stack.person()}:{GID}",
        "cap_drop": ["ALL"],
        "read_only": True,
        "tmpfs": ["/tmp"],
        **stack.as_oneself(session.engine),
    }
    if users:
        service = here.derived().data["services"][users[0]]
        up.prepare(here)
    reference = session.image_reference(setting)
    found = inside or _inside(session, users, reference)
    return Alone(reference, service, found)


def _inside(session: Session, users: list[str], reference: str) -> int:
    """The port that the image listens on: the one that the service publishes, that its health
    check uses, or that the image exposes."""
    for service in session.stack.services(session.destination)[0]:
        if service.name in users:
            for port in service.ports:
                return int(port.inside)
    checks = session.platform.health_checks(session.stack) or {}
    for name in users:
        number = whole_number(checks[name].port) if name in checks else None
        if number:
            return number
    for exposed in _exposed(session, reference):
        return exposed
    raise UsageError(
        "the port that the image listens on is not known",
        where=reference,
        remedy="add --inside NUMBER, or an EXPOSE line in its Dockerfile",
    )


def _exposed(session: Session, reference: str) -> Iterable[int]:
    command = session.engine.command("image", "inspect", reference)
    result = session.runner.run(command, timeout=images.LOOK_WITHIN, changes=False)
    try:
        ports = read_json(result.stdout)[0]["Config"].get("ExposedPorts") or {}
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    numbers = (whole_number(str(port).partition("/")[0]) for port in sorted(map(str, ports)))
    yield from filter(None, numbers)


def _words(alone: Alone, name: str, outside: int) -> list[str]:
    """`run …`: the service's keys as the engine's flags."""
    service = alone.service
    words = ["run", "--rm", "--name", name, "--publish", f"{HERE}:{outside}:{alone.inside}"]
    words += ["--user", str(service["user"])] if service.get("user") else []
    words += ["--read-only"] if service.get("read_only") else []
    for key, flag in _LISTS.items():
        words += [word for value in _list(service.get(key)) for word in (flag, value)]
    for variable, value in (service.get("environment") or {}).items():
        words += ["--env", f"{variable}={value}"]
    words += ["--workdir", service["working_dir"]] if service.get("working_dir") else []
    entrypoint = _split(service.get("entrypoint"))
    words += ["--entrypoint", entrypoint[0]] if entrypoint else []
    return [*words, alone.reference, *entrypoint[1:], *_split(service.get("command"))]


_LISTS = {
    "cap_drop": "--cap-drop",
    "cap_add": "--cap-add",
    "group_add": "--group-add",
    "tmpfs": "--tmpfs",
    "volumes": "--volume",
    "security_opt": "--security-opt",
    "dns": "--dns",
    "extra_hosts": "--add-host",
    "userns_mode": "--userns",
}


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _split(value: Any) -> list[str]:
    """A command as compose reads it: a list as it is, a string split as a shell does."""
    return shlex.split(value) if isinstance(value, str) else _list(value)


def _gone(session: Session, name: str) -> None:
    """`--rm` removes it when it ends; this does if the client died first."""
    command = Command(session.engine.name, "rm", "--force", "--volumes", name)
    session.runner.run(command, timeout=60)
