"""Ending an upgrade that was left open, and going back."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.deploy import deploy, rollback
from spinstack.deploy import releases as deploy_releases
from spinstack.errors import UsageError
from spinstack.images import registry
from spinstack.transport.login_node import ConnectionLost
from tests.unit.left_there import at, begun, lost, releases
from tests.unit.test_deploy import TestSession, changed, directory, past, session, site, there
from tests.unit.there import There, running

__all__ = ["directory", "session", "site", "there"]


def test_confirm_uses_the_files_that_the_upgrade_was_begun_with(
    session: TestSession, there: There
) -> None:
    begun(there, "20251103-040506-0badcafe", who="bob")
    rollback.confirm(session, yes=True)
    assert (there.root / "current").readlink() == Path("releases/20251103-040506-0badcafe")
    assert there.services["web"]["state"] == "active"


def test_a_rollback_without_an_open_upgrade_goes_to_the_release_before(
    session: TestSession, directory: Path, there: There
) -> None:
    releases(there)
    with pytest.raises(UsageError, match="can't go back") as error:
        rollback.roll_back(session, to_release="20251102-000000-bbbbbbbb", yes=True)
    assert "20251101-000000-aaaaaaaa" in error.value.remedy
    rollback.roll_back(TestSession(directory, there), to_release="", yes=True)
    assert "--upgrade" in there.calls[1]
    now = (there.root / "current").readlink().name
    assert now == "20251101-000000-aaaaaaaa", "the failed one is passed over"
    assert not (there.root / "lock").exists()
    assert past(there) == [("rollback", "done")]


def test_an_open_upgrade_is_taken_back(session: TestSession, there: There) -> None:
    begun(there, "20251103-040506-0badcafe")
    rollback.roll_back(session, to_release="", yes=True)
    assert there.services["web"]["state"] == "active"
    assert not (there.root / "unfinished.json").exists()
    assert past(there) == [("rollback", "done")]


def test_a_version_before_that_does_not_get_well_is_told(
    session: TestSession, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(there, "20251103-040506-0badcafe")
    there.odd(old_health="unhealthy")
    rollback.roll_back(session, to_release="", yes=True)
    assert "the previous version is not healthy (web unhealthy)" in capsys.readouterr().err


def test_an_upgrade_with_nothing_to_do_leaves_nothing_open(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be confirmed in vain, and a rollback would go to an older release."""
    deploy.deploy(TestSession(directory, there))
    there.has(web=running())
    calls = there.calls
    deploy.upgrade(TestSession(directory, there))
    assert there.calls == calls
    assert "invoke confirm" not in capsys.readouterr().err
    # Other files, of which Rancher starts no new container.
    changed(directory)
    there.odd(new={"state": "active"})
    deploy.upgrade(TestSession(directory, there))
    assert "nothing is left to confirm" in capsys.readouterr().err
    assert past(there)[-1] == ("upgrade", "done")
    assert not (there.root / "unfinished.json").exists()


def test_a_rollback_names_where_it_goes(
    session: TestSession, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    releases(there)
    asked = r"No upgrade is open\. Go back to release 20251101-000000-aaaaaaaa"
    with pytest.raises(UsageError, match=asked):
        rollback.roll_back(session, to_release="", yes=False)
    assert not there.calls
    rollback.roll_back(session, to_release="", yes=True)
    assert "going back to release 20251101-000000-aaaaaaaa" in capsys.readouterr().err


def test_after_rm_no_release_is_current(session: TestSession, there: There) -> None:
    releases(there)
    there.has()
    assert [one.state for one in deploy_releases.releases(session)] == [
        *("confirmed", "failed", "confirmed")
    ]
    rollback.roll_back(session, to_release="20251103-000000-cccccccc", yes=True)
    assert there.calls[1].startswith("up -d --stack"), "as for a first deploy"
    assert deploy_releases.releases(session)[-1].state == "current"


def test_a_rollback_that_was_cut_off_is_not_to_be_run_again(
    session: TestSession, there: There
) -> None:
    """It would go back two releases."""
    releases(there)
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost) as error:
        rollback.roll_back(session, to_release="", yes=True)
    assert error.value.now == "the rollback continues on the login node"
    assert error.value.remedy == "run `invoke journal` to follow it, then `invoke status`"
    there.over()
    assert past(there) == [("rollback", "done")]


def test_going_back_is_tried_as_far_as_rancher_can(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases(there)
    monkeypatch.setattr(registry, "has", lambda image, login: True)
    before = (there.root / "current").readlink()
    tried = rollback.try_out(session, to_release="")
    assert tried.note and tried.note.id == "20251101-000000-aaaaaaaa"
    assert not tried.failed
    assert "Rancher has read its files (it can't try an upgrade)" in tried.how
    assert [line for line in there.calls if "--render" in line]
    assert not [line for line in there.calls if "--upgrade" in line]
    assert (there.root / "current").readlink() == before
    assert not (there.root / "lock").exists()
    assert not (there.root / "history.jsonl").exists()


def test_an_open_upgrade_needs_no_trial(session: TestSession, there: There) -> None:
    begun(there, "20251103-040506-0badcafe")
    tried = rollback.try_out(session, to_release="")
    assert (tried.note, tried.findings) == (None, [])
    assert "starts the containers from before it again" in tried.how
