"""Health checks as Rancher's network agent makes them: asked from outside the container.

Works where the host reaches the containers' own addresses, which is so on Linux and not
with Docker Desktop or rootless Podman.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field

from spin_rehearsal.spin.launch import HealthCheck


def probe(address: str, check: HealthCheck) -> str:
    """Ask once. Empty if the container is well, else what was wrong."""
    try:
        with socket.create_connection((address, check.port), check.response_timeout) as link:
            if not check.request_line:
                return ""
            link.settimeout(check.response_timeout)
            return _http(link, check.request_line)
    except OSError as error:
        return f"port {check.port}: {error.strerror or error}"


def _http(link: socket.socket, request_line: str) -> str:
    """Well are 2xx and 3xx: the check is one of HAProxy's, which is what Rancher 1 runs."""
    # Rancher's page writes the line with quotes: GET "/path" "HTTP/1.0".
    line = request_line.replace('"', "")
    link.sendall(f"{line}\r\n\r\n".encode())
    answer = b""
    while b"\n" not in answer and len(answer) < 4096:
        part = link.recv(4096)
        if not part:
            break
        answer += part
    status = re.match(rb"HTTP/\d\.\d (\d{3})", answer)
    if status and status[1][:1] in (b"2", b"3"):
        return ""
    told = answer.split(b"\n")[0].decode(errors="replace").strip()
    return f"{line}: answered {told or 'nothing'}"


@dataclass
class Tracker:
    """What the checks of one container add up to. Times in seconds of one clock.

    `state` is Rancher's healthState; `since` when the container was started.
    """

    check: HealthCheck
    state: str
    since: float
    due: float = 0.0
    asking: bool = False
    successes: int = field(default=0)
    failures: int = field(default=0)

    def observe(self, well: bool, now: float) -> str:
        """Take in an answer; the state after it."""
        self.successes = self.successes + 1 if well else 0
        self.failures = 0 if well else self.failures + 1
        self.due = now + self.check.interval
        if well and self.successes >= self.check.healthy_threshold:
            self.state = "healthy"
        elif not well and self._given_up(now):
            self.state = "unhealthy"
        return self.state

    def _given_up(self, now: float) -> bool:
        """While it comes up, a container may fail as often as it likes."""
        if self.state == "initializing":
            return now - self.since > self.check.initializing_timeout
        if self.state == "reinitializing":
            return now - self.since > self.check.reinitializing_timeout
        return self.failures >= self.check.unhealthy_threshold
