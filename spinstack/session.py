"""What a task works with: settings, the seams to this machine and the login node, the console.

Made once for each task, from Invoke's context; Invoke's own `--dry` and `--echo` choose the
backends here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack.console.console import Console
from spinstack.errors import UsageError
from spinstack.text import harmless

if TYPE_CHECKING:
    from invoke.context import Context

    from spinstack.config.settings import Destination, ImageSetting, Settings
    from spinstack.config.stack import Stack
    from spinstack.images.engine import Engine
    from spinstack.images.tag import ImageSpec
    from spinstack.platforms.base import Platform
    from spinstack.transport.login_node import LoginNode
    from spinstack.transport.openssh.master import Master
    from spinstack.transport.runner import Runner


class Session:
    """One task's view of the world. Each part imports what it needs when it is first used."""

    def __init__(self, context: Context, to: str | None = None) -> None:
        self._context = context
        self._to = to
        self._begun: Master | None = None
        self.console = Console(dry=self.dry, stack=self.directory, to=to or "")

    @property
    def dry(self) -> bool:
        return bool(self._context.config.run.dry)

    @property
    def config(self) -> Any:
        """Invoke's configuration, with its layers."""
        return self._context.config

    @cached_property
    def runner(self) -> Runner:
        from spinstack.transport.runner import LocalRunner, PrintingRunner

        if self.dry:
            return PrintingRunner(self.console.result)
        echo = self._context.config.run.echo
        return LocalRunner(echo=(lambda line: self.console.note(f"$ {line}")) if echo else None)

    @cached_property
    def settings(self) -> Settings:
        from spinstack.config import settings

        return settings.load(self._context.config, self.directory)

    @cached_property
    def directory(self) -> Path:
        """The stack's directory: the one with its tasks.py or invoke.yaml."""
        project = getattr(self._context.config, "_project_prefix", None)
        return Path(project) if project else Path.cwd()

    @cached_property
    def destination(self) -> Destination:
        return self.settings.destination(self._to)

    @cached_property
    def platform(self) -> Platform:
        """What runs the stack at the destination."""
        from spinstack.platforms import choose

        return choose.platform(self.destination.platform, self.destination.kubernetes)

    def must_know_destination(self) -> None:
        """For tasks that need none of its settings. Raises UsageError if `--to` is unknown."""
        if self._to and self._to not in self.settings.destination_names:
            self.settings.destination(self._to)

    @property
    def where(self) -> str:
        """`demo at dev`: the stack and its destination, as messages name them."""
        return f"{self.settings.stack} at {self.destination.name}"

    @property
    def destination_was_named(self) -> bool:
        return self._to is not None

    @cached_property
    def engine(self) -> Engine:
        from spinstack.images import engine

        return engine.find(self.runner, self.settings.engine)

    def image_spec(self, image: ImageSetting) -> ImageSpec:
        """What an image of the stack is built from for this destination."""
        from spinstack.images.tag import ImageSpec

        return ImageSpec(
            key=image.key,
            context=self.directory / image.context,
            name=image.name,
            dockerfile=image.dockerfile,
            build_args=self.destination.build_args,
            platform=self.destination.build_platform,
        )

    def image_reference(self, image: ImageSetting) -> str:
        from spinstack.images.tag import reference

        to = self.destination
        return reference(self.image_spec(image), to.registry, to.namespace)

    @cached_property
    def stack(self) -> Stack:
        """The stack's files, its images named by their content."""
        from spinstack.config import stack

        images = {image.variable: self.image_reference(image) for image in self.settings.images}
        return stack.read(self.settings, images, self.platform.beside)

    def log_in_early(self) -> None:
        """Begin the login that `login_node` will need; `leave` ends it if it was not needed."""
        if self.dry:
            return
        from spinstack.transport import connect

        self._begun = connect.begin(self.destination, self.console.note)

    def leave(self) -> None:
        """The task has ended."""
        begun, self._begun = self._begun, None
        if begun:
            begun.abandon()

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        """This task's one connection, closed at the end."""
        node = self._node(self.destination)
        try:
            yield node
        finally:
            node.close()

    @contextmanager
    def file_node(self, *, asking: bool) -> Iterator[LoginNode | None]:
        """A connection to where the mounted directories are, for a destination whose scripts run on
        this machine; None if there is none, or none is open and nobody may be asked to log in."""
        from spinstack.transport import connect

        there = self.destination.at_login_node
        if not there.has_login_node or not (asking or self.dry or connect.is_open(there)):
            yield None
            return
        node = self._node(there)
        try:
            yield node
        finally:
            node.close()

    def _node(self, to: Destination) -> LoginNode:
        if self.dry:
            return self._printing_node(to)
        from spinstack.transport import connect

        begun = None
        if to is self.destination:
            begun, self._begun = self._begun, None
        return connect.login_node(to, self.console.note, begun)

    def _printing_node(self, to: Destination) -> LoginNode:
        from spinstack.transport.command import Command
        from spinstack.transport.login_node import PrintingLoginNode

        if to.on_laptop:
            from spinstack.transport.laptop.node import PrintingLaptop

            return PrintingLaptop(self.console.result)
        words = ["-p", str(to.port)] if to.port else []
        words.append(f"{to.user}@{to.host}" if to.user else to.host)
        return PrintingLoginNode(Command(*words).shown(), self.console.result)

    def give(self, json: bool, fields: Mapping[str, Any], text: str = "") -> None:
        """A task's result: `fields` for a script, or a line for people; nothing in a dry run,
        which has done nothing."""
        if self.dry:
            return
        if json:
            where = {"stack": self.settings.stack, "destination": self.destination.name}
            self.console.json({**where, **fields})
        elif text:
            self.console.result(text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is lost. Raises UsageError for a no, or without a terminal."""
        import sys

        if yes or self.dry:
            return
        if not sys.stdin.isatty():
            raise UsageError(
                f"this needs a yes, and there is no terminal: {question}", remedy="add --yes"
            )
        with self.console.paused():
            answer = input(harmless(f"{question} [yes/no] "))
        if answer.strip().lower() not in ("y", "yes"):
            raise UsageError("nothing was changed", remedy="answer yes, or add --yes")


def ask_if_protected(session: Session, *, yes: bool, doing: str = "") -> None:
    """A protected destination must be named with --to, or confirmed. `doing`: what is about to
    be done, for the question."""
    destination = session.destination
    if destination.protected and not session.destination_was_named:
        question = f"This changes {session.where}. Continue?"
        if doing:
            question = f"{doing} at {destination.name}?"
        session.confirm(question, yes=yes)
