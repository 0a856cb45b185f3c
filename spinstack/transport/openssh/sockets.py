"""Where the sockets of open logins are: a directory of our own that nobody else can enter.
Whoever could put a socket there would be taken for the login node."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.directories import PRIVATE, make_parents, problem_of
from spinstack.errors import SpinstackError

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# The shortest limit for a socket's path (macOS: 104 with the zero at its end), less the dot and
# 16 characters that ssh appends while it creates one (muxserver_listen).
LONGEST = 103 - 17


def socket_of(destination: Destination) -> Path:
    """The socket of the login at a destination.

    Its name says which login, not which stack: whoever logs in to the same account of the same
    host shares it. This machine's name is part of it: homes may be shared by several.
    """
    login = (destination.host, str(destination.port or ""), destination.user)
    whole = "\0".join((*login, str(Path.home()), socket.gethostname()))
    name = hashlib.sha256(whole.encode()).hexdigest()[:16]
    found = [directory / name for directory in _directories()]
    return next((path for path in found if len(os.fsencode(path)) <= LONGEST), found[-1])


def _directories() -> list[Path]:
    """In order of preference; the last one is always short enough."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return [
        Path.home() / ".local" / "state" / "spinstack" / "ssh",
        *([Path(runtime) / "spinstack"] if runtime else []),
        Path(f"/tmp/spinstack-ssh-{os.getuid()}"),
    ]


def make(directory: Path) -> None:
    """Create the directory if it does not exist, and check that it can be used.

    Raises SpinstackError, before a one-time code is wasted.
    """
    try:
        make_parents(directory)
        directory.mkdir(mode=PRIVATE, exist_ok=True)
    except OSError as error:
        raise SpinstackError(
            f"the directory for open logins can't be created: {error.strerror}",
            where=str(directory),
            remedy="create it with mode 700, or set wire: fabric",
        ) from None
    check(directory)
    _try_out(directory)


def _try_out(directory: Path) -> None:
    """Whether its file system supports sockets, and hard links to them, as ssh needs."""
    first, second = (directory / f"try-{os.getpid()}-{number}" for number in (1, 2))
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(first))
            os.link(first, second)
    except OSError as error:
        raise SpinstackError(
            f"the home's file system does not support ssh sockets: {error.strerror or error}",
            where=str(directory),
            remedy="set wire: fabric",
        ) from None
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)


def check(directory: Path) -> bool:
    """Whether the directory exists. Raises SpinstackError unless it is ours alone."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    problem = problem_of(found, {os.geteuid()}, forbidden=0o077)
    if not problem:
        return True
    if found.st_uid != os.geteuid():
        remedy = "ask them, or root, to remove it; until then set wire: fabric"
    elif problem.startswith("is accessible"):
        remedy = f"check what others put there, then chmod 700 {directory}"
    else:
        remedy = f"remove {directory}"
    raise SpinstackError(
        f"the directory for open logins {problem}", where=str(directory), remedy=remedy
    )
