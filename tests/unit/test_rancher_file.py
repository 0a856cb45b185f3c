"""The rancher-compose.yml of a release: from the setting `services`, and a file of the stack."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.remote import upload
from spinstack.rules.finding import Finding
from spinstack.session import Session
from tests.unit.older_stack import RANCHER, made_older
from tests.unit.stack_session import StackSession, baked

FILE, COMPOSE, INVOKE = "rancher-compose.yml", "docker-compose.yml", "invoke.yaml"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return baked(tmp_path)


def uploaded(session: Session) -> dict[str, bytes]:
    """The files of its release, by name."""
    more = session.platform.release_files(session.stack, session.destination)
    release = upload.make(session.stack, session.destination, more)
    with tarfile.open(fileobj=io.BytesIO(release.archive)) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames()))
        return {it.name: (tar.extractfile(it) or io.BytesIO()).read() for it in tar}


def services(directory: Path) -> Any:
    """What Rancher makes of a release's two files."""
    files = uploaded(StackSession(directory))
    found = yaml.safe_load(files[COMPOSE])["services"]
    for name, keys in yaml.safe_load(files[FILE])["services"].items():
        found[name].update(keys)
    return found


def findings(directory: Path) -> list[Finding]:
    session = StackSession(directory)
    return Rancher1().check(session.stack, session.destination)


def set_services(directory: Path, text: str) -> None:
    """Replace the setting by one in a line."""
    made_older(directory)
    (directory / FILE).unlink()
    invoke = directory / INVOKE
    invoke.write_text(f"{invoke.read_text()}\n  services: {text}\n")


def test_rancher_gets_what_it_got_from_older_templates(directory: Path) -> None:
    today = services(directory)
    made_older(directory)
    assert today == services(directory)


def test_a_stack_with_a_file_of_its_own_is_uploaded_as_it_is(directory: Path) -> None:
    made_older(directory)
    assert uploaded(StackSession(directory))[FILE].decode() == RANCHER


def test_what_a_file_says_wins_and_the_setting_adds_the_rest(directory: Path) -> None:
    own = "version: '2'\nservices:\n  web: {scale: 3, metadata: {a: '{{`{{b}}`}} ${WEB_PORT}'}}\n"
    (directory / FILE).write_text(own)
    web = services(directory)["web"]
    assert (web["scale"], web["health_check"]["port"]) == (3, 8080)
    text = uploaded(StackSession(directory))[FILE].decode()
    assert text.startswith("# notemplating\n"), "or Rancher would fill in {{b}}"
    assert "{{b}} ${WEB_PORT}" in text
    (found,) = findings(directory)
    assert (found.rule, found.where, found.severity) == ("service-twice", f"{FILE}:3", "warning")
    assert found.remedy == "remove it here, or spinstack.services.web.scale from invoke.yaml"


def test_a_connection_is_enough_without_a_path(directory: Path) -> None:
    set_services(directory, "{web: {health: {port: 8080, start_within: 90, interval: 5}}}")
    check = services(directory)["web"]["health_check"]
    assert "request_line" not in check
    assert (check["initializing_timeout"], check["interval"]) == (90_000, 5000)
    session = StackSession(directory)
    found = (session.platform.health_checks(session.stack) or {})["web"]
    assert (found.port, found.request) == ("8080", "")
    assert found.where == "invoke.yaml, spinstack.services.web.health"


def test_without_the_setting_there_is_no_file(directory: Path) -> None:
    set_services(directory, "{}")
    assert FILE not in uploaded(StackSession(directory))


def test_what_is_uploaded_is_shown(directory: Path) -> None:
    session = StackSession(directory)
    shown = session.platform.rendered(session.stack, session.destination)
    assert f"# {FILE}\n" in shown
    assert "initializing_timeout: 60000" in shown
    assert shown.count("retain_ip: true") == 1, "of app, which web has to find"
