"""A real PostgreSQL and a real Redis, added by `invoke add`, on the rehearsal of Rancher 1."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import database
from .database import NAME, SECRET, NoteBook
from .stage import Stage

pytestmark = pytest.mark.real("engine", "registry", "uv")

# None that other tests publish.
PORT = 60047


@pytest.fixture(scope="module")
def book(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NoteBook]:
    database.make_images()
    stack = stage.bake(NAME, PORT, "wsgi")
    made = NoteBook(stage, stack, f"http://{stage.rehearsal['node_address']}:{PORT}/")
    made.write_files()
    made.done("setup")
    early = made.invoke("deploy")
    assert early.code == 1 and f"secret.create {SECRET}" in early.err, early
    assert f"invoke volume.create db.{NAME}" in early.err and not stage.containers(NAME), early
    made.make_volumes()
    made.make_secrets(tmp_path_factory.mktemp("secrets"))
    made.done("deploy")
    yield made
    made.done("rm", "--yes")
    for service in ("db", "kv"):
        made.done("volume.rm", f"{service}.{NAME}", "--yes")
        made.done("secret.rm", "password", "--service", service, "--yes")
    shutil.rmtree(stack)


def test_a_row_goes_through_all_that_is_done_to_its_stack(book: NoteBook) -> None:
    database.goes_through_all_that_is_done_to_it(book)


def test_redis_keeps_what_it_was_told(book: NoteBook) -> None:
    database.redis_keeps_what_it_was_told(book)


def test_a_volume_is_saved_and_it_is_said_how_it_is_restored(
    book: NoteBook, tmp_path: Path
) -> None:
    book.notes()
    saved = tmp_path / "db.tar"
    book.done("volume.save", "db", str(saved))
    with tarfile.open(saved) as archive:
        assert "./pgdata/PG_VERSION" in archive.getnames()
    refused = book.invoke("volume.load", "db", str(saved), "--yes")
    assert refused.code == 2 and "tar -xpf" in refused.err, refused


def test_a_dump_brings_the_rows_back(book: NoteBook, tmp_path: Path) -> None:
    """As the how-to page has it."""
    before = book.notes()
    run = ("exec", "--service", "db", "--plain", "--command")
    dumped = tmp_path / "notes.sql"
    dumped.write_text(book.done(*run, "pg_dump -U postgres --clean --if-exists note_book").out)
    book.done(*run, "psql -U postgres note_book -c 'DELETE FROM notes'")
    assert book.notes() == []
    restore = "psql -U postgres -v ON_ERROR_STOP=1 -1 note_book"
    book.done(*run, restore, "--input", str(dumped))
    assert book.notes() == before


def test_a_volume_of_somebody_else_s_is_explained_and_what_ran_is_back(book: NoteBook) -> None:
    before = book.notes()
    compose = book.stack / "docker-compose.yml"
    text = compose.read_text()
    book.change("db", "user", "1234:1234")
    failed = book.invoke("deploy")
    compose.write_text(text)
    assert failed.code == 1, failed
    assert "may not write to its volume" in failed.err, failed
    assert "give it to that user" in failed.err, failed
    assert book.notes() == before
