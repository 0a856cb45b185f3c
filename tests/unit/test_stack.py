"""The model of a stack: files, variables, checks, releases."""

# ruff: noqa: E501 - a table of faults reads best with one fault a line

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.checks import stack
from spinstack.config import compose, env_file, settings
from spinstack.config import stack as config_stack
from spinstack.config.interpolation import interpolate
from spinstack.config.settings import Settings
from spinstack.errors import SpinstackError
from spinstack.platforms.rancher1 import files
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.remote import upload

COMPOSE = """\
version: '2'
services:
  app:
    image: ${APP_IMAGE}
    env_file: ./stack.env
    volumes:
      - ${STATIC_DIR}:/app/static:rw
      - ${DATA_DIR}/raw:/app/data:ro
    user: ${UID}:${GROUP_ID}
    cap_drop: [ALL]
  web:
    image: ${WEB_IMAGE}
    ports:
      - ${WEB_PORT}:8080
    volumes:
      - ./web/nginx.conf:/etc/nginx/conf.d/default.conf:ro
    user: ${UID}:${GROUP_ID}
    cap_drop: [ALL]
"""
RANCHER = """\
version: '2'
services:
  app:
    health_check: {port: 5000}
  web:
    health_check: {port: 8080}
"""
ENV = """\
# The group.
GROUP_ID=58102
WEB_PORT=60037
STATIC_DIR=output
DATA_DIR=/global/cfs/cdirs/desi/data
"""
IMAGES = {
    "APP_IMAGE": "registry.spin.nersc.gov/alice/uwsgi-demo:c-1",
    "WEB_IMAGE": "registry.spin.nersc.gov/alice/nginx-demo:c-2",
}


@pytest.fixture
def stack_settings(tmp_path: Path) -> Settings:
    """A small stack that is right in every way."""
    tmp_path = tmp_path / "demo"
    tmp_path.mkdir()
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / "rancher-compose.yml").write_text(RANCHER)
    (tmp_path / "stack.env").write_text(ENV)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "nginx.conf").write_text("server {}\n")
    values = {
        "stack": "demo",
        "destination": "dev",
        "user": "alice",
        "project_dir": "/global/cfs/cdirs/desi/demo",
        "images": {"app": {"context": "app", "name": "uwsgi-demo"}},
        "destinations": {
            "dev": {"environment": "dev-cattle"},
            "prod": {"environment": "prod-cattle", "env": {"WEB_PORT": "60038"}},
        },
    }
    return settings.load({"spinstack": values}, tmp_path)


def findings(of: Settings) -> list[str]:
    found = stack.check(
        of, of.destination(), config_stack.read(of, IMAGES, Rancher1.beside), Rancher1()
    )
    return [f"{finding.where} {finding.rule}" for finding in found]


def test_a_right_stack_has_no_findings(stack_settings: Settings) -> None:
    assert findings(stack_settings) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        ("docker-compose.yml", "version: '2'", "version: '3'", "docker-compose.yml:1 compose-version"),
        ("docker-compose.yml", "  web:\n", "  frontend:\n", "docker-compose.yml:11 service-name"),
        ("docker-compose.yml", "    cap_drop: [ALL]\n  web", "  web", "docker-compose.yml:3 cap-drop"),
        ("docker-compose.yml", "${UID}:", "${USERID}:", "docker-compose.yml:9 variable-unset"),
        ("docker-compose.yml", "${GROUP_ID}", "${GROUP_ID:-1}", "docker-compose.yml:9 variable-form"),
        ("docker-compose.yml", ":8080\n", ":80\n", "docker-compose.yml:14 port-inside"),
        ("docker-compose.yml", ":8080\n", ":8081\n", "rancher-compose.yml:6 health-port"),
        ("docker-compose.yml", "${WEB_IMAGE}", "nginx:latest", "docker-compose.yml:12 image-tag"),
        ("docker-compose.yml", "${WEB_IMAGE}", "quay.io/x:1", "docker-compose.yml:12 image-registry"),
        ("docker-compose.yml", "services:", "services: [", "docker-compose.yml:4 yaml"),
        ("docker-compose.yml", ":/app/static:rw", ":/app/static:rx", "docker-compose.yml:7 compose-value"),
        ("stack.env", "WEB_PORT=60037", "WEB_PORT=443", "stack.env:3 (WEB_PORT) port-reserved"),
        ("stack.env", "WEB_PORT=60037", "WEB_PORT=61000", "stack.env:3 (WEB_PORT) port-range"),
        ("stack.env", "WEB_PORT=60037", "WEB_PORT = 60037", "stack.env:3 env-line"),
        ("stack.env", "WEB_PORT=60037", 'WEB_PORT="60037"', "stack.env:3 env-quotes"),
        ("stack.env", "GROUP_ID=58102", "GROUP_ID=0", "stack.env:2 (GROUP_ID) numeric-id"),
        ("stack.env", "GROUP_ID=58102", "GROUP_ID=1\nGROUP_ID=2", "stack.env:3 env-twice"),
        ("stack.env", "STATIC_DIR=output", "STATIC_DIR=/global/homes/a/alice", "stack.env:4 (STATIC_DIR) path-mountable"),
        ("rancher-compose.yml", "  web:\n    health_check: {port: 8080}\n", "", "rancher-compose.yml:2 health-check"),
    ],
)  # fmt: skip
def test_a_fault_is_found_where_it_is(
    stack_settings: Settings, file: str, old: str, new: str, found: str
) -> None:
    path = stack_settings.directory / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert found in findings(stack_settings)


def test_a_service_gets_its_env_files_and_then_its_own_variables(stack_settings: Settings) -> None:
    (stack_settings.directory / "more.env").write_bytes(b"\xef\xbb\xbfA=1\r\nB=2\r\nALONE\r\n")
    path = stack_settings.directory / "docker-compose.yml"
    listed = "env_file: [./stack.env, ./more.env]\n    environment: {B: 12:30, C: 1e6, GROUP_ID: }"
    path.write_text(path.read_text().replace("env_file: ./stack.env", listed, 1))
    stack = config_stack.read(stack_settings, IMAGES, Rancher1.beside)
    found = stack.environment(stack.compose.services["app"], {"GROUP_ID": "58102", "X": "y"})
    assert found == {"A": "1", "B": "12:30", "C": "1e+06", "GROUP_ID": "58102", "X": "y"}
    assert findings(stack_settings) == ["docker-compose.yml:6 compose-text"]
    made = upload.make(stack, stack_settings.destination())
    with tarfile.open(fileobj=io.BytesIO(made.archive)) as tar:
        packed = tar.extractfile("more.env")
        assert packed is not None and packed.read().startswith(b"A=1")


def test_relative_directories_start_at_the_project_directory(stack_settings: Settings) -> None:
    text = files.rendered(
        config_stack.read(stack_settings, IMAGES, Rancher1.beside), stack_settings.destination()
    )
    assert "/global/cfs/cdirs/desi/demo/output:/app/static:rw" in text
    assert "/global/cfs/cdirs/desi/data/raw:/app/data:ro" in text
    assert "user: ${UID}:58102" in text, "the login node alone knows the uid"


def test_a_destination_may_have_a_port_of_its_own(stack_settings: Settings) -> None:
    read = config_stack.read(stack_settings, IMAGES, Rancher1.beside)
    assert "WEB_PORT=60037" in files.rendered(read, stack_settings.destination("dev"))
    assert "WEB_PORT=60038" in files.rendered(read, stack_settings.destination("prod"))


def test_a_missing_file_is_one_sentence(stack_settings: Settings) -> None:
    (stack_settings.directory / "stack.env").unlink()
    with pytest.raises(SpinstackError, match=r"stack\.env is missing"):
        config_stack.read(stack_settings, IMAGES, Rancher1.beside)


def test_the_same_files_make_the_same_release_at_any_time(stack_settings: Settings) -> None:
    read, to = (
        config_stack.read(stack_settings, IMAGES, Rancher1.beside),
        stack_settings.destination(),
    )
    first = upload.make(read, to, now=datetime(2025, 11, 3, 4, 5, 6, tzinfo=timezone.utc))
    (stack_settings.directory / "web" / "nginx.conf").touch()
    second = upload.make(read, to)
    assert first.id.startswith("20251103-040506-")
    assert upload.ID.fullmatch(first.id)
    assert first.archive == second.archive
    assert first.content == second.content
    other = replace(read, images={**IMAGES, "APP_IMAGE": "registry.spin.nersc.gov/a/b:2"})
    assert upload.make(other, to).content != first.content


def test_a_release_has_the_files_and_no_hidden_ones(stack_settings: Settings) -> None:
    directory = stack_settings.directory
    (directory / ".git").mkdir()
    (directory / ".git" / "config").write_text("secret")
    (directory / ".env").write_text("secret")
    (directory / "a file with 'quotes' and \n newline").write_text("x")
    made = upload.make(
        config_stack.read(stack_settings, IMAGES, Rancher1.beside), stack_settings.destination()
    )
    with tarfile.open(fileobj=io.BytesIO(made.archive)) as tar:
        names = tar.getnames()
        env = tar.extractfile("stack.env")
        assert env is not None
        text = env.read().decode()
    assert "web/nginx.conf" in names
    assert "a file with 'quotes' and \n newline" in names
    assert not [name for name in names if name.startswith(".")]
    assert "#" not in text, "Rancher's CLI would define a variable called '# …'"
    assert f"APP_IMAGE={IMAGES['APP_IMAGE']}" in text


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"])).filter(
            lambda v: v[:1] not in ("'", '"')
        ),
    )
)
def test_an_env_file_is_read_as_it_was_written(variables: dict[str, str]) -> None:
    read, wrong = env_file.parse(env_file.text(variables), "stack.env")
    assert not wrong
    assert {name: variable.value for name, variable in read.items()} == variables


@given(st.text())
def test_any_text_as_a_compose_file_gives_findings_and_no_exception(text: str) -> None:
    file = compose.parse(text, "docker-compose.yml")
    assert file.findings or file.services


@given(st.text(st.characters(exclude_characters="$")))
def test_text_without_a_dollar_is_not_touched(text: str) -> None:
    assert interpolate(text, {"A": "b"}) == text


def test_dollars() -> None:
    values = {"A": "b"}
    assert interpolate("$A ${A} $$A ${B}.", values) == "b b $A ."
