"""The journal of a change that this process itself carries out, kept in a file beside it.

The same lines as those of a job on a login node (`remote/journal.py`), so that all that reads
journals reads these, too:

    ~/.local/state/spinstack/kubernetes/CONTEXT/NAMESPACE/STACK/changes/ID/journal
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from spinstack.directories import Directory
from spinstack.errors import SpinstackError
from spinstack.remote import changes
from spinstack.text import split_lines

if TYPE_CHECKING:
    from spinstack.remote.follow import Follow

# How many changes keep their journals.
KEPT = 20
_REMEDY = "remove it, or make it yours: chown $USER"


def directory(context: str, namespace: str, stack: str) -> Path:
    """Where this machine keeps what belongs to a stack in a cluster."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    # A context's name may hold slashes and colons.
    parts = (quote(part, safe="") for part in (context, namespace, stack))
    return Path(state, "spinstack", "kubernetes", *parts)


class JournalFile:
    """Writes the journal of one change, and hands each line on as it is written.

    What can't be written is told once, and does not end the change: it is more important than
    its journal.
    """

    def __init__(
        self, root: Path, change: str, take: Callable[[str], object], warn: Callable[[str], None]
    ) -> None:
        self.path = root / "changes" / change
        self._mark = changes.mark_word(change)
        self._take, self._warn = take, warn
        self._file: IO[str] | None = None
        try:
            with Directory(self.path, what="the directory of the journal", remedy=_REMEDY):
                pass
            self._file = _private(self.path / "journal")
        except (OSError, SpinstackError) as error:
            self._lost(error)

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None
        _prune(self.path.parent)

    def mark(self, *words: object) -> None:
        """A line that is not output: `begin NAME`, `end CODE`, `made WHAT`, `over OUTCOME`."""
        text = " ".join(str(word) for word in words)
        self._line("")
        self._line(f"{self._mark} {time.time():.0f} {text}")

    def output(self, text: str) -> None:
        """What a step printed, any number of lines."""
        for line in split_lines(text):
            self._line(line)

    def evidence(self, text: str) -> Path | None:
        """Keep what is known about a failure in a file of its own. Returns the file; None if it
        could not be written."""
        path = self.path / "evidence.txt"
        try:
            with _private(path) as file:
                file.write(text)
        except OSError as error:
            self._warn(f"could not keep what is known about the failure in {path}: {error}")
            return None
        return path

    def _line(self, text: str) -> None:
        if self._file:
            try:
                self._file.write(f"{text}\n")
                self._file.flush()
            except OSError as error:
                self._lost(error)
        self._take(text)

    def _lost(self, error: Exception) -> None:
        self._file = None
        why = error.what if isinstance(error, SpinstackError) else str(error)
        self._warn(f"the journal can't be kept in {self.path}: {why}")


def _private(path: Path) -> IO[str]:
    """A new file that nobody else can read, in place of one that is there."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")


def _prune(place: Path) -> None:
    """Keep the newest journals: ids begin with the time."""
    import shutil

    try:
        old = sorted(path for path in place.iterdir() if path.is_dir())[:-KEPT]
    except OSError:
        return
    for path in old:
        shutil.rmtree(path, ignore_errors=True)


def newest(root: Path, wanted: str) -> str:
    """The id of the newest change whose id starts with `wanted`; empty if there is none."""
    try:
        found = [path.name for path in (root / "changes").iterdir()]
    except OSError:
        return ""
    return max((name for name in found if name.startswith(wanted)), default="")


def lines(root: Path, change: str) -> list[str]:
    """The journal so far; empty if there is none."""
    try:
        data = (root / "changes" / change / "journal").read_bytes()
    except OSError:
        return []
    return split_lines(data.decode("utf-8", "replace"))


def age(root: Path, change: str) -> float | None:
    """Seconds since something was written to a journal; None if there is none."""
    try:
        return max(time.time() - (root / "changes" / change / "journal").stat().st_mtime, 0)
    except OSError:
        return None


def follow(root: Path, shown: Follow) -> int:
    """Show the journal of a change that another process on this machine makes, or has made. The
    exit code as that of `follow.sh`."""
    while not shown.journal.outcome:
        for line in lines(root, shown.id)[shown.journal.count :]:
            shown.line("follow", line)
        if shown.journal.outcome:
            break
        since = age(root, shown.id)
        if since is None or since > changes.SILENT_SECONDS:
            return changes.SILENT
        time.sleep(1)
    return 0
