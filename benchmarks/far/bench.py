"""What every way is given: the two sides, and means to run a command and to count what it
cost."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common.figures import Rounds
from benchmarks.far import place as far_place
from benchmarks.far.namespaces import FAR, Link, Server
from benchmarks.far.place import Place
from spinstack.errors import SpinstackError

REPOSITORY = Path(__file__).resolve().parents[2]
# Seconds for the slowest way: Ansible without pipelining.
WITHIN = 180


@dataclass
class Bench:
    """One run. `commands`: the fifteen steps as command lines, for the release directory
    `release`; `scripts`: by task, the file with what it sends; `ansible`: its program."""

    link: Link
    server: Server
    place: Place
    work: Path
    say: Callable[[str], None]
    ansible: Path | None = None
    commands: list[str] = field(default_factory=list)
    release: Path = Path()
    scripts: dict[str, Path] = field(default_factory=dict)
    results: Rounds = field(default_factory=Rounds)
    _log: int = 0

    def environment(self, *, warm: bool = False) -> dict[str, str]:
        """Without the settings of whoever runs this. `warm`: the home in which the product
        finds a master that is open already."""
        mine = ("INVOKE_", "RANCHER_", "SPINSTACK_", "PYTHON", "XDG_", "SSH_", "ANSIBLE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        home = self.place.near / ("warm" if warm else "cold")
        home.mkdir(exist_ok=True)
        path = f"{self.place.near}/bin:{os.environ['PATH']}"
        own = {"HOME": str(home), "PATH": path, "PYTHONPATH": str(REPOSITORY)}
        return {**kept, **own, "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def ssh(self, *options: str) -> list[str]:
        """`ssh` to the far account; a command may follow."""
        return ["ssh", "-F", str(self.config), *options, "far"]

    @property
    def config(self) -> Path:
        """The ssh config of a person who has a key for the account."""
        path = self.work / "ssh_config"
        if not path.exists():
            path.write_text(
                f"Host far\n  HostName {FAR}\n  Port {self.server.port}\n"
                f"  User {self.server.user}\n  IdentityFile {self.server.identity}\n"
                f"  IdentitiesOnly yes\n  UserKnownHostsFile {self.server.known_hosts}\n"
                # A master that outlives a benchmark that was killed ends by itself.
                "  BatchMode yes\n  ServerAliveInterval 60\n"
            )
        return path

    def ready_for_steps(self) -> None:
        """The far side before a deploy by steps: directories for its files are there."""
        far_place.settle(self.place)
        for name in far_place.FILES:
            (self.release / name).parent.mkdir(parents=True, exist_ok=True)

    def timed(
        self,
        words: Sequence[str],
        *,
        script: Path | None = None,
        warm: bool = False,
        env: dict[str, str] | None = None,
    ) -> float:
        """Seconds of a command. Raises SpinstackError if it fails.

        Its output goes to a file: a master that stays would keep a pipe open.
        """
        with tempfile.TemporaryFile() as out, (script or Path(os.devnull)).open("rb") as given:
            begin = time.monotonic()
            process = subprocess.Popen(
                words,
                stdin=given,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.place.stack,
                env={**self.environment(warm=warm), **(env or {})},
            )
            # `wait` with a time limit looks every 50 ms only.
            limit = threading.Timer(WITHIN, process.kill)
            limit.start()
            process.wait()
            seconds = time.monotonic() - begin
            limit.cancel()
            out.seek(0)
            printed = out.read()
        if process.returncode:
            raise self._failed(words, process.returncode, printed)
        return seconds

    def driven(self, way: str, *, warm: bool = False, **given: Any) -> dict[str, float]:
        """A way inside a Python process of its own: `seconds` of the work alone, `startup`
        until its imports were done, which came before."""
        told = self.asked(way, warm=warm, **given)
        return {name: told[name] for name in ("seconds", "startup")}

    def asked(self, way: str, *, warm: bool = False, **given: Any) -> dict[str, Any]:
        """The same: everything that it told."""
        asked = {"stack": str(self.place.stack), **given, "way": way}
        words = [sys.executable, "-m", "benchmarks.far.driver", json.dumps(asked, default=str)]
        begin = time.monotonic()
        with tempfile.TemporaryFile() as errors, subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=self.place.stack,
            env=self.environment(warm=warm),
            text=True,
        ) as process:  # fmt: skip
            watchdog = threading.Timer(WITHIN, process.kill)
            watchdog.start()
            try:
                ready, told = self._answers(process)
                process.wait()
            finally:
                watchdog.cancel()
                process.kill()
            if process.returncode or not told:
                errors.seek(0)
                raise self._failed(words, process.returncode, errors.read())
        return {"startup": json.loads(ready)["loaded"] - begin, **json.loads(told)}

    def _answers(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """Both lines of a driver; empty where it failed."""
        assert process.stdin and process.stdout
        ready = process.stdout.readline()
        if ready:
            self.count_anew()
            process.stdin.write("\n")
            process.stdin.flush()
        return ready, process.stdout.readline()

    def _failed(self, words: Sequence[str], code: int, printed: bytes) -> SpinstackError:
        text = printed.decode("utf-8", "replace")[-3000:]
        return SpinstackError(
            f"failed with exit code {code}: {shlex.join(words)[:200]}",
            details=f"{text}\n{self.server.log.read_text()[-1000:]}",
        )

    def count_anew(self) -> None:
        """Logins, sessions and round trips are counted from here."""
        self.link.turns()
        self._log = self.server.counted(0)[2]

    def invoked(self, *words: str, warm: bool = False) -> dict[str, float]:
        """`invoke …` in the stack's directory, as a person types it."""
        invoke = str(Path(sys.executable).with_name("invoke"))
        return {"seconds": self.timed([invoke, *words], warm=warm)}

    def measure(self, number: int, way: Way) -> None:
        """One round of a way, with what its logins, sessions and round trips were."""
        self.count_anew()
        try:
            figures = way.go(self)
            turns = self.link.turns()
            logins, sessions, _ = self.server.counted(self._log)
        finally:
            way.after(self)
        counted = {"logins": logins, "sessions": sessions, "round_trips": turns}
        self.results.add(way.name, number, **figures, **counted)


@dataclass(frozen=True)
class Way:
    """`go`: runs it once and tells its figures; `after` cleans up, unmeasured. `every`:
    measured in each so many rounds."""

    name: str
    go: Callable[[Bench], dict[str, float]]
    every: int = 1
    after: Callable[[Bench], object] = lambda bench: None
