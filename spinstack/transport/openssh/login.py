"""How `ssh` logs in as a master: its command line, who answers it, and the outcome."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.directories import make_parents
from spinstack.errors import SpinstackError
from spinstack.transport import prompt, waits
from spinstack.transport.openssh import process
from spinstack.transport.openssh.route import Route, configured

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

CONNECT_SECONDS = 30
# Silence after which a keepalive is sent (seconds), and how many may go unanswered.
KEEPALIVE_SECONDS, KEEPALIVES = 15, 4

# Answers a prompt for password and code, nothing else: no question about a host key, no
# passphrase of a key. The file's name is not secret; its content goes only to ssh.
_ANSWER_VARIABLE = "SPINSTACK_LOGIN_ANSWER_FILE"
_HELPER = f"""\
#!/bin/sh
case $1 in *yes/no*|*passphrase*|*PIN*) exit 1 ;; esac
IFS= read -r answer < "${_ANSWER_VARIABLE}" || [ -n "$answer" ] || exit 1
printf '%s\\n' "$answer"
"""


@dataclass(frozen=True)
class Asking:
    """Who answers ssh's questions: a file, a person, or nobody."""

    file: Path | None
    person: bool

    @property
    def somebody(self) -> bool:
        return self.person or self.file is not None


def asking(destination: Destination) -> Asking:
    """A person may also be asked by their own program, if they told ssh to use it."""
    file = destination.login_answer_file
    if file and not destination.practise:
        return Asking(file.expanduser(), False)
    demanded = os.environ.get("SSH_ASKPASS_REQUIRE") in ("force", "prefer")
    return Asking(None, sys.stdin.isatty() or demanded)


def log_in(
    destination: Destination,
    name: str,
    socket: Path,
    persist: int,
    say: Callable[[str], None],
) -> Iterator[None]:
    """Leave a master behind that listens at `socket`, for `persist` seconds without use. `say`
    gets a line about a wait that takes long. Pauses once ssh has been started: what it prints is
    read, and its end waited for, only afterwards; closed before, it is killed.

    Raises SpinstackError saying what went wrong.
    """
    asked, route = asking(destination), Route(destination, name)
    words = [*master_words(socket, persist), *options(destination, asked), "--", destination.host]
    with (
        _environment(asked, socket) as environment,
        _terminal(asked),
        process.started(words, environment, person=asked.person) as ssh,
    ):
        yield
        ended = process.watched(ssh, person=asked.person, wait=route.wait, say=say)
    if ended.in_vain:
        raise ended.in_vain.error()
    if ended.code:
        raise _failure(route, asked, ended.said)


@contextlib.contextmanager
def _terminal(asked: Asking) -> Iterator[None]:
    """Give ssh the terminal if it may ask there, and restore it afterwards: ssh turns echo off,
    and may be killed meanwhile."""
    if not asked.person or not sys.stdin.isatty():
        yield
        return
    from spinstack.console.board import paused

    modes = termios.tcgetattr(sys.stdin)
    with paused():
        try:
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, modes)


def master_words(socket: Path, persist: int) -> list[str]:
    """ssh as a master that goes to the background once it has logged in. Forwardings in the
    person's configuration are left to their own sessions: a port can be bound only once."""
    return [
        *("ssh", "-M", "-N", "-T", "-S", str(socket).replace("%", "%%")),
        *("-o", f"ControlPersist={persist}", "-o", "ClearAllForwardings=yes"),
        *("-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no", "-o", "ForwardX11=no"),
        *("-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "TCPKeepAlive=yes"),
        *("-o", f"ServerAliveInterval={KEEPALIVE_SECONDS}"),
        *("-o", f"ServerAliveCountMax={KEEPALIVES}"),
    ]


def options(destination: Destination, asked: Asking) -> list[str]:
    """From the destination's settings; all else is up to the person's ssh configuration."""
    words = ["-p", str(destination.port)] if destination.port else []
    words += ["-l", destination.user] if destination.user else []
    for file in _identities(destination):
        words += ["-i", str(file)]
    if destination.known_hosts_file:
        words += ["-o", f"UserKnownHostsFile={_known_hosts(destination)}"]
    words += ["-o", f"StrictHostKeyChecking={'ask' if asked.person else 'yes'}"]
    # A refused code is used up: ssh would ask again without saying so.
    words += ["-o", "NumberOfPasswordPrompts=1"]
    words += [] if asked.somebody else ["-o", "BatchMode=yes"]
    # Says how far it is (progress.py).
    return [*words, "-o", "LogLevel=DEBUG1"]


def _identities(destination: Destination) -> list[Path]:
    """The setting's key; without one, sshproxy.sh's if it exists, and then the usual ones, which
    ssh no longer tries once another is given."""
    if destination.identity_file:
        return [destination.identity_file.expanduser()]
    proxied = prompt.SSHPROXY_KEY.expanduser()
    if not proxied.exists():
        return []
    usual = (Path.home() / ".ssh" / f"id_{kind}" for kind in ("ed25519", "ecdsa", "rsa"))
    return [proxied, *(path for path in usual if path.exists())]


def _known_hosts(destination: Destination) -> str:
    """The setting's file first, where accepted keys are stored, then the usual ones."""
    own = destination.known_hosts_file
    assert own is not None
    usual = configured(destination).get("userknownhostsfile", ["~/.ssh/known_hosts"])[0].split()
    make_parents(own.expanduser())
    escaped = str(own.expanduser()).replace("%", "%%").replace('"', '\\"')
    return " ".join([f'"{escaped}"', *usual])


@contextlib.contextmanager
def _environment(asked: Asking, socket: Path) -> Iterator[Mapping[str, str] | None]:
    """With a helper program that answers from the file, only for this login."""
    if asked.file is None:
        yield None
        return
    # Says what is wrong with the file; the helper could only refuse.
    prompt.answers_from(asked.file)("")
    helper = socket.with_suffix(".answer")
    descriptor = os.open(helper, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700)
    with os.fdopen(descriptor, "w") as file:
        file.write(_HELPER)
    answering = {"SSH_ASKPASS": str(helper), "SSH_ASKPASS_REQUIRE": "force"}
    try:
        yield {**os.environ, **answering, _ANSWER_VARIABLE: str(asked.file)}
    finally:
        helper.unlink(missing_ok=True)


def _failure(route: Route, asked: Asking, said: str) -> SpinstackError:
    from spinstack.transport import certificate
    from spinstack.transport.openssh import errors

    destination = route.destination
    keys = [*_identities(destination), *route.identity_files]
    attempt = errors.Attempt(
        name=route.name,
        host=destination.host,
        port=destination.port or 0,
        asked=asked.somebody,
        outdated=next(filter(None, map(certificate.outdated, keys)), ""),
        unreachable=destination.when_unreachable,
        way=route.way,
        unasking=route.unasking,
        by_hand=waits.by_hand(destination),
    )
    error = errors.explained(said, attempt)
    if isinstance(error, errors.UnknownHost):
        error.where = _fingerprint(destination, asked) or error.where
    return error


def _fingerprint(destination: Destination, asked: Asking) -> str:
    """The key that the host offers, requested again without logging in."""
    words = ["ssh", *options(destination, asked), "-o", "PreferredAuthentications=none"]
    # The first value of an option counts.
    words[1:1] = ["-S", "none", "-o", "BatchMode=yes", "-o", "LogLevel=DEBUG1"]
    words += ["-o", f"ConnectTimeout={CONNECT_SECONDS}", "--", destination.host, "true"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return ""
    found = re.search(r"Server host key: (\S+ SHA256:\S+)", os.fsdecode(done.stderr))
    return found[1] if found else ""
