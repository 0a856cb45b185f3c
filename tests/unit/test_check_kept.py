"""Secrets and volumes that containers can't start without: looked for before a deploy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spinstack.checks import names
from spinstack.config import settings, stack
from spinstack.deploy import images
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
    desk: Desk, node: KubeNode, needy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.kept = {"secrets": (), "persistentvolumeclaims": ()}
    with monkeypatch.context() as patched:
        # Nobody waits ten minutes for images to hear it.
        patched.setattr(images.ImageWork, "wait", lambda work: pytest.fail("waited for images"))
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


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("kind: SealedSecret\nmetadata:\n  name: db.book.password\n", True),
        ("spec: {target: {name: db.book.password}}\nmetadata: {name: other}\n", True),
        ("secretGenerator:\n- name: db.book.password\n", True),
        ("kind: Deployment\nspec: {secretKeyRef: {name: db.book.password}}\n", False),
        ("a: [\n", False),
    ],
)
def test_what_own_objects_make_is_not_looked_for(tmp_path: Path, text: str, made: bool) -> None:
    book = baked(tmp_path, kind="wsgi", stack_name="book")
    run(add, StackSession(book), what="postgres")
    (book / "kubernetes").mkdir()
    (book / "kubernetes" / "own.yaml").write_text(text)
    (book / "kubernetes" / "gone.yaml").symlink_to("nowhere")
    for to, expected in (("development", made), ("dev", False)):
        session = StackSession(book, to=to)
        needed = names.brought(session.stack, session.destination)
        assert list(needed["secret"]) == ([] if expected else ["db.book.password"])
        assert list(needed["volume"]) == ["db.book"]


def test_a_secret_of_a_file_is_looked_for_in_a_cluster_which_makes_none(tmp_path: Path) -> None:
    book = baked(tmp_path, kind="wsgi", stack_name="book")
    run(add, StackSession(book), what="postgres")
    compose = book / "docker-compose.yml"
    written = "db.book.password: {external: true}"
    assert written in compose.read_text()
    compose.write_text(compose.read_text().replace(written, "db.book.password: {file: ./key}"))
    for to, looked_for in (("development", True), ("dev", False)):
        session = StackSession(book, to=to)
        needed = names.brought(session.stack, session.destination)
        assert bool(needed["secret"]) == looked_for


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
    built = {"APP_IMAGE": "registry.nersc.gov/a/app:1", "WEB_IMAGE": "registry.nersc.gov/a/web:1"}
    read = stack.read(loaded, built, Rancher1.beside)
    there = answering(secrets=listed, volumes=listed)
    found = look((loaded.destination("dev"), read), there)
    kept = [one for one in found if one.rule in ("secret-missing", "volume-missing")]
    assert [one.rule for one in kept] == rules
    assert all(one.where.startswith("docker-compose.yml:") for one in kept)
