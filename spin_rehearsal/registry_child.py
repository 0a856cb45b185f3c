"""The registry of a rehearsal: Debian's docker-registry as a child of the supervisor.

It lets in the rehearsal's account alone, with the password of the login node, as at NERSC.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
from pathlib import Path

import bcrypt
import yaml

from spin_rehearsal import packages
from spin_rehearsal.paths import USER
from spinstack.directories import write_private
from spinstack.errors import SpinstackError

PROGRAM = "docker-registry"

# How soon it is started again after it ended by itself, and how long it may take to end
# when asked; seconds.
_RESTART_DELAY = 1.0
_GRACE = 5.0


def config(address: str, directory: Path, *, users: Path | None = None) -> str:
    """Its configuration: everything in `directory`, listening on `address` (HOST:PORT) only.
    `users`: the htpasswd file of those that it lets in; without one, everybody."""
    auth = {"auth": {"htpasswd": {"realm": "rehearsal", "path": str(users)}}} if users else {}
    return yaml.safe_dump(
        {
            **auth,
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(directory / "blobs")},
                "delete": {"enabled": True},
            },
            # A secret of its own, so that it does not warn that it had to make one up.
            "http": {"addr": address, "secret": secrets.token_hex(16)},
        },
        sort_keys=False,
    )


async def keep_running(address: str, directory: Path, password: str, log: logging.Logger) -> None:
    """Run it until this coroutine is cancelled, and again whenever it ends by itself.

    Raises SpinstackError if it is not installed.
    """
    words = _command(address, directory, password)
    while True:
        process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL)
        try:
            code = await process.wait()
        finally:
            await _end(process)
        log.warning("the registry ended with code %s and is started again", code)
        await asyncio.sleep(_RESTART_DELAY)


def _command(address: str, directory: Path, password: str) -> list[str]:
    program = packages.find_program(PROGRAM)
    if program is None:
        raise SpinstackError(
            f"the program {PROGRAM} is not installed",
            remedy=f"install it (on Debian or Ubuntu: sudo apt-get install {PROGRAM})",
        )
    directory.mkdir(mode=0o700, exist_ok=True)
    users = directory / "htpasswd"
    # The only hash that it reads; it is computed for each request, so no more rounds than needed.
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    write_private(users, f"{USER}:{hashed}\n")
    file = directory / "config.yml"
    file.write_text(config(address, directory, users=users), encoding="utf-8")
    words = [program, "serve", str(file)]
    if guard := shutil.which("setpriv"):
        # Ends with the supervisor, even if that is killed: nobody else may keep the port.
        words = [guard, "--pdeathsig", "TERM", "--", *words]
    return words


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), _GRACE)
        except asyncio.TimeoutError:
            process.kill()
