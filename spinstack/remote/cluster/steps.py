"""Steps of a change that this process carries out, as its journal has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.cluster import lease
from spinstack.remote import job
from spinstack.remote.cluster import held
from spinstack.remote.errors import LockLost
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.script import Script, ScriptResult, Step

if TYPE_CHECKING:
    from spinstack.remote.cluster.journal_file import JournalFile
    from spinstack.remote.cluster.stack import ClusterStack

# What an order may take: it gives no sign of life meanwhile, and the last one may be as old as
# they may be; some seconds are left to end it.
ORDER_SECONDS = lease.DURATION - held.RENEWED_EVERY - 5
# What a step does; its exit code, None for success.
Do = Callable[[], int | None]


class Failed(Exception):
    """A step did not succeed; the journal says why."""


class Steps:
    """Carries out steps, each between its marks in the journal."""

    def __init__(self, stack: ClusterStack, journal: JournalFile) -> None:
        self._stack, self._journal = stack, journal

    def do(self, name: str, do: Do) -> None:
        """One step. Raises Failed for an exit code other than 0, and for a SpinstackError, which
        becomes its output. After KeyboardInterrupt the journal shows it without an end, and after
        ConnectionLost to a login node, to which no other connection is made."""
        self._journal.mark("begin", name)
        try:
            code = do() or 0
        except SpinstackError as error:
            if isinstance(error, ConnectionLost) and not self._stack.destination.on_laptop:
                raise
            self._journal.output("\n".join(filter(None, (str(error), error.details))))
            code = job.LOST if isinstance(error, LockLost) else 1
        self._journal.mark("end", code)
        if code:
            raise Failed

    def try_to(self, name: str, do: Do) -> bool:
        """One step whose failure changes nothing any more. Whether it succeeded."""
        try:
            self.do(name, do)
        except Failed:
            return False
        return True

    def order(self, *steps: Step) -> int:
        """The same of what changes something: nobody can take the lock before it has ended."""
        self._stack.must_be_ours(sure=True)
        return self.run(*steps, seconds=ORDER_SECONDS)

    def run(self, *steps: Step, seconds: float = 120.0) -> int:
        """Commands, with what they print. The exit code of the first that fails."""
        return self.printed(
            self._stack.node.run(Script((self._stack.ready, *steps), seconds=seconds))
        )

    def printed(self, result: ScriptResult) -> int:
        """The same of commands that have run; what makes ready for them says something only if it
        fails."""
        for step in result.steps:
            if not step.ok or step.name != self._stack.ready.name:
                self._journal.output(step.output)
        return next((step.code or 1 for step in result.steps if not step.ok), 0)
