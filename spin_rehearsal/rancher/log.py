"""Log lines as logrus writes them, on stdout: that is where the real client puts them.

Without a terminal `time="..." level=info msg="..." `; with one `INFO[0000] message`,
coloured and padded (the terminal's line discipline makes CRLF of the line end). Both end
with a blank.
"""

from __future__ import annotations

import re
import sys
import threading
import time

_COLOURS = {"info": 36, "warning": 33, "error": 31, "fatal": 31}
_PLAIN = re.compile(r"[A-Za-z0-9.-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_MESSAGE_WIDTH = 44
_begin = time.monotonic()
_lock = threading.Lock()


def info(message: str) -> None:
    _write("info", message)


def warning(message: str) -> None:
    _write("warning", message)


def error(message: str) -> None:
    _write("error", message)


def fatal(message: str) -> None:
    """Only writes the line; whoever calls it ends the program with exit code 1."""
    _write("fatal", message)


def say(text: str) -> None:
    """A line of output that is no log line, whole even when several threads write."""
    with _lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def quoted(text: str) -> str:
    """The text as Go's %q writes it."""
    escaped = "".join(
        _ESCAPES.get(char) or (char if char.isprintable() else f"\\x{ord(char):02x}")
        for char in text
    )
    return f'"{escaped}"'


def plain_line(level: str, message: str, now: float) -> str:
    """A line for a stdout that is no terminal; `now` in seconds since 1970."""
    zone = time.strftime("%z", time.localtime(now))
    offset = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)) + offset
    shown = message if _PLAIN.fullmatch(message) else quoted(message)
    return f'time="{stamp}" level={level} msg={shown} '


def coloured_line(level: str, message: str, seconds: float) -> str:
    """A line for a terminal; `seconds` since the program began."""
    word = level.upper()[:4]
    padded = message.ljust(_MESSAGE_WIDTH)
    return f"\x1b[{_COLOURS[level]}m{word}\x1b[0m[{int(seconds):04d}] {padded} "


def _write(level: str, message: str) -> None:
    if sys.stdout.isatty():
        say(coloured_line(level, message, time.monotonic() - _begin))
    else:
        say(plain_line(level, message, time.time()))
