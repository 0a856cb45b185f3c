"""Joins the network namespace that it is started in to a new one, by a pair of tun devices,
and holds each packet for a while.

    python -m benchmarks.far.link MILLISECONDS

Kernels without netem (`tc qdisc … netem delay`) have no other way. Prints `ready` when both
ends are up, and from then on for every line that it is given the round trips of connections to
the sshd since the last one, as a number. It ends with its standard input, and both devices
with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque

from benchmarks.far.namespaces import FAR, NEAR, SSH_PORT, enter_new
from benchmarks.far.turns import Turns, speaks

# <linux/if_tun.h>
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500


def device(name: str, address: str) -> int:
    """A tun device in the present namespace, up, with an address; its descriptor."""
    found = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(found, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    for words in (
        ("address", "add", f"{address}/30", "dev", name),
        ("link", "set", "dev", name, "mtu", str(MTU), "up"),
        ("link", "set", "dev", "lo", "up"),
    ):
        subprocess.run(["ip", *words], check=True)
    return found


class Held:
    """The packets on their way in one direction."""

    def __init__(self, to: int, hold: float) -> None:
        self._to = to
        self._hold = hold
        self._packets: deque[tuple[float, bytes]] = deque()

    def add(self, packet: bytes, now: float) -> None:
        self._packets.append((now + self._hold, packet))

    def deliver(self, now: float) -> float | None:
        """Pass on what is due; when the next one will be."""
        while self._packets and self._packets[0][0] <= now:
            # A full queue drops packets, as networks do.
            with contextlib.suppress(OSError):
                os.write(self._to, self._packets.popleft()[1])
        return self._packets[0][0] if self._packets else None


def read(source: int) -> bytes | None:
    """The next packet, if one waits."""
    try:
        return os.read(source, 65536)
    except BlockingIOError:
        return None


def relay(near: int, far: int, hold: float) -> None:
    """Carry packets until standard input ends."""
    there, back = Held(far, hold), Held(near, hold)
    turns = Turns(hold)
    due: list[float] = []
    while True:
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        ready, _, _ = select.select([near, far, sys.stdin.fileno()], [], [], wait)
        now = time.monotonic()
        while near in ready and (packet := read(near)) is not None:
            there.add(packet, now)
            if speaks(packet, SSH_PORT):
                turns.sent(now)
        while far in ready and (packet := read(far)) is not None:
            back.add(packet, now)
            if speaks(packet, SSH_PORT):
                turns.answered(now)
        if sys.stdin.fileno() in ready:
            if not os.read(sys.stdin.fileno(), 4096):
                return
            print(turns.count, flush=True)
            turns = Turns(hold)
        due = [at for at in (there.deliver(now), back.deliver(now)) if at is not None]


def main() -> None:
    hold = float(sys.argv[1]) / 1000
    # The network must not get slower when the machine is busy.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    near = device("near", NEAR)
    enter_new()
    far = device("far", FAR)
    print("ready", flush=True)
    relay(near, far, hold)


if __name__ == "__main__":
    main()
