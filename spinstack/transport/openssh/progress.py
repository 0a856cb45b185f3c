"""How far a login of `ssh` is, by its debug lines, which nobody sees. Pure: bytes to stages."""

from __future__ import annotations

import re
from enum import Enum


class Stage(Enum):
    """What ssh waits for, in the order of a login."""

    START = "its configuration, or the host's name"
    CONNECT = "the host"
    WAY = "a jump host, or the ProxyCommand"
    HANDSHAKE = "the host's keys"
    QUESTION = "a person who knows the host's key"
    AGENT = "the key agent"
    LOGIN = "the host"
    ANSWER = "an answer to the prompt"


# What ssh says at LogLevel DEBUG1, and what it waits for then (OpenSSH 8.4 to 10; ssh.c,
# sshconnect.c, sshconnect2.c). The agent is asked for its keys right after the key exchange.
_BEGINS = (
    (r"Connecting to ", Stage.CONNECT),
    (r"Executing proxy (?:dialer )?command", Stage.WAY),
    (r"Remote protocol version ", Stage.HANDSHAKE),
    (r"Server host key: ", Stage.QUESTION),
    (r"Host '.*' is known and matches ", Stage.HANDSHAKE),
    (r"SSH2_MSG_NEWKEYS received", Stage.AGENT),
    (r"get_agent_identities: (?!bound)|Will attempt key: |SSH2_MSG_SERVICE_ACCEPT", Stage.LOGIN),
    (r"Authentications that can continue: |Offering public key: ", Stage.LOGIN),
    (r"Server accepts key: .* agent$", Stage.AGENT),
    # Its owner has to touch it.
    (r"Server accepts key: .* authenticator", Stage.ANSWER),
    (r"Next authentication method: (?:keyboard-interactive|password)", Stage.ANSWER),
)
# Lines that ssh prints only because of that level.
_PREFIXES = (b"debug1: ", b"Authenticated to ", b"Transferred: sent ", b"Bytes per second: ")


class Progress:
    """Takes what ssh prints apart: its debug lines from what is meant for people."""

    def __init__(self) -> None:
        self.stage = Stage.START
        self._line = b""
        # How much of the line has been given out.
        self._given = 0

    def feed(self, data: bytes) -> bytes:
        """What a person should see of it; the beginning of a line is held back as long as it
        could be a debug line."""
        *lines, rest = (self._line + data).split(b"\n")
        seen = b"".join(self._whole(line) for line in lines)
        self._line = rest
        if any(rest.startswith(p) or p.startswith(rest) for p in _PREFIXES):
            return seen
        seen, self._given = seen + rest[self._given :], len(rest)
        return seen

    def _whole(self, line: bytes) -> bytes:
        given, self._given = self._given, 0
        if not given and line.startswith(_PREFIXES):
            self._note(line.decode("utf-8", "replace").rstrip("\r"))
            return b""
        return line[given:] + b"\n"

    def _note(self, line: str) -> None:
        text = line.removeprefix("debug1: ")
        for begin, stage in _BEGINS:
            if re.match(begin, text):
                self.stage = stage
