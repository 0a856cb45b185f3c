"""The journal of a change, shown after the fact."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.deploy import deploy
from spinstack.deploy import journal as deploy_journal
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote import changes
from spinstack.transport.login_node import ConnectionLost
from tests.unit.left_there import age, at, change, kill, lost
from tests.unit.test_deploy import TestSession, directory, session, site, there
from tests.unit.there import There

__all__ = ["directory", "session", "site", "there"]


def test_the_journal_of_a_dead_change_tells_where_it_died(
    session: TestSession,
    directory: Path,
    there: There,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung = there.hang("upgrade")
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(session)
    kill(there)
    hung.unlink()
    age(change(there) / "journal", 90)
    capsys.readouterr()
    monkeypatch.setattr(changes, "LISTEN_SECONDS", 0.2)
    with pytest.raises(SpinstackError, match="has stopped responding") as error:
        deploy_journal.show(TestSession(directory, there), "", raw=False, as_json=False)
    assert "bring up                 not ended" in capsys.readouterr().out
    assert "run `invoke deploy` to finish a deploy" in error.value.remedy
    deploy.deploy(TestSession(directory, there))


@pytest.mark.parametrize("wanted", ["../releases/2", "'; touch x", "2025\n"])
def test_a_journal_is_sought_among_the_changes_alone(session: TestSession, wanted: str) -> None:
    with pytest.raises(UsageError, match="is not the id of a change"):
        deploy_journal.show(session, wanted, raw=False, as_json=False)
    assert not session.node.steps
