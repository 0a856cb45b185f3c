"""The tasks in the order in which people need them: topics, with a word for each.

Invoke always lists tasks by name, so each help line begins with its topic's word; the command
`spinstack` lists them topic by topic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invoke.collection import Collection
from invoke.tasks import Task

from spinstack.tasks.task import is_listing


class Topic:
    """A heading in the list: the word, what it is about, its tasks in order.

    `group`: name of the collection that holds them; empty for tasks without a prefix.
    """

    # Not a dataclass: making one takes as long as all topics together, in every command.
    def __init__(
        self, word: str, about: str, tasks: tuple[Task[Any], ...], group: str = ""
    ) -> None:
        self.word = word
        self.about = about
        self.tasks = tasks
        self.group = group

    def names(self) -> list[str]:
        """The tasks' names as they are typed."""
        prefix = f"{self.group}." if self.group else ""
        return [prefix + task.name.replace("_", "-") for task in self.tasks]

    def lines(self) -> Iterable[tuple[str, str]]:
        """Each task's name and the first line of its help, without the topic's word."""
        for name, task in zip(self.names(), self.tasks, strict=True):
            first = (task.__doc__ or "").strip().split("\n", 1)[0]
            yield name, first.removeprefix(f"({self.word}) ")


def collected(name: str, topics: Iterable[Topic]) -> Collection:
    """One Invoke collection of all topics."""
    root = Collection(name)
    groups: dict[str, Collection] = {}
    for topic in topics:
        home = root
        if topic.group:
            home = groups.setdefault(topic.group, Collection(topic.group))
        for task in topic.tasks:
            home.add_task(task)
    for group in groups.values():
        root.add_collection(group)
    # Invoke copies them for each task that it lists.
    if not is_listing():
        from spinstack.config import schema

        root.configure(schema.known_to_invoke())
    return root
