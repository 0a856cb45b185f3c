"""Shared by all tests: a home of their own, and the marker for tests with real parts."""

from __future__ import annotations

import compileall
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def _engine_answers() -> bool:
    for engine in ("docker", "podman"):
        if shutil.which(engine):
            answer = subprocess.run([engine, "info"], capture_output=True, timeout=60)
            if answer.returncode == 0:
                return True
    return False


def _compose_answers() -> bool:
    """As a plugin of docker, or as the older program of its own."""
    for words in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(words[0]):
            answer = subprocess.run([*words, "version"], capture_output=True, timeout=60)
            if answer.returncode == 0:
                return True
    return False


def _installed(*programs: str) -> Callable[[], bool]:
    sbin = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return lambda: any(shutil.which(program, path=sbin) for program in programs)


def _can_mount() -> bool:
    """In a container root may not."""
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


# A part of the world that a test may need: how to see whether it is there.
PARTS: dict[str, Callable[[], bool]] = {
    "engine": _engine_answers,
    "uv": lambda: bool(shutil.which("uv")) or Path(sys.executable).with_name("uv").exists(),
    "pipx": lambda: Path(sys.executable).with_name("pipx").exists(),
    "compose": _compose_answers,
    "sshd": _installed("sshd"),
    # PAM's module for one-time codes; its package brings this program, too.
    "one-time codes": _installed("google-authenticator"),
    "tcsh": _installed("tcsh"),
    "bash": _installed("bash"),
    "zsh": _installed("zsh"),
    "fish": _installed("fish"),
    "registry": _installed("docker-registry"),
    "nginx": _installed("nginx"),
    "chromium": _installed("chromium", "chromium-browser", "google-chrome"),
    "root": lambda: os.geteuid() == 0,
    "mount": lambda: shutil.which("unshare") is not None and _can_mount(),
}


@cache
def _present(part: str) -> bool:
    return PARTS[part]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real parts are missing; in CI that is a failure instead."""
    for marker in item.iter_markers("real"):
        missing = [part for part in marker.args if not _present(part)]
        if not missing:
            continue
        reason = f"needs {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have every real part: {reason}", pytrace=False)
        pytest.skip(reason)


# Modules of tests/real whose parts are their own. All others share a rehearsal on a stage, of
# which there are two side by side, or start further ones.
APART = ("login", "one_time", "wires", "operate_ssh", "registry", "packages", "completion")
APART += ("check_access", "spin_service")
# Those of them that build images and run containers.
IN_CONTAINERS = ("benchmarks", "end_to_end_wheel", "images", "serving")


# Those with a Kubernetes, whose first build takes minutes: see tests/cluster/README.md.
ON_CLUSTER = ("test_cluster", "test_kube")


# Those on the second stage.
SECOND = ("test_end_to_end", "test_history", "test_local", "test_operate", "test_re", "test_setup")


def group(test: str) -> str:
    """What runs in one worker of pytest-xdist, one test after the other: a module, which then
    makes its fixtures once; of those with real parts all on a stage, and all whose parts are
    their own."""
    module = Path(test.partition("::")[0])
    if module.parent.name != "real":
        return str(module)
    name = module.name.removeprefix("test_")
    if name.startswith(APART):
        return "apart"
    if name.startswith(IN_CONTAINERS):
        return "apart, in containers"
    if module.name.startswith(ON_CLUSTER):
        return "on a cluster"
    return "on the second stage" if module.name.startswith(SECOND) else "on the first stage"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The groups, the largest first, unless something else is asked for by `--dist`."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Groups(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Write down what Python makes of the packages, which Invoke forbids: else each of the many
    programs that tests start would compile them anew."""
    if not hasattr(session.config, "workerinput"):  # once, not in each worker of pytest-xdist
        for package in ("spinstack", "spin_rehearsal"):
            compileall.compile_dir(REPOSITORY / package, quiet=2)


@pytest.fixture(autouse=True, scope="session")
def _own_sockets(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where logins are kept if a test's home has too long a name for a socket."""
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def _homes() -> Iterator[Iterator[Path]]:
    """One after the other, with names that are short enough for sockets in them: in a worker of
    pytest-xdist those of `tmp_path` are not, and sockets of all tests would be in one place."""
    with tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True) as place:
        yield (Path(place) / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the developer's ssh config, known hosts, Invoke settings and Docker logins."""
    home = next(_homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for name in [name for name in os.environ if name.startswith(("INVOKE_", "RANCHER_"))]:
        monkeypatch.delenv(name)
