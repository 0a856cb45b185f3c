"""A connection that breaks at any step of a deploy, and two people who deploy at once.

Whatever happened: the same command again ends well, and one generation of the site runs.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .small_site import SmallSite, assert_told_well
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry")

# The steps of a deploy in order; the number tells steps of one name apart.
LOOK = (
    *(("uid", 1), ("lock", 1), ("rancher environment", 1), ("current release", 1)),
    *(("unfinished", 1), ("rancher key", 1), ("states", 1)),
)
PREPARE = (
    *(("upload", 1), ("note the release", 1), ("rancher environment", 2)),
    *(("enter the release", 1), ("render", 1), ("lock still ours", 1), ("note the upgrade", 1)),
    *(("rancher environment", 3), ("enter the release", 2)),
)
CHANGE = (("rancher environment", 4), ("watch", 1))
END = (
    *(("lock still ours", 2), ("rancher environment", 5), ("enter the release", 3)),
    *(("confirm", 1), ("mark as current", 1), ("forget the upgrade", 1), ("unlock", 1)),
)


def cut(small: SmallSite, deed: str, step: str, nth: int, words: str = "deploy") -> Typed:
    typed = small.on_a_bad_day(deed, step, nth, words)
    assert_told_well(typed)
    assert f"was lost during the step '{step}'" in typed.err
    assert "run the same command again" in typed.err
    return typed


def test_cut_off_before_anything_is_changed(small: SmallSite) -> None:
    """Again and again: each try gets further than the one before, the old site answers."""
    small.write("before")
    done = small.on_a_bad_day("nothing", "", 1, "deploy")
    assert done.code == 0, done
    seen = re.findall(r"^step: (.*)$", done.err, flags=re.MULTILINE)
    assert seen == [name for name, _ in (*LOOK, *PREPARE, ("upgrade", 1), *CHANGE, *END)]
    old = small.generations()
    small.write("looked")
    for step, nth in LOOK:
        cut(small, "before", step, nth)
    # The lock's directory is there, its name is not yet in it.
    cut(small, "amid:3", "lock", 1)
    # The files have arrived, not yet in their place.
    cut(small, "amid:6", "upload", 1)
    for step, nth in PREPARE:
        cut(small, "before", step, nth)
    assert small.generations() == old
    assert small.seen() == "generation before"
    again = small.invoke("deploy")
    assert again.code == 0, again
    assert re.search(r"the lock of demo on .* was left behind: taken over", again.err)
    small.assert_whole("looked")


def test_cut_off_again_and_again_in_the_middle_of_an_upgrade(small: SmallSite) -> None:
    small.deployed("old")
    small.write("new")
    cut(small, "before", "upgrade", 1)
    assert small.seen() == "generation old"
    cut(small, "during", "upgrade", 1)
    for step, nth in (*CHANGE, *END[:-1]):
        cut(small, "before", step, nth)
        # Somewhere on the way the new containers have taken over, all of them.
        running = [told for told in small.generations().values() if told.endswith(" running")]
        assert running == ["new running"] * 2
    # By now it is up: that the lock stays is no failure of a deploy.
    assert small.on_a_bad_day("before", *END[-1], "deploy").code == 0
    again = small.invoke("deploy")
    assert again.code == 0, again
    small.assert_whole("new")


@pytest.mark.parametrize(
    ("deed", "step"),
    [("during", "upgrade"), ("during", "confirm"), ("amid:3", "mark as current")],
)
def test_once_cut_off_the_same_command_ends_it(small: SmallSite, deed: str, step: str) -> None:
    generation = f"{deed}-{step}".replace(" ", "-").replace(":", "-")
    small.write(generation)
    cut(small, deed, step, 1)
    again = small.invoke("deploy")
    assert again.code == 0, again
    assert again.last_line == small.address
    small.assert_whole(generation)


def test_cut_off_in_the_first_deploy_of_all(small: SmallSite) -> None:
    small.gone()
    small.write("first")
    for deed, step in (("after", "render"), ("before", "up"), ("during", "up")):
        cut(small, deed, step, 1)
    again = small.invoke("deploy")
    assert again.code == 0, again
    small.assert_whole("first")


@contextmanager
def bobs_deploy(small: SmallSite, step: str) -> Iterator[subprocess.Popen[str]]:
    """Bob's laptop, deploying, and held up just when this step runs."""
    bob = subprocess.Popen(
        small.bad_day("hold", step, 1, "deploy"),
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
    with bobs_deploy(small, "watch"):
        for words in (("deploy",), ("rollback", "--yes")):
            told = small.invoke(*words)
            assert_told_well(told)
            assert re.search(rf"error: {BOB} is at it: deploy", told.err), told
            assert "invoke unlock" in told.err
        asked = small.invoke("unlock")
        assert asked.code == 2
        assert re.search(rf"Break the lock of {BOB}\?", asked.err), asked
        assert (small.root / "lock").exists()
    # Bob's laptop is dead now, in the middle of an upgrade.
    assert re.search(rf"the lock of {BOB} is broken", small.invoke("unlock", "--yes").out)
    told = small.invoke("deploy", "--to", "rehearsal")
    assert_told_well(told)
    assert re.search(rf"an upgrade of app, web was left unfinished by {BOB}", told.err), told
    assert small.invoke("rollback", "--yes").code == 0
    small.assert_whole("ours")
    told = small.invoke("unlock", "--yes")
    assert_told_well(told)
    assert "error: there is no lock" in told.err


def test_a_laptop_that_wakes_up_without_its_lock_changes_nothing(small: SmallSite) -> None:
    small.write("bobs-late")
    with bobs_deploy(small, "render") as bob:
        small.write("alices")
        assert small.invoke("unlock", "--yes").code == 0
        assert small.invoke("deploy").code == 0
        _, err = bob.communicate("go on\n", timeout=60)
        told = Typed(("deploy",), bob.returncode, "", err)
    assert_told_well(told)
    assert "error: the lock of this change was broken by somebody" in told.err
    assert "roll back" not in told.err
    small.assert_whole("alices")
