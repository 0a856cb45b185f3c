"""The centre's sshproxy.sh: it asks for password and code, and writes a key valid for a day."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.transport import certificate, runner
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.session import Session


def fetch(session: Session, person: str) -> Path:
    """Run it on the terminal. Returns the private key that it wrote beside its certificate.

    `person`: who logs in on behalf of a collaboration account, which then is the destination's
    user; empty for the user's own account. Raises UsageError if the program is missing or nobody
    can answer its questions, SpinstackError if it failed.
    """
    destination = session.destination
    command = _command(destination, person)
    key = _key(destination, person)
    if session.dry:
        runner.run_in_foreground(session.runner, command)
        return key
    _refuse_missing(destination)
    if not sys.stdin.isatty():
        raise UsageError(
            f"{command.argv()[0]} asks for password and code, but there is no terminal",
            where=command.shown(),
            remedy="run it in a terminal",
        )
    code = runner.run_in_foreground(session.runner, command)
    if code:
        raise _failed(command, code)
    if certificate.validity(key) is None or certificate.outdated(key):
        raise SpinstackError(
            f"{command.argv()[0]} wrote no certificate that is valid now",
            where=str(certificate.certificate_of(key)),
            remedy=f"see its output above, and {destination.centre.sshproxy.page}",
        )
    return key


def _command(destination: Destination, person: str) -> Command:
    """By the program's own manual: `-u` who logs in, `-c` the collaboration account."""
    user = destination.user
    if not user:
        raise UsageError(
            "the setting user is missing",
            where=f"the destination {destination.name}",
            remedy="add `user: NAME` below `spinstack:` in invoke.yaml or ~/.invoke.yaml",
        )
    words = [str(destination.sshproxy or destination.centre.sshproxy.program), "-u", person or user]
    if person and person != user:
        words += ["-c", user]
    return Command(*words)


def _refuse_missing(destination: Destination) -> None:
    """Raises UsageError if the program is missing, saying where the centre offers it."""
    offered, own = destination.centre.sshproxy, destination.sshproxy
    if shutil.which(str(own or offered.program)):
        return
    if own:
        what, where = f"{own} is not a program", "the setting sshproxy"
    else:
        what, where = f"{offered.program} is not on your PATH", offered.page
    raise UsageError(
        what,
        where=where,
        remedy=f"copy it (scp {destination.user}@{offered.path} .), make it executable, and put it "
        "on the PATH or name it in the setting sshproxy",
    )


def _key(destination: Destination, person: str) -> Path:
    own = Path(destination.centre.sshproxy.key).expanduser()
    return own.with_name(destination.user) if person not in ("", destination.user) else own


def _failed(command: Command, code: int) -> SpinstackError:
    program = command.argv()[0]
    if code < 0 or code == 130:
        return SpinstackError(f"{program} was stopped", where=command.shown())
    return SpinstackError(
        f"{program} failed with exit code {code}",
        where=command.shown(),
        remedy="wait for the next one-time code (each works once), then answer with the password "
        "directly followed by the six digits",
    )
