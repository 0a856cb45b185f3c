"""Asking the site itself: does its page respond over HTTP, as for a visitor?"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

# Seconds for one answer; people don't wait for a page that takes longer.
ANSWER_WITHIN = 10.0


@dataclass(frozen=True)
class Answer:
    """What the site said. `status`: HTTP status, 0 if nothing answered. `reason`: a phrase."""

    status: int
    reason: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def reached(self) -> bool:
        """Whether anything answered in HTTP at all."""
        return self.status > 0

    def __str__(self) -> str:
        return f"{self.status} {self.reason}" if self.reached else self.reason


def ask(url: str) -> Answer:
    """One GET, redirects followed."""
    import http.client
    import urllib.error
    import urllib.parse
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": "spinstack"})
    here = is_loopback(urllib.parse.urlsplit(url).netloc)
    # A proxy would ask its own 127.0.0.1.
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))
    try:
        with opener.open(request, timeout=ANSWER_WITHIN) as response:
            response.read(1)
            return Answer(response.status, response.reason)
    except urllib.error.HTTPError as error:
        error.close()
        return Answer(error.code, str(error.reason))
    except urllib.error.URLError as error:
        return Answer(0, str(error.reason))
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error) or type(error).__name__)


def is_loopback(registry: str) -> bool:
    """Whether Docker takes a `HOST:PORT` for one on this machine, which needs no TLS."""
    if registry.startswith("["):
        host = registry[1:].partition("]")[0]
    else:
        host = registry.partition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
