"""A running site, real nginx and uWSGI, with a stand-in for nightwatch whose pages take as long
as a test says; and what visitors do with it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.real.lab import GID, UID, Lab, laboratory

NIGHT, EXPOSURE = "20240102", "00000123"
# In the tests' own night: what the stand-in for nightwatch is told, and what it has made.
SECONDS, MADE = "seconds", ".made"
# As a visitor would call it slow, on a machine that does other things too. Seconds.
SLOW = 2.0

# A selection of fibers from this number on makes a page of 8 MB.
BIG = 90_000

# Makes pages of 100 kB, as slowly as a file among the data says.
NIGHTWATCH = f'''
import pathlib, time

def make(data, what, size=100_000):
    time.sleep(float((pathlib.Path(data) / "{SECONDS}").read_text()))
    with open("/app/static/{NIGHT}/{MADE}", "a") as log:
        log.write(what + "\\n")
    return "<html>" + what * (size // len(what)) + "</html>"
'''
SPECTRA = f"""
from nightwatch.webpages.make import make

def get_spectra_html(data, night, expid, view, frame, downsample, select=None):
    size = 8_000_000 if select and int(select) >= {BIG} else 100_000
    return make("/app/data/{NIGHT}", f"{{expid}} {{view}} {{downsample}} {{select}} ", size)
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

    def write(self, name: str, text: str, age: float = 0, written: float | None = None) -> str:
        """Replaces a page in one step, as batch jobs should; returns its address.

        Its time is `age` seconds ago, or `written` (seconds since 1970)."""
        half = self.directory / f".{name}.half"
        half.write_text(text)
        at = time.time() - age if written is None else written
        os.utime(half, (at, at))
        half.replace(self.directory / name)
        return f"/{NIGHT}/{EXPOSURE}/{name}"

    def pages_take(self, seconds: float) -> None:
        (self.lab.data / NIGHT / SECONDS).write_text(str(seconds))

    def change_nightwatch(self, what: str, into: str) -> None:
        """Changes the text that its pages are made of."""
        module = self.lab.project / "nightwatch/py/nightwatch/webpages/spectra.py"
        module.write_text(module.read_text().replace(f"{{{what}}}", into))

    def made(self) -> Counter[str]:
        log = self.lab.static / NIGHT / MADE
        return Counter(log.read_text().splitlines()) if log.exists() else Counter()

    def docker(self, *words: str) -> str:
        return self.lab.docker(*words)

    @property
    def app(self) -> str:
        return f"{self.lab.name}-app"

    def workers(self) -> list[dict[str, Any]]:
        """Those that run, as uWSGI tells it."""
        told = self.in_app("uwsgi --connect-and-read /tmp/uwsgi-stats 2>&1")
        return [worker for worker in json.loads(told)["workers"] if worker["status"] != "cheap"]

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


def all_are(
    site: Site, address: str, well: Callable[[str], bool], visitors: int = 20, **headers: str
) -> bool:
    """Whether so many visitors at the same time are all sent a text of that kind.

    Each of nginx's workers looks at a file for itself, once a second: that one visitor saw a
    new page does not say that the next one does."""
    return all(well(answer.text) for answer in site.get_all([address] * visitors, **headers))


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
