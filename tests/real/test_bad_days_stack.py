"""Bad days after the login: an app that fails, a registry that is down, a Rancher gone mad.

In the end the site from before answers, in the very containers from before, and the person
knows why.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from .small_site import SmallSite, assert_told_well, registry
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry")

DIES = "echo 'cannot open /etc/app.conf: no such file'; exit 3"
CHECKED = "web is healthy when port 8080 answers GET /nothing HTTP/1.0 (rancher-compose.yml:"
AGAIN = "; the previous version is running again"


def assert_untouched(small: SmallSite, before: dict[str, str]) -> None:
    """The very containers from before run, and answer; no lock is left."""
    assert small.generations() == before
    generation = next(iter(before.values())).split()[0]
    small.assert_whole(generation)


@pytest.mark.parametrize(
    ("how", "what", "log"),
    [
        (
            {"command": DIES, "healthy_within": 10},
            "error: web ",
            "cannot open /etc/app.conf: no such file",
        ),
        ({"page": "/nothing", "healthy_within": 3}, "did not become healthy within 3 s", CHECKED),
    ],
    ids=["dies", "never healthy"],
)
def test_an_app_that_fails(small: SmallSite, how: dict[str, object], what: str, log: str) -> None:
    small.deployed("good")
    before = small.generations()
    small.write("bad", **how)  # type: ignore[arg-type]
    failed = small.invoke("deploy")
    assert_told_well(failed)
    assert what in failed.err
    assert log in failed.err
    assert AGAIN in failed.err
    assert_untouched(small, before)


def test_an_app_that_fails_in_its_first_deploy(small: SmallSite) -> None:
    small.gone()
    small.write("bad", command=DIES, healthy_within=4)
    failed = small.invoke("deploy")
    assert_told_well(failed)
    assert "cannot open /etc/app.conf" in failed.err
    assert "; the containers were left in place for inspection; the site is not up" in failed.err
    assert "fix:   fix the cause (`invoke logs` shows more) and deploy again" in failed.err
    small.deployed("good")
    small.assert_whole("good")


def test_an_image_that_the_nodes_cannot_pull(small: SmallSite) -> None:
    small.deployed("good")
    before = small.generations()
    small.image, there = small.image.replace(":1.0", ":9.9"), small.image
    try:
        small.write("bad")
        failed = small.invoke("deploy")
    finally:
        small.image = there
    assert_told_well(failed)
    assert "demo/tiny:9.9" in failed.err
    assert AGAIN in failed.err
    assert_untouched(small, before)


@contextmanager
def registry_hangs(small: SmallSite) -> Iterator[None]:
    """It takes connections, and says nothing."""
    asked = ["pgrep", "-f", f"docker-registry serve {small.stage.private}/"]
    pid = int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_pull_that_hangs(small: SmallSite) -> None:
    small.deployed("good")
    before = small.generations()
    small.image, there = small.image.replace(":1.0", ":8.8"), small.image
    begin = time.monotonic()
    try:
        small.write("bad", healthy_within=5)
        with registry_hangs(small):
            failed = small.invoke("deploy")
    finally:
        small.image = there
    assert_told_well(failed)
    assert time.monotonic() - begin < 30
    assert "did not become healthy within 5 s" in failed.err
    assert "web upgrading (Waiting for instances to start)" in failed.err
    assert AGAIN in failed.err
    assert_untouched(small, before)


def test_a_wrong_environment_and_a_key_that_is_refused_are_named(small: SmallSite) -> None:
    small.deployed("good")
    before = small.generations()
    centre = yaml.safe_load((small.stage.private / "destination.yml").read_text())["centre"]
    # Else a deploy's checks find it at once.
    centre["rancher"] = {"environments": ["dev-catle"]}
    small.write("next", environment="dev-catle", centre=centre)
    for task in ("status", "deploy"):
        failed = small.invoke(task)
        assert_told_well(failed)
        assert "error: Rancher has no environment dev-catle" in failed.err
        assert "fix:   set environment in invoke.yaml to one that `rancher environment` lists" in (
            failed.err
        )
    small.write("next")
    key = small.stage.login_home / ".rancher" / "cli.json"
    good = key.read_text()
    key.write_text(json.dumps({**json.loads(good), "secretKey": "wrong"}))
    try:
        for task in ("status", "deploy"):
            failed = small.invoke(task)
            assert_told_well(failed)
            assert (
                "error: Rancher does not accept the account's key, or there is none" in failed.err
            )
            assert "fix:   move ~/.rancher/cli.json on the login node away" in failed.err
    finally:
        key.write_text(good)
    assert_untouched(small, before)


def test_a_registry_that_is_down(small: SmallSite) -> None:
    small.deployed("good")
    before = small.generations()
    down = "127.0.0.1:9"
    centre = yaml.safe_load((small.stage.private / "destination.yml").read_text())["centre"]
    centre["registries"]["own"] = [down, registry(small.stage)]
    images = {"tiny": {"context": "image", "name": "httpd-tiny"}}
    (small.directory / "image").mkdir(exist_ok=True)
    (small.directory / "image" / "Dockerfile").write_text(f"FROM {small.image}\n")
    small.write("bad", stack={"images": images}, registry=down, centre=centre)
    failed = small.invoke("deploy")
    assert_told_well(failed)
    assert f"the registry {down} can't be reached" in failed.err
    assert "upload" not in failed.err
    assert_untouched(small, before)


def test_a_login_for_the_rehearsal_s_registry_that_is_lost(small: SmallSite) -> None:
    small.write("next")
    engine, host = str(small.stage.rehearsal["engine"]), registry(small.stage)
    small.stage.type(engine, "logout", host, at=small.directory)
    push = (engine, "push", small.image)
    assert small.stage.type(*push, at=small.directory).code == 1
    typed = small.invoke("registry.login")
    assert (typed.code, typed.out) == (0, f"logged in to {host} as demo\n"), typed
    assert small.stage.type(*push, at=small.directory).code == 0


@contextmanager
def rancher(small: SmallSite, script: str) -> Iterator[None]:
    """`rancher` on the login node is this script, which finds the real one as `$real`."""
    profile = small.stage.login_home / ".bash_profile"
    good = profile.read_text()
    directory = small.stage.login_home / "bad"
    directory.mkdir()
    real = small.stage.file_systems / "spin" / "bin" / "rancher"
    (directory / "rancher").write_text(f"#!/bin/bash\nreal={real}\n{script}\n")
    (directory / "rancher").chmod(0o755)
    directory.chmod(0o755)
    profile.write_text(f'{good}\nexport PATH="{directory}:$_rehearsal_tools:$PATH"\n')
    try:
        yield
    finally:
        profile.write_text(good)
        (directory / "rancher").unlink()
        directory.rmdir()


# The limits of every wait, in seconds, shorter than people would have them.
IMPATIENT = """\
import sys
from spinstack.platforms import base, health
base.QUICK, base.SLOW, health.SILENT_SECONDS = 5, int(sys.argv[1]), 4
from invoke.main import program
program.run(["invoke", *sys.argv[2:]])
"""
# What a proxy says in the place of Rancher, or a program that is broken.
GARBAGE = r"printf '<html>\n{\"Service\": \x01\xff\n502 Bad Gateway</html>\n'"
ONLY_PS = 'case $1 in ps) {deed} ;; *) exec "$real" "$@" ;; esac'
# Only what comes after an upgrade was begun.
LATER = (
    'case "$*" in *--upgrade*) touch {later} ;; esac; '
    "test -e {later} && test $1 = ps && {{ {deed}; }}; "
    'exec "$real" "$@"'
)
ONLY_UPGRADE = 'case "$*" in *--upgrade*) {deed} ;; *) exec "$real" "$@" ;; esac'


def impatient(small: SmallSite, *words: str, slow: int = 60) -> Typed:
    """`invoke …`, with short limits; `slow`: seconds for what waits for containers."""
    command = (sys.executable, "-c", IMPATIENT, str(slow), *words)
    return small.stage.type(*command, at=small.directory)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        (GARBAGE, "error: unexpected output from rancher"),
        (
            ONLY_PS.format(deed="sleep 60"),
            "Rancher does not say what is running (no answer within 5 s)",
        ),
        (
            ONLY_UPGRADE.format(deed="sleep 60"),
            "Rancher did not bring up small-desi: rancher did not finish within 4 s",
        ),
    ],
    ids=["garbage", "ps hangs", "up hangs"],
)
def test_a_rancher_that_fails_before_anything_has_changed(
    small: SmallSite, script: str, what: str
) -> None:
    small.deployed("good")
    before = small.generations()
    small.write("next")
    with rancher(small, script):
        failed = impatient(small, "deploy", slow=4)
    assert_told_well(failed)
    assert what in failed.err
    assert_untouched(small, before)


def test_a_rancher_that_goes_mad_in_the_middle_of_an_upgrade(small: SmallSite) -> None:
    small.deployed("good")
    small.write("next")
    later = small.stage.login_home / "later"
    with rancher(small, LATER.format(deed=f"{GARBAGE}; exit", later=later)):
        failed = impatient(small, "deploy")
    later.unlink()
    assert_told_well(failed)
    assert "error: unexpected output from rancher" in failed.err
    assert "and the rollback failed:" in failed.err
    assert "; the upgrade is unfinished; the previous containers are stopped and kept" in failed.err
    assert "fix:   once the cause is gone, run `invoke rollback`" in failed.err
    assert "is waiting for `invoke confirm` or `invoke rollback`" in small.invoke("status").err
    assert small.invoke("rollback", "--yes").code == 0
    small.assert_whole("good")
