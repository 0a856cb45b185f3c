"""Ending an upgrade that was left open, and going back."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.deploy import rollback
from spinstack.errors import UsageError
from spinstack.transport.login_node import ConnectionLost
from tests.unit.left_there import at, begun, lost, releases
from tests.unit.test_deploy import TestSession, directory, past, session, site, there
from tests.unit.there import There

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
