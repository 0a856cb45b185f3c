"""One session on the pretend login node: a shell or a command, as sshd would run it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from spin_rehearsal import login_process
from spin_rehearsal.account import Account, shell
from spin_rehearsal.login_process import Child

if TYPE_CHECKING:
    from asyncssh import SSHServerProcess

# As many bytes as are carried at a time in either direction.
CHUNK = 65536


async def run(process: SSHServerProcess[bytes], account: Account) -> None:
    """Run what the client asked for, until it ends or the connection goes."""
    if process.subsystem:
        process.exit(1)
        return
    try:
        running = await _start(process, account)
    except OSError as error:
        process.stderr.write(f"{shell()}: {error.strerror}\n".encode())
        process.exit(255)
        return
    targets = (process.stdout, process.stderr)
    outputs = zip(running.streams, targets, strict=False)
    outwards = asyncio.gather(*(_carry_out(source, target) for source, target in outputs))
    inwards = asyncio.ensure_future(_carry_in(process, running))
    gone = asyncio.ensure_future(process.wait_closed())
    done = asyncio.ensure_future(running.finished(outwards))
    try:
        await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            _report(process, done.result())
    finally:
        for task in (done, inwards, outwards, gone):
            task.cancel()
        await running.end()


async def _start(process: SSHServerProcess[bytes], account: Account) -> Child:
    """Exec requests run as `shell -c command`, shell requests as a login shell."""
    words = [shell(), "-c", process.command] if process.command else [shell(), "-l"]
    term = process.term_type
    environment = account.environment(term or "", _connection(process))
    if not term:
        return await login_process.start(words, environment, account)
    width, height, *_ = process.term_size
    return await login_process.start_with_terminal(words, environment, account, width, height)


def _connection(process: SSHServerProcess[bytes]) -> str:
    """SSH_CONNECTION as sshd words it: both ends, addresses and ports."""
    peer, own = (process.get_extra_info(name) for name in ("peername", "sockname"))
    return f"{peer[0]} {peer[1]} {own[0]} {own[1]}" if peer and own else ""


def _report(process: SSHServerProcess[bytes], code: int) -> None:
    """The exit status, or the signal that ended it, by its name without SIG."""
    if code >= 0:
        process.exit(code)
    else:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))


async def _carry_out(source: asyncio.StreamReader, target: Any) -> None:
    """From the child to the client, no faster than the client reads."""
    try:
        while data := await login_process.read(source, CHUNK):
            target.write(data)
            await target.drain()
    except ConnectionError:  # the client has gone, which ends the session
        return


async def _carry_in(process: SSHServerProcess[bytes], running: Child) -> None:
    """From the client to the child: data, window sizes, signals, the end of input."""
    import asyncssh

    while True:
        try:
            data = await process.stdin.read(CHUNK)
        except asyncssh.TerminalSizeChanged as change:
            running.resize(change.width, change.height)
        except asyncssh.BreakReceived:
            running.signal("INT")
        except asyncssh.SignalReceived as received:
            running.signal(received.signal)
        except (ConnectionError, asyncssh.Error):
            return
        else:
            if not data:
                await running.end_input()
                return
            await running.write(data)
