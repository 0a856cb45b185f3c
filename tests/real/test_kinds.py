"""The kinds of stacks that are not Nightwatch's, from the template to a page in the browser, on the
rehearsal of Rancher 1."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .browser import colours, visit
from .guest import PICTURE, Guest
from .stage import ARTEFACTS, Stage

pytestmark = pytest.mark.real("engine", "registry")

# None that other tests publish.
BOOK_PORT, PAGES_PORT = 60045, 60046


@dataclass(frozen=True)
class Made:
    """A stack of a kind: its directory, its address, its mounted directory there, and what the
    first deploy said."""

    stage: Stage
    stack: Path
    address: str
    files: Path
    told: str

    def deploy(self) -> str:
        """What it said to a person."""
        return self.stage.done("deploy", at=self.stack).err


def made(stage: Stage, kind: str, name: str, port: int) -> Iterator[Made]:
    stack = stage.bake(name, port, kind)
    assert stage.done("check", at=stack).err == ""
    stage.done("setup", at=stack)
    deployed = stage.done("deploy", at=stack)
    files = stage.file_systems / "global/cfs/cdirs/desi/demo" / f"{name}-files"
    yield Made(stage, stack, deployed.last_line, files, deployed.err)
    stage.done("rm", "--yes", at=stack)
    shutil.rmtree(stack)
    shutil.rmtree(files)


@pytest.fixture(scope="module")
def book(stage: Stage) -> Iterator[Made]:
    yield from made(stage, "wsgi", "guest-book", BOOK_PORT)


@pytest.fixture(scope="module")
def pages(stage: Stage) -> Iterator[Made]:
    yield from made(stage, "static", "my-pages", PAGES_PORT)


# ---- An application


@pytest.mark.real("chromium")
def test_a_guest_signs_the_book_and_a_browser_shows_it(book: Made) -> None:
    guest = Guest(book.address)
    signed = guest.sign("Ann", "Clear skies & a full moon", PICTURE)
    assert (signed.status, signed.headers["Location"]) == (303, "/")
    page = visit(book.address, ARTEFACTS / "guest-book.png", height=860)
    assert "Clear skies &amp; a full moon" in page.dom and not page.complaints
    # The picture that was sent up, and the style sheet of the image.
    shown = colours(ARTEFACTS / "guest-book.png")
    assert shown["#e01020"] > 1000 and shown["#eef3f9"] > 1000


def test_what_is_kept_is_in_the_mounted_directory_and_survives_a_deploy(book: Made) -> None:
    Guest(book.address).sign("Bob", "before", PICTURE)
    code = book.stack / "app" / "guestbook.py"
    code.write_text(code.read_text() + "\n# Changed.\n")
    book.deploy()
    assert "before" in Guest(book.address).get("/").text
    assert list(book.files.glob("*.png")) and (book.files / ".book.jsonl").exists()


def test_each_guest_sees_their_own_page(book: Made) -> None:
    ann, bob = Guest(book.address), Guest(book.address)
    ann.sign("Ann", "one")
    assert "Welcome back, Ann" in ann.get("/").text
    for _ in range(3):
        assert "Welcome back" not in bob.get("/").text
    bob.sign("Bob", "two")
    assert "Welcome back, Bob" in bob.get("/").text
    assert "Welcome back, Ann" in ann.get("/").text


def test_only_what_is_public_is_kept_for_others(book: Made) -> None:
    caches = [Guest(book.address).get(path).headers["X-Cache"] for path in ("/", "/")]
    assert "HIT" not in caches
    Guest(book.address).get("/entries.json")
    public = Guest(book.address).get("/entries.json")
    assert (public.headers["X-Cache"], public.headers["Cache-Control"]) == (
        *("HIT", "public, max-age=10"),
    )
    # With another query, it is another answer.
    assert Guest(book.address).get("/entries.json?a").headers["X-Cache"] == "MISS"


def test_what_must_not_be_seen_or_sent(book: Made) -> None:
    guest = Guest(book.address)
    guest.sign("Ann", "a line")
    for path in ("/files/.book.jsonl", "/files/", "/files/%2e%2e/%2e%2e/etc/passwd", "/no/such"):
        assert guest.get(path).status in (400, 404), path
    assert guest.sign("Eve", "a page", b"<script>alert(1)</script>").status == 415
    assert guest.sign("Eve", "too much", bytes(21_000_000)).status == 413


def test_an_application_below_a_prefix(book: Made) -> None:
    """As site.conf says: a deploy, and no new image."""
    conf = book.stack / "web" / "site.conf"
    before = conf.read_text()
    lines = before.split("\n")
    ours = [line.replace("#   ", "") for line in lines if "#   location" in line]
    at = [number for number, line in enumerate(lines) if line.startswith("    location ")]
    lines[at[0] : at[-1] + 1] = ours
    conf.write_text("\n".join(lines))
    told = book.deploy()
    try:
        assert len(re.findall(r"✓ build .*already there", told)) == 2, told
        guest = Guest(book.address)
        assert guest.get("/").headers["Location"].endswith("/mine/")
        assert guest.sign("Ann", "prefixed", PICTURE, at="/mine").headers["Location"] == "/mine/"
        page = guest.get("/mine/").text
        assert "prefixed" in page and 'href="/mine/static/style.css"' in page
        picture = page.split('src="')[1].split('"')[0]
        assert guest.get(picture).body == PICTURE
        assert guest.get("/mine/static/style.css").status == 200
        assert guest.get("/sign").status == 404
    finally:
        conf.write_text(before)
        book.deploy()


# ---- Pages


@pytest.mark.real("chromium")
def test_pages_of_a_directory(pages: Made) -> None:
    assert "there is no start page: index.html" in pages.told
    assert Guest(pages.address).get("/").status == 404
    (pages.files / "plots").mkdir()
    (pages.files / "index.html").write_text(
        "<!doctype html><title>Mine</title><h1>My pages</h1><a href=plots>plots</a>"
        "<style>body{background:#123456}</style>"
    )
    (pages.files / "plots" / "index.html").write_text("<h1>Plots</h1>" * 500)
    page = visit(pages.address, ARTEFACTS / "pages.png", height=400)
    assert "<h1>My pages</h1>" in page.dom and not page.complaints
    assert colours(ARTEFACTS / "pages.png")["#123456"] > 100_000
    guest = Guest(pages.address)
    assert guest.get("/plots").headers["Location"] == f"{pages.address}plots/"
    assert guest.get("/plots/", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
    assert guest.get("/plots/").text == "<h1>Plots</h1>" * 500
    assert guest.get("/no/such.html").status == 404
    assert guest.post("/", b"x").status == 405
