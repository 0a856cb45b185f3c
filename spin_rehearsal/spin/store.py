"""The state with its lock and its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spin_rehearsal.spin.resources import State
from spinstack.directories import write_private
from spinstack.errors import SpinstackError


class Store:
    """Keeps a `State` in a JSON file that only its owner can read.

    All reading and changing happens inside `with store.transaction() as state` (or `look()`
    for reading alone); whoever needs values longer copies them. Nothing slow (no engine, no
    network) belongs inside.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._state = _loaded(path)
        self._saved = ""

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """The state for looking and changing; saved at the end if anything changed."""
        with self._lock:
            self._depth += 1
            try:
                yield self._state
            finally:
                self._depth -= 1
                if not self._depth:
                    self._save()

    @contextmanager
    def look(self) -> Iterator[State]:
        """The state for looking only: cheaper, since nothing has to be saved."""
        with self._lock:
            yield self._state

    def _save(self) -> None:
        text = json.dumps(self._state.as_json(), indent=1)
        if text != self._saved:
            write_private(self._path, text)
            self._saved = text


def _loaded(path: Path) -> State:
    try:
        return State.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SpinstackError(
            f"the rehearsal's state can't be read: {error}",
            where=str(path),
            remedy="stop the rehearsal, delete its directory, start it again",
        ) from None
