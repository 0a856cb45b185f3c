"""The centre's sshproxy.sh: it asks for password and code, and leaves a key for a day."""

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
    """Run it on the terminal; the private key that it left, beside its certificate.

    `person`: who answers for a collaboration account, which then is the destination's user;
    empty for one's own account. Raises UsageError where it is not to be had or where nobody
    can answer it, SpinstackError where it failed.
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
            f"{command.argv()[0]} asks for password and code, and there is no terminal to ask on",
            where=command.shown(),
            remedy="run it in a terminal",
        )
    code = runner.run_in_foreground(session.runner, command)
    if code:
        raise _failed(command, code)
    if certificate.validity(key) is None or certificate.outdated(key):
        raise SpinstackError(
            "it left no certificate that is good now",
            where=str(certificate.certificate_of(key)),
            remedy=f"see what it said above, and {destination.centre.sshproxy.page}",
        )
    return key


def _command(destination: Destination, person: str) -> Command:
    """By the program's own manual: `-u` who answers, `-c` the collaboration account."""
    user = destination.user
    if not user:
        raise UsageError(
            "whose key? The setting user is missing",
            where=f"the destination {destination.name}",
            remedy="add user: in ~/.invoke.yaml or in invoke.yaml",
        )
    words = [str(destination.sshproxy or destination.centre.sshproxy.program), "-u", person or user]
    if person and person != user:
        words += ["-c", user]
    return Command(*words)


def _refuse_missing(destination: Destination) -> None:
    """Raises UsageError, saying where the centre offers it."""
    offered, own = destination.centre.sshproxy, destination.sshproxy
    if shutil.which(str(own or offered.program)):
        return
    if own:
        what, where = f"{own} is no program", "the setting sshproxy"
    else:
        what, where = f"there is no {offered.program} on your PATH", offered.page
    raise UsageError(
        what,
        where=where,
        remedy=f"copy it: scp {destination.user}@{offered.path} . ; then put it on the PATH "
        "(chmod +x), or name it in the setting sshproxy",
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
        remedy="a one-time code works once: wait for the next one, and answer with the password "
        "and the six digits after it, no blank between",
    )
