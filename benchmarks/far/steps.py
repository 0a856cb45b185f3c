"""What a deploy with nothing to build does on the login node: the product's own steps.

Fifteen of them besides the upload. Ours sends them as it sends all steps: what it must know
first in one script, the change in another. The other ways run the same commands, a session,
a `run()` or a task each.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

from spinstack.config.settings import Destination
from spinstack.platforms.rancher1 import access, states
from spinstack.platforms.rancher1 import commands as rancher_commands
from spinstack.remote import lock_steps, notes
from spinstack.remote import upload as remote_upload
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner, make_owner
from spinstack.remote.upload import Release
from spinstack.session import Session
from spinstack.transport.command import Command
from spinstack.transport.script import Script, Step


@dataclass(frozen=True)
class Deploy:
    """The remote part of one deploy."""

    made: Release
    destination: Destination
    stack: str
    env_file: str
    me: Owner

    @property
    def root(self) -> PurePosixPath:
        return PurePosixPath(self.destination.project_dir, self.stack)

    @property
    def begun(self) -> Owner:
        return make_owner(self.me.who, self.me.host, "deploy", release=self.made.id)

    def look(self) -> list[Step]:
        """What must be known before anything is changed: seven steps."""
        root = self.root
        return [
            Step("uid", (Command("id", "-u"),)),
            lock_steps.lock_step(root, self.me),
            rancher_commands.ready_step((), self.destination.environment),
            notes.read_current_step(root),
            notes.read_unfinished_step(root),
            access.key_step(),
            states.states_if_key_step(),
        ]

    def change(self) -> list[Step]:
        """After the upload: eight steps."""
        root, stack = self.root, self.stack
        note = ReleaseNote(self.made.id, self.me.who, self.me.host, self.me.when)
        return [
            notes.note_release_step(self.made.directory, note),
            notes.unfinished_step(root, self.begun),
            Step("render", (rancher_commands.render(stack, self.env_file),), must=False),
            Step("upgrade", (rancher_commands.upgrade(stack, self.env_file),), must=False),
            Step("healthy", states.states_step().commands),
            Step("confirm", (rancher_commands.confirm(stack, self.env_file),), must=False),
            notes.current_step(root, self.made.id),
            Step(
                "finished",
                (
                    *notes.finished_step(root).commands,
                    *lock_steps.free_lock_step(root, self.me).commands,
                ),
            ),
        ]

    def scripts(self) -> tuple[Script, Script]:
        """Ours: two scripts, because what the first one tells decides whether there is a
        second one."""
        ready = rancher_commands.ready_step((), self.destination.environment)
        enter = Step("enter the release", (Command("cd", str(self.made.directory)),))
        upload = remote_upload.upload_step(self.made)
        return (
            Script(tuple(self.look())),
            Script((upload, ready, enter, *self.change())),
        )

    def commands(self) -> list[str]:
        """The fifteen steps for ways that know no scripts: each a command line that stands for
        itself."""
        inside = shlex.quote(str(self.made.directory))
        before = f"export UID RANCHER_ENVIRONMENT={self.destination.environment}; cd {inside}; "
        steps = [*self.look(), *self.change()]
        # Nothing runs yet: asking which release does is no failure.
        return [before + f"{{ {step.body()}\n}}{'' if step.must else ' || true'}" for step in steps]


def of(session: Session) -> Deploy:
    """The deploy of a session's stack, packed now."""
    more = session.platform.release_files(session.stack, session.destination)
    made = remote_upload.make(session.stack, session.destination, more)
    me = make_owner("demo", "laptop", "deploy")
    settings = session.settings
    return Deploy(made, session.destination, settings.stack, settings.env_file, me)
