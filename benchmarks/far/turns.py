"""Counts the round trips of a conversation from the packets of it. Pure."""

from __future__ import annotations

import struct

_TCP, _SYN = 6, 0x02


def speaks(packet: bytes, port: int) -> bool:
    """Whether an IPv4 packet from or to a port says something to the other side: data of TCP,
    or the wish for a connection. Bare acknowledgements and ends of connections do not."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != _TCP:
        return False
    header = (packet[0] & 15) * 4
    (length,) = struct.unpack_from("!H", packet, 2)
    if len(packet) < header + 14:
        return False
    if port not in struct.unpack_from("!HH", packet, header):
        return False
    offset = (packet[header + 12] >> 4) * 4
    return length > header + offset or bool(packet[header + 13] & _SYN)


class Turns:
    """How often the near side spoke because of an answer to what it had said before.

    That is the longest chain of question and answer: packets that follow each other without
    waiting count once, however many there are. All times in seconds, of one clock.
    """

    def __init__(self, hold: float) -> None:
        self.count = 0
        self._hold = hold
        self._heard_there = 0.0
        self._answered_here: float | None = None

    def sent(self, now: float) -> None:
        """The near side has spoken."""
        if self.count and (self._answered_here is None or now < self._answered_here):
            return
        self.count += 1
        self._heard_there = now + self._hold
        self._answered_here = None

    def answered(self, now: float) -> None:
        """The far side has spoken; it is heard here after the delay."""
        if self.count and now >= self._heard_there and self._answered_here is None:
            self._answered_here = now + self._hold
