"""What goes wrong on the site is told, and takes nothing along: in real nginx and uWSGI."""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.real.serving import EXPOSURE, NIGHT, SLOW, Site, clients, eventually, site, spectra

__all__ = ["site"]
pytestmark = pytest.mark.real("engine")

# From another container, for the same site; it prints the status.
ASK = """
import http.client
connection = http.client.HTTPConnection("web", 8080)
headers = {{"Host": "127.0.0.1:{port}", "Accept-Encoding": "{encoding}"}}
connection.request("GET", "{address}", headers=headers)
print(connection.getresponse().status)
"""


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
                    assert (answer.status, answer.seconds < SLOW) == (200, True)
    finally:
        site.docker("unpause", site.app)
    assert site.get("/readyz").status == 200


def test_an_app_that_is_gone_takes_nothing_along(site: Site):
    site.pages_take(0)
    warm = spectra(99)
    for encoding in ("identity", "gzip"):
        assert site.get(warm, Accept_Encoding=encoding).status == 200
    site.docker("kill", site.app)
    try:
        for number in range(20):
            encoding = ("identity", "gzip")[number % 2]
            assert site.get("/nights.html", Accept_Encoding=encoding).status == 200
            answer = site.get(warm, Accept_Encoding=encoding)
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


def test_slow_readers_and_half_sent_requests_hold_nobody_up(site: Site):
    address = site.write("big.html", "0123456789" * 300_000)
    reader = f"GET {address} HTTP/1.1\r\nHost: site\r\n\r\n".encode()
    alone = sorted(site.get("/nights.html").seconds for _ in range(100))[-3]
    with clients(site, 100, reader), clients(site, 2500, reader[:-2]):
        answers = [site.get("/nights.html") for _ in range(100)]
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.seconds for answer in answers)[-3] < max(0.5, 5 * alone)


def test_a_request_that_is_never_finished_is_let_go(site: Site):
    with socket.create_connection(("127.0.0.1", site.port), timeout=25) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: site\r\n")
        with suppress(ConnectionError):
            assert slow.recv(1000) == b""


def test_requests_that_are_too_large_are_refused(site: Site):
    assert site.get("/" + "x" * 40_000).status == 414
    assert site.get("/nights.html", Cookie="x" * 40_000).status == 400
    assert site.get("/nights.html", Content_Length="100000").status == 413


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
    # The same page was asked for before, maybe seconds ago.
    assert line["cache"] in ("MISS", "HIT", "EXPIRED", "STALE", "UPDATING")
    assert isinstance(line["seconds"], float) and isinstance(line["bytes"], int)


def test_one_visitor_can_ask_for_so_much_and_others_do_not_notice(site: Site):
    """The last one: for a while, this visitor gets no more."""
    site.pages_take(0)
    wrong = [f"/{NIGHT}/123/spectra/no-view/{number}/4x/" for number in range(400)]
    with ThreadPoolExecutor(16) as visitor:
        answers = list(visitor.map(site.get, wrong))
    told = [answer for answer in answers if answer.status == 429]
    assert told and {answer.status for answer in answers} <= {400, 429, 503}
    assert told[0].headers["Retry-After"] == "5"
    assert site.get("/nights.html").status == 200
    assert site.get("/timeseries/").status == 200
    # What this one is told is not kept for others, who ask from other addresses.
    for encoding in ("identity", "gzip"):
        address = f"/{NIGHT}/123/spectra/no-view/9/{encoding}/"
        assert eventually(lambda ask=(address, encoding): _is_limited(site, *ask))
        asked = ASK.format(port=site.port, address=address, encoding=encoding)
        assert site.docker("exec", site.app, "python3", "-c", asked) == "400"


def _is_limited(site: Site, address: str, encoding: str) -> bool:
    """Whether this visitor is told so at this address, having asked for many others."""
    others = [address.replace("/9/", f"/{time.monotonic_ns() + number}/") for number in range(40)]
    site.get_all(others, Accept_Encoding=encoding)
    return site.get(address, Accept_Encoding=encoding).status == 429
