"""A day's work at a login node that wants a one-time code: how often a person is asked.

A real sshd with PAM leads into the rehearsal's login node; the stack is a small one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import one_time, openssh
from .at_terminal import AtTerminal
from .small_site import SmallSite
from .stage import WITHIN, Stage, Typed

pytestmark = pytest.mark.real("root", "engine", "registry", "sshd", "one-time codes")

# The generations of the stack before and after the deploy of the day. Never an old one: a
# rollback goes to the newest release before.
GENERATIONS = {"openssh": ("0", "1"), "fabric": ("2", "3")}
# What is typed from morning to evening; the first deploy was yesterday.
DAY = (("status",), ("deploy",), ("logs", "--tail", "3"), ("rollback", "--yes"), ("status",))


@dataclass
class Person:
    """Types in the small stack's directory."""

    site: SmallSite
    node: one_time.LoginNode
    wire: str

    def write(self, generation: str) -> None:
        """The stack's files, with the way in through the lab."""
        self.site.write(
            generation, **{**self.node.settings(), "login_answer_file": "", "wire": self.wire}
        )

    def types(self, *words: str) -> Typed:
        """Where nobody can be asked; has to succeed."""
        done = self.site.invoke(*words)
        assert done.code == 0, done
        return done

    def is_asked(self, *words: str) -> str:
        """On a terminal, and answers with the next code; has to succeed."""
        words = ("invoke", *words)
        person = AtTerminal(words, self.site.stage.environment(), self.site.directory)
        person.wait_for(one_time.PROMPT.strip(), WITHIN)
        person.type(self.node.person.answer() + "\r")
        assert person.code(WITHIN) == 0, person.shown
        return person.shown


@pytest.fixture(params=list(GENERATIONS))
def person(
    request: pytest.FixtureRequest, stage: Stage, small: SmallSite, tmp_path: Path
) -> Iterator[Person]:
    before, after = GENERATIONS[request.param]
    small.deployed(before)
    command = openssh.as_demo(stage.login_home)
    with one_time.login_node(tmp_path, command=command) as node:
        made = Person(small, node, request.param)
        made.write(after)
        yield made
        small.invoke("logout")
    small.write(before)


def test_a_day_s_work(person: Person) -> None:
    """On the OpenSSH wire one login, by `invoke login`; on the Fabric wire one a command."""
    if person.wire == "openssh":
        person.is_asked("login")
        person.types("login", "--status")
    before, after = GENERATIONS[person.wire]
    does = person.types if person.wire == "openssh" else person.is_asked
    for words in DAY:
        sessions = person.node.counted().sessions
        does(*words)
        assert person.node.counted().sessions - sessions <= 2
        if words == ("deploy",):
            assert person.site.seen() == f"generation {after}"
    assert person.site.seen() == f"generation {before}"
    logins = 1 if person.wire == "openssh" else len(DAY)
    counted = person.node.counted()
    assert (counted.asked, counted.logins, counted.refused) == (logins, logins, 0)
