"""What `invoke doctor` checks on this machine: programs, disk, settings, versions."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack import __version__, template
from spinstack.config.settings import NotAStack
from spinstack.errors import SpinstackError, UsageError
from spinstack.images import compose_program
from spinstack.images import engine as images_engine
from spinstack.rules import finding
from spinstack.setup.doctor import Outcome, State
from spinstack.text import read_json
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.images.engine import Engine
    from spinstack.session import Session

# Seconds for a program that only prints its version.
QUICK = 8.0
# In bytes. An image of the template takes 0.7 GB, its base images as much again.
LITTLE_SPACE, TOO_LITTLE_SPACE = 5_000_000_000, 1_000_000_000


def versions(session: Session) -> Outcome:
    """spinstack and its libraries; the template that comes with it, and the one of the stack."""
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in ("invoke", "fabric"))
    found = f"spinstack {__version__}, Python {platform.python_version()}, {libraries}"
    found += _made_from(session.directory)
    try:
        template.path()
    except SpinstackError as error:
        return Outcome("versions", "warning", f"{found}; {error.what}", error.remedy)
    return Outcome("versions", "ok", found)


def _made_from(stack: Path) -> str:
    """Which version of the template the stack was made from, if cruft has noted it."""
    try:
        noted = read_json((stack / ".cruft.json").read_text(encoding="utf-8-sig"))
        return f"; the stack is from template {noted['commit'][:8]}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def settings(session: Session) -> Outcome:
    """The settings of the stack and the destination, and what the check finds in them."""
    from spinstack.checks import stack as checks_stack
    from spinstack.setup import settings as setup_settings

    destination = session.destination
    stack = setup_settings.stack_of(session)
    found = checks_stack.check(session.settings, destination, stack, session.platform)
    wrong = finding.errors(found)
    account = f"{destination.user or 'you'}@{destination.host}"
    through = destination.place if destination.on_laptop else account
    what = f"{stack.name} at {destination.name}: {destination.environment} through {through}"
    if wrong:
        first = wrong[0]
        what = f"{what}; {first.where}: {first.problem}"
        others = f"; {len(wrong) - 1} more: `invoke check`" if len(wrong) > 1 else ""
        return Outcome("settings", "problem", what, first.remedy + others)
    return Outcome("settings", "ok", what)


def engine(session: Session) -> Sequence[Outcome]:
    """The container engine, compose, and the space for images: what the engine must be asked."""
    program = images_engine.find(session.runner, _wanted(session))
    return [_engine(session, program), _compose(session, program), *_image_space(session, program)]


def _wanted(session: Session) -> str | None:
    """The engine that the settings name, if there are settings."""
    try:
        return session.settings.engine
    except UsageError:
        return None


def _engine(session: Session, program: Engine) -> Outcome:
    """Its client's and server's versions."""
    command = program.command("version", "--format", "{{.Client.Version}} {{.Server.Version}}")
    result = session.runner.run(command, timeout=QUICK, changes=False)
    client, _, server = result.stdout.strip().partition(" ")
    if not client:  # podman on Linux has no server
        command = program.command("version", "--format", "{{.Client.Version}}")
        client = session.runner.run(command, timeout=QUICK, changes=False).stdout.strip()
    found = f"{program.name} {client}" + (f", server {server}" if server else "")
    return Outcome("engine", "ok", found)


def _compose(session: Session, engine: Engine) -> Outcome:
    """The compose program, which only the local tasks need."""
    try:
        program = compose_program.find(session.runner, engine)
    except SpinstackError as error:
        what = f"{error.what}: `invoke local.up` won't work"
        return Outcome("compose", "warning", what, error.remedy)
    return Outcome("compose", "ok", f"{program.name} {program.version}".strip())


def _image_space(session: Session, engine: Engine) -> Sequence[Outcome]:
    """The space where the engine keeps images, if that is a directory on this machine."""
    key = "{{.Store.GraphRoot}}" if engine.is_podman else "{{.DockerRootDir}}"
    command = engine.command("info", "--format", key)
    text = session.runner.run(command, timeout=QUICK, changes=False).stdout.strip()
    if not text.startswith("/") or not Path(text).exists():
        return []
    remedy = f"run `{engine.name} image prune` (`{engine.name} system df` shows what takes it)"
    return [space("images", Path(text), remedy)]


def disk(session: Session) -> Outcome:
    """Space for the person's own files, and for sample data."""
    return space("disk", Path.home(), "delete or move large files")


def space(part: str, path: Path, remedy: str) -> Outcome:
    """What is free where `path` is."""
    free = shutil.disk_usage(path).free
    found = f"{free / 1e9:.0f} GB free in {path}"
    if free >= LITTLE_SPACE:
        return Outcome(part, "ok", found)
    state: State = "warning" if free >= TOO_LITTLE_SPACE else "problem"
    return Outcome(part, state, found, f"free some space: {remedy}")


def ssh(session: Session) -> Outcome:
    """OpenSSH's client, for sshproxy and for people; the tasks can speak ssh without it."""
    remedy = "install it (Debian and Ubuntu: `sudo apt install openssh-client`)"
    try:
        result = session.runner.run(Command("ssh", "-V"), timeout=QUICK, changes=False)
    except SpinstackError:
        return Outcome("ssh", "warning", "no ssh program found, which sshproxy needs", remedy)
    version = re.match(r"[\w.]+", result.stderr or result.stdout)
    return Outcome("ssh", "ok", version[0] if version else "ssh")


def in_a_stack(session: Session) -> Outcome | None:
    """None in the directory of a stack with a known destination; else what is wrong."""
    try:
        session.settings  # noqa: B018 - reading it is the test
    except NotAStack as error:
        what = "not in a stack's directory: login node and registry were not checked"
        return Outcome("settings", "warning", what, error.remedy)
    except UsageError as error:
        return Outcome("settings", "problem", f"{error.what} ({error.where})", error.remedy)
    try:
        session.destination  # noqa: B018
    except UsageError as error:
        return Outcome("settings", "problem", f"{error.what} ({error.where})", error.remedy)
    return None
