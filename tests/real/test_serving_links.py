"""What is no page of the static tree is not sent, whatever leads to it; links within it are
followed. In real nginx and uWSGI."""

from __future__ import annotations

import os
import socket

import pytest

from tests.real.serving import EXPOSURE, NIGHT, Site, all_are, eventually, site

__all__ = ["site"]
pytestmark = pytest.mark.real("engine")


def test_what_is_hidden_or_leads_away_is_not_sent(site: Site, monkeypatch: pytest.MonkeyPatch):
    (site.directory / ".half.html").write_text("half")
    (site.lab.project / "secret.html").write_text("nobody may read this")
    made = {
        "away.html": "../../../../secret.html",
        # What the container has.
        "passwd.html": "/etc/passwd",
        "two.html": "passwd.html",
        "etc": "/etc",
        "up": "../../..",
        "circle.html": "circle.html",
        "nowhere.html": "missing.html",
    }
    for name, target in made.items():
        (site.directory / name).symlink_to(target)
    os.mkfifo(site.directory / "pipe.html")
    os.mkfifo(site.directory / "sibling.html.gz")
    # The whole path may be longer than a socket's may be.
    monkeypatch.chdir(site.directory)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket.html")
    paths = [".half.html", *made, "etc/passwd", "up/etc/passwd", "pipe.html", "socket.html"]
    paths += ["../../../../secret.html", "%2e%2e/secret", "a%0d%0aX-File:%20/etc/passwd"]
    for name in paths:
        for encoding in ("identity", "gzip"):
            answer = site.get(f"/{NIGHT}/{EXPOSURE}/{name}", Accept_Encoding=encoding)
            assert answer.status in (400, 404), name
            assert "nobody" not in answer.text and "root:" not in answer.text
    assert site.get(site.write("sibling.html", "its own"), Accept_Encoding="gzip").text == "its own"


def test_links_that_stay_in_the_tree_are_sent_by_nginx_like_other_pages(site: Site):
    summary = f"qa-summary-{EXPOSURE}.html"
    (site.directory / "near.html").symlink_to(summary)
    (site.directory / "far.html").symlink_to(f"../{EXPOSURE}/near.html")
    (site.lab.static / "latest").symlink_to(NIGHT)
    (site.lab.static / "absolute").symlink_to(f"/srv/static/{NIGHT}")
    near = f"/{NIGHT}/{EXPOSURE}/near.html"
    paths = [near, f"/{NIGHT}/{EXPOSURE}/far.html", f"/latest/{EXPOSURE}/{summary}"]
    paths += [f"/absolute/{EXPOSURE}/far.html"]
    for text in ("the summary", "the summary, rewritten " * 100):
        site.write(summary, text, 50 if text == "the summary" else 20)
        site.docker("pause", site.app)
        try:
            for path in paths:
                for ask in ({"Accept_Encoding": "identity"}, {"Accept_Encoding": "gzip"}):
                    assert eventually(
                        lambda p=path, a=ask, t=text: all_are(site, p, t.__eq__, **a), within=6
                    ), path
        finally:
            site.docker("unpause", site.app)
    whole = site.get(near)
    assert site.get(near, If_None_Match=whole.headers["ETag"]).status == 304
    assert site.get(near, Range="bytes=4-10").text == "summary"
    assert 'near.html" failed' not in site.lab.logs(f"{site.lab.name}-web")
