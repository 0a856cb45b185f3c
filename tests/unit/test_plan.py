"""What a deploy does with an upgrade that it finds: go on, plan anew, or wait for a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.deploy import deploy
from spinstack.errors import SpinstackError
from tests.unit.left_there import begun, content_of, mark
from tests.unit.test_deploy import TestSession, directory, session, site, there
from tests.unit.there import There, running

__all__ = ["directory", "session", "site", "there"]


def test_somebody_who_is_quicker_is_noticed(
    session: TestSession, directory: Path, there: There
) -> None:
    """Between our look and our lock bob has deployed: what was planned is planned anew."""
    deploy.deploy(session)
    (directory / "web" / "nginx.conf").write_text("# new")

    def bob(name: str) -> None:
        if name == "lock":
            there.happens = lambda name: None
            (there.root / "unfinished.json").write_text(mark("bob", release="x", nonce="34"))
            there.has(web=running(state="upgraded"))

    there.happens = bob
    with pytest.raises(SpinstackError, match="left unfinished by bob"):
        deploy.deploy(TestSession(directory, there))
    assert not (there.root / "lock").exists()


def test_an_upgrade_of_ours_to_the_same_files_goes_on(session: TestSession, there: There) -> None:
    begun(there, f"20251103-040506-{content_of(session)}")
    deploy.deploy(session)
    assert "upload" not in there.steps
    assert there.services["web"]["state"] == "active"


def test_an_upgrade_of_ours_from_another_laptop_goes_on(session: TestSession, there: There) -> None:
    begun(there, f"20251103-040506-{content_of(session)}", host="old-laptop")
    deploy.deploy(session)
    assert there.services["web"]["state"] == "active"


@pytest.mark.parametrize("left", [{"who": "bob"}, {"release": "20251103-040506-00000000"}])
def test_an_upgrade_of_others_or_to_other_files_waits_for_a_person(
    session: TestSession, there: There, left: dict[str, str]
) -> None:
    begun(there, **{"name": f"20251103-040506-{content_of(session)}", **left})
    with pytest.raises(SpinstackError, match="left unfinished") as error:
        deploy.deploy(session)
    assert "since 2025-11-03 04:05 UTC" in error.value.what
    assert "invoke confirm" in error.value.remedy
    assert not there.calls
    assert not (there.root / "lock").exists()
