"""A login node as a centre has it: a real OpenSSH server whose PAM asks `Password + OTP: `.

The answer is the password with six digits after it. Each code is valid for a short time and
accepted once; every login and every session is counted. A key needs no answer if its
certificate is signed by the node's authority, as sshproxy's are; plain keys are refused. The
PAM service is one of our own, so that the machine's own logins stay as they are.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import openssh

PROMPT = "Password + OTP: "
DIGITS = 6
# Seconds that a code is the current one (RFC 6238), and how many codes are valid at a time:
# so many that a test need not wait for the clock.
STEP = 30
WINDOW = 17
# Where PAM looks for a service (pam.conf(5)).
PAM_SERVICES = Path("/etc/pam.d")

# The first takes the six digits off the answer and hands the rest on; were the second one
# reached without, it would ask by itself. Accounts and sessions are whatever sshd makes of them.
SERVICE = """\
auth requisite pam_google_authenticator.so secret={directory}/codes user=root \
[authtok_prompt={prompt}] forward_pass noskewadj
auth required pam_exec.so expose_authtok quiet {directory}/password-is-right
account required pam_permit.so
session required pam_permit.so
"""
# The state of libpam-google-authenticator, which it rewrites at each login.
CODES = """\
{secret}
" WINDOW_SIZE {window}
" STEP_SIZE {step}
" DISALLOW_REUSE
" TOTP_AUTH
"""
# PAM hands over the password without a line end.
PASSWORD_IS_RIGHT = """\
#!/bin/sh
given=$(tr -d '\\000')
[ "$given" = "$(cat {directory}/password)" ]
"""


@dataclass
class Authenticator:
    """A person's head and telephone: the password, and codes, none of them twice."""

    password: str
    secret: bytes
    _next: int = field(default_factory=lambda: _now() - WINDOW // 2 + 1)

    def answer(self) -> str:
        """What the prompt is answered with: a code that is valid and was not used yet.

        The codes around now come one by one; whoever needs more has to wait.
        """
        while self._next >= _now() + WINDOW // 2:
            time.sleep(0.5)
        self._next = max(self._next, _now() - WINDOW // 2 + 1)
        self._next += 1
        return self.password + self.code(self._next - 1)

    def wrong(self) -> str:
        """The right password with a code that is valid at no time near."""
        valid = {self.code(_now() + away) for away in range(-WINDOW, WINDOW + 1)}
        return self.password + next(c for c in map(str, range(10**5, 10**6)) if c not in valid)

    def outdated(self) -> str:
        """An answer that was right some minutes ago."""
        return self.password + self.code(_now() - 2 * WINDOW)

    def code(self, step: int) -> str:
        """RFC 6238 with HMAC-SHA-1: the code of a step of 30 s since 1970."""
        digest = hmac.digest(self.secret, struct.pack(">Q", step), "sha1")
        (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
        return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"


@contextmanager
def handed_out(person: Authenticator, directory: Path) -> Iterator[Path]:
    """A file for the setting `login_answer_file` that holds another answer each time it is
    read, as if the person typed it."""
    path, over = directory / "answers", threading.Event()
    os.mkfifo(path, 0o600)

    def hand_out() -> None:
        while not over.is_set():
            # Waits for a reader.
            with path.open("w") as file:
                file.write("" if over.is_set() else person.answer() + "\n")
            # Whoever reads has to see the end of this one before the next one begins.
            time.sleep(0.2)

    thread = threading.Thread(target=hand_out, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        over.set()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        thread.join(10)
        os.close(reader)


def _now() -> int:
    return int(time.time()) // STEP


@dataclass(frozen=True)
class Counted:
    """What the server has seen so far."""

    # Prompts shown; a login asks once, a client may try again in the same connection.
    asked: int
    # By answers, and by keys.
    logins: int
    by_key: int
    refused: int
    sessions: int


@dataclass
class LoginNode:
    """The running server, what a client needs for it, and what it has counted."""

    port: int
    known_hosts: Path
    log: Path
    person: Authenticator
    # Signs keys that are let in without a question.
    authority: Path
    user: str = "root"

    def counted(self) -> Counted:
        """Everything since it was started."""
        text = self.log.read_text(errors="replace")
        by_prompt = r"keyboard-interactive/pam for (?:invalid user )?\S+ from"
        return Counted(
            asked=len(re.findall(r"^Postponed keyboard-interactive for", text, re.MULTILINE)),
            logins=len(re.findall(rf"^Accepted {by_prompt}", text, re.MULTILINE)),
            by_key=len(re.findall(r"^Accepted publickey for", text, re.MULTILINE)),
            refused=len(re.findall(rf"^Failed {by_prompt}", text, re.MULTILINE)),
            sessions=len(re.findall(r"^Starting session: ", text, re.MULTILINE)),
        )

    def settings(self, **more: object) -> dict[str, Any]:
        """A destination's settings for the way in."""
        way = {"host": "127.0.0.1", "port": self.port, "user": self.user}
        return {**way, "known_hosts_file": str(self.known_hosts), **more}


@contextmanager
def login_node(directory: Path, *, command: str = "", environment: str = "") -> Iterator[LoginNode]:
    """Start one; all of it goes at the end, also from /etc/pam.d. Needs root.

    `command`: what runs instead of what is asked for (see `openssh.start`).
    """
    name = f"spinstack-test-{os.getpid()}-{secrets.token_hex(3)}"
    person = Authenticator(secrets.token_urlsafe(12), secrets.token_bytes(20))
    service = PAM_SERVICES / name
    _lay_out(directory, person)
    service.write_text(SERVICE.format(directory=directory, prompt=PROMPT))
    try:
        server = openssh.start(
            directory, command=command, environment=environment,
            program=_own_program(directory, name), settings=_settings(name, directory),
        )  # fmt: skip
        try:
            log, authority = directory / "sshd.log", directory / "host_key"
            yield LoginNode(server.port, server.known_hosts, log, person, authority)
        finally:
            _end(server)
    finally:
        service.unlink()


def _lay_out(directory: Path, person: Authenticator) -> None:
    secret = base64.b32encode(person.secret).decode()
    codes, password = directory / "codes", directory / "password"
    for path, text in (
        (codes, CODES.format(secret=secret, window=WINDOW, step=STEP)),
        (password, person.password),
    ):
        path.touch(mode=0o600)
        path.write_text(text)
    script = directory / "password-is-right"
    script.write_text(PASSWORD_IS_RIGHT.format(directory=directory))
    script.chmod(0o700)


def _own_program(directory: Path, name: str) -> Path:
    """OpenSSH before 9.8 calls its PAM service after the program as it was started."""
    link = directory / name
    link.symlink_to(openssh.sshd_program())
    return link


def _settings(name: str, directory: Path) -> str:
    """Lines of sshd_config."""
    lines = [
        "UsePAM yes",
        "KbdInteractiveAuthentication yes",
        # One or the other.
        "AuthenticationMethods publickey keyboard-interactive",
        f"TrustedUserCAKeys {directory}/host_key.pub",
        "AuthorizedKeysFile none",
        # If a test writes one.
        f"Banner {directory}/banner",
        "LogLevel VERBOSE",
    ]
    if openssh.version() >= (9, 8):
        # The name of the service; and refused logins delay nobody's next one.
        lines += [f"PAMServiceName {name}", "PerSourcePenalties no"]
    return "\n".join(lines) + "\n"


def _end(server: openssh.Sshd) -> None:
    """The server, and the connections that it still has: each is a process of its own."""
    children = ["pgrep", "-P", str(server.process.pid)]
    there = subprocess.run(children, capture_output=True, text=True).stdout.split()
    server.stop()
    for pid in map(int, there):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
