"""The process of a login session, with or without a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Mapping, Sequence
from typing import Any

from spin_rehearsal.account import Account

# How long a process may take to end after it was asked to; seconds.
GRACE = 2.0

# How long what is left in a terminal may take to arrive after the shell has ended; seconds.
# A process in the background may keep the terminal open for ever.
DRAIN = 1.0

# End of transmission: what a terminal takes for the end of input at the start of a line.
_EOT = b"\x04"

# How a terminal says that nobody has it open any more.
_GONE = OSError


class Child:
    """A running process. `streams`: its standard output and, without a terminal, its
    standard error; a terminal carries both in one."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stdin: asyncio.StreamWriter,
        streams: Sequence[asyncio.StreamReader],
        terminal: int | None = None,
    ) -> None:
        self.streams = streams
        self._process = process
        self._stdin = stdin
        self._terminal = terminal

    async def write(self, data: bytes) -> None:
        """To its standard input; returns when there is room for more."""
        if self._stdin.is_closing():
            return  # it reads no more: as with any pipe
        with contextlib.suppress(ConnectionError, _GONE):
            self._stdin.write(data)
            await self._stdin.drain()

    async def end_input(self) -> None:
        """Let it see the end of its input."""
        if self._terminal is not None:
            await self.write(_EOT)
        else:
            self._stdin.close()

    def resize(self, width: int, height: int) -> None:
        """Tell its terminal, if it has one, how large the window is."""
        if self._terminal is not None:
            set_size(self._terminal, width, height)

    def signal(self, name: str) -> None:
        """Send a signal, named without SIG, to all its processes; unknown names are ignored."""
        number = getattr(signal, f"SIG{name}", None)
        if number is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    async def finished(self, carriers: asyncio.Future[Any]) -> int:
        """Its exit code (negative: the signal that ended it), once its output is carried."""
        if self._terminal is None:
            await carriers
            return await self._process.wait()
        code = await self._process.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(carriers, DRAIN)
        return code

    async def end(self) -> None:
        """End what still runs of it: first asked, then without asking."""
        self.signal("HUP")
        self._stdin.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), GRACE)
        self.signal("KILL")
        await self._process.wait()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None


async def read(stream: asyncio.StreamReader, size: int) -> bytes:
    """The next bytes, none at the end."""
    try:
        return await stream.read(size)
    except _GONE:
        return b""


def set_size(terminal: int, width: int, height: int) -> None:
    """In characters."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


async def start(words: Sequence[str], environment: Mapping[str, str], account: Account) -> Child:
    """Start a process with three pipes, in a session of its own. Raises OSError.

    The pipes belong to the account: `> /dev/stderr` opens them anew, which only their owner
    may.
    """
    (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = (os.pipe() for _ in "012")
    try:
        if account.switch:
            for pipe in (stdin, stdout, stderr):
                os.fchown(pipe, account.uid, account.gid)
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            **_setting(environment, account),
        )
    except OSError:
        for pipe in (to_stdin, from_stdout, from_stderr):
            os.close(pipe)
        raise
    finally:
        for pipe in (stdin, stdout, stderr):
            os.close(pipe)
    return Child(
        process, await _writer(to_stdin), (await _reader(from_stdout), await _reader(from_stderr))
    )


async def start_with_terminal(
    words: Sequence[str],
    environment: Mapping[str, str],
    account: Account,
    width: int,
    height: int,
) -> Child:
    """Start a process that has a new terminal as its controlling one. Raises OSError."""
    master, slave = pty.openpty()
    try:
        set_size(master, width, height)
        if account.switch:
            os.fchown(slave, account.uid, account.gid)
        # setsid takes the terminal as the controlling one, so that no Python code has to run
        # between fork and exec, which is unsafe in a process with threads.
        process = await asyncio.create_subprocess_exec(
            "setsid",
            "--ctty",
            *words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            **_setting(environment, account),
        )
    except OSError:
        os.close(master)
        raise
    finally:
        os.close(slave)
    return Child(process, await _writer(os.dup(master)), (await _reader(os.dup(master)),), master)


def _setting(environment: Mapping[str, str], account: Account) -> dict[str, Any]:
    setting: dict[str, Any] = {"env": environment, "cwd": account.home, "umask": 0o022}
    if account.switch:
        setting |= {"user": account.uid, "group": account.gid, "extra_groups": [account.gid]}
    return setting


async def _reader(descriptor: int) -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", 0))
    return reader


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
        os.fdopen(descriptor, "wb", 0),
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)
