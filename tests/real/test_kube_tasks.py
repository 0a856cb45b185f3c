"""Every task on the template's stack in a real Kubernetes, as a person types it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .at_terminal import AtTerminal
from .kube_stage import TO, KubeStage
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry", "root")


@pytest.fixture(scope="module")
def first(kube_stage: KubeStage) -> Typed:
    return kube_stage.done("deploy", *TO)


@contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(before)


def typed(stage: KubeStage, *words: str) -> AtTerminal:
    """A task of a person at a terminal."""
    mine = stage.environment()
    invoke = shutil.which("invoke", path=mine["PATH"]) or "invoke"
    return AtTerminal([invoke, *words, *TO], mine, stage.stack)


def test_check_lets_the_server_judge(kube_stage: KubeStage, first: Typed) -> None:
    told = kube_stage.done("check", *TO)
    assert "no findings" in told.out + told.err or "0 " in told.out + told.err, told


def test_what_is_rendered_can_be_deployed_without_this_tool(
    kube_stage: KubeStage, first: Typed, tmp_path: Path
) -> None:
    shown = kube_stage.done("render", *TO).out
    assert "kind: Deployment" in shown and "kind: Ingress" in shown
    out = tmp_path / "manifests"
    kube_stage.done("render", "--output", str(out), *TO)
    told = kube_stage.kubectl("apply", "-k", str(out), "--dry-run=server")
    assert "deployment.apps/app" in told


def test_diff_shows_what_would_change_and_nothing_else(kube_stage: KubeStage, first: Typed) -> None:
    assert kube_stage.done("diff", *TO).code == 0
    with changed(kube_stage.stack / "web" / "site.conf", "rate=10r/s", "rate=9r/s"):
        told = kube_stage.invoke("diff", *TO)
    assert told.code == 2, told
    marked = [line for line in told.out.split("\n") if re.match(r" *[-+] ", line)]
    assert any("rate=9r/s" in line for line in marked), told
    assert any("rate=10r/s" in line for line in marked), told
    assert "Deployment web" in told.out
    assert not re.search("managedFields|resourceVersion|creationTimestamp", told.out)


def test_there_is_no_second_step_and_a_rollback_goes_back(
    kube_stage: KubeStage, first: Typed
) -> None:
    with changed(kube_stage.stack / "web" / "site.conf", "rate=10r/s", "rate=9r/s"):
        for task in ("upgrade", "confirm"):
            told = kube_stage.invoke(task, *TO)
            assert told.code == 2 and "no second step" in told.err, told
        upgraded = kube_stage.done("deploy", *TO)
    tried = kube_stage.done("rollback", "--check", *TO)
    assert "nothing was changed" in tried.out + tried.err or tried.code == 0, tried
    releases = kube_stage.done("releases", *TO)
    assert "current" in releases.out + releases.err
    back = kube_stage.done("rollback", "--yes", *TO)
    assert "none failed" in back.err, (upgraded, back)
    assert kube_stage.done("diff", *TO).code == 0


def test_the_state_and_the_logs(kube_stage: KubeStage, first: Typed) -> None:
    assert "healthy" in kube_stage.done("status", *TO).out
    assert kube_stage.done("url", *TO).out == kube_stage.site + "\n"
    inspected = json.loads(kube_stage.done("inspect", "--service", "web", *TO).out)
    assert "Deployment" in json.dumps(inspected)
    both = kube_stage.done("logs", "--since", "1h", *TO).out
    assert ("uWSGI" in both and '"request"' in both) or "nginx" in both
    cited = kube_stage.done("cite", *TO).out
    assert "@sha256:" in cited


def test_a_shell_at_a_terminal(kube_stage: KubeStage, first: Typed) -> None:
    shell = typed(kube_stage, "shell", "--service", "app")
    shell.wait_for("$")
    shell.type("echo in-$((6*7))\r")
    shell.wait_for("in-42")
    shell.type("exit 3\r")
    assert shell.code(within=30) == 3


def test_follow_shows_new_lines_until_it_is_ended(kube_stage: KubeStage, first: Typed) -> None:
    followed = typed(kube_stage, "logs", "--service", "web", "--follow")
    followed.wait_for("  200  GET /")
    page = "nights.html?somebody=new"
    subprocess.run(["curl", "-sS", kube_stage.site + page], check=True, capture_output=True)
    followed.wait_for(f"200  GET /{page}")
    followed.type("\x03")
    assert followed.code(within=30) in (0, 130)


def test_secrets_and_volumes_are_kept(kube_stage: KubeStage, first: Typed) -> None:
    secret = f"app.{kube_stage.stack.name}.key"
    file = kube_stage.work / "key"
    file.write_text("not told anywhere")
    kube_stage.done("secret.create", "--name", "key", "--service", "app", "--file", str(file), *TO)
    assert secret in kube_stage.done("secret.list", *TO).out
    volume = f"app.{kube_stage.stack.name}"
    kube_stage.done("volume.create", "app", *TO)
    assert volume in kube_stage.done("volume.list", *TO).out
    lines = f"    secrets: [{secret}]\n    read_only: true\n"
    with changed(kube_stage.stack / "docker-compose.yml", "    read_only: true\n", lines):
        kube_stage.done("deploy", *TO)
        shown = f"cat /run/secrets/{secret}"
        read = kube_stage.done("exec", "--service", "app", "--command", shown, *TO)
        assert read.out.strip() == "not told anywhere"
        refused = kube_stage.invoke("secret.rm", "--name", "key", "--service", "app", "--yes", *TO)
        assert refused.code == 1 and "pods mount it" in refused.err, refused
        shown = kube_stage.done("render", *TO)
        assert "not told anywhere" not in shown.out + shown.err
    kube_stage.done("deploy", *TO)
    kube_stage.done("secret.rm", "--name", "key", "--service", "app", "--yes", *TO)
    kube_stage.done("volume.rm", "app", "--yes", *TO)
    assert secret not in kube_stage.done("secret.list", *TO).out
    assert volume not in kube_stage.done("volume.list", *TO).out


def test_what_was_done_can_be_read(kube_stage: KubeStage, first: Typed) -> None:
    assert "deploy" in kube_stage.done("history", *TO).out
    assert ": done" in kube_stage.done("journal", *TO).out
    told = kube_stage.invoke("unlock", *TO)
    assert "no lock" in told.out + told.err or "not locked" in told.out + told.err, told


def test_the_machine_is_looked_at(kube_stage: KubeStage, first: Typed) -> None:
    told = kube_stage.invoke("doctor", *TO)
    assert "kubectl" in told.out, told
    assert kube_stage.host in kube_stage.done("env", *TO).out
    kube_stage.done("prune", "--yes", *TO)


def test_one_service_is_removed_and_comes_back(kube_stage: KubeStage, first: Typed) -> None:
    kube_stage.done("rm", "--service", "web", "--yes", *TO)
    left = kube_stage.kubectl("get", "deployments", "--output", "name").split()
    assert left == ["deployment.apps/app"]
    assert kube_stage.done("deploy", *TO).out == first.out
