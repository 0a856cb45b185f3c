"""Secrets and volumes that containers can't start without: looked for before a deploy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spinstack.checks import names
from spinstack.config import settings, stack
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.tasks import ship
from spinstack.tasks.prepare import add
from tests.unit.kube_desk import Desk, desk, directory, node
from tests.unit.kube_node import KubeNode, Refused
from tests.unit.kube_record import orders
from tests.unit.stack_session import StackSession, baked, run
from tests.unit.test_check_there import look
from tests.unit.test_check_there import node as answering

__all__ = ["desk", "directory", "node"]

SECRET, VOLUME = "db.demo.password", "db.demo"
NEEDS = f"""\
    secrets: [{SECRET}]
    volumes: ['{VOLUME}:/data']
volumes: {{{VOLUME}: {{external: true}}}}
secrets: {{{SECRET}: {{external: true}}}}
"""


@pytest.fixture
def needy(directory: Path) -> Path:
    """A stack of which web needs a secret and a volume."""
    compose = directory / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("    volumes: [", NEEDS + "# ["))
    return compose


def test_what_is_missing_is_said_before_anything_is_touched(
    desk: Desk, node: KubeNode, needy: Path
) -> None:
    node.kept = {"secrets": (), "persistentvolumeclaims": ()}
    error = desk.fails(ship.deploy)
    assert error.what.startswith("2 problems with what the containers need; fix them first")
    assert f"run `invoke secret.create {SECRET} --to dev`, with its value" in error.details
    assert f"run `invoke volume.create {VOLUME} --to dev`" in error.details
    assert not orders(node)
    node.kept = {"secrets": (SECRET,), "persistentvolumeclaims": (VOLUME,)}
    desk.types(ship.deploy)


def test_what_the_platform_does_not_say_keeps_nobody_from_a_deploy(
    desk: Desk, node: KubeNode, needy: Path
) -> None:
    def refuse(line: str) -> None:
        if line.startswith(("get secrets", "get persistentvolumeclaims")):
            raise Refused("Error from server (Forbidden): secrets is forbidden: not you")

    node.before = refuse
    desk.types(ship.deploy)


def test_what_own_objects_may_make_is_not_looked_for(tmp_path: Path) -> None:
    made = baked(tmp_path, kind="wsgi", stack_name="book")
    run(add, StackSession(made), what="postgres")
    (made / "kubernetes").mkdir()
    (made / "kubernetes" / "sealed.yaml").write_text(
        "kind: SealedSecret\nmetadata:\n  name: db.book.password\n"
    )
    session = StackSession(made)
    needed = names.brought(session.stack, session.destination)
    assert {kind: list(found) for kind, found in needed.items()} == {
        "secret": [],
        "volume": ["db.book"],
    }


@pytest.mark.parametrize(
    ("listed", "rules"),
    [
        (("", 0), ["secret-missing", "volume-missing"]),
        (('time="" level=error msg="401 Unauthorized"\n', 0), []),
        (("", 1), []),
    ],
)
def test_check_names_what_rancher_lacks(
    listed: tuple[str, int], rules: list[str], tmp_path: Path
) -> None:
    made = baked(tmp_path, kind="wsgi", stack_name="book")
    run(add, StackSession(made), what="postgres")
    loaded = settings.load(yaml.safe_load((made / "invoke.yaml").read_text()), made)
    images = {"APP_IMAGE": "registry.nersc.gov/a/app:1", "WEB_IMAGE": "registry.nersc.gov/a/web:1"}
    read = stack.read(loaded, images, Rancher1.beside)
    there = answering(secrets=listed, volumes=listed)
    found = look((loaded.destination("dev"), read), there)
    kept = [one for one in found if one.rule in ("secret-missing", "volume-missing")]
    assert [one.rule for one in kept] == rules
    assert all(one.where.startswith("docker-compose.yml:") for one in kept)
