"""The checks on the login node: look, mend what is asked for and ours, look again."""

from __future__ import annotations

from spinstack import compose
from spinstack.checks import login_node, there, trees
from spinstack.checks.there import Seen
from spinstack.command import Command
from spinstack.finding import Finding
from spinstack.login_node import LoginNode
from spinstack.script import Script, Step
from spinstack.service import Service
from spinstack.settings import Destination
from spinstack.stack import Stack
from spinstack.walk import Entry


class Visit:
    """One stack's checks through one connection."""

    def __init__(self, node: LoginNode, destination: Destination, stack: Stack) -> None:
        self._node = node
        self._to = destination
        self._stack = stack
        self.mended: list[str] = []

    def findings(self, *, fix: bool = False, deep: bool = False) -> list[Finding]:
        """What is wrong there. `fix`: directories of ours get o+x first, told in `mended`.
        `deep`: whole trees are looked through. Raises SpinstackError when the connection
        fails."""
        seen = self._look()
        if fix and self._mend(seen):
            seen = self._look()
        if self._node.dry:
            return []
        services = self._services(seen.uid)
        found = login_node.findings(seen, services, self._to, self._stack.name)
        if deep:
            found += trees.audit(self._node, seen, self._uses(seen))
        return found

    def _look(self) -> Seen:
        sources = [use.mount.source for use in login_node.uses(self._services(None))]
        return there.look(self._node, self._to, sources)

    def _services(self, uid: int | None) -> list[Service]:
        """The services, with `${UID}` as it is there once that is known."""
        if uid is None:
            return self._stack.services(self._to)[0]
        values = {**self._stack.variables(self._to), "UID": str(uid)}
        file = self._stack.compose
        return [compose.service(file, name, values)[0] for name in file.services]

    def _uses(self, seen: Seen) -> list[login_node.Use]:
        uses = login_node.uses(self._services(seen.uid))
        return [use for use in uses if use.mount.source in seen.ways]

    def _mend(self, seen: Seen) -> bool:
        """Let others pass through those directories on the ways that are ours."""
        ours = [
            entry
            for entry in login_node.blocked(seen, self._uses(seen), self._to)
            if entry.uid == seen.uid
        ]
        if not ours:
            return False
        steps = [Step(f"mend {entry.path}", (_chmod(entry),), must=False) for entry in ours]
        result = self._node.run(Script(tuple(steps)))
        for entry, step in zip(ours, result.steps, strict=False):
            if step.ok:
                self.mended.append(f"{self._node.name}: {login_node.chmod(entry)}")
        return bool(self.mended)


def _chmod(entry: Entry) -> Command:
    return Command("chmod", "o+x", "--", entry.path)
