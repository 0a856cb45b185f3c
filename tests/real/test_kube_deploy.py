"""The template's stack on a real Kubernetes, as a person types it, from deploy to rm."""

from __future__ import annotations

import json
import re
import time
import urllib.request

import pytest

from tests.cluster.beside import UID

from .browser import visit
from .kube_stage import TO, KubeStage
from .stage import ARTEFACTS, Typed

pytestmark = pytest.mark.real("engine", "registry", "root")

NO_PYTHON = "\ndef broken(:\n"


@pytest.fixture(scope="module")
def first(kube_stage: KubeStage) -> Typed:
    return kube_stage.done("deploy", *TO)


def test_a_deploy_shows_each_step_and_ends_with_the_address(
    kube_stage: KubeStage, first: Typed
) -> None:
    assert first.out == f"{kube_stage.site}\n"
    lines = re.findall(r"^✓ (.+)$", first.err, re.MULTILINE)
    names = ["check", "look", "build", "push", "render", "start", "wait until healthy"]
    names += ["ask the site", "prune"]
    steps = [next(it for it in names if line.startswith(it)) for line in lines]
    assert [step for step in steps if step not in ("build", "push")] == [
        *("check", "look", "render", "start", "wait until healthy"),
        *("ask the site", "prune"),
    ]


@pytest.mark.real("chromium")
def test_a_browser_shows_the_calendar_through_the_ingress(
    kube_stage: KubeStage, first: Typed
) -> None:
    calendar = visit(kube_stage.site, ARTEFACTS / "calendar-kubernetes.png", height=860)
    assert "<h1>Nights</h1>" in calendar.dom


def test_a_page_is_made_on_demand(kube_stage: KubeStage, first: Typed) -> None:
    page = "20251126/00311038/preproc-r1-00311038-4x.html"
    (kube_stage.static / page).unlink(missing_ok=True)
    with urllib.request.urlopen(kube_stage.site + page, timeout=60) as answer:
        assert answer.status == 200
    assert (kube_stage.static / page).exists()


def test_with_nothing_to_do_nothing_is_done(kube_stage: KubeStage, first: Typed) -> None:
    again = kube_stage.done("deploy", *TO)
    assert again.out == first.out
    assert "already up to date" in again.err


def test_status_tells_what_runs(kube_stage: KubeStage, first: Typed) -> None:
    told = json.loads(kube_stage.done("status", "--json", *TO).out)
    assert [one["shown"] for one in told["services"]] == ["healthy", "healthy"]
    assert told["url"] == kube_stage.site
    assert told["deployed"]["images"]["APP_IMAGE"].count("@sha256:") == 1


def test_logs_exec_and_history(kube_stage: KubeStage, first: Typed) -> None:
    assert "uWSGI" in kube_stage.done("logs", "--service", "app", *TO).out
    user = kube_stage.done("exec", "--service", "app", "--command", "id -u", *TO).out
    assert user.strip() == str(UID)
    assert "deploy" in kube_stage.done("history", *TO).out


def test_a_deploy_that_fails_is_taken_back_while_the_site_answers(
    kube_stage: KubeStage, first: Typed
) -> None:
    app = kube_stage.stack / "app" / "app.py"
    before = app.read_text()
    app.write_text(before + NO_PYTHON)
    try:
        failed = kube_stage.invoke("deploy", *TO)
    finally:
        app.write_text(before)
    assert failed.code == 1, failed
    assert "the previous version is running again" in failed.err
    assert "none failed" in failed.err
    assert kube_stage.done("deploy", *TO).out == first.out


def test_a_change_of_one_file_and_back(kube_stage: KubeStage, first: Typed) -> None:
    conf = kube_stage.stack / "web" / "site.conf"
    before = conf.read_text()
    conf.write_text(before + "\n# another\n")
    changed = kube_stage.done("deploy", *TO)
    assert "none failed" in changed.err
    back = kube_stage.done("rollback", "--yes", *TO)
    assert "none failed" in back.err
    conf.write_text(before)
    assert "already up to date" in kube_stage.done("deploy", *TO).err


def test_stop_start_scale_restart(kube_stage: KubeStage, first: Typed) -> None:
    kube_stage.done("stop", "--yes", *TO)
    told = json.loads(kube_stage.done("status", "--json", *TO).out)
    assert [one["shown"] for one in told["services"]] == ["stopped", "stopped"]
    kube_stage.done("start", *TO)
    kube_stage.done("scale", "--service", "web", "--count", "2", *TO)
    assert "2/2" in kube_stage.done("status", *TO).out
    kube_stage.done("restart", "--service", "app", "--yes", *TO)


def test_rm_takes_all_but_what_is_kept(kube_stage: KubeStage, first: Typed) -> None:
    kube_stage.done("rm", "--yes", *TO)
    left = kube_stage.kubectl("get", "deployments,pods,services,ingresses", "--output", "name")
    deadline = time.monotonic() + 60
    while left.strip() and time.monotonic() < deadline:
        time.sleep(1)
        left = kube_stage.kubectl("get", "deployments,pods,services,ingresses", "-o", "name")
    assert not left.strip()
    assert kube_stage.done("deploy", *TO).out == first.out
