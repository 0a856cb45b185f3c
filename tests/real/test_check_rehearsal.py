"""`invoke check` as a person types it: faults that only the login node or an engine knows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from .stage import PORT, STACK, Stage

pytestmark = pytest.mark.real("engine", "registry")

CLEAN = f"{STACK} at rehearsal: 0 errors, 0 warnings"


def project(stage: Stage) -> Path:
    return stage.file_systems / "global" / "cfs" / "cdirs" / "desi" / "demo"


def found(stage: Stage, *words: str, at: Path | None = None) -> dict[str, dict[str, str]]:
    """The findings of `invoke check --to rehearsal --json` by their rules."""
    typed = stage.invoke("check", "--to", "rehearsal", "--json", *words, at=at)
    listed: list[dict[str, str]] = json.loads(typed.out)
    errors = [finding for finding in listed if finding["severity"] == "error"]
    assert typed.code == (1 if errors else 0), typed
    return {finding["rule"]: finding for finding in listed}


def test_a_stack_that_runs_is_clean_here_and_there(stage: Stage, site: str) -> None:
    typed = stage.done("check", "--to", "rehearsal", "--deep")
    assert typed.last_line == CLEAN, typed
    assert stage.done("check").last_line == CLEAN


def test_a_closed_directory_is_named_with_what_mends_it_and_mended(stage: Stage, site: str) -> None:
    closed = project(stage) / "nightwatchtest"
    mode = closed.stat().st_mode & 0o7777
    closed.chmod(mode & ~0o001)
    try:
        typed = stage.invoke("check", "--to", "rehearsal")
        assert typed.code == 1, typed
        assert "[mount-walk]" in typed.out and f"fix:   chmod o+x {closed}" in typed.out
        mended = stage.done("check", "--to", "rehearsal", "--fix")
        assert f"chmod o+x {closed}" in mended.err and mended.last_line == CLEAN, mended
        assert closed.stat().st_mode & 0o001
        (newest,) = json.loads(stage.done("history", "--json", "--limit", "1").out)
        assert (newest["doing"], newest["outcome"]) == ("check --fix", "done")
        assert newest["detail"].endswith(f"chmod o+x {closed}")
    finally:
        closed.chmod(mode)


def test_modules_and_key_of_the_login_node_are_put_right_as_advised(
    stage: Stage, site: str
) -> None:
    settings = stage.stack / "invoke.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("  host:", "  modules: [spinn]\n  host:"))
    failed = stage.invoke("status")
    assert "cause: The login node has no module spinn." in failed.err, failed
    assert "fix:   Set modules in invoke.yaml to one that `module avail spin` lists." in failed.err
    remedy = found(stage)["rancher-command"]["remedy"]
    assert remedy == "set modules: [spin] in invoke.yaml"
    settings.write_text(text.replace("  host:", f"  {remedy[4:].split(' in ')[0]}\n  host:"))
    assert found(stage) == {}

    key = stage.login_home / ".rancher" / "cli.json"
    kept = key.read_text()
    for wrong in (None, re.sub('"accessKey": *"[^"]*"', '"accessKey": "wrong"', kept)):
        if wrong is None:
            key.unlink()
        else:
            key.write_text(wrong)
        rule = "rancher-key" if wrong is None else "rancher-states"
        assert "`invoke setup" in found(stage)[rule]["remedy"]
        if wrong is not None:
            # As it says: away with it first.
            assert stage.invoke("setup").code == 1
            key.unlink()
        stage.done("setup")
        assert found(stage) == {}


@pytest.mark.real("root")
def test_what_the_container_could_not_use_is_told(stage: Stage, site: str) -> None:
    data = project(stage) / "nightwatchtest" / "data" / "output"
    before = data.stat()
    os.chown(data, 4711, 4711)
    data.chmod(0o711)
    try:
        finding = found(stage)["mount-access"]
        assert "app" in finding["problem"] and "can't read" in finding["problem"]
        assert finding["where"].startswith("stack.env:")
        assert "ask 4711" in finding["remedy"] or "ask UNKNOWN" in finding["remedy"]
        subprocess.run(["bash", "-c", finding["remedy"].partition(" to run: ")[2]], check=True)
        assert found(stage) == {}
    finally:
        os.chown(data, before.st_uid, before.st_gid)
        data.chmod(before.st_mode & 0o7777)


def test_a_port_of_another_stack_and_a_missing_directory(stage: Stage, site: str) -> None:
    other = stage.bake("other-desi", PORT)
    env = other / "stack.env"
    env.write_text(env.read_text().replace("\nDATA_DIR=", "\nDATA_DIR=no/such/"))
    told = found(stage, at=other)
    assert set(told) == {"port-taken", "mount-source"}
    assert f"in use by {STACK}/web" in told["port-taken"]["problem"]
    # As it says.
    port = re.findall(r"use (\d+)", told["port-taken"]["remedy"])[0]
    env.write_text(env.read_text().replace(f"WEB_PORT={PORT}", f"WEB_PORT={port}"))
    assert "`invoke setup --to rehearsal`" in told["mount-source"]["remedy"]
    stage.done("setup", "--to", "rehearsal", at=other)
    try:
        assert found(stage, at=other) == {}
    finally:
        shutil.rmtree(project(stage) / "no")


@pytest.mark.real("root")
def test_deep_names_a_directory_that_visitors_would_miss(stage: Stage, site: str) -> None:
    closed = project(stage) / "nightwatchtest" / "output" / "only for me"
    closed.mkdir(mode=0o700)
    try:
        assert "tree-walk" not in found(stage)
        finding = found(stage, "--deep")["tree-walk"]
        assert str(closed) in finding["problem"]
        assert "can't enter 1 of them" in finding["problem"]
        # Whoever owns it runs what is said.
        subprocess.run(["bash", "-c", finding["remedy"].partition(": ")[2]], check=True)
        assert found(stage, "--deep") == {}
    finally:
        closed.rmdir()


def test_deep_lets_the_nginx_of_the_image_judge_its_conf(stage: Stage, site: str) -> None:
    conf = stage.stack / "web" / "site.conf"
    text = conf.read_text()
    conf.write_text(text.replace("    listen 8080;", "    listen 8080;\n    no_such_thing on;"))
    line = text[: text.index("    listen 8080;")].count("\n") + 2
    assert "nginx-test" not in found(stage)
    finding = found(stage, "--deep")["nginx-test"]
    assert finding["where"] == f"web/site.conf:{line}"
    assert "no_such_thing" in finding["problem"]
    assert finding["remedy"] == "correct the line"
    conf.write_text(text)
    assert found(stage, "--deep") == {}


def test_mounted_code_that_the_image_cannot_import_is_told_by_deploy_and_check(
    stage: Stage, site: str
) -> None:
    code = project(stage) / "nightwatch" / "py" / "nightwatch" / "webpages" / "plotimage.py"
    good = code.read_text()
    code.write_text(f"{good}\nimport no_such_library\n")
    # A variable that `app` is given, for the sake of a new container.
    env = stage.stack / "stack.env"
    env.write_text(env.read_text() + "CHANGED=yes\n")
    what = "no page can be made on demand: ModuleNotFoundError: No module named 'no_such_library'"
    fix = (
        "Add it to app/requirements.in, then run `invoke requirements` and `invoke deploy`; "
        "code of your own needs a COPY in app/Dockerfile instead."
    )
    try:
        deployed = stage.done("deploy")
        assert f"warning: {what}\n  fix:   {fix}\n" in deployed.err, deployed
        finding = found(stage)["site-warning"]
        assert finding == {
            "rule": "site-warning",
            "where": f"{site}readyz",
            "problem": what,
            # With the destination that was named.
            "remedy": re.sub(r"(`invoke \w+)`", r"\1 --to rehearsal`", fix),
            "severity": "warning",
        }
        # What is there is shown all the same.
        for page in ("", "20251126/311038/"):
            with urllib.request.urlopen(site + page, timeout=20) as answer:
                assert answer.status == 200
    finally:
        code.write_text(good)
        stage.restore()
