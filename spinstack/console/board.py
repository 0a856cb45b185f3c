"""The running steps, reported from any thread: live lines at the bottom of a terminal,
heartbeats in a log.

A terminal that can move its cursor (rich's rules) shows one line for each step that takes
longer than a moment; the lines of finished steps stay above. Anything else gets finished
steps, and now and then a line for one that takes long.
"""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from spinstack.console.progress import A_MOMENT, LONGEST_SILENCE, TICK, StepDisplay
from spinstack.console.terminal import is_plain

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import Group
    from rich.live import Live


class Board:
    """The steps of one console. Its methods may be called from several threads."""

    def __init__(self, rich: Callable[[], RichConsole]) -> None:
        self._rich = rich
        self._lock = threading.RLock()
        self._steps: list[StepDisplay] = []
        self._ticking: threading.Event | None = None
        self._live: Live | None = None
        # While someone is being asked: by which thread, how deep, and what waits to be printed.
        self._asking = threading.RLock()
        self._asker: int | None = None
        self._asked = 0
        self._held: list[Callable[[], None]] = []
        _boards.add(self)

    def begin(self, step: StepDisplay) -> None:
        with self._lock:
            self._steps.append(step)
            if self._ticking is None:
                self._ticking = threading.Event()
                ticker = threading.Thread(target=self._tick, args=(self._ticking,), daemon=True)
                ticker.start()

    def end(self, step: StepDisplay) -> None:
        with self._lock:
            self._steps.remove(step)
            if not self._steps:
                if self._ticking:
                    self._ticking.set()
                self._ticking = None
                self._take_down()

    def say(self, write: Callable[[], None]) -> None:
        """Write a line above the live ones; later, if someone is being asked."""
        with self._lock:
            if self._asker in (None, threading.get_ident()):
                if self._live:
                    # Without steps that have ended, or they would be shown twice.
                    self._live.refresh()
                write()
            else:
                self._held.append(write)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the live lines away for a moment, to write to another stream."""
        with self._lock:
            self._take_down()
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclusive use of the terminal while someone is asked something."""
        with self._asking:
            with self._lock:
                self._asker = threading.get_ident()
                self._asked += 1
                self._take_down()
            try:
                yield
            finally:
                with self._lock:
                    self._asked -= 1
                    if not self._asked:
                        self._asker = None
                        self._say_held()

    def _say_held(self) -> None:
        held, self._held = self._held, []
        for write in held:
            write()

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(TICK):
            with self._lock:
                if ended.is_set() or self._asker is not None:
                    continue
                try:
                    self._show()
                except OSError:  # the terminal is gone, or the disk full, but the work continues
                    return

    def _show(self) -> None:
        if self.can_move():
            self._show_live()
        else:
            self._give_signs()

    def can_move(self) -> bool:
        """Whether lines can be overwritten. `FORCE_COLOR` does not make a log a terminal."""
        if is_plain(sys.stderr):
            return False
        rich = self._rich()
        return rich.is_interactive and rich.file.isatty() and not rich.is_dumb_terminal

    def _show_live(self) -> None:
        shown = [step for step in self._steps if step.seconds >= A_MOMENT]
        if self._live is None:
            if not shown:
                return
            from rich.live import Live

            self._live = Live(
                get_renderable=self._lines,
                console=self._rich(),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            # The cursor must not stay hidden.
            atexit.register(self._take_down)
        self._live.refresh()

    def _lines(self) -> Group:
        from spinstack.console.live_lines import lines

        shown = [step for step in self._steps if step.seconds >= A_MOMENT]
        return lines(shown, self._rich().encoding, self._rich().width)

    def _take_down(self) -> None:
        with self._lock:
            live, self._live = self._live, None
            if live is not None:
                live.stop()
                atexit.unregister(self._take_down)

    def _give_signs(self) -> None:
        for step in self._steps:
            if step.seconds >= step.next_sign:
                step.next_sign += min(step.next_sign, LONGEST_SILENCE)
                if is_plain(sys.stderr):
                    print(step.sign(), file=sys.stderr, flush=True)
                else:
                    self._rich().print(step.sign(), markup=False, style="dim")


_boards: weakref.WeakSet[Board] = weakref.WeakSet()


@contextmanager
def paused() -> Iterator[None]:
    """Exclusive use of the terminal, whichever console shows steps there: for a question of our
    own, or of a program that asks on the terminal itself."""
    with ExitStack() as stack:
        for board in list(_boards):
            stack.enter_context(board.paused())
        yield
