"""The kinds of stacks that are not Nightwatch's, on a real Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster

from .browser import colours, visit
from .guest import PICTURE, Guest
from .kube_stage import TO, KubeStage, kube_person
from .stage import ARTEFACTS

pytestmark = pytest.mark.real("engine", "registry", "root", "chromium")


@pytest.fixture(scope="module")
def book(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeStage]:
    root = tmp_path_factory.mktemp("kube-book")
    with kube_person(cluster, root, "guest-book", "wsgi") as made:
        assert made.done("deploy", *TO).out == f"{made.site}\n"
        yield made


@pytest.fixture(scope="module")
def pages(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeStage]:
    root = tmp_path_factory.mktemp("kube-pages")
    with kube_person(cluster, root, "my-pages", "static") as made:
        deployed = made.done("deploy", *TO)
        assert deployed.out == f"{made.site}\n"
        assert "there is no start page: index.html" in deployed.err
        yield made


def test_a_guest_signs_the_book_and_a_browser_shows_it(book: KubeStage) -> None:
    assert Guest(book.site).sign("Ann", "Clear skies", PICTURE).status == 303
    picture = ARTEFACTS / "guest-book-kubernetes.png"
    page = visit(book.site, picture, height=860)
    assert "Clear skies" in page.dom and not page.complaints
    assert colours(picture)["#e01020"] > 1000


def test_each_guest_sees_their_own_page_and_files_survive(book: KubeStage) -> None:
    ann = Guest(book.site)
    ann.sign("Ann", "before", PICTURE)
    book.done("restart", "--service", "app", "--yes", *TO)
    assert "Welcome back, Ann" in ann.get("/").text
    page = Guest(book.site).get("/").text
    assert "before" in page and "Welcome back" not in page
    assert list(book.kept.glob("*.png"))


def test_a_change_of_site_conf_makes_no_new_image(book: KubeStage) -> None:
    conf = book.stack / "web" / "site.conf"
    conf.write_text(conf.read_text().replace("client_max_body_size 20m", "client_max_body_size 1m"))
    told = book.done("deploy", *TO).err
    assert len(re.findall(r"✓ build .*already there", told)) == 2, told
    assert Guest(book.site).sign("Eve", "too much", bytes(2_000_000)).status == 413


def test_pages_of_a_directory(pages: KubeStage) -> None:
    assert Guest(pages.site).get("/").status == 404
    text = "<!doctype html><h1>My pages</h1><style>body{background:#123456}</style>"
    (pages.kept / "index.html").write_text(text)
    picture = ARTEFACTS / "pages-kubernetes.png"
    page = visit(pages.site, picture, height=400)
    assert "<h1>My pages</h1>" in page.dom and not page.complaints
    assert colours(picture)["#123456"] > 100_000
