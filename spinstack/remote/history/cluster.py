"""The record of a stack in its cluster: what runs, what is unfinished, the history.

One object that several may want to change at once: each change names the version that was read,
and is made anew if somebody was faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spinstack.config.kubernetes import Cluster
from spinstack.errors import SpinstackError
from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster import access, answers, records
from spinstack.platforms.kubernetes.cluster.records import Record as StackRecord
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.remote.history import place, record
from spinstack.remote.history.record import Record
from spinstack.transport.command import Command
from spinstack.transport.login_node import LoginNode
from spinstack.transport.script import Script, Step, StepResult

# How often it is tried again when somebody else has written meanwhile.
TRIES = 8

Change = Callable[[StackRecord], StackRecord]


class ClusterHistory:
    """As `HistoryPlace`. `ready`: the platform's step before all others; `who`: the name under
    which changes are recorded."""

    def __init__(self, cluster: Cluster, stack: str, ready: Step, who: str) -> None:
        self._cluster, self._stack, self._ready, self._who = cluster, stack, ready, who

    @property
    def name(self) -> str:
        return f"{self._cluster.where}, config map {records.record_name(self._stack)}"

    def read(self) -> Step:
        words = ("get", "configmaps", records.record_name(self._stack), "--ignore-not-found")
        history = kubectl(self._cluster, *words, "-o", "jsonpath={.data.history}")
        return Step(record.STEP, (*self._ready.commands, history), must=False)

    def unreadable(self, told: StepResult) -> SpinstackError:
        text = told.output.strip()
        cause, remedy = access.known(text) or (
            place.UNREADABLE,
            "`invoke doctor` checks the access",
        )
        error = SpinstackError(cause, where=self.name, remedy=remedy, details=text)
        error.explained = True
        return error

    def append(self, node: LoginNode, made: Record) -> StepResult:
        line = record.filled_in(record.line(made), self._who)

        def with_line(found: StackRecord) -> StackRecord:
            text = line.replace(record.RELEASE, found.current)
            return replace(found, history=(*found.history, text))

        told, _ = change(node, self._ready, self._cluster, self._stack, with_line)
        return told


def change(
    node: LoginNode,
    ready: Step,
    cluster: Cluster,
    stack: str,
    make: Change,
    *,
    known: StackRecord | None = None,
) -> tuple[StepResult, StackRecord | None]:
    """Change the record. `known`: as it was read before; it is read anew if it has changed since.
    The result of the last step, which failed if it could not be changed, and the record as it is
    now, None if that is not known."""
    look = kubectl(
        cluster, "get", "configmaps", records.record_name(stack), "--ignore-not-found", "-o", "json"
    )
    told = StepResult(record.STEP, "", 1)
    for _ in range(TRIES):
        if known is None:
            told = _run(node, ready, look)
            if not told.ok:
                return told, None
            try:
                objects = answers.read(told.output).objects
            except Garbled:
                return replace(told, code=1), None
            known = records.read_record(objects[0]) if objects else StackRecord()
        told = _run(node, ready, records.write(cluster, stack, make(known)))
        if told.ok:
            return told, _written(told)
        if not _somebody_was_faster(told, known):
            return told, None
        known = None
    return told, None


def _written(told: StepResult) -> StackRecord | None:
    """The record as the server has it now; None where it does not show it."""
    try:
        objects = answers.read(told.output).objects
    except Garbled:
        return None
    return records.read_record(objects[0]) if objects else None


def _run(node: LoginNode, ready: Step, command: Command) -> StepResult:
    return node.run(Script((ready, Step(record.STEP, (command,), must=False)))).steps[-1]


def _somebody_was_faster(told: StepResult, known: StackRecord) -> bool:
    try:
        answer = answers.read(told.output)
    except Garbled:
        return False
    return answer.conflict or answer.exists or (answer.missing and bool(known.version))
