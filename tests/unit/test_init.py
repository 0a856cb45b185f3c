"""`spinstack init`: compose files as people have them become stacks, or findings with a remedy."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack.checks import mend
from spinstack.errors import SpinstackError, UsageError
from spinstack.images import engine
from spinstack.platforms.rancher1.files import release_files as files_of_rancher
from spinstack.remote import upload
from spinstack.rules import centre, names
from spinstack.rules import finding as rules_finding
from spinstack.rules.finding import Finding
from spinstack.session import Session
from spinstack.setup import adopt, fixes, offer
from spinstack.tasks import ns
from tests.baking import bake
from tests.unit.newer_template import change
from tests.unit.stack_session import StackSession

SHAPES = Path(__file__).parent / "compose_shapes"
NEW = {"invoke.yaml", "tasks.py"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No engine, and no settings of a person."""

    def none(*_: object) -> None:
        raise SpinstackError("no engine")

    monkeypatch.setattr(engine, "find", none)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def copied(name: str) -> Path:
        directory = Path(shutil.copytree(SHAPES / name, tmp_path / name))
        monkeypatch.chdir(directory)
        return directory

    return copied


def init(*, dry: bool = False, **options: Any) -> int:
    """What the task does in the current directory: its exit code."""
    try:
        ns["init"].body(Context(Config(overrides={"run": {"dry": dry}})), **options)
    except Exit as ended:
        return ended.code
    return 0


def files(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def made(directory: Path) -> Session:
    return offer.made(Context(), directory, adopt.look(directory))


def findings(directory: Path) -> list[Finding]:
    return offer.checked(made(directory)).findings


@pytest.mark.parametrize("name", sorted(path.name for path in SHAPES.iterdir()))
def test_two_files_are_added_and_what_stands_against_the_others_is_told(
    name: str, shape: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = shape(name)
    before = files(directory)
    assert init() == 1
    told = capsys.readouterr().out
    assert told.count("  fix: ") == len(findings(directory)) > 2
    after = files(directory)
    assert after.keys() - before.keys() == NEW
    assert {key: after[key] for key in before} == before
    assert init() == 1 and files(directory) == after


def test_a_dry_run_shows_the_files_and_writes_none(
    shape: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = shape("blocks")
    before = files(directory)
    assert init(dry=True) == 0
    assert "compose_file: compose.yaml" in capsys.readouterr().out
    assert files(directory) == before


def test_what_is_found_becomes_settings(
    shape: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = shape("blocks")
    init()
    told = capsys.readouterr().err
    assert "target: below build: of api is not taken over" in told
    assert "DB_PASSWORD in .env looks like a secret" in told
    settings = yaml.safe_load((directory / "invoke.yaml").read_text())["spinstack"]
    assert settings["compose_file"] == "compose.yaml" and settings["env_file"] == ".env"
    api = {"context": "./api", "name": "measurements-api", "dockerfile": "Dockerfile.prod"}
    assert settings["images"]["api"] == api and settings["stack"] == "measurements"
    assert settings["build_args"] == {"VERSION": "1.2"}
    session = StackSession(directory)
    spec = session.image_spec(session.settings.images[0])
    assert spec.dockerfile_path == directory / "api" / "Dockerfile.prod"


def test_arguments_of_builds_that_are_secret_or_differ_are_left_to_the_person(
    tmp_path: Path,
) -> None:
    (tmp_path / "compose.yaml").write_text("""\
services:
  one:
    build:
      context: one
      args: {API_TOKEN: hunter2, HASH: '${DB_PASSWORD:-hunter2}', BASE: a, SAME: s, OTHER: x, A: 1}
  two: {build: {context: two, args: {SAME: s, OTHER: y}}}
""")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("ARG BASE=b SAME\nFROM $BASE\n")
    found = adopt.look(tmp_path)
    assert found.build_args == {"SAME": "s", "A": "1"}
    written = adopt.written(found)["invoke.yaml"]
    assert "hunter2" not in written + "".join(found.notes)
    for name in ("API_TOKEN of one", "HASH of one", "BASE of one and two", "OTHER of one and two"):
        assert any(f"the argument {name} is not taken over" in note for note in found.notes)


def test_the_names_that_are_given_are_taken(shape: Callable[[str], Path]) -> None:
    directory = shape("several")
    init(name="results", env_file="worker.env")
    settings = yaml.safe_load((directory / "invoke.yaml").read_text())["spinstack"]
    assert (settings["stack"], settings["env_file"]) == ("results", "worker.env")
    # A word of YAML's.
    (directory / "invoke.yaml").unlink()
    init(name="on", env_file="worker.env")
    settings = yaml.safe_load((directory / "invoke.yaml").read_text())["spinstack"]
    assert settings["stack"] == "on"


def test_an_option_that_the_settings_contradict_is_refused(shape: Callable[[str], Path]) -> None:
    directory = shape("several")
    (directory / "other.yml").write_text((directory / "docker-compose.yml").read_text())
    init()
    with pytest.raises(UsageError, match=r"has compose_file: docker-compose\.yml, not other\.yml"):
        init(compose_file="other.yml")
    init(compose_file="docker-compose.yml", name="several")


def test_other_compose_files_and_builds_from_elsewhere_are_told(
    shape: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    shape("archive")
    init()
    told = capsys.readouterr()
    assert "Compose merges docker-compose.override.yml into docker-compose.yaml" in told.out
    assert "--output stack.yml" in told.out
    assert "build: of remote is not taken over" in told.err and "build: of old" in told.err


def test_fixes_are_offered_one_by_one(shape: Callable[[str], Path]) -> None:
    directory = shape("blocks")
    session = made(directory)
    asked: list[Finding] = []

    def check() -> list[Finding]:
        session.__dict__.pop("stack", None)
        return offer.checked(session).findings

    def ask(finding: Finding) -> bool:
        asked.append(finding)
        return finding.rule != "cap-drop"

    done = offer.one_by_one(directory, check, ask)
    assert len(done) == len([it for it in asked if it.rule != "cap-drop"])
    assert {it.rule for it in check()} & mend.OFFERED.keys() == {"cap-drop"}
    text = (directory / "compose.yaml").read_text()
    assert "x-common: &common" in text and "# What newer formats have" in text
    api, front, _ = yaml.safe_load(text)["services"].values()
    assert api["image"] == "${API_IMAGE}" and "build" not in api
    assert api["env_file"] == ["api.env", "local.env"] and api["deploy"] == {"replicas": 2}
    assert front["image"] == "${FRONT_IMAGE}" and front["ports"] == ["${PORT}:80"]
    assert front["volumes"] == ["./front/site.conf:/etc/nginx/conf.d/default.conf:ro"]


def test_what_comes_after_a_build_stays() -> None:
    text = """\
services:
  web:
    build:
      context: .
      target: >-
        last
    user: '1:2'
    image: >-
      nginx
    read_only: true
"""
    inline = text.replace("target: >-", "dockerfile_inline: |")
    assert mend.build(inline, 3) == inline
    assert (
        mend.build(text, 3)
        == """\
services:
  web:
    image: ${WEB_IMAGE}
    user: '1:2'
    read_only: true
"""
    )


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("    ports: [{target: 80, published: 8080}]\n", "    ports: ['8080:80']\n"),
        (
            "    ports:\n      - published: 8080\n        target: 80\n      - 1:2\n",
            "    ports:\n      - '8080:80'\n      - 1:2\n",
        ),
        ("    ports:\n      - target: 80\n", "    ports:\n      - target: 80\n"),
        (
            "    volumes: [{type: bind, source: d, target: /d, bind: {}}]\n",
            "    volumes: ['./d:/d']\n",
        ),
        *(
            (f"    {item}\n", f"    {item}\n")
            for item in (
                "volumes: [{type: volume, source: d, target: /d, volume: {subpath: x}}]",
                "ports: [{target: 80, published: 8080, host_ip: 127.0.0.1}]",
                "env_file: [{path: a.env, format: raw}]",
            )
        ),
    ],
)
def test_an_item_becomes_short_where_nothing_is_missing(long: str, short: str) -> None:
    head = "services:\n  web:\n"
    line = 3 if "[" in long else 4
    assert mend.short_form(head + long, line) == head + short


def test_the_stack_of_the_tutorial_is_valid_once_all_is_followed(
    shape: Callable[[str], Path],
) -> None:
    directory = shape("tutorial")
    session = made(directory)

    def check() -> list[Finding]:
        session.__dict__.pop("stack", None)
        return offer.checked(session).findings

    offer.one_by_one(directory, check, lambda finding: True)
    assert "PAGES_DIR=survey/output\n" in (directory / "pages.env").read_text()
    left = rules_finding.errors(check())
    expected = ["image-tag", "image-tag", "mount-missing", "numeric-id"]
    assert [it.rule for it in left] == expected
    compose = directory / "docker-compose.yml"
    for _ in range(2):
        change(compose, ":latest", ":2024.1")
    change(compose, "proxy.conf", "nginx.conf")
    change(compose, "- nginx\n", "- '4711'\n")
    change(directory / "invoke.yaml", "your-project/your-nersc-name", "desi/users/alice")
    change(directory / "invoke.yaml", "user: your-nersc-name", "user: alice")
    # Now that nginx's file is found, what it forwards to is known.
    offer.one_by_one(directory, check, lambda _: True, lambda it: fixes.offered(session, it))
    assert rules_finding.errors(findings(directory)) == []


def test_an_env_file_that_is_hidden_or_missing_is_part_of_a_release(
    shape: Callable[[str], Path], tmp_path: Path
) -> None:
    hidden = shape("blocks")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "compose.yml").write_text("services: {web: {image: 'nginx:1.28', user: '${UID}:1'}}\n")
    for directory, expected in ((hidden, "PORT=8080"), (bare, "")):
        made(directory)
        session = StackSession(directory)
        session.settings.raw["namespace"] = "alice"
        release = upload.make(session.stack, session.destination)
        with tarfile.open(fileobj=io.BytesIO(release.archive)) as packed:
            member = packed.extractfile(session.settings.env_file)
            assert member and expected in member.read().decode()
    # Nothing but the version of the format, which can be fixed.
    left = rules_finding.errors(findings(bare))
    assert [it.rule for it in left] == ["compose-version", "cap-drop"]


NOTES = """\
# The group's notes.
name: notes
x-common: &common
  restart: unless-stopped
  env_file: settings.env
services:
  web:
    <<: *common
    build: ./web  # nginx
    ports: ["8080:80"]
    depends_on: [app]
  app:
    <<: *common
    build: {context: ./app, args: [PYTHON_IMAGE=python:3.12]}
    environment:
      TITLE: ${TITLE:-Notes of the group}
    volumes:
      - notes:/data
volumes:
  notes:
"""


def notes(directory: Path) -> None:
    """A compose file as many are: with builds, defaults, a volume, a port below 1024."""
    (directory / "compose.yaml").write_text(NOTES)
    (directory / "settings.env").write_text("MOTTO=clear skies\n")
    for name in ("web", "app"):
        (directory / name).mkdir()
        (directory / name / "Dockerfile").write_text("FROM debian:12\n")
    (directory / "app" / "Dockerfile").write_text("ARG PYTHON_IMAGE\nFROM debian:12\n")
    conf = "server { listen 80; location / { proxy_pass http://app:5000; } }\n"
    (directory / "web" / "default.conf").write_text(conf)


def test_a_usual_compose_file_is_without_errors_once_all_fixes_are_taken(tmp_path: Path) -> None:
    notes(tmp_path)
    session = made(tmp_path)

    def check() -> list[Finding]:
        session.__dict__.pop("stack", None)
        return offer.checked(session).findings

    def beyond(finding: Finding) -> dict[str, str]:
        return fixes.offered(session, finding)

    offer.one_by_one(tmp_path, check, lambda finding: True, beyond)
    assert rules_finding.errors(check()) == []
    text = (tmp_path / "compose.yaml").read_text()
    assert "image: ${WEB_IMAGE}  # nginx\n" in text and "- app.notes:/data\n" in text
    written = yaml.safe_load(text)["services"]
    assert written["web"]["cap_drop"] == ["ALL"] and "NET_BIND_SERVICE" in written["web"]["cap_add"]
    assert (tmp_path / "settings.env").read_text().endswith("\nTITLE=Notes of the group\n")
    settings = yaml.safe_load((tmp_path / "invoke.yaml").read_text())["spinstack"]
    assert (settings["stack"], settings["build_args"]) == ("notes", {"PYTHON_IMAGE": "python:3.12"})


def test_rancher_gets_a_compose_file_of_another_name_as_the_one_that_it_looks_for(
    tmp_path: Path,
) -> None:
    notes(tmp_path)
    made(tmp_path)
    session = StackSession(tmp_path)
    sent = files_of_rancher(session.stack)
    assert sent["docker-compose.yml"].decode() == NOTES


def test_what_compose_would_read_besides_is_found(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(
        "include: [other.yml]\nservices: {web: {image: 'nginx:1.28'}}\n"
    )
    (tmp_path / "compose.override.yaml").write_text("services: {}\n")
    found = {it.where: it for it in findings(tmp_path) if it.rule == "compose-merge"}
    assert found.keys() == {"docker-compose.yml:1", "compose.override.yaml"}
    assert found["docker-compose.yml:1"].severity == "error"
    assert all("docker compose config" in it.remedy for it in found.values())
    # As Compose writes it.
    (tmp_path / "stack.yml").write_text("services: {web: {image: 'nginx:1.28'}}\n")
    change(
        tmp_path / "invoke.yaml", "  destination: r", "  compose_file: stack.yml\n  destination: r"
    )
    assert not [it for it in findings(tmp_path) if it.rule == "compose-merge"]


@pytest.mark.parametrize("name", ["./stack.env", "stack.env"])
def test_a_release_has_the_env_file_once_however_it_is_written(tmp_path: Path, name: str) -> None:
    stack = bake(tmp_path, nersc_user="alice")
    session = StackSession(stack)
    release = upload.make(replace(session.stack, env_name=name), session.destination)
    with tarfile.open(fileobj=io.BytesIO(release.archive)) as packed:
        assert [it for it in packed.getnames() if it.endswith("stack.env")] == ["stack.env"]
        member = packed.extractfile("stack.env")
        assert member and "WEB_IMAGE=" in member.read().decode()


@pytest.mark.parametrize("name", ["../shared.env", "/etc/shared.env", "web/../../x.env"])
def test_a_release_has_nothing_from_outside_of_it(tmp_path: Path, name: str) -> None:
    session = StackSession(bake(tmp_path, nersc_user="alice"))
    with pytest.raises(SpinstackError, match="outside of the stack's directory"):
        upload.make(replace(session.stack, env_name=name), session.destination)


def test_an_env_file_that_is_to_be_copied_says_from_where(shape: Callable[[str], Path]) -> None:
    directory = shape("tutorial")
    (directory / "pages.env").rename(directory / "pages.env.template")
    with pytest.raises(SpinstackError, match=r"pages\.env is missing") as refused:
        init()
    assert "cp pages.env.template pages.env" in refused.value.remedy


def test_without_a_compose_file_or_with_other_settings_nothing_is_added(
    shape: Callable[[str], Path], tmp_path: Path
) -> None:
    directory = shape("tutorial")
    (directory / "invoke.yaml").write_text("run: {echo: true}\n")
    before = files(directory)
    with pytest.raises(UsageError, match="no settings of a stack"):
        init()
    assert files(directory) == before
    (directory / "docker-compose.yml").unlink()
    with pytest.raises(UsageError, match="no compose file"):
        init()


@pytest.mark.parametrize("text", ["services: [web]\n", "services:\n  web: {\n", "", "{{ x }}\n"])
def test_a_compose_file_that_is_none_is_a_finding(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert init() == 1
    assert rules_finding.errors(findings(tmp_path))


@pytest.mark.parametrize(
    ("directory", "name"),
    [("2048", "stack-2048"), ("My Site", "my-site"), ("ü", "stack"), ("x" * 80, "x" * 63)],
)
def test_a_stack_is_named_after_its_directory_as_far_as_it_can_be(
    tmp_path: Path, directory: str, name: str
) -> None:
    place = tmp_path / directory
    place.mkdir()
    (place / "compose.yaml").write_text("services: {web: {image: 'nginx:1.27.1'}}\n")
    found = adopt.look(place)
    assert found.stack == name
    assert not names.stack_name(name, centre.load())
