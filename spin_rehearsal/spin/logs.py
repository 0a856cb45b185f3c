"""Logs of containers, line by line, standard output and standard error kept apart."""

from __future__ import annotations

import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from spin_rehearsal.spin.errors import invalid
from spinstack.transport.command import Command

Line = tuple[str, str]

# Seconds without a line, after which it is seen whether anybody still listens.
QUIET = 1.0


@dataclass(frozen=True)
class LogRequest:
    """What is wanted of a log. `tail`: number of lines, `all`; `since`: as the engine takes
    it (a moment, or a time span such as 10m)."""

    tail: str = "100"
    since: str = ""
    follow: bool = False
    timestamps: bool = False

    @classmethod
    def parse(cls, query: dict[str, str]) -> LogRequest:
        """From the parameters of a URL. Raises ApiError (422)."""
        tail = query.get("tail") or "100"
        if not re.fullmatch(r"-?\d{1,9}|all", tail):
            raise invalid("tail", f"tail is a number, not {tail!r}")
        since = query.get("since") or ""
        if not re.fullmatch(r"[\w:.+-]*", since):
            raise invalid("since", f"{since!r} is no moment")
        return cls(
            "all" if tail.startswith("-") else tail,
            since,
            follow=query.get("follow") in ("true", "1"),
            timestamps=query.get("timestamps") in ("true", "1"),
        )


def merged(command: Command) -> Iterator[Line]:
    """The whole of a log that ends, in the order of time. The command must ask for
    timestamps; they stay in front of the lines."""
    process = _started(command)
    with process:
        lines = list(_lines(process))
    return iter(sorted((line for line in lines if line), key=_moment))


def followed(command: Command, gone: Callable[[], bool]) -> Iterator[Line]:
    """A log that goes on, until the container ends or `gone()` says that nobody listens."""
    process = _started(command)
    with process:
        try:
            for line in _lines(process):
                if line:
                    yield line
                elif gone():
                    return
        finally:
            process.kill()


def without_moment(line: Line) -> Line:
    """The line without its timestamp."""
    stream, text = line
    moment, space, rest = text.partition(" ")
    return (stream, rest) if space and _MOMENT.fullmatch(moment) else line


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")


def _moment(line: Line) -> str:
    """Timestamps of one engine have one length and zone, so they sort as text. A line
    without one is the engine's own word and comes last."""
    moment = line[1].partition(" ")[0]
    return moment if _MOMENT.fullmatch(moment) else "~"


def _started(command: Command) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command.argv(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def _lines(process: subprocess.Popen[str]) -> Iterator[Line | None]:
    """Lines of both streams as they come; None whenever none came for `QUIET` seconds."""
    found: queue.Queue[Line | None] = queue.Queue(maxsize=1000)
    ended = threading.Event()

    def read(stream: str, pipe: IO[str]) -> None:
        for text in pipe:
            while not ended.is_set():
                try:
                    found.put((stream, text), timeout=1)
                    break
                except queue.Full:
                    continue
        found_end(None)

    def found_end(mark: None) -> None:
        if not ended.is_set():
            found.put(mark)

    assert process.stdout and process.stderr
    pipes = {"stdout": process.stdout, "stderr": process.stderr}
    for stream, pipe in pipes.items():
        threading.Thread(target=read, args=(stream, pipe), daemon=True).start()
    left = len(pipes)
    try:
        while left:
            try:
                line = found.get(timeout=QUIET)
            except queue.Empty:
                yield None
                continue
            if line is None:
                left -= 1
            else:
                yield line
    finally:
        ended.set()


def start_error(message: str, request: LogRequest) -> Line:
    """The log of a container that never ran: why."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) if request.timestamps else ""
    return ("stderr", f"{moment}{message}\n")
