"""The lock of a change that goes on by itself, when the change is no more or only looks so, and
a change whose lock is broken.

The login node's side is real bash (see `there.py`).
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spinstack.deploy import deploy
from spinstack.deploy.run import Deployment
from spinstack.errors import SpinstackError
from spinstack.remote import lock as remote_lock
from spinstack.remote.follow import Follow
from spinstack.remote.found import Found
from spinstack.remote.owner import make_owner
from spinstack.transport.login_node import ConnectionLost
from tests.unit.left_there import age, at, change, kill, locked, lost
from tests.unit.test_deploy import TestSession, directory, past, session, site, there
from tests.unit.there import PROFILE, There, running

__all__ = ["directory", "session", "site", "there"]


def test_a_change_without_a_sign_of_life_is_finished_by_its_owner(
    directory: Path, there: There
) -> None:
    """Its login node was restarted in the middle; we come from another laptop."""
    lock = locked(there, host="old-laptop", doing="deploy", job="20251103-040506-12")
    journal = there.root / "changes" / "20251103-040506-12" / "journal"
    journal.parent.mkdir(parents=True)
    journal.touch()
    os.utime(journal, (time.time() - 90,) * 2)
    (lock / "job").symlink_to("../changes/20251103-040506-12")
    with pytest.raises(SpinstackError, match="locked by"):
        deploy.deploy(TestSession(directory, there, user="bob"))
    deploy.deploy(TestSession(directory, there))
    assert there.services["web"]["state"] == "active"


@pytest.mark.parametrize("step", ["render", "upgrade", "confirm"])
@pytest.mark.parametrize("laptop", ["same", "other"])
def test_a_killed_change_is_finished_by_the_same_command(
    directory: Path, there: There, monkeypatch: pytest.MonkeyPatch, step: str, laptop: str
) -> None:
    there.has(web=running())
    hung = there.hang(step)
    at(there, {"upgrade": "bring up"}.get(step, step), lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    kill(there)
    hung.unlink()
    age(change(there) / "journal", 90)
    if laptop == "other":
        monkeypatch.setattr("socket.gethostname", lambda: "another-laptop")
        monkeypatch.setattr(remote_lock, "_alive", lambda pid: True)
    deploy.deploy(TestSession(directory, there))
    there.over()
    assert there.services["web"]["state"] == "active"
    assert ("deploy", "done") in past(there)
    assert not (there.root / "unfinished.json").exists()


def test_a_change_that_only_looks_dead_is_looked_on_at(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clocks of two machines differ: the file's time says nothing."""
    hung = there.hang("upgrade")
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    clock = there.home / "bin" / "date"
    clock.write_text("#!/bin/sh\necho $(($(/bin/date +%s) + 120))\n")
    clock.chmod(0o755)
    (there.home / ".bash_profile").write_text(f"{PROFILE}sleep() {{ command sleep 1; }}\n")
    at(there, "follow", hung.unlink)
    deploy.deploy(TestSession(directory, there))
    err = capsys.readouterr().err
    assert "still running" in err
    assert "following it" in err
    assert past(there) == [("deploy", "done")]


def test_a_change_without_its_lock_takes_nothing_back(session: TestSession, there: There) -> None:
    """Somebody has broken it, and what is unfinished now may be theirs."""
    there.has(web=running())
    there.odd(new={"healthState": "unhealthy"})

    def bob() -> None:
        (there.root / "lock" / "owner.json").write_text('{"who": "bob", "nonce": "34"}')

    at(there, "wait until healthy", bob)
    with pytest.raises(SpinstackError, match="failed the health check") as error:
        deploy.deploy(session)
    assert "whoever broke the lock decides" in error.value.now
    assert there.services["web"]["state"] == "upgraded"
    assert not [call for call in there.calls if "--rollback" in call]
    assert past(there) == [("deploy", "left open")]
    assert (there.root / "lock").exists(), "it is bob's"
    (there.root / "lock" / "owner.json").unlink()
    (there.root / "lock" / "job").unlink()
    (there.root / "lock").rmdir()


def test_what_is_followed_is_called_what_it_is(
    session: TestSession,
) -> None:
    """A deploy that finds a rollback of ours follows that first."""
    me = make_owner("me", "laptop", "deploy")

    def cut(follow: Follow) -> int:
        follow.started = True
        raise ConnectionLost("the connection was lost")

    remote: Any = SimpleNamespace(follow=cut)
    found = Found("1", True, [], "")
    with pytest.raises(ConnectionLost) as error:
        Deployment(session, remote, me, found).attach(replace(me, doing="rollback", job="1-1-1"))
    assert error.value.now == "the rollback continues on the login node"
