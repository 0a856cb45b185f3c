"""What every way is given: the sites, and means to run a command and to see what it served."""

from __future__ import annotations

import http.client
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cluster.place import PAGE, WITHIN, Place, Site
from benchmarks.common.figures import Rounds
from spinstack.errors import SpinstackError

# Seconds between two requests to a site that is being changed, and for one of them.
_PAUSE, _ANSWER = 0.02, 2.0
# Seconds that a change which has ended may need until a visitor sees it.
_SEEN_WITHIN = 30.0


@dataclass
class Bench:
    """One run. `changes`: how many each site has seen."""

    place: Place
    say: Callable[[str], None]
    results: Rounds = field(default_factory=Rounds)
    changes: dict[str, int] = field(default_factory=dict)

    def timed(
        self, words: Sequence[str], at: Path, *, counted: bool = False, within: float = WITHIN
    ) -> float:
        """Seconds of a command. Raises SpinstackError if it fails."""
        with tempfile.TemporaryFile() as out:
            begin = time.monotonic()
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=at,
                env=self.place.environment(counted=counted),
            )
            # `wait` with a time limit looks every 50 ms only.
            limit = threading.Timer(within, process.kill)
            limit.start()
            process.wait()
            seconds = time.monotonic() - begin
            limit.cancel()
            out.seek(0)
            printed = out.read().decode("utf-8", "replace")
        if process.returncode:
            what = f"failed with exit code {process.returncode}: {shlex.join(words)[:200]}"
            raise SpinstackError(what, where=str(at), details=printed[-3000:])
        return seconds

    def calls(self, words: Sequence[str], at: Path) -> list[str]:
        """The calls of kubectl that a command makes."""
        self.place.calls.unlink(missing_ok=True)
        self.timed(words, at, counted=True)
        return self.place.calls.read_text().splitlines() if self.place.calls.exists() else []

    def changed(self, way: str, words: Sequence[str], at: Path) -> dict[str, float]:
        """A command that brings the change of a file: `seconds` until it has ended, `serves` until
        a visitor was given the new answer."""
        site = self.place.sites[way]
        watch = _Visitor(self.place.cluster.ingress, site, str(self.changes[way]))
        watch.start()
        begin = time.monotonic()
        seconds = self.timed(words, at)
        watch.join(_SEEN_WITHIN)
        watch.over.set()
        if watch.seen is None:
            raise SpinstackError(f"the change by {way} was never served", where=site.host)
        return {"seconds": seconds, "serves": watch.seen - begin}


class _Visitor(threading.Thread):
    """Asks a site for the page of the change until it is as wanted. `seen`: the moment then."""

    def __init__(self, ingress: str, site: Site, wanted: str) -> None:
        super().__init__(daemon=True)
        self._ingress, self._site, self._wanted = ingress, site, wanted
        self.seen: float | None = None
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(_PAUSE):
            if self._answer() == self._wanted:
                self.seen = time.monotonic()
                return

    def _answer(self) -> str:
        connection = http.client.HTTPConnection(self._ingress, 80, timeout=_ANSWER)
        try:
            connection.request("GET", PAGE, headers={"Host": self._site.host})
            return connection.getresponse().read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()


@dataclass(frozen=True)
class Way:
    """`go`: runs it once and tells its figures; `before`: what is not measured."""

    name: str
    go: Callable[[Bench], dict[str, float]]
    before: Callable[[Bench], object] = lambda bench: None

    def measure(self, bench: Bench, number: int) -> None:
        self.before(bench)
        bench.results.add(self.name, number, **self.go(bench))
