"""Asking the site itself: does its page respond over HTTP, as for a visitor?"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable
from dataclasses import dataclass

from spinstack.text import split_lines

# Seconds for one answer; people don't wait for a page that takes longer.
ANSWER_WITHIN = 10.0
# Bytes of an answer that are read.
LOOKED_AT = 4000
# Seconds after which a page that is refused all the while is not asked for any more.
REFUSED_SECONDS = 10
# Those of the client's errors that may pass: too slow, too early, too many.
_PASSING = (408, 425, 429)


@dataclass(frozen=True)
class Answer:
    """What the site said. `status`: HTTP status, 0 if nothing answered. `reason`: a phrase.
    `text`: how the page begins. `no_name`: the host's name can't be looked up."""

    status: int
    reason: str
    text: str = ""
    no_name: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the site has said that there is no such page for us: waiting won't help much."""
        return 400 <= self.status < 500 and self.status not in _PASSING

    @property
    def reached(self) -> bool:
        """Whether anything answered in HTTP at all."""
        return self.status > 0

    def remarks(self, word: str) -> list[str]:
        """The lines `word: …` of a page that begins with a line `ok`, without the word."""
        first, *lines = split_lines(self.text) or [""]
        return remarks(lines, word) if first == "ok" else []

    def __str__(self) -> str:
        return f"{self.status} {self.reason}" if self.reached else self.reason


class Refusals:
    """Counts for how long a page has been refused."""

    def __init__(self) -> None:
        self._since: float | None = None

    def last(self, answer: Answer, seconds: float = REFUSED_SECONDS) -> bool:
        """Whether this answer, too, is a refusal, and the first of them is so long ago."""
        if not answer.refused:
            self._since = None
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= seconds


def ask(url: str) -> Answer:
    """One GET, redirects followed."""
    import http.client
    import socket
    import urllib.error
    import urllib.parse
    import urllib.request

    try:
        # A path of the settings may have any characters.
        url = urllib.parse.quote(url, safe="%/:?#[]@!$&'()*+,;=")
        request = urllib.request.Request(url, headers={"User-Agent": "spinstack"})
        here = is_loopback(urllib.parse.urlsplit(url).netloc)
        # A proxy would ask its own 127.0.0.1.
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))
        with opener.open(request, timeout=ANSWER_WITHIN) as response:
            text = response.read(LOOKED_AT).decode("utf-8", "replace")
            return Answer(response.status, response.reason, text)
    except urllib.error.HTTPError as error:
        error.close()
        return Answer(error.code, str(error.reason))
    except urllib.error.URLError as error:
        return Answer(0, str(error.reason), no_name=isinstance(error.reason, socket.gaierror))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(0, str(error) or type(error).__name__)


def remarks(lines: Iterable[str], word: str) -> list[str]:
    """What the lines that begin with `word: ` go on with, as the site said it."""
    start = f"{word}: "
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


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
