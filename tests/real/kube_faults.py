"""What the tests of faults on a real Kubernetes have in common: files that are changed for a while,
commands that something happens to in the middle, and a site that is asked meanwhile."""

from __future__ import annotations

import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import yaml

from .kube_stage import TO, KubeStage
from .stage import Typed

# Seconds that a command may take.
WITHIN = 400


@contextmanager
def changed(path: Path, change: Callable[[str], str]) -> Iterator[None]:
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)
    try:
        yield
    finally:
        path.write_text(before)


def conf(stage: KubeStage, text: str) -> AbstractContextManager[None]:
    """More text in site.conf: a new version of web."""
    return changed(stage.stack / "web" / "site.conf", lambda before: f"{before}{text}\n")


def _yaml(path: Path, change: Callable[[dict[str, Any]], object]) -> AbstractContextManager[None]:
    def rewritten(text: str) -> str:
        content = yaml.safe_load(text)
        change(content)
        return yaml.safe_dump(content)

    return changed(path, rewritten)


def variable(stage: KubeStage, line: str) -> AbstractContextManager[None]:
    """One more line in stack.env: a new version of app and web."""
    return changed(stage.stack / "stack.env", lambda before: f"{before}{line}\n")


def service(stage: KubeStage, name: str, **keys: object) -> AbstractContextManager[None]:
    """A service with other keys in the compose file; a new one if there is none of that name."""
    path = stage.stack / "docker-compose.yml"
    return _yaml(path, lambda content: content["services"].setdefault(name, {}).update(keys))


def web(stage: KubeStage, **keys: object) -> AbstractContextManager[None]:
    return service(stage, "web", **keys)


def settings(
    stage: KubeStage, health: dict[str, object] | None = None, **more: object
) -> AbstractContextManager[None]:
    """Other settings of the destination; `health`: of web's health check."""

    def change(content: dict[str, Any]) -> None:
        found = content["spinstack"]
        found["destinations"]["kube"].update(more)
        found["services"]["web"]["health"].update(health or {})

    return _yaml(stage.stack / "invoke.yaml", change)


def begun(stage: KubeStage, *words: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
    """A command under way. `before`: a program that runs it."""
    return subprocess.Popen(
        [*before, "invoke", *words, *TO],
        cwd=stage.stack,
        env=stage.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(process: subprocess.Popen[str], text: str) -> str:
    """What it prints up to a line with the text."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


def ended(process: subprocess.Popen[str]) -> Typed:
    """A command that was begun, at its end."""
    out, _ = process.communicate(timeout=WITHIN)
    return Typed(("invoke",), process.returncode, "", out)


def answers(stage: KubeStage) -> bool:
    try:
        with urllib.request.urlopen(stage.site, timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def failed(stage: KubeStage, *words: str) -> Typed:
    """A deploy that fails: what ran before runs again, and the site answered all the while."""
    told = stage.invoke("deploy", *words, *TO)
    assert told.code == 1, told
    assert "the previous version is running again" in told.err, told
    assert "meanwhile, none failed" in told.err, told
    assert answers(stage)
    return told


def sentence(told: Typed) -> str:
    """The line of a failure that says what failed."""
    return next(line for line in told.err.splitlines() if line.startswith("error: "))


@dataclass
class Visitors:
    """Ask for pages in turn, in threads. `good`: how often one came; `failed`: why it did not."""

    urls: Sequence[str]
    # Requests a second of all together.
    rate: float
    threads: int = 4
    good: int = 0
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._visit, args=(n,)) for n in range(self.threads)]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self._over.set()
            for one in threads:
                one.join()

    def _visit(self, number: int) -> None:
        """At fixed moments, so that a slow answer makes none fewer."""
        pause = self.threads / self.rate
        due = time.monotonic() + number * pause / self.threads
        for url in cycle(self.urls):
            if self._over.wait(max(due - time.monotonic(), 0)):
                return
            due += pause
            why = self._asked(url)
            with self._lock:
                if why:
                    self.failed.append(why)
                else:
                    self.good += 1

    def _asked(self, url: str) -> str:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                answer.read()
                return "" if answer.status == 200 else f"{url}: {answer.status}"
        except OSError as error:
            return f"{url}: {type(error).__name__}: {error}"
