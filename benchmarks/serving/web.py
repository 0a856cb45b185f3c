"""Single requests over connections of their own, every byte counted."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from spinstack.errors import SpinstackError

Address = tuple[str, int]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)

# Seconds for an answer.
PATIENCE = 15.0
# A connection that is to be held must be there within so many seconds; after so many that
# are not, the server is full.
HELD_WITHIN = 2.0
REFUSALS = 3


@dataclass(frozen=True)
class Reply:
    """What came back. `status` 0: nothing that is HTTP; `wire`: bytes received, headers and
    body; `seconds` from the start of the connection to its end; `whole`: not cut short."""

    status: int
    wire: int
    seconds: float
    whole: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def good(self) -> bool:
        return self.status == 200 and self.whole


def fetch(
    address: Address, path: str, headers: Mapping[str, str] | None = None, timeout: float = PATIENCE
) -> Reply:
    """One GET. Never raises for what the server or the network does."""
    start = time.monotonic()
    lines = [f"GET {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    try:
        with socket.create_connection(address, timeout=timeout) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = _read(connection, start + timeout)
    except OSError as error:
        return Reply(0, 0, time.monotonic() - start, False, problem=type(error).__name__)
    return _parsed(answer, time.monotonic() - start)


def _read(connection: socket.socket, deadline: float) -> bytes:
    """A whole answer, or what there is until the server closes. Raises TimeoutError.

    A server may keep the connection open after the answer, to go on with work of its own.
    """
    answer = bytearray()
    while not _is_whole(answer):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(1 << 18)
        if not part:
            break
        answer += part
    return bytes(answer)


def _is_whole(answer: bytes | bytearray) -> bool:
    """Whether nothing is missing, by what the headers say; without them only the end tells."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not blank:
        return False
    if length:
        return len(body) >= int(length[1])
    return bool(_CHUNKED.search(head)) and body.endswith(b"0\r\n\r\n")


def _parsed(answer: bytes, seconds: float) -> Reply:
    head, blank, _ = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if not blank or not first.startswith("HTTP/1.") or len(words) < 2:
        return Reply(0, len(answer), seconds, False, problem="no HTTP")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    measured = "content-length" in headers or "transfer-encoding" in headers
    return Reply(int(words[1]), len(answer), seconds, not measured or _is_whole(answer), headers)


def probe(
    address: Address, path: str, rate: float, seconds: float, timeout: float = PATIENCE
) -> list[Reply]:
    """New connections at a fixed rate (per second), whether or not earlier ones were
    answered: what visitors feel who do not wait for each other."""
    replies: list[Reply] = []
    threads: list[threading.Thread] = []
    start = time.monotonic()
    for number in range(max(1, round(rate * seconds))):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        thread = threading.Thread(
            target=lambda: replies.append(fetch(address, path, timeout=timeout)), daemon=True
        )
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return replies


def wait_for(
    address: Address, path: str, lost: Callable[[], str] = lambda: "", seconds: float = 60.0
) -> float:
    """Ask until the answer is 200; the seconds that it took.

    `lost` tells why there is no hope (empty: there is). Raises SpinstackError.
    """
    start = time.monotonic()
    reply = fetch(address, path)
    while not reply.good:
        spent = time.monotonic() - start
        reason = lost() if spent > 1 else ""
        if reason or spent > seconds:
            status = f"no answer within {seconds:.0f} s, status {reply.status}"
            raise SpinstackError(
                f"{path} is not served ({reason or status})",
                where=f"http://{address[0]}:{address[1]}{path}",
                remedy="look at the output of the containers",
            )
        time.sleep(0.01)
        reply = fetch(address, path)
    return time.monotonic() - start


@contextmanager
def held(
    address: Address, count: int, first_bytes: bytes, *, answered: bool = False
) -> Iterator[Callable[[], int]]:
    """Many connections on which only `first_bytes` are sent (and, if `answered`, an answer
    is awaited), one after the other, all open while the block runs.

    Fewer where the server takes no more. Gives a function that counts those which it has not
    closed.
    """
    sockets: list[socket.socket] = []
    refused = 0
    try:
        while len(sockets) < count and refused < REFUSALS:
            try:
                sockets.append(_held_one(address, first_bytes, answered))
            except OSError:
                refused += 1
        yield lambda: sum(_is_open(connection) for connection in sockets)
    finally:
        for connection in sockets:
            connection.close()


def _held_one(address: Address, first_bytes: bytes, answered: bool) -> socket.socket:
    """Raises OSError if the server does not take it in soon."""
    connection = socket.create_connection(address, timeout=HELD_WITHIN)
    try:
        connection.sendall(first_bytes)
        if answered:
            connection.recv(1 << 16)
    except OSError:
        connection.close()
        raise
    connection.setblocking(False)
    return connection


def _is_open(connection: socket.socket) -> bool:
    """Whether the server still holds a connection; an answer to it is read and dropped."""
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
