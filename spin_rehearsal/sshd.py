"""The ssh server of the pretend login node: one prompt, one-time answers, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spin_rehearsal import session
from spin_rehearsal.account import Account
from spin_rehearsal.paths import USER
from spinstack.directories import write_private
from spinstack.errors import SpinstackError
from spinstack.rules import centre

if TYPE_CHECKING:
    import asyncssh

HOST = "127.0.0.1"

# What login nodes ask; the blank after it is part of the prompt.
PROMPT = centre.load().login_prompt + " "

BANNER = """\
*****************************************************************
*                       NOTICE TO USERS                         *
*                                                               *
*  This is a rehearsal of a login node. It runs on this very    *
*  machine, and what is done here stays here. On the real one   *
*  a notice in this place says who may use it, and that what    *
*  is done there may be watched and recorded.                   *
*****************************************************************
"""

# How often a client may answer wrongly before it is sent away, as OpenSSH's MaxAuthTries.
TRIES = 6


def library() -> Any:
    """The asyncssh module. Raises SpinstackError where it is not installed."""
    try:
        import asyncssh
    except ImportError:
        raise SpinstackError(
            "the rehearsal's ssh server needs the package asyncssh",
            remedy="pip install 'spinstack[rehearsal]'",
        ) from None
    return asyncssh


def ensure_host_key(file: Path) -> str:
    """Make the host key if there is none; returns its public half, `ssh-ed25519 AAAA…`."""
    asyncssh = library()
    if file.exists():
        key = asyncssh.read_private_key(str(file))
    else:
        key = asyncssh.generate_private_key("ssh-ed25519")
        write_private(file, key.export_private_key("openssh").decode())
    kind, blob, *_ = key.export_public_key("openssh").decode().split()
    return f"{kind} {blob}"


def known_hosts_line(port: int, public_key: str) -> str:
    """The server as OpenSSH writes it down; a port other than 22 comes with brackets."""
    name = HOST if port == 22 else f"[{HOST}]:{port}"
    return f"{name} {public_key}\n"


async def listen(
    port: int, host_key: Path, account: Account, accept: Callable[[str], bool]
) -> asyncssh.SSHAcceptor:
    """Serve logins of `account` on 127.0.0.1. `accept` judges an answer to the prompt.

    Raises OSError if the port is taken.
    """
    asyncssh = library()
    login = _login_class(asyncssh, accept)

    async def run(process: Any) -> None:
        await session.run(process, account)

    return await asyncssh.create_server(  # type: ignore[no-any-return]
        login,
        HOST,
        port,
        server_host_keys=[str(host_key)],
        process_factory=run,
        encoding=None,
        line_editor=False,
        sftp_factory=None,
        allow_scp=False,
        agent_forwarding=False,
        x11_forwarding=False,
        public_key_auth=False,
        password_auth=False,
        gss_host=None,
        kbdint_auth=True,
        login_timeout=120,
        keepalive_interval=30,
    )


def _login_class(asyncssh: Any, accept: Callable[[str], bool]) -> type:
    """The class that asyncssh makes an instance of for each connection."""

    class Login(asyncssh.SSHServer):  # type: ignore[misc]
        def connection_made(self, connection: Any) -> None:
            self._connection = connection
            self._failures = 0

        def begin_auth(self, username: str) -> bool:
            self._connection.send_auth_banner(BANNER)
            return True

        def kbdint_auth_supported(self) -> bool:
            return True

        def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
            if self._failures >= TRIES:
                raise asyncssh.DisconnectError(
                    asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many failures"
                )
            return "", "", "", [(PROMPT, False)]

        def validate_kbdint_response(self, username: str, responses: Any) -> bool:
            good = username == USER and len(responses) == 1 and accept(responses[0])
            self._failures += not good
            return good

    return Login
