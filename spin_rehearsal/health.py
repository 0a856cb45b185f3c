"""Whether the parts of a rehearsal answer, seen from outside."""

from __future__ import annotations

import http.client
import socket

from spin_rehearsal.state import HOST, State

# On this machine an answer takes milliseconds; seconds.
_PATIENCE = 2.0


def silent_parts(decided: State) -> list[str]:
    """The names of the parts that do not answer; empty when the rehearsal is ready."""
    parts = {
        "ssh server": _greets_as_ssh(decided.ssh_port),
        # Without a login or a key the answer is a refusal, which is an answer.
        "registry": _http_status(decided.registry_port, "/v2/") == 401,
        "Spin service": _http_status(decided.spin_port, "/v2-beta/projects") == 401,
    }
    return [name for name, answers in parts.items() if not answers]


def _greets_as_ssh(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), _PATIENCE) as connection:
            return connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False


def _http_status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
