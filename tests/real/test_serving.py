"""The site as visitors feel it, in real nginx and uWSGI: what is there is sent whatever app
does, and what is made is made once."""

from __future__ import annotations

import gzip
import os
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.real.serving import (
    BIG,
    EXPOSURE,
    NIGHT,
    SLOW,
    Answer,
    Site,
    all_are,
    clients,
    eventually,
    image,
    meanwhile,
    site,
    spectra,
)

__all__ = ["site"]
pytestmark = pytest.mark.real("engine")


# ---- What is there


def test_the_addresses_of_pages(site: Site):
    start = site.get("/")
    assert (start.status, start.headers["Location"]) == (302, "nights.html")
    assert site.get(f"/{NIGHT}/").text == "the exposures"
    for exposure in ("123", "0123", EXPOSURE):
        assert site.get(f"/{NIGHT}/{exposure}/").text == "the summary"
    for missing in (f"/{NIGHT}/124/", f"/{NIGHT}/000000123/", "/20240103/", "/missing.html"):
        assert site.get(missing).status in (400, 404)
    assert site.get(f"/{NIGHT}/{EXPOSURE}/", method="HEAD").body == b""
    assert site.get("/nights.html", method="POST").status == 405


def test_a_healthy_start_says_nothing_to_wonder_about(site: Site):
    lines = site.lab.logs(f"{site.lab.name}-web").splitlines()
    # nginx may have asked for /readyz before the application listened.
    told = [line for line in lines if line[0] != "{" and "connect() failed (111" not in line]
    assert told == []


def test_unchanged_pages_are_not_sent_again_and_parts_can_be_asked_for(site: Site):
    address = site.write("static.html", "0123456789" * 1000)
    for encoding in ("identity", "gzip"):
        first = site.get(address, Accept_Encoding=encoding)
        assert first.headers["Cache-Control"] == "no-cache"
        assert first.headers["Vary"] == "Accept-Encoding"
        again = site.get(address, Accept_Encoding=encoding, If_None_Match=first.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        part = site.get(address, Accept_Encoding=encoding, Range="bytes=10-14")
        assert (part.status, part.body) == (206, b"01234")
    since = site.get(address, If_Modified_Since=first.headers["Last-Modified"])
    assert since.status == 304


def test_a_page_is_compressed_once_for_each_version(site: Site):
    ask = {"Accept_Encoding": "gzip, br"}
    for age, version in ((200, "first"), (100, "second")):
        text = f"<p>{version}</p>" * 20_000
        address = site.write("packed.html", text, age)
        assert eventually(lambda a=address, t=text: all_are(site, a, t.__eq__, **ask), within=6)
        answers = site.get_all([address] * 20, **ask)
        assert {answer.text for answer in answers} == {text}
        assert all(len(answer.body) < len(text) / 3 for answer in answers)
        assert {answer.headers["X-Cache"] for answer in answers} == {"HIT"}
        assert site.get(address, Accept_Encoding="gzip;q=0").body == text.encode()
    seen = Counter(line["cache"] for line in site.log() if address in str(line["request"]))
    assert seen["MISS"] == 2


def test_a_compressed_sibling_is_sent_unless_it_is_older_than_its_page(site: Site):
    def all_see(begin: str) -> bool:
        """Whether it begins so for all who take gzip, whichever worker they come to."""
        return all_are(site, address, lambda text: text[:7] == begin, Accept_Encoding="gzip")

    def sibling(text: str, age: float) -> None:
        path = site.directory / "ahead.html.gz"
        path.write_bytes(gzip.compress(text.encode()))
        made = time.time() - age
        os.utime(path, (made, made))

    # What the sibling says is another text, so that one sees where an answer is from.
    sibling("sibling" * 500, 300)
    address = site.write("ahead.html", "page v1" * 500, 300)
    assert all_see("sibling")
    assert site.get(address, Accept_Encoding="identity").text[:7] == "page v1"
    # The page is rewritten, the sibling stays: within seconds the new page, and so from then on.
    site.write("ahead.html", "page v2" * 500, 200)
    assert eventually(lambda: all_see("page v2"), within=6)
    assert all_see("page v2")
    # Both are.
    sibling("renewed" * 500, 90)
    site.write("ahead.html", "page v3" * 500, 100)
    assert eventually(lambda: all_see("renewed"), within=6)
    # The sibling is removed, or may not be read: the page itself, when it has changed.
    (site.directory / "ahead.html.gz").unlink()
    site.write("ahead.html", "page v4" * 500, 80)
    assert eventually(lambda: all_see("page v4"), within=6)
    sibling("private" * 500, 0)
    (site.directory / "ahead.html.gz").chmod(0)
    site.write("ahead.html", "page v5" * 500, 60)
    assert eventually(lambda: all_see("page v5"), within=6)


def test_a_page_that_is_rewritten_within_a_second_to_the_same_size(site: Site):
    """Nothing but the text tells the two apart: neither time nor size, so neither does ETag."""
    now = int(time.time())
    first, second = "<p>one</p>" * 5000, "<p>two</p>" * 5000
    address = site.write("twice.html", first, written=now)
    told = site.get(address, Accept_Encoding="gzip").headers["ETag"]
    site.write("twice.html", second, written=now)
    for encoding in ("identity", "gzip"):
        ask = {"Accept_Encoding": encoding}
        assert eventually(lambda h=ask: all_are(site, address, second.__eq__, **h), within=9)
    assert site.get(address, Accept_Encoding="gzip", If_None_Match=told).text == second


def test_a_page_that_is_written_in_place_is_seen_within_seconds(site: Site):
    """As nightwatch writes: under its own name, in pieces."""
    address = site.write("live.html", "<p>old</p>" * 1000)
    text = "<p>new</p>" * 20_000
    for encoding in ("identity", "gzip"):
        site.get(address, Accept_Encoding=encoding)
    with (site.directory / "live.html").open("w") as page:
        for start in range(0, len(text), 20_000):
            page.write(text[start : start + 20_000])
            page.flush()
            site.get(address, Accept_Encoding="gzip")
            time.sleep(0.05)
    for encoding in ("identity", "gzip"):
        ask = {"Accept_Encoding": encoding}
        assert eventually(lambda h=ask: all_are(site, address, text.__eq__, **h), within=9)


def test_a_page_that_is_rewritten_while_it_is_read_arrives_whole(site: Site):
    versions = iter(range(10**6))
    length = {"a": 300_000, "b": 200_000}

    def rewrite() -> None:
        letter = "ab"[next(versions) % 2]
        site.write("busy.html", letter * length[letter])
        time.sleep(0.01)

    rewrite()
    address = f"/{NIGHT}/{EXPOSURE}/busy.html"
    seen = Counter()
    with meanwhile(rewrite):
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for encoding in ("identity", "gzip"):
                text = site.get(address, Accept_Encoding=encoding).text
                assert text == text[0] * length[text[0]]
                seen[text[0]] += 1
    assert min(seen["a"], seen["b"]) > 0
    site.write("busy.html", "the last")
    last = time.monotonic()
    for encoding in ("identity", "gzip"):
        assert eventually(
            lambda e=encoding: site.get(address, Accept_Encoding=e).text == "the last"
        )
    assert time.monotonic() - last < 10


# ---- What is made


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_hundred_askers_of_one_missing_page(site: Site, encoding: str):
    site.pages_take(1)
    factor = 8 if encoding == "gzip" else 9
    for address in (image(factor), spectra(factor)):
        before = site.made()
        answers = site.get_all([address] * 100, Accept_Encoding=encoding)
        assert {answer.status for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert (site.made() - before).total() == 1


def test_a_redirect_that_is_kept_has_nothing_of_the_visitor_before(site: Site):
    address = f"/{NIGHT}"
    for encoding in ("identity", "gzip"):
        own = site.get(f"{address}?session=SECRET", Accept_Encoding=encoding)
        next_one = site.get(address, Accept_Encoding=encoding)
        assert (own.status, next_one.status) == (308, 308)
        assert next_one.headers["Location"] == f"http://127.0.0.1:{site.port}{address}/"
    proxied = site.get(address, Host="site.example.org", X_Forwarded_Proto="https, http")
    assert proxied.headers["Location"] == f"https://site.example.org{address}/"
    # Without a host, there is none to be led to.
    for more in ("", "X-Forwarded-Port: 1234\r\n", "X-Forwarded-Proto: https\r\n"):
        assert f"\nLocation: {address}/\r" in _without_host(site, address, more)


def _without_host(site: Site, path: str, headers: str) -> str:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as visitor:
        visitor.sendall(f"GET {path} HTTP/1.0\r\n{headers}\r\n".encode())
        return visitor.makefile("rb").read().decode()


def test_more_pages_than_can_be_made_at_a_time(site: Site):
    """The others are told to wait; nothing that takes no time waits for them."""
    site.pages_take(3)
    alone = sorted(site.get("/nights.html").seconds for _ in range(50))[-2]
    with ThreadPoolExecutor(24) as visitors:
        asked = [visitors.submit(site.get, spectra(1000 + number)) for number in range(24)]
        time.sleep(1)
        static = [site.get("/nights.html").seconds for _ in range(50)]
        quick = [site.get(f"/{NIGHT}/{number}/") for number in range(500, 510)]
    assert sorted(static)[-2] < max(0.2, 5 * alone)
    assert {answer.status for answer in quick} == {404}
    assert max(answer.seconds for answer in quick) < SLOW
    answers = [answer.result() for answer in asked]
    assert {answer.status for answer in answers} == {200, 503}
    for answer in answers:
        if answer.status == 503:
            assert answer.seconds < SLOW
            assert answer.headers["Retry-After"] == "5"
            assert 'http-equiv="refresh"' in answer.text
            assert answer.headers["Cache-Control"] == "no-store"
    # Who tries again gets it.
    told = [number for number, answer in enumerate(answers) if answer.status == 503]
    site.pages_take(0)
    assert site.get(spectra(1000 + told[0])).status == 200


def test_a_hot_page_is_made_seldom_and_not_at_all_too_old(site: Site):
    site.pages_take(0)
    address = spectra(77)
    before = site.made()
    began = time.monotonic()
    states: Counter[str] = Counter()
    while time.monotonic() < began + 3 or states.total() < 20:
        states[site.get(address).headers["X-Cache"]] += 1
    made, seconds = (site.made() - before).total(), time.monotonic() - began
    # Good for a second, however often it is asked for, and whatever the machine is able to.
    assert 2 <= made <= seconds + 2
    assert states["MISS"] + states["STALE"] + states["EXPIRED"] <= made + 1
    assert states["HIT"] > 0
    for encoding in ("identity", "gzip"):
        told = site.get(address, Accept_Encoding=encoding).headers["ETag"]
        again = site.get(address, Accept_Encoding=encoding, If_None_Match=told)
        assert (again.status, again.body) == (304, b"")


def test_nobody_notices_that_a_worker_is_killed(site: Site):
    site.pages_take(0.05)
    workers = "cat /proc/[0-9]*/stat | awk '$4 == 1 && /uwsgi/ {print $1}'"
    answers: list[Answer] = []
    numbers = iter(range(2000, 10**6))
    with meanwhile(lambda: answers.append(site.get(spectra(next(numbers))))):
        for _ in range(3):
            time.sleep(0.7)
            site.in_app(f"kill -9 $({workers} | head -1)")
        time.sleep(0.7)
    assert len(answers) > 10
    assert {answer.status for answer in answers} == {200}


def test_workers_are_replaced_without_anybody_noticing(site: Site):
    # So slowly that one visitor may ask for that many.
    site.pages_take(0.1)
    made_anew = spectra(29_999)
    assert "shiny" not in site.get(made_anew).text

    def workers() -> set[int]:
        return {worker["pid"] for worker in site.workers()}

    before, answers = workers(), []
    assert len(before) >= 2
    numbers = iter(range(30_000, 10**6))
    with meanwhile(lambda: answers.append(site.get(spectra(next(numbers))).status)):
        site.change_nightwatch("view", "shiny")
        site.in_app("echo c > /tmp/uwsgi-commands")
        assert eventually(lambda: not before & workers())
    assert set(answers) == {200}
    # They have read nightwatch's code anew.
    assert eventually(lambda: "shiny" in site.get(made_anew).text)


def test_slow_readers_of_pages_that_are_made_hold_no_worker(site: Site):
    site.pages_take(0)
    before = site.made()
    with ExitStack() as readers:
        for number in range(4):
            sent = f"GET {spectra(BIG + number)} HTTP/1.1\r\nHost: site\r\n\r\n".encode()
            readers.enter_context(clients(site, 1, sent))
        assert eventually(lambda: (site.made() - before).total() == 4)
        assert eventually(lambda: all(worker["status"] == "idle" for worker in site.workers()))
