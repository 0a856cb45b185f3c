"""What differs between the stack here and what runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spinstack.deploy import diff
from spinstack.errors import SpinstackError
from tests.unit.left_there import content_of
from tests.unit.test_deploy import TestSession, directory, session, there
from tests.unit.there import There, running

__all__ = ["directory", "session", "there"]


def test_a_difference_is_told_service_by_service(
    session: TestSession, directory: Path, there: There
) -> None:
    name = f"20251101-000000-{content_of(session)}"
    (there.root / "releases" / name).mkdir(parents=True)
    (there.root / "current").symlink_to(f"releases/{name}")
    config = {
        "imageUuid": "docker:registry.spin.nersc.gov/alice/nginx-demo:0.9",
        "ports": ["60037:8080/tcp"],
        "capDrop": ["ALL"],
        "user": f"{os.getuid()}:58102",
        "dataVolumes": [f"{there.root}/releases/{name}/web/nginx.conf:/etc/nginx/nginx.conf:ro"],
    }
    there.has(web=running(launchConfig=config))
    (change,) = diff.changes(session)
    assert (change.what, change.running[-3:], change.wanted[-3:]) == ("image", "0.9", "1.0")

    (directory / "web" / "nginx.conf").write_text("server { listen 8080; } # changed")
    changed = diff.changes(TestSession(directory, there))
    assert [found.what for found in changed] == ["image", "files mounted from the release"]


@pytest.mark.parametrize(
    "said", ["<html>maintenance</html>", "error demo/web: Not found: demo/web"]
)
def test_a_service_that_is_not_shown_is_not_new(
    session: TestSession, there: There, said: str
) -> None:
    there.has(web=running())
    there.odd(inspect=said)
    with pytest.raises(SpinstackError, match=r"unexpected output|does not show web"):
        diff.changes(session)


def test_a_command_is_the_same_as_a_list_and_as_a_text() -> None:
    assert diff.shown_words("sh -c 'a b'") == diff.shown_words(["sh", "-c", "a b"])


@pytest.mark.parametrize("value", ["5", "[1]", "{A: [1]}", "web"])
def test_an_odd_environment_is_compared_all_the_same(
    session: TestSession, directory: Path, there: There, value: str
) -> None:
    there.has(web=running())
    path = directory / "docker-compose.yml"
    path.write_text(path.read_text() + f"    environment: {value}\n")
    assert [change for change in diff.changes(session) if change.service == "web"]


def test_a_compose_file_that_cannot_be_read_is_not_compared(
    session: TestSession, directory: Path
) -> None:
    (directory / "docker-compose.yml").write_text("services: [")
    with pytest.raises(SpinstackError, match="not valid YAML"):
        diff.changes(session)
