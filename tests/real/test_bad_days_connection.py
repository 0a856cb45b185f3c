"""A connection that breaks at any step of a deploy, and two people who deploy at once.

Whatever happened, on either wire: the same command again ends well, and one generation of
the site runs.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .small_site import SmallSite, assert_told_well
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry")
WIRES = pytest.mark.parametrize("wire", ["openssh", "fabric"])

# The steps of a deploy in order: those of the two scripts that are sent, and those of the
# change that goes on there by itself.
LOOK = (
    *("uid", "rancher environment", "lock owner", "change under way", "current release"),
    *("unfinished", "rancher key", "states"),
)
SEND = ("lock", "as it was", "upload", "note the release", "lock still ours", "start")
THERE = (
    *("rancher environment", "enter the release", "render", "lock still ours"),
    *("note the upgrade", "bring up", "wait until healthy", "ask the site", "lock still ours"),
    *("confirm", "mark as current", "write it down", "unlock"),
)


def on(wire: str) -> dict[str, str]:
    return {"INVOKE_SPINSTACK_WIRE": wire}


def cut(small: SmallSite, wire: str, deed: str, step: str, nth: int = 1) -> Typed:
    """A deploy that is cut off when the step comes."""
    typed = small.on_a_bad_day(deed, step, nth, "deploy", **on(wire))
    if deed == "die":
        assert typed.code == -signal.SIGKILL
        return typed
    assert_told_well(typed)
    assert "was lost during the step" in typed.err
    assert "run the same command again" in typed.err
    return typed


@WIRES
def test_cut_off_before_anything_is_changed(small: SmallSite, wire: str) -> None:
    """Again and again: each try gets further than the one before, the old site answers."""
    small.write(f"before-{wire}")
    done = small.on_a_bad_day("nothing", "", 1, "deploy", **on(wire))
    assert done.code == 0, done
    sent = re.findall(r"^step: (.*)$", done.err, flags=re.MULTILINE)
    there = re.findall(r"^there: (.*)$", done.err, flags=re.MULTILINE)
    assert (sent, there) == ([*LOOK, *SEND, "follow"], [*THERE])
    old = small.generations()
    small.write(f"looked-{wire}")
    for step in (*LOOK, *SEND):
        cut(small, wire, "before", step)
    # The lock's directory is there, its name is not yet in it.
    cut(small, wire, "amid:3", "lock")
    # The files have arrived, not yet in their place.
    cut(small, wire, "amid:6", "upload")
    assert small.generations() == old
    assert small.seen() == f"generation before-{wire}"
    again = small.invoke("deploy", **on(wire))
    assert again.code == 0, again
    assert re.search(r"took over the stale lock of demo on .*", again.err)
    small.assert_whole(f"looked-{wire}")


@WIRES
def test_the_laptop_is_gone_at_any_step_of_a_change(small: SmallSite, wire: str) -> None:
    """Killed, or out of reach: the change goes on, and the same command again sees its end."""
    for number, step in enumerate(THERE):
        generation = f"gone-{wire}-{number}"
        small.write(generation)
        deed = ("die", "there")[number % 2]
        told = cut(small, wire, deed, step, nth=1 + THERE[:number].count(step))
        if deed == "there":
            assert "; the deploy continues on the login node" in told.err
        again = small.invoke("deploy", **on(wire))
        assert again.code == 0, again
        assert again.last_line == small.address
        small.assert_whole(generation)
        # Finished by itself, looked on at: no other change was needed.
        made = small.invoke("history", "--json").out
        assert made.count(f'"release": "{current(small)}"') == 1, made


def current(small: SmallSite) -> str:
    return (small.root / "current").readlink().name


def test_cut_off_in_the_first_deploy_of_all(small: SmallSite) -> None:
    small.gone()
    small.write("first")
    cut(small, "openssh", "there", "bring up")
    again = small.invoke("deploy")
    assert again.code == 0, again
    small.assert_whole("first")


def test_the_journal_is_looked_at_from_another_machine(small: SmallSite) -> None:
    small.write("looked-at")
    cut(small, "openssh", "die", "bring up")
    looking = small.invoke("journal", LAPTOP="another-laptop")
    assert looking.code == 0, looking
    last = looking.last_line
    assert re.fullmatch(r"deploy of \S+-[0-9a-f]{8}, demo on .* since .* UTC: done", last), last
    assert re.search(r"^[-0-9]+ [:0-9]+  wait until healthy +ok ", looking.out, flags=re.MULTILINE)
    small.assert_whole("looked-at")


def wait_for(text: str, journal: Path) -> str:
    """What the journal says as soon as it says this."""
    deadline = time.monotonic() + 60
    while text not in (said := journal.read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return said


@contextmanager
def bobs(small: SmallSite, step: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Bob's laptop, held up just when this step runs."""
    bob = subprocess.Popen(
        small.bad_day("hold", step, 1, *words),
        cwd=small.directory,
        env=small.stage.environment(LAPTOP="bobs-laptop"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert bob.stdout
        assert bob.stdout.readline() == "holding\n"
        yield bob
    finally:
        bob.kill()
        bob.communicate()


BOB = r"demo on bobs-laptop since \d{4}-\d\d-\d\d \d\d:\d\d UTC"


def test_the_second_of_two_is_told_and_a_dead_laptops_lock_can_be_broken(small: SmallSite) -> None:
    small.deployed("ours")
    small.write("bobs")
    begun = small.on_a_bad_day("nothing", "", 1, "upgrade", LAPTOP="bobs-laptop")
    assert begun.code == 0, begun
    with bobs(small, "states", "confirm", "--yes"):
        for words in (("deploy",), ("rollback", "--yes")):
            told = small.invoke(*words)
            assert_told_well(told)
            assert re.search(rf"error: locked by {BOB} .*\(confirm\)", told.err), told
            assert "invoke unlock" in told.err
        asked = small.invoke("unlock")
        assert asked.code == 2
        assert re.search(rf"Break the lock of {BOB}\?", asked.err), asked
        assert (small.root / "lock").exists()
        # Bob's laptop dies now, between the two steps of an upgrade.
    assert re.search(rf"removed the lock of {BOB}", small.invoke("unlock", "--yes").out)
    small.write("alices")
    told = small.invoke("deploy", "--to", "rehearsal")
    assert_told_well(told)
    assert re.search(rf"an upgrade of app, web was left unfinished by {BOB}", told.err), told
    assert small.invoke("rollback", "--yes").code == 0
    small.assert_whole("ours")
    told = small.invoke("unlock", "--yes")
    assert_told_well(told)
    assert "error: there is no lock" in told.err


def test_a_change_that_has_lost_its_lock_makes_nothing_final(small: SmallSite) -> None:
    small.deployed("mine")
    small.write("late")
    cut(small, "openssh", "die", "bring up")
    change = max((small.root / "changes").iterdir())
    (change / "hold").touch()
    journal = change / "journal"
    wait_for("begin wait for a word\n", journal)
    assert small.invoke("unlock", "--yes").code == 0
    assert small.invoke("rollback", "--yes").code == 0
    (change / "hold").unlink()
    said = wait_for("over lock lost\n", journal)
    assert "begin roll back" not in said
    told = small.invoke("journal")
    assert told.code == 0
    assert told.last_line.endswith(": lock lost")
    small.assert_whole("mine")
