"""The main job as a person does it: from `cookiecutter` to the calendar in a browser, and on."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from .browser import colours, visit
from .stage import ARTEFACTS, PORT, STACK, Stage, Typed

pytestmark = pytest.mark.real("engine", "registry")

EXPOSURE = "20251126/00311038"
PLOT = f"{EXPOSURE}/preproc-r1-00311038-4x.html"

# Added to app.py: the first is no Python, the second serves errors only, and is healthy.
NO_PYTHON = "\ndef broken(:\n"
ONLY_ERRORS = """

@app.before_request
def fail():
    from flask import request

    if request.path != "/healthz":
        raise RuntimeError("the tree of pages is not what it was")
"""


def _get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_stack_that_cookiecutter_makes_has_nothing_against_it(stage: Stage) -> None:
    checked = stage.done("check")
    assert checked.last_line == f"{STACK} at rehearsal: 0 errors, 0 warnings"


def test_a_deploy_shows_each_step_and_ends_with_the_address_alone(first_deploy: Typed) -> None:
    assert re.fullmatch(rf"http://127\.0\.0\.\d+:{PORT}/\n", first_deploy.out)
    steps = re.findall(r"^✓ (.{18}) .* \d+\.\d s$", first_deploy.err, flags=re.MULTILINE)
    steps = [step.rstrip() for step in steps]
    # Images come side by side with each other and with the rest, in no order of their own.
    images = ["build app", "build web", "push app", "push web"]
    assert sorted(step for step in steps if step in images) == images
    # A key for Rancher is made once an account: another test's deploy may have come first.
    assert [step for step in steps if step not in ("Rancher key", *images)] == [
        *("check", "log in", "look", "upload", "render", "start"),
        *("wait until healthy", "ask the site", "confirm"),
    ]


@pytest.mark.real("chromium")
def test_a_browser_shows_calendar_night_exposure_and_a_plot_made_on_demand(
    stage: Stage, site: str
) -> None:
    static = stage.file_systems / "global/cfs/cdirs/desi/demo/nightwatchtest/output"
    (static / PLOT).unlink(missing_ok=True)

    calendar = visit(site, ARTEFACTS / "calendar.png", height=860)
    assert "<h1>Nights</h1>" in calendar.dom
    assert 'href="20251126/exposures.html"' in calendar.dom

    night = visit(f"{site}20251126/", ARTEFACTS / "night.png", height=940)
    assert "Night of Wednesday, 26 November 2025</h1>" in night.dom
    assert 'href="00311038/qa-summary-00311038.html"' in night.dom

    exposure = visit(f"{site}20251126/311038/", ARTEFACTS / "exposure.png", height=2000)
    assert "Exposure 311038" in exposure.dom
    assert f'href="../00311038/{Path(PLOT).name}"' in exposure.dom

    plot = visit(site + PLOT, ARTEFACTS / "plot.png", height=940)
    assert "<h1>Camera r1, exposure 311038</h1>" in plot.dom
    # Bokeh's scripts have put the figure where the page had an empty place.
    assert '<canvas class="bk"' in plot.dom
    assert (static / PLOT).stat().st_size > 100_000

    for page in (calendar, night, exposure, plot):
        assert not page.complaints


@pytest.mark.real("chromium")
@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("20251126/311038/spectra/", "Spectra of exposure 311038"),
        ("timeseries/20251101/20251130/PER_AMP/READNOISE", "READNOISE of PER_AMP"),
    ],
    ids=["spectra", "timeseries"],
)
def test_a_browser_draws_the_plots_of_a_page_that_is_no_file(
    stage: Stage, site: str, address: str, title: str
) -> None:
    picture = ARTEFACTS / f"{address.replace('/', '-').strip('-')}.png"
    page = visit(site + address, picture, height=700)
    assert f"<h1>{title}</h1>" in page.dom
    assert not page.complaints
    seen = colours(picture)
    for arm in ARM_COLOURS:
        drawn = sum(number for colour, number in seen.items() if is_shade(colour, arm))
        # On a page without a plot it is 200, of links and little squares.
        assert drawn > 300, (arm, drawn)


# Of the sample's plots: the arms of a spectrograph.
ARM_COLOURS = ("#2a6fbb", "#c0392b", "#7a3e9d")


def is_shade(colour: str, of: str) -> bool:
    """Whether it is that colour, laid thinly over white perhaps, as at the edges of a line."""
    shares = [
        (255 - int(colour[at : at + 2], 16)) / (255 - int(of[at : at + 2], 16)) for at in (1, 3, 5)
    ]
    return min(shares) > 0.2 and max(shares) - min(shares) < 0.05


def test_the_same_deploy_again_builds_pushes_uploads_and_restarts_nothing(
    stage: Stage, site: str
) -> None:
    assert stage.done("diff").out == "nothing to do\n"
    before = stage.containers()
    releases = stage.file_systems / f"global/cfs/cdirs/desi/demo/{STACK}/releases"
    uploaded = sorted(releases.iterdir())
    again = stage.done("deploy")
    assert again.last_line == site
    assert again.err.count("(already there)") == 4
    assert "\nalready up to date: " in again.err
    assert sorted(releases.iterdir()) == uploaded
    assert stage.containers() == before


def test_a_changed_file_upgrades_the_stack(stage: Stage, site: str) -> None:
    before = stage.containers()
    conf = stage.stack / "web" / "site.conf"
    conf.write_text(conf.read_text().replace("rate=10r/s;", "rate=10r/s; "))
    done = stage.done("deploy")
    assert done.last_line == site
    assert "✓ upgrade" in done.err
    after = stage.containers()
    assert len(after) == len(before)
    assert all("running" in state for state in after.values())
    assert _get(site) == 200


@pytest.mark.parametrize(
    ("change", "what", "log_says"),
    [
        (NO_PYTHON, "error: app ", "SyntaxError: invalid syntax"),
        (
            ONLY_ERRORS,
            "error: the site is not responding correctly",
            "RuntimeError: the tree of pages is not what it was",
        ),
    ],
    ids=["does not start", "answers errors"],
)
def test_after_a_broken_release_the_old_site_answers(
    stage: Stage, site: str, change: str, what: str, log_says: str
) -> None:
    before = stage.containers()
    app, settings = stage.stack / "app" / "app.py", stage.stack / "invoke.yaml"
    app.write_text(app.read_text() + change)
    if change == NO_PYTHON:  # or it is waited for in vain
        settings.write_text(
            settings.read_text().replace("spinstack:\n", "spinstack:\n  healthy_within: 15\n", 1)
        )
    failed = stage.invoke("deploy")
    assert failed.code == 1, failed
    assert failed.out == ""
    assert what in failed.err
    assert log_says in failed.err
    assert "; the previous version is running again" in failed.err
    assert 'Traceback (most recent call last):\n  File "/opt' not in failed.err
    # The very containers from before, and they answer.
    assert stage.containers() == before
    assert _get(site) == 200
    assert _get(site + f"{EXPOSURE}/qa-summary-00311038.html") == 200

    stage.restore()
    assert stage.done("deploy").last_line == site
    assert stage.containers() == before


def test_status_logs_and_url_tell_what_runs(stage: Stage, site: str) -> None:
    assert stage.done("url").out == f"{site}\n"
    status = stage.done("status").out.splitlines()
    assert status[0].startswith("SERVICE  STATE")
    assert [line.split()[:2] for line in status[1:3]] == [["app", "healthy"], ["web", "healthy"]]
    assert all(" 1/1 " in line for line in status[1:3])
    assert status[-1] == f"address: {site}"
    # uWSGI itself, asked in the container.
    assert re.fullmatch(r"app: \d+ workers, \d+ busy, \d+ requests, \d+ MB.*", status[3])

    found = json.loads(stage.done("status", "--json").out)
    app, web = (service["stats"] for service in found["services"])
    assert app["workers"] >= 1
    assert app["requests"] >= 1
    assert app["summary"].startswith(f"{app['workers']} workers, ")
    assert web == {}
    assert (found["stack"], found["destination"]) == (STACK, "rehearsal")
    assert found["url"] == site
    assert {service["name"]: service["health"] for service in found["services"]} == {
        "app": "healthy",
        "web": "healthy",
    }

    _get(site + "nights.html?asked-by-a-test")
    logs = stage.done("logs").out
    assert "app | spawned uWSGI master process" in logs
    assert re.search(r"web \| .*GET /nights.html\?asked-by-a-test", logs)
    only_web = stage.done("logs", "--service", "web", "--tail", "1").out
    assert only_web.count("\n") == 1
    assert "asked-by-a-test" in only_web


def test_rancher_has_the_health_checks_of_the_settings(stage: Stage, site: str) -> None:
    app = json.loads(stage.done("inspect", "--service", "app").out)
    check = app["launchConfig"]["healthCheck"]
    assert (check["port"], check["requestLine"]) == (5000, "GET /healthz HTTP/1.0")
    assert (check["interval"], check["initializingTimeout"]) == (2000, 60_000)
    assert app["retainIp"], "web has to find it"
    web = json.loads(stage.done("inspect", "--service", "web").out)
    assert web["launchConfig"]["healthCheck"]["port"] == 8080
    assert not web["retainIp"]


def test_nothing_is_stopped_or_removed_where_nobody_can_say_yes(stage: Stage, site: str) -> None:
    for task, lost in (("stop", "he site is down"), ("rm", "containers, with their logs")):
        asked = stage.invoke(task)
        assert asked.code == 2
        assert STACK in asked.err
        assert lost in asked.err
        assert "fix:   add --yes" in asked.err
    assert _get(site) == 200


def test_what_is_stopped_or_removed_is_so_at_once_and_a_deploy_brings_it_back(
    stage: Stage, site: str
) -> None:
    stage.done("stop", "--yes")
    with pytest.raises(urllib.error.URLError):
        _get(site)
    assert stage.done("deploy").last_line == site
    assert _get(site) == 200

    stage.done("rm", "--yes")
    assert stage.containers() == {}
    assert stage.done("deploy").last_line == site
    assert _get(site) == 200


def test_asking_about_a_stack_that_is_not_there_makes_none(stage: Stage, site: str) -> None:
    """Rancher's command line makes a stack of any name that it is asked about."""
    stage.done("rm", "--yes")
    for words in (("status",), ("url",), ("logs",), ("stop", "--yes")):
        told = stage.invoke(*words)
        assert told.code == 1, told
        assert told.err.splitlines()[0].startswith(f"error: {STACK} ")
        assert "fix:   " in told.err
    # Removing what is gone is done already.
    stage.done("rm", "--yes")
    spin = json.loads((stage.private / "spin.json").read_text())
    assert {stack["state"] for stack in spin["stacks"].values()} == {"removed"}
