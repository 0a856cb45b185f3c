"""Run `invoke` with something happening to its connection: `cut_short.py DEED STEP NTH WORDS…`

The deeds, all at the NTH time that the step comes (from 1):
    before, after  the connection breaks just before the step's commands, or just after them
    amid:N         it breaks when N of the step's commands are done
    during         it breaks a moment after they began
    hold           a line `holding` is printed just before them, and it goes on after a line
                   on standard input
    nothing        every step is printed as it begins
A change goes on there by itself; when a step of its journal comes
    there          the connection breaks
    die            this process is killed

LAPTOP in the environment is what this machine calls itself.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import sys
import threading
from typing import Any

from invoke.main import program

from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.command import Command
from spinstack.transport.script import Script, ScriptResult, Step

SIGN = "the-bad-moment-is-now"
# Seconds: longer than a broken connection takes to end what runs at its other end.
LONG_ENOUGH = "20"
# Seconds into a step that takes half a second or more.
MOMENT = 0.25


class BadDay:
    """Replaces `ChannelNode.run`, whatever the wire."""

    def __init__(self, deed: str, step: str, nth: int) -> None:
        self.deed = deed
        self.step = step
        self.left = nth
        self._run = ChannelNode.run

    def run(self, node: ChannelNode, script: Script, **told: Any) -> ScriptResult:
        on_begin, on_line = told.pop("on_begin", None), told.pop("on_line", None)

        def begin(name: str) -> None:
            if self.deed == "nothing":
                print("step:", name, file=sys.stderr)
            if on_begin:
                on_begin(name)

        def line(name: str, text: str) -> bool:
            if name == "follow" and text.startswith("spinstack-") and " begin " in text:
                self._there(node, text.split(" begin ", 1)[1])
            if text == SIGN:
                self._do(node)
                return False
            return bool(on_line and on_line(name, text))

        left = self.left
        steps = tuple(self._prepared(step) for step in script.steps)
        changed = dataclasses.replace(script, steps=steps)
        result = self._run(node, changed, on_begin=begin, on_line=line, **told)
        if self.deed not in ("there", "die") and all(
            step.name != self.step for step in result.steps
        ):
            self.left = left  # the script ended before it
        return result

    def _there(self, node: ChannelNode, name: str) -> None:
        """A step of the change begins there."""
        if self.deed == "nothing":
            print("there:", name, file=sys.stderr)
        if self.deed not in ("there", "die") or name != self.step:
            return
        self.left -= 1
        if self.left:
            return
        if self.deed == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        break_connection(node)

    def _prepared(self, step: Step) -> Step:
        """The step with a sign, and time enough to act upon it, at the place that is meant."""
        if step.name != self.step or self.deed in ("there", "die"):
            return step
        self.left -= 1
        if self.left:
            return step
        deed, _, number = self.deed.partition(":")
        place = {"amid": int(number or 0), "after": len(step.commands)}.get(deed, 0)
        stop = (Command("echo", SIGN), Command("sleep", LONG_ENOUGH))
        if deed in ("during", "hold"):
            stop = stop[:1]
        commands = (*step.commands[:place], *stop, *step.commands[place:])
        return Step(step.name, commands, step.must)

    def _do(self, node: ChannelNode) -> None:
        if self.deed == "hold":
            print("holding", flush=True)
            sys.stdin.readline()
            return
        delay = MOMENT if self.deed == "during" else 0
        threading.Timer(delay, break_connection, (node,)).start()


def break_connection(node: ChannelNode) -> None:
    """As if the cable was pulled: at this end everything about the connection is gone."""
    if node.wire == "openssh":
        os.kill(vars(node)["_pid"], signal.SIGKILL)
    else:
        vars(node)["_connection"].transport.sock.shutdown(socket.SHUT_RDWR)


def main() -> None:
    deed, step, nth, *words = sys.argv[1:]
    day = BadDay(deed, step, int(nth))
    ChannelNode.run = lambda node, script, **told: day.run(node, script, **told)  # type: ignore[method-assign,assignment]
    if os.environ.get("LAPTOP"):
        socket.gethostname = lambda: os.environ["LAPTOP"]
    program.run(["invoke", *words])


if __name__ == "__main__":
    main()
