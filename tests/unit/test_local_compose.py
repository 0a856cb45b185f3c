"""The compose file of a local run: what of the stack's own stays, goes, is filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spinstack.config import compose
from spinstack.config.stack import Stack, further_env_files
from spinstack.local import mounts
from spinstack.local.compose_file import Derived, derive
from spinstack.platforms.rancher1.platform import Rancher1
from tests.unit.stack_session import StackSession, baked

VALUES = {
    "APP_IMAGE": "r.example/a/app:1",
    "WEB_IMAGE": "r.example/a/web:1",
    "GROUP_ID": "58102",
    "WEB_PORT": "60037",
    **{name: f"/here/{name.lower()}" for name in mounts.SAMPLE},
}

OWN = Rancher1().own_keys()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return StackSession(baked(tmp_path_factory.mktemp("local"))).stack


@pytest.fixture(scope="module")
def services(stack: Stack) -> Any:
    return yaml.safe_load(derive(stack, VALUES, own=OWN, uid=1234).text())["services"]


def made(tmp_path: Path, service: str, **values: str) -> dict[str, Any]:
    """The derived service `web` of a compose file with only that one."""
    text = f"version: '2'\nservices:\n  web:\n    image: x\n{service}"
    file = compose.parse(text, "c.yml")
    more_env, _ = further_env_files(file, "stack.env", tmp_path)
    stack = Stack("s", tmp_path, file, {}, {}, "stack.env", {}, more_env=more_env)
    found: dict[str, Any] = derive(stack, values, own=OWN, uid=1).data["services"]["web"]
    return found


def test_the_services_keep_what_spin_gives_them(services: Any) -> None:
    for service in services.values():
        assert service["user"] == "1234:58102"
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
    modes = {volume.split(":")[1]: volume.split(":")[2] for volume in services["app"]["volumes"]}
    assert modes == {
        "/app/static": "rw",
        "/app/data": "ro",
        "/app/nightwatch": "ro",
        "/app/desimodel": "ro",
        "/app/desiutil": "ro",
    }


def test_what_only_rancher_knows_is_left_out_and_told(tmp_path: Path) -> None:
    text = "version: '2'\nservices:\n  app: {image: x, retain_ip: true}\n"
    stack = Stack("s", tmp_path, compose.parse(text, "c.yml"), {}, {}, "stack.env", {})
    derived = derive(stack, {}, own=OWN, uid=1)
    assert "retain_ip" not in derived.data["services"]["app"]
    assert derived.left_out == ["app: retain_ip"]


def test_the_site_is_published_on_this_machine_alone(stack: Stack, services: Any) -> None:
    assert services["web"]["ports"] == ["127.0.0.1:60037:8080/tcp"]
    other = derive(stack, VALUES, own=OWN, uid=1, port=8081)
    assert other.data["services"]["web"]["ports"] == ["127.0.0.1:8081:8080/tcp"]
    assert other.outside == "127.0.0.1:8081"


def test_files_of_the_stack_are_mounted_from_its_directory(stack: Stack, services: Any) -> None:
    conf = stack.directory / "web/site.conf"
    assert f"{conf}:/etc/nginx/site.conf:ro" in services["web"]["volumes"]


def test_a_changed_mounted_file_makes_another_container(stack: Stack, services: Any) -> None:
    conf = stack.directory / "web/site.conf"
    before = conf.read_text()
    conf.write_text(before + "# changed\n")
    after = derive(stack, VALUES, own=OWN, uid=1234).data["services"]
    conf.write_text(before)
    assert after["web"]["labels"] != services["web"]["labels"]
    assert after["app"].get("labels") == services["app"].get("labels")


def test_containers_get_the_variables_of_the_env_file(services: Any) -> None:
    assert services["app"]["environment"]["STATIC_DIR"] == "/here/static_dir"


def test_environment_wins_over_env_file(tmp_path: Path) -> None:
    (tmp_path / "more.env").write_text("A=1\nB=2\n")
    service = "    env_file: [more.env]\n    environment: [A=9, GIVEN, ABSENT]\n"
    found = made(tmp_path, service, GIVEN="here")["environment"]
    assert found == {"A": "9", "B": "2", "GIVEN": "here"}


def test_labels_of_rancher_go_others_stay(tmp_path: Path) -> None:
    service = "    labels: {io.rancher.container.pull_image: always, mine: true}\n"
    assert made(tmp_path, service)["labels"] == {"mine": "true"}


def test_volumes_lose_drivers_that_exist_at_rancher_only(tmp_path: Path) -> None:
    text = "services: {db: {image: x}}\nvolumes: {db.s: {driver: rancher-nfs, external: true}}\n"
    file = compose.parse(text, "c.yml")
    more_env, _ = further_env_files(file, "stack.env", tmp_path)
    stack = Stack("s", tmp_path, file, {}, {}, "stack.env", {}, more_env=more_env)
    assert derive(stack, {}, own=OWN, uid=1).data["volumes"] == {"db.s": {}}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])))
def test_compose_fills_in_nothing_more(text: str) -> None:
    """Whatever a value holds, compose reads it back as it was: `$$` is its dollar sign."""
    shown = Derived({"services": {"web": {"command": [text]}}}).text()
    read = yaml.safe_load(shown)["services"]["web"]["command"][0]
    assert read.count("$") == 2 * text.count("$")
    assert read.replace("$$", "$") == text


def test_directories_that_are_here_are_used_and_others_replaced(tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.mkdir()
    session = StackSession(baked(tmp_path, data_dir="/global/cfs/cdirs/desi/no/such"))
    env = session.directory / "stack.env"
    env.write_text(env.read_text().replace("nightwatchtest/output", str(own)))
    cache = tmp_path / "cache"
    sources = mounts.sources(session.stack, session.destination, cache)
    found = {source.name: source for source in sources}
    assert (found["STATIC_DIR"].kind, found["STATIC_DIR"].path) == ("own", own)
    assert found["DATA_DIR"].kind == "sample"
    assert found["DATA_DIR"].path == cache / "nightwatchtest/data/output"


def test_a_mount_that_the_sample_lacks_is_empty_and_told(tmp_path: Path) -> None:
    session = StackSession(baked(tmp_path))
    text = (session.directory / "docker-compose.yml").read_text()
    more = "      - /global/cfs/cdirs/desi/more:/app/more:ro\n    # Numbers"
    (session.directory / "docker-compose.yml").write_text(text.replace("    # Numbers", more))
    cache = tmp_path / "cache"
    found = mounts.sources(session.stack, session.destination, cache)
    # With the sample, which gives the whole directory away.
    for _ in range(2):
        mounts.prepare(found, cache, (1234, 1234))
    (empty,) = [source for source in found if source.kind == "empty"]
    assert list(empty.path.iterdir()) == []
    assert "not on this machine, left empty: /global/cfs/cdirs/desi/more" in mounts.told(found)
