"""A real PostgreSQL and a real Redis, added by `invoke add`, on a real Kubernetes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.cluster import Cluster

from . import database
from .database import NAME, SECRET, NoteBook
from .kube_stage import TO, KubeStage, kube_person

pytestmark = pytest.mark.real("engine", "registry", "root", "uv")

OWNER = 999


def load_images(cluster: Cluster, place: Path) -> None:
    """Onto the node, which reaches no registry but the tests'."""
    archive = place / "images.tar"
    names = database.make_images()
    subprocess.run(["docker", "save", "--output", str(archive), *names], check=True)
    cluster.load(archive)
    archive.unlink()


def offer(made: KubeStage, service: str, owner: int) -> Path:
    """A directory of the node as a volume, in place of what provides them; the next claim of the
    namespace's class gets it."""
    place = made.storage / service
    place.mkdir(mode=0o755)
    os.chown(place, owner, owner)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{made.namespace.name}-{service}"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": made.namespace.name,
            "hostPath": {"path": str(place), "type": "Directory"},
        },
    }
    made.cluster.admin.apply(volume)
    return place


def set_storage_class(made: KubeStage, name: str) -> None:
    path = made.stack / "invoke.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["spinstack"]["destinations"]["kube"]["kubernetes"]["storage_class"] = name
    path.write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def fresh(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeStage]:
    root = tmp_path_factory.mktemp("kube-notes")
    load_images(cluster, root)
    with kube_person(cluster, root, NAME, "wsgi") as made:
        yield made
        names = [f"{made.namespace.name}-{service}" for service in ("db", "kv")]
        cluster.admin.run("delete", "pv", *names, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def book(fresh: KubeStage, tmp_path_factory: pytest.TempPathFactory) -> NoteBook:
    """Up, after all that can be wrong with its volume at first was wrong: each time what is said
    is done."""
    made = NoteBook(fresh, fresh.stack, fresh.site, TO)
    made.write_files()
    fresh.set("healthy_within", 20)
    early = made.invoke("deploy")
    assert early.code == 1 and f"secret.create {SECRET}" in early.err, early
    assert f"invoke volume.create db.{NAME} --to kube" in early.err, early
    assert "deployment" not in fresh.kubectl("get", "deployments", "-o", "name")
    made.make_secrets(tmp_path_factory.mktemp("secrets"))
    made.make_volumes()
    unbound = made.invoke("deploy")
    assert unbound.code == 1 and "waits for its storage" in unbound.err, unbound
    assert "set storage_class" in unbound.err, unbound
    assert "Pending" in made.done("volume.list").out

    set_storage_class(fresh, fresh.namespace.name)
    made.done("stop", "--yes")
    for service in ("db", "kv"):
        made.done("volume.rm", service, "--yes")
    root_s = offer(fresh, "db", 0)
    made.done("volume.create", "db")
    offer(fresh, "kv", OWNER)
    made.done("volume.create", "kv")
    assert made.done("volume.list").out.count("Bound") == 2
    closed = made.invoke("deploy")
    assert closed.code == 1 and "may not write to its volume" in closed.err, closed
    assert "ask the centre to give it to that user" in closed.err, closed
    assert "kubectl\n" not in closed.err, "what makes ready for kubectl is none of the log's lines"

    os.chown(root_s, OWNER, OWNER)
    fresh.set("healthy_within", 120)
    made.done("restart", "--service", "db", "--yes")
    made.done("deploy")
    return made


def test_a_row_goes_through_all_that_is_done_to_its_stack(book: NoteBook) -> None:
    database.goes_through_all_that_is_done_to_it(book)


def test_redis_keeps_what_it_was_told(book: NoteBook) -> None:
    database.redis_keeps_what_it_was_told(book)


def test_a_saved_volume_brings_lost_rows_back(book: NoteBook, tmp_path: Path) -> None:
    before = book.notes()
    saved = tmp_path / "db.tar"
    book.done("volume.save", "db", str(saved))
    run = ("exec", "--service", "db", "--plain", "--command")
    book.done(*run, "psql -U postgres note_book -c 'DROP TABLE notes'")
    assert book.notes() == []
    loaded = book.done("volume.load", "db", str(saved), "--yes")
    assert "invoke restart --to kube --service db" in loaded.err
    book.done("restart", "--service", "db", "--yes")
    assert book.notes() == before != []
