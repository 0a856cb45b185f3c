"""How `ssh` logs in as a master: its command line, who answers it, and the outcome."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.directories import make_parents
from spinstack.errors import SpinstackError
from spinstack.transport import certificate, prompt
from spinstack.transport.openssh import errors

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

CONNECT_SECONDS = 30
# Silence after which a keepalive is sent (seconds), and how many may go unanswered.
KEEPALIVE_SECONDS, KEEPALIVES = 15, 4
# For a login without questions: connecting, jump hosts, a slow name server.
UNASKED_SECONDS = 120.0

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


def log_in(destination: Destination, name: str, socket: Path, persist: int) -> None:
    """Leave a master behind that listens at `socket`, for `persist` seconds without use.

    Raises SpinstackError saying what went wrong.
    """
    asked = asking(destination)
    words = [*master_words(socket, persist), *options(destination, asked), "--", destination.host]
    with _environment(asked, socket) as environment, _terminal(asked):
        code, said = _run(words, environment, asked)
    if code:
        raise _failure(destination, name, asked, said)


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
    if not asked.person:
        words += ["-o", "LogLevel=ERROR"]
        words += [] if asked.file else ["-o", "BatchMode=yes"]
    return words


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


def configured(destination: Destination) -> dict[str, list[str]]:
    """The person's configuration for the host, as ssh itself reads it (`ssh -G`); empty if it
    can't be read, which the login reports better."""
    words = ["ssh", "-G", "--", destination.host]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


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


def _run(words: list[str], environment: Mapping[str, str] | None, asked: Asking) -> tuple[int, str]:
    """Run ssh until it has gone to the background; its exit code and its output, which a person
    sees as it comes: even a prompt to touch a FIDO key, which ssh writes only to a terminal."""
    seen = asked.person and sys.stderr.isatty()
    ours, its = pty.openpty() if seen else os.pipe()
    with open(ours, "rb", buffering=0) as said:  # noqa: PTH123
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=its,
            env=environment,
            # Without a terminal on which it could ask, or whose Ctrl-C would reach it.
            start_new_session=not asked.person,
        )
        os.close(its)
        try:
            limit = None if asked.person else UNASKED_SECONDS
            text = _listen(process, said.fileno(), limit, show=asked.person)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    return process.returncode, text


def _listen(
    process: subprocess.Popen[bytes], said: int, seconds: float | None, *, show: bool
) -> str:
    """What ssh prints until its first process ends. Not until the end of the file: the master
    may keep that open (before OpenSSH 8.7)."""
    deadline = None if seconds is None else time.monotonic() + seconds
    whole = b""
    with _told_of_its_end(process) as end:
        while True:
            ended = process.poll() is not None
            ready, _, _ = select.select([said, *end], [], [], 0 if ended else 0.05)
            data = _read(said) if said in ready else b""
            whole += data
            if data and show:
                sys.stderr.buffer.write(data)
                sys.stderr.flush()
            if ended and not data:
                return whole.decode("utf-8", "replace")
            if said in ready and not data:
                process.wait()
            # It would continue without a socket that could be used.
            if b"disabling multiplexing" in whole:
                return whole.decode("utf-8", "replace")
            if deadline and time.monotonic() > deadline:
                return whole.decode("utf-8", "replace") + "\nTimeout, server not responding."


@contextlib.contextmanager
def _told_of_its_end(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """A descriptor that is readable as soon as the process has ended; none if the system has no
    such thing."""
    if not hasattr(os, "pidfd_open"):
        yield []
        return
    end = os.pidfd_open(process.pid)
    try:
        yield [end]
    finally:
        os.close(end)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of a terminal was closed
        return b""


def _failure(destination: Destination, name: str, asked: Asking, said: str) -> SpinstackError:
    keys = [*_identities(destination), *_configured_keys(destination)]
    attempt = errors.Attempt(
        name=name,
        host=destination.host,
        port=destination.port or 0,
        asked=asked.somebody,
        outdated=next(filter(None, map(certificate.outdated, keys)), ""),
        unreachable=destination.when_unreachable,
    )
    error = errors.explained(said, attempt)
    if isinstance(error, errors.UnknownHost):
        error.where = _fingerprint(destination, asked) or error.where
    return error


def _configured_keys(destination: Destination) -> list[Path]:
    return [Path(name).expanduser() for name in configured(destination).get("identityfile", [])]


def _fingerprint(destination: Destination, asked: Asking) -> str:
    """The key that the host offers, requested again without logging in."""
    words = ["ssh", *options(destination, asked), "-o", "PreferredAuthentications=none"]
    # The first value of an option counts.
    words[1:1] = ["-S", "none", "-o", "BatchMode=yes", "-o", "LogLevel=DEBUG1"]
    words += ["-o", f"ConnectTimeout={CONNECT_SECONDS}", "--", destination.host, "true"]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return ""
    found = re.search(r"Server host key: (\S+ SHA256:\S+)", done.stderr)
    return found[1] if found else ""
