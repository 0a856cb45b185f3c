"""`invoke check --fix`: what is mended, and what stays as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spinstack.checks import mend
from spinstack.config import compose, env_file
from spinstack.rules.finding import Finding
from spinstack.template import record
from tests.unit import stack_session
from tests.unit.older_stack import made_older
from tests.unit.test_check_laptop import check, replaced

COMPOSE, ENV = "docker-compose.yml", "stack.env"


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stack_session.baked(tmp_path_factory.mktemp("baked"))


@pytest.fixture
def directory(baked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(baked, tmp_path / baked.name))


def test_everything_that_can_be_mended_is_and_comments_stay(directory: Path) -> None:
    made_older(directory)
    compose_file, env, start = (directory / name for name in (COMPOSE, ENV, "web/start.sh"))
    before = {path: path.read_text() for path in (compose_file, env, start)}
    replaced(compose_file, "version: '2'\n", "")
    replaced(compose_file, "    cap_drop:\n      - ALL\n", "")
    replaced(directory / "rancher-compose.yml", "version: '2'", "version: 3 # newer")
    replaced(env, "WEB_PORT=60037", "export WEB_PORT = '60037' ")
    start.write_bytes(start.read_bytes().replace(b"\n", b"\r\n"))
    start.chmod(0o754)
    env.chmod(0o640)

    mended = mend.mend(directory, check(directory))

    assert {finding.rule for finding in mended} == set(mend.MENDERS) - {"env-quotes"}
    assert check(directory) == []
    assert env.read_text() == before[env]
    assert start.read_text() == before[start]
    assert (start.stat().st_mode & 0o777, env.stat().st_mode & 0o777) == (0o754, 0o640)
    comments = [line for line in before[compose_file].splitlines() if line.lstrip()[:1] == "#"]
    assert [c for c in compose_file.read_text().splitlines() if c.lstrip()[:1] == "#"] == comments
    assert "version: '2' # newer" in (directory / "rancher-compose.yml").read_text()
    hidden = {path.name for path in directory.rglob(".*")}
    assert hidden == {".gitignore", ".dockerignore", *record.FILES}


def test_a_second_time_nothing_is_touched(directory: Path) -> None:
    env = directory / ENV
    replaced(env, "WEB_PORT=60037", "WEB_PORT='60037'")
    assert mend.mend(directory, check(directory))
    stamp = env.stat()
    assert mend.mend(directory, check(directory)) == []
    assert (env.stat().st_ino, env.stat().st_mtime_ns) == (stamp.st_ino, stamp.st_mtime_ns)


def test_a_dry_run_tells_and_writes_nothing(directory: Path) -> None:
    replaced(directory / ENV, "WEB_PORT=60037", "WEB_PORT='60037'")
    text = (directory / ENV).read_text()
    assert [f.rule for f in mend.mend(directory, check(directory), dry=True)] == ["env-quotes"]
    assert (directory / ENV).read_text() == text


def test_what_needs_a_decision_stays(directory: Path) -> None:
    replaced(directory / COMPOSE, ":/app/data:ro", ":/app/data")
    replaced(directory / COMPOSE, "    read_only: true", "    privileged: true")
    text = (directory / COMPOSE).read_text()
    assert mend.mend(directory, check(directory)) == []
    assert (directory / COMPOSE).read_text() == text


def test_a_link_stays_a_link(directory: Path, tmp_path: Path) -> None:
    replaced(directory / ENV, "WEB_PORT=60037", "WEB_PORT='60037'")
    (directory / ENV).rename(tmp_path / "shared.env")
    (directory / ENV).symlink_to(tmp_path / "shared.env")
    assert mend.mend(directory, check(directory))
    assert (directory / ENV).is_symlink()
    assert "WEB_PORT=60037\n" in (tmp_path / "shared.env").read_text()


@pytest.mark.parametrize(
    "service",
    [
        "{image: x}",
        "{image: x, cap_drop: []}",
        "\n    # about the image\n    image: x\n    # at the end\n",
        "\n      image: x\n      cap_drop: [CHOWN]  # why\n",
        "\n    cap_drop:\n      - CHOWN\n      - KILL\n    image: x\n",
        "\n    cap_drop:\n    image: x\n",
    ],
)
def test_cap_drop_is_put_in_however_the_service_is_written(service: str) -> None:
    text = f"services:\n  app: {service}\n  web: {{image: y}}\n"
    before = yaml.safe_load(text)
    file = compose.parse(text, COMPOSE)
    where = file.where("services", "app", "cap_drop")
    mended = mend.cap_drop(text, int(where.rpartition(":")[2]))
    after = yaml.safe_load(mended)
    dropped = after["services"]["app"].pop("cap_drop")
    others = before["services"]["app"].pop("cap_drop", None) or []
    assert dropped == ["ALL", *others]
    assert after == before
    assert text.count("#") == mended.count("#")


@given(st.text())
def test_menders_leave_alone_what_they_do_not_understand(text: str) -> None:
    for mender in (mend.cap_drop, mend.compose_version):
        mended = mender(text, 1)
        if mended != text:
            assert compose.parse(text, "x").data or yaml.safe_load(mended) is not None
    assert "\r\n" not in mend.line_ends(text, 1)


@given(st.text(st.characters(exclude_characters="\n\r")))
def test_a_mended_line_needs_no_mending(line: str) -> None:
    once = env_file.mended(line)
    assert env_file.mended(once) == once


def test_a_finding_without_a_line_is_not_touched(directory: Path) -> None:
    assert mend.mend(directory, [Finding("cap-drop", "service app", "x", "y")]) == []


@pytest.mark.parametrize(
    ("service", "more"),
    [
        ("image: x", True),
        ("image: x, volumes: ['data:/data']", True),
        # With these it may be neither root nor have more than nothing.
        ("image: x, volumes: ['/global/cfs:/data']", False),
        ("image: x, user: '1:1'", False),
        ("image: x, cap_add: [KILL]", False),
    ],
)
def test_root_gets_back_what_it_does_in_most_images_where_it_may_be_root(
    service: str, more: bool
) -> None:
    text = f"version: '2'\nservices:\n  app: {{{service}}}\n"
    mended = yaml.safe_load(mend.cap_drop(text, 3))["services"]["app"]
    assert mended["cap_drop"] == ["ALL"]
    assert ("NET_BIND_SERVICE" in mended.get("cap_add", [])) == more
