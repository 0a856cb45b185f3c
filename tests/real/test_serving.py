"""The site as visitors feel it, in real nginx and uWSGI: what is there is sent whatever app
does, what is made is made once, and what fails is told."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.lab import GID, UID, Lab, laboratory

pytestmark = pytest.mark.real("engine")

NIGHT, EXPOSURE = "20240102", "00000123"
# In the tests' own night: what the stand-in for nightwatch is told, and what it has made.
SECONDS, MADE = "seconds", ".made"
# As a visitor would call it slow, on a machine that does other things too. Seconds.
SLOW = 2.0

# Makes pages of 100 kB, as slowly as a file among the data says.
NIGHTWATCH = f'''
import pathlib, time

def make(data, what):
    time.sleep(float((pathlib.Path(data) / "{SECONDS}").read_text()))
    with open("/app/static/{NIGHT}/{MADE}", "a") as log:
        log.write(what + "\\n")
    return "<html>" + what * (100_000 // len(what)) + "</html>"
'''
SPECTRA = f"""
from nightwatch.webpages.make import make

def get_spectra_html(data, night, expid, view, frame, downsample, select=None):
    return make("/app/data/{NIGHT}", f"{{expid}} {{view}} {{downsample}} {{select}} ")
"""
PLOTIMAGE = f"""
from nightwatch.webpages.make import make

def write_image_html(input, output, downsample, night):
    with open(output, "w") as file:
        file.write(make("/app/data/{NIGHT}", f"image {{downsample}} "))
"""
TIMESERIES = "def generate_timeseries_html(*arguments):\n    return '<p>'\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        packed = self.headers["Content-Encoding"] == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()


@dataclass
class Site:
    """A running stack; `page`, in the static tree, is written by the tests."""

    lab: Lab
    port: int

    @property
    def directory(self) -> Path:
        return self.lab.static / NIGHT / EXPOSURE

    def get(self, path: str, within: float = 30, method: str = "GET", **headers: str) -> Answer:
        """The whole answer; raises OSError or HTTPException where there is none."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=within)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return Answer(answer.status, answer.headers, body, time.monotonic() - started)

    def get_all(self, paths: list[str], **headers: str) -> list[Answer]:
        """The answers to all of them, asked for at the same time."""
        with ThreadPoolExecutor(len(paths)) as visitors:
            return list(visitors.map(lambda path: self.get(path, **headers), paths))

    def write(self, name: str, text: str) -> str:
        """Replaces a page in one step, as batch jobs do; returns its address."""
        half = self.directory / f".{name}.half"
        half.write_text(text)
        half.replace(self.directory / name)
        return f"/{NIGHT}/{EXPOSURE}/{name}"

    def pages_take(self, seconds: float) -> None:
        (self.lab.data / NIGHT / SECONDS).write_text(str(seconds))

    def made(self) -> Counter[str]:
        log = self.lab.static / NIGHT / MADE
        return Counter(log.read_text().splitlines()) if log.exists() else Counter()

    def docker(self, *words: str) -> str:
        return self.lab.docker(*words)

    @property
    def app(self) -> str:
        return f"{self.lab.name}-app"

    def in_app(self, command: str) -> str:
        return self.docker("exec", self.app, "sh", "-c", command)

    def log(self) -> list[dict[str, object]]:
        """web's access log so far; it is written within a tenth of a second."""
        time.sleep(0.5)
        lines = self.docker("logs", f"{self.lab.name}-web").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def spectra(selection: int | str, exposure: int = 123) -> str:
    return f"/{NIGHT}/{exposure}/spectra/input/{selection}/qframe/4x/"


def image(downsample: int) -> str:
    return f"/{NIGHT}/{EXPOSURE}/preproc-b0-{EXPOSURE}-{downsample}x.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with laboratory(tmp_path_factory.mktemp("serving")) as lab:
        for root in (lab.static, lab.data):
            (root / NIGHT / EXPOSURE).mkdir(parents=True)
        (lab.data / NIGHT / EXPOSURE / f"preproc-b0-{EXPOSURE}.fits").write_text("SIMPLE")
        webpages = lab.project / "nightwatch/py/nightwatch/webpages"
        for name, text in (
            ("make", NIGHTWATCH),
            ("spectra", SPECTRA),
            ("plotimage", PLOTIMAGE),
            ("timeseries", TIMESERIES),
        ):
            (webpages / f"{name}.py").write_text(text)
        lab.start("app")
        lab.start("web")
        made = Site(lab, lab.port())
        made.pages_take(0)
        made.write(f"qa-summary-{EXPOSURE}.html", "the summary")
        (lab.static / NIGHT / "exposures.html").write_text("the exposures")
        if os.geteuid() == 0:
            for place in (lab.static / NIGHT, lab.static / NIGHT / EXPOSURE):
                os.chown(place, UID, GID)
        lab.wait_for("/readyz", 200)
        yield made


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Does it again and again in another thread, which has to go well."""
    done = threading.Event()

    def again() -> None:
        while not done.is_set():
            act()

    with ThreadPoolExecutor(1) as other:
        acting = other.submit(again)
        try:
            yield
        finally:
            done.set()
        acting.result()


def eventually(condition: Callable[[], bool], within: float = 20) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


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


def test_what_is_hidden_or_leads_away_is_not_sent(site: Site):
    (site.directory / ".half.html").write_text("half")
    (site.lab.project / "secret.html").write_text("nobody may read this")
    (site.directory / "away.html").symlink_to("../../../../secret.html")
    (site.directory / "near.html").symlink_to(f"qa-summary-{EXPOSURE}.html")
    for name in (".half.html", "away.html", "../../../../secret.html", "%2e%2e/secret"):
        for encoding in ("identity", "gzip"):
            answer = site.get(f"/{NIGHT}/{EXPOSURE}/{name}", Accept_Encoding=encoding)
            assert answer.status in (400, 404), name
            assert "nobody" not in answer.text
    assert site.get(f"/{NIGHT}/{EXPOSURE}/near.html").text == "the summary"


def test_a_page_is_compressed_once_for_each_version(site: Site):
    for version in ("first", "second"):
        text = f"<p>{version}</p>" * 20_000
        address = site.write("packed.html", text)
        assert eventually(lambda a=address, t=text: site.get(a, Accept_Encoding="gzip").text == t)
        answers = site.get_all([address] * 20, Accept_Encoding="gzip, br")
        assert {answer.text for answer in answers} == {text}
        assert all(len(answer.body) < len(text) / 3 for answer in answers)
        assert {answer.headers["X-Cache"] for answer in answers} == {"HIT"}
        assert site.get(address, Accept_Encoding="gzip;q=0").body == text.encode()
    seen = Counter(line["cache"] for line in site.log() if address in str(line["request"]))
    assert seen["MISS"] == 2


def test_a_compressed_sibling_is_taken_as_it_is(site: Site):
    packed = gzip.compress(b"made ahead" * 500)
    (site.directory / "ahead.html.gz").write_bytes(packed)
    address = site.write("ahead.html", "made ahead" * 500)
    assert site.get(address, Accept_Encoding="gzip").body == packed


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
    assert time.monotonic() - last < 5


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


def test_more_pages_than_can_be_made_at_a_time(site: Site):
    """The others are told to wait; nothing that takes no time waits for them."""
    site.pages_take(3)
    with ThreadPoolExecutor(24) as visitors:
        asked = [visitors.submit(site.get, spectra(1000 + number)) for number in range(24)]
        time.sleep(1)
        static = [site.get("/nights.html").seconds for _ in range(50)]
        quick = [site.get(f"/{NIGHT}/{number}/") for number in range(500, 510)]
    assert sorted(static)[-2] < 0.2
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
    end = time.monotonic() + 3
    states = Counter()
    while time.monotonic() < end:
        states[site.get(address).headers["X-Cache"]] += 1
    assert states["HIT"] > 20 * (states["MISS"] + states["STALE"] + states["EXPIRED"])
    assert 2 <= (site.made() - before).total() <= 5


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
    stats = "uwsgi --connect-and-read /tmp/uwsgi-stats 2>&1"

    def workers() -> set[int]:
        found = json.loads(site.in_app(stats))["workers"]
        return {worker["pid"] for worker in found if worker["status"] != "cheap"}

    before, answers = workers(), []
    assert len(before) >= 2
    numbers = iter(range(30_000, 10**6))
    with meanwhile(lambda: answers.append(site.get(spectra(next(numbers))).status)):
        site.in_app("echo c > /tmp/uwsgi-commands")
        assert eventually(lambda: not before & workers())
    assert set(answers) == {200}


# ---- What fails


def test_a_frozen_app_is_not_noticed(site: Site):
    site.pages_take(0)
    pages = [spectra(88), "/nights.html", f"/{NIGHT}/"]
    encodings = ("identity", "gzip")
    for page in pages:
        for encoding in encodings:
            site.get(page, Accept_Encoding=encoding)
    site.docker("pause", site.app)
    try:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for page in pages:
                for encoding in encodings:
                    answer = site.get(page, Accept_Encoding=encoding)
                    assert (answer.status, answer.seconds < 1) == (200, True)
    finally:
        site.docker("unpause", site.app)
    assert site.get("/readyz").status == 200


def test_an_app_that_is_gone_takes_nothing_along(site: Site):
    site.pages_take(0)
    warm = spectra(99)
    assert site.get(warm).status == 200
    site.docker("kill", site.app)
    try:
        for _ in range(20):
            assert site.get("/nights.html").status == 200
            answer = site.get(warm)
            assert (answer.status, answer.seconds < 4) == (200, True)
            time.sleep(0.1)
        cold = site.get(spectra(98))
        assert (cold.status, cold.headers["Retry-After"]) == (502, "10")
        assert "does not answer" in cold.text and "traceback" not in cold.text.lower()
    finally:
        site.docker("start", site.app)
    assert eventually(lambda: site.get(spectra(98)).status == 200)


def test_a_stuck_worker_is_replaced_and_that_is_told(site: Site):
    site.pages_take(20)
    name = site.lab.start(
        "app", container=f"{site.lab.name}-stuck", alias="stuck", more=("--harakiri", "2")
    )
    ask = (
        "import socket; s = socket.create_connection(('127.0.0.1', 5000)); "
        f"s.sendall(b'GET {spectra(55)} HTTP/1.0\\r\\n\\r\\n'); s.recv(1)"
    )
    assert eventually(lambda: "spawned uWSGI worker 2" in site.lab.logs(name))
    with suppress(AssertionError):
        site.docker("exec", name, "python3", "-c", ask)
    assert eventually(lambda: "HARAKIRI" in site.lab.logs(name))
    assert re.search(r"HARAKIRI.*spectra/input/55", site.lab.logs(name), re.DOTALL)
    site.docker("rm", "--force", name)


@contextmanager
def clients(site: Site, count: int, sent: bytes) -> Iterator[None]:
    """So many connections on which this was sent, and nothing is read."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_connection(("127.0.0.1", site.port), timeout=10))
            held[-1].sendall(sent)
        yield
    finally:
        for connection in held:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_slow_readers_and_half_sent_requests_hold_nobody_up(site: Site):
    address = site.write("big.html", "0123456789" * 300_000)
    reader = f"GET {address} HTTP/1.1\r\nHost: site\r\n\r\n".encode()
    with clients(site, 100, reader), clients(site, 2500, reader[:-2]):
        answers = [site.get("/nights.html") for _ in range(100)]
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.seconds for answer in answers)[-3] < 0.5


def test_a_request_that_is_never_finished_is_let_go(site: Site):
    with socket.create_connection(("127.0.0.1", site.port), timeout=25) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: site\r\n")
        with suppress(ConnectionError):
            assert slow.recv(1000) == b""


def test_requests_that_are_too_large_are_refused(site: Site):
    assert site.get("/" + "x" * 40_000).status == 414
    assert site.get("/nights.html", Cookie="x" * 40_000).status == 400


# ---- What is sent with the pages and what is logged


def test_headers_keep_browsers_from_what_pages_do_not_need(site: Site):
    for path in ("/nights.html", f"/{NIGHT}/{EXPOSURE}/", "/timeseries/", "/missing.html"):
        headers = site.get(path).headers
        assert headers["Server"] == "nginx"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-inline'" in headers["Content-Security-Policy"]
        assert headers.get_all("Cache-Control") in (["no-cache"], ["no-store"])
        assert {"X-Powered-By", "X-Accel-Expires"}.isdisjoint(headers)


def test_the_log_tells_times_and_where_an_answer_came_from(site: Site):
    site.get("/nights.html?for=the+log", User_Agent='a "strange" \\ one', Accept_Encoding="gzip")
    (line,) = [line for line in site.log() if "for=the+log" in str(line["request"])]
    assert (line["status"], line["request"]) == (200, "GET /nights.html?for=the+log HTTP/1.1")
    assert line["agent"] == 'a "strange" \\ one'
    assert line["cache"] in ("MISS", "HIT")
    assert isinstance(line["seconds"], float) and isinstance(line["bytes"], int)


def test_one_visitor_can_ask_for_so_much_and_others_do_not_notice(site: Site):
    """The last one: for a while, this visitor gets no more."""
    site.pages_take(0)
    wrong = [f"/{NIGHT}/123/spectra/input/{number}/no-frame/4x/" for number in range(400)]
    with ThreadPoolExecutor(16) as visitor:
        answers = list(visitor.map(site.get, wrong))
    told = [answer for answer in answers if answer.status == 429]
    assert told and {answer.status for answer in answers} <= {400, 429, 503}
    assert told[0].headers["Retry-After"] == "5"
    assert site.get("/nights.html").status == 200
    assert site.get("/timeseries/").status == 200
