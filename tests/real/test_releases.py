"""What can be gone back to, and what a deploy would change, as they are typed."""

from __future__ import annotations

import json
import re

import pytest

from .small_site import SmallSite
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry")

ID = r"\d{8}-\d{6}-[0-9a-f]{8}"


def done(site: SmallSite, *words: str) -> Typed:
    """`invoke …` that has to succeed."""
    typed = site.invoke(*words)
    assert typed.code == 0, typed
    return typed


def releases(site: SmallSite) -> list[tuple[str, str]]:
    """Id and state of each, the newest first, as the table tells them."""
    table = done(site, "releases").out
    return re.findall(rf"^({ID})  (\w+)", table, flags=re.MULTILINE)


def test_from_a_difference_to_an_upgrade_and_back(small: SmallSite) -> None:
    small.deployed("one")
    same = done(small, "diff")
    assert same.out == "nothing to do\n"

    small.write("two", command="echo hello; " + "exec httpd -f -p 8080 -h /site")
    changed = small.invoke("diff")
    assert changed.code == 2, "something to do"
    assert "web: command\n" in changed.out
    assert "app: command\n" not in changed.out
    assert "app: values of variables\n  + GENERATION\n" in changed.out
    told = json.loads(small.invoke("diff", "--json").out)
    assert {change["service"] for change in told} == {"app", "web"}

    upgraded = done(small, "upgrade")
    assert upgraded.out == small.address + "\n"
    assert "run `invoke confirm` or `invoke rollback`" in upgraded.err
    assert small.seen() == "generation two"
    assert releases(small)[0][1] == "unfinished"
    refused = small.invoke("up")
    assert refused.code != 0
    assert "is already running" in refused.err

    done(small, "rollback", "--yes")
    assert small.seen() == "generation one"
    assert [state for _, state in releases(small)][:2] == ["failed", "current"]


def test_going_back_to_an_earlier_release_brings_its_very_files(small: SmallSite) -> None:
    small.deployed("one")
    first = releases(small)
    (current,) = [name for name, state in first if state == "current"]
    small.deployed("three")
    small.write("not deployed")

    back = done(small, "rollback", "--yes")
    assert back.out == small.address + "\n"
    small.assert_whole("one")
    assert (current, "current") in releases(small)

    unknown = small.invoke("rollback", "--release", "20200101-000000-00000000", "--yes")
    assert unknown.code == 2
    assert "can't go back to '20200101-000000-00000000'" in unknown.err

    pruned = done(small, "prune", "--keep", "1", "--yes")
    assert re.search(r"^removed \d+ releases and 0 images$", pruned.out, flags=re.MULTILINE)
    assert len(releases(small)) == 2, "the one that runs, and one to go back to"
    small.assert_whole("one")


def test_up_starts_what_is_not_there(small: SmallSite) -> None:
    done(small, "rm", "--yes")
    small.write("four")
    refused = small.invoke("upgrade")
    assert refused.code == 2
    assert "does not exist yet" in refused.err
    assert done(small, "up").out == small.address + "\n"
    small.assert_whole("four")
