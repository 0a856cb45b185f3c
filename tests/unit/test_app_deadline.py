"""Requests that take too long: which they are, and what is said when they are asked for again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests import baking

baking.application()
from nightwatch_web import ended, workers  # noqa: E402
from nightwatch_web.deadline import Clocks, overdue  # noqa: E402
from nightwatch_web.options import Options  # noqa: E402
from nightwatch_web.routes import create_app  # noqa: E402

NOW = 10_000.0


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def core(number: int, path: str) -> dict[str, object]:
    told = ["REQUEST_METHOD=GET", f"PATH_INFO={path}", ""]
    return {"id": number, "in_request": 1, "vars": told}


def test_a_request_is_overdue_by_itself_whatever_else_its_worker_does() -> None:
    clocks = Clocks(processes=2, threads=4)
    clocks.set(1, 0, NOW - 400)
    clocks.set(1, 1, NOW - 1)
    clocks.set(2, 3, NOW - 230)
    # It came, but waits for what is stuck in the same worker.
    waiting = core(2, "/healthz")
    idle = {"id": 3, "in_request": 0, "vars": []}
    stats = {
        "workers": [
            {"id": 1, "pid": 11, "cores": [core(0, "/a b\xc3\xa9"), core(1, "/x"), waiting, idle]},
            {"id": 2, "pid": 12, "cores": [{**idle, "id": 0}, core(3, "/later")]},
        ]
    }
    (late,) = overdue(stats, clocks, NOW, 240)
    assert (late.pid, late.worker, late.seconds) == (11, 1, 400)
    assert (late.method, late.address) == ("GET", "/a%20b%C3%A9")
    assert len(list(overdue(stats, clocks, NOW + 10, 240))) == 2


def test_a_thread_is_timed_while_it_runs_the_application() -> None:
    clocks, seen = Clocks(2, 2), []

    def application(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(clocks.begun(2, 1))
        if environ.get("fail"):
            raise OSError
        return [b"page"]

    timed = clocks.timed(application, lambda: 2)
    assert timed({"uwsgi.core": 1}, print) == [b"page"]
    assert seen[0] == pytest.approx(time.monotonic(), abs=60)
    with pytest.raises(OSError):
        timed({"uwsgi.core": 1, "fail": True}, print)
    assert [clocks.begun(worker, core) for worker in (1, 2) for core in (0, 1)] == [0, 0, 0, 0]


def test_a_worker_does_not_inherit_the_times_of_one_that_was_killed() -> None:
    clocks = Clocks(2, 2)
    clocks.set(1, 1, NOW - 400)
    clocks.set(2, 1, NOW - 400)
    clocks.clear(1)
    stats = {"workers": [{"id": n, "pid": n, "cores": [core(1, "/a")]} for n in (1, 2)]}
    assert [late.pid for late in overdue(stats, clocks, NOW, 240)] == [2]


# app.py as uWSGI runs it, in the first worker after one that was killed, and then in the mule.
AS_UWSGI_DOES = """
import sys, types
uwsgi = types.ModuleType("uwsgi")
uwsgi.numproc, uwsgi.cores, uwsgi.opt = 2, 2, {}
uwsgi.worker_id, uwsgi.mule_id = lambda: 1, lambda: 0
sys.modules["uwsgi"], sys.argv = uwsgi, ["app", "-s", "."]
import app
for worker in (1, 2):
    app.clocks.set(worker, 1, 1000)
uwsgi.post_fork_hook()
uwsgi.worker_id, uwsgi.mule_id = lambda: 0, lambda: 1
uwsgi.post_fork_hook()
print(app.clocks.begun(1, 1), app.clocks.begun(2, 1))
"""


def test_a_worker_begins_with_no_times(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_UWSGI_DOES],
        env={**os.environ, "PYTHONPATH": str(baking.application())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "0.0 1000.0\n", done.stderr


def test_what_was_ended_is_not_begun_again_for_a_while(tmp_path: Path) -> None:
    client = create_app(Options(tmp_path, tmp_path)).test_client()
    (tmp_path / "20240102" / "00000001").mkdir(parents=True)
    (tmp_path / "20240102" / "00000001" / "preproc-b0-00000001.fits").write_text("SIMPLE")
    spectra = "/20240102/1/spectra/input/%203,5/qframe/4x/"
    image = "/20240102/00000001/preproc-b0-00000001-4x.html"
    for address in (spectra, image):
        # Nightwatch is not there, but would be asked.
        assert client.get(address).status_code == 503
        ended.remember(address.replace(",", "%2C"))
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Retry-After"]) == (504, "60")
        assert "longer than a page may" in answer.text and "refresh" not in answer.text
    assert client.get(image.replace("4x", "5x")).status_code == 503
    # What takes no time was not the reason.
    ended.remember("/healthz")
    assert client.get("/healthz").status_code == 200
    assert workers.cut_off([{"harakiri_count": 3}]) == 6


def test_what_was_ended_is_forgotten() -> None:
    now = time.time()
    ended.remember("/a", now - 50)
    ended.remember("/b", now)
    assert ended.lately("/a", now) and ended.lately("/b", now) and not ended.lately("/c", now)
    assert not ended.lately("/a", now + 20) and ended.lately("/b", now + 20)
    assert not ended.lately("/b", now + 100)
    # uWSGI does not always know the address.
    ended.remember("", now)
    assert not ended.lately("/c", now)
