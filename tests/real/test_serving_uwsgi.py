"""The application's container by itself: how many workers it starts, what it says when all is
well, what is imported before they are, and when one is replaced. Real uWSGI, no nginx."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.lab import Lab, laboratory
from tests.real.serving import eventually

pytestmark = pytest.mark.real("engine")

# As many cores as a test says; the machine of the tests may have two.
CORES = """
import os
if "CORES" in os.environ:
    os.sched_getaffinity = lambda pid: set(range(int(os.environ["CORES"])))
"""
ASK = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:5000/healthz").status)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("uwsgi")) as lab:
        (lab.project / "nightwatch/py/sitecustomize.py").write_text(CORES)
        yield lab


class App:
    """A running container of the application."""

    def __init__(self, lab: Lab, name: str, *more: str, limits: tuple[str, ...] = ()) -> None:
        self.lab = lab
        self.name = lab.start("app", f"{lab.name}-{name}", alias=name, more=more, limits=limits)
        assert eventually(lambda: "Stats server enabled" in self.log), self.log

    @property
    def log(self) -> str:
        return self.lab.logs(self.name)

    def run(self, *words: str) -> str:
        return self.lab.docker("exec", self.name, *words)

    def workers(self) -> list[dict[str, Any]]:
        told = self.run("sh", "-c", "uwsgi --connect-and-read /tmp/uwsgi-stats 2>&1")
        return list(json.loads(told)["workers"])

    def gone(self) -> None:
        self.lab.docker("rm", "--force", self.name)


@pytest.mark.parametrize(
    ("limit", "fewest", "most"),
    [
        ("--cpuset-cpus=0", 2, 4),
        ("--cpus=0.5", 2, 4),
        ("--env=CORES=2", 2, 4),
        ("--env=CORES=4", 4, 8),
        ("--env=CORES=64", 4, 8),
    ],
)
def test_workers_for_the_cores_that_are_given(lab: Lab, limit: str, fewest: int, most: int):
    app = App(lab, "sized", limits=(limit,))
    workers = app.workers()
    assert len(workers) == most
    assert len([worker for worker in workers if worker["status"] != "cheap"]) == fewest
    told = app.run("python3", "-m", "nightwatch_web.workers").splitlines()
    assert told[0].startswith(f"{fewest} of up to {most} workers run, 0 at work, 0 requests wait")
    assert re.match(r"worker 1: idle, \d+ requests, \d+ MB, started 0 min ago", told[1])
    # As `invoke status` asks.
    told = json.loads(app.run("python3", "-m", "nightwatch_web.workers", "--json"))
    assert (told["workers"], told["most_workers"], told["waiting"]) == (fewest, most, 0)
    assert 20 < told["megabytes"] < 1000
    # And nothing that a person would wonder about.
    wondered = re.findall("(?i).*(?:warn|error|invalid|fail|unable|unknown|!!!).*", app.log)
    assert wondered == []
    app.gone()


def test_the_libraries_are_imported_once_and_shared(lab: Lab):
    """Compiled when the image was built, imported before there were workers."""
    app = App(lab, "shared")
    told = app.run(
        "sh", "-c", "python3 -v -c 'from nightwatch_web import libraries; libraries.load()' 2>&1"
    )
    assert re.search("import 'bokeh.plotting'", told)
    assert not re.findall(
        r"# (?:bytecode is stale for .*|code object from .*/opt/venv.*\.py.$)", told
    )
    code = "from nightwatch_web import libraries; print(libraries.load(('no',)))"
    assert "no is not imported ahead of time: ModuleNotFound" in app.run("python3", "-c", code)
    for worker in app.workers():
        if worker["status"] != "cheap":
            told = app.run("cat", f"/proc/{worker['pid']}/smaps_rollup")
            whole, own = (int(re.findall(rf"{kind}:\s+(\d+)", told)[0]) for kind in ("Rss", "Pss"))
            assert whole > 50_000
            assert own < 0.6 * whole
    app.gone()


def test_the_image_runs_as_nobody_and_holds_no_compiler(lab: Lab):
    for image in lab.images.values():
        user = lab.docker("image", "inspect", "--format", "{{.Config.User}}", image)
        assert user == "65534:65534"
        tools = "command -v cc gcc g++ make ld || echo none"
        assert lab.docker("run", "--rm", "--entrypoint", "sh", image, "-c", tools) == "none"


def test_a_worker_that_has_grown_is_replaced_when_it_has_answered(lab: Lab):
    # 1 MB, instead of the many that app.ini allows, and at any age.
    app = App(lab, "grown", "--reload-on-rss", "1", "--min-worker-lifetime", "0")
    for _ in range(4):
        assert app.run("python3", "-c", ASK) == "200"
    assert eventually(lambda: sum(worker["respawn_count"] for worker in app.workers()) > 3)
    assert app.run("python3", "-c", ASK) == "200"
    app.gone()
