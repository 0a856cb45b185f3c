"""The tasks of this repository: the collection that stacks use, and those of its makers.

make demo    the main job on this machine, from the template to a page in the browser
make test    every test, with what it needs installed first where that is possible
make docs    the pages of docs/, for a browser
make bench   how fast the site, deploys and the command line are, against other ways
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack.console.console import Console
from spinstack.tasks import TOPICS
from spinstack.tasks.task import task
from spinstack.tasks.topics import Topic, collected
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, PrintingRunner, Runner

REPOSITORY = Path(__file__).resolve().parent
# Where `make demo` makes its stack; git does not look there.
DEMO = REPOSITORY / "demo"
DEMO_STACK = "nightwatch-desi"
MAKERS = "own"
DOCS = REPOSITORY / "docs"
PAGES = DOCS / "_build" / "html"

# In the order in which they run, each a module of benchmarks/.
BENCHMARKS = ("serving", "remote", "cli", "kubernetes")

# Programs that the tests with real parts use, and the Debian packages that bring them.
TEST_PARTS = {
    "docker-registry": "docker-registry",
    "docker-compose": "docker-compose",
    "mmdebstrap": "mmdebstrap",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    # One-time codes for that sshd, by way of PAM.
    "google-authenticator": "libpam-google-authenticator",
    "tcsh": "tcsh",
    "zsh": "zsh",
    "fish": "fish",
    "nginx": "nginx-light",
    "chromium": "chromium",
    "curl": "curl",
    # Tiny images for the tests of the pretend Spin are made of it.
    "/bin/busybox": "busybox-static",
    "git": "git",
}


def _runner(context: Context) -> Runner:
    return PrintingRunner() if context.config.run.dry else LocalRunner()


def _live(context: Context, *words: str, cwd: Path = REPOSITORY) -> None:
    """Run a program of this environment in the open; its failure is this task's failure."""
    import subprocess

    command = Command(*words)
    if context.config.run.dry:
        print(f"$ {command.shown()}")
        return
    code = subprocess.run(command.argv(), cwd=cwd, check=False).returncode
    if code:
        raise Exit(code=code)


def _invoke(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "invoke", *words)


@task(MAKERS)
def demo(context: Context) -> None:
    """Rehearse the main job here: ends with an address that answers."""
    console = Console()
    _live(context, *_invoke("rehearsal.start"))
    stack = DEMO / DEMO_STACK
    if (stack / "invoke.yaml").exists():
        console.note(f"the stack in {stack} is there already and stays as it is")
    else:
        words = ("--no-input", "--overwrite-if-exists", "--output-dir", str(DEMO))
        _live(context, sys.executable, "-m", "cookiecutter", str(REPOSITORY), *words)
    console.note(f"invoke deploy   (in {stack})")
    if not context.config.run.dry:
        _show_how_to_go_on(context, console, stack)
    else:
        print(f"$ cd {stack} && {Command(*_invoke('deploy', '--to', 'rehearsal')).shown()}")


def _show_how_to_go_on(context: Context, console: Console, stack: Path) -> None:
    """Deploy; then what can be done now; the address alone as the last line."""
    import subprocess

    words = _invoke("deploy", "--to", "rehearsal")
    done = subprocess.run(words, cwd=stack, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Exit(code=done.returncode)
    invoke = os.path.relpath(Path(sys.executable).with_name("invoke"), stack)
    for line in (
        "",
        "It runs. What you can do now:",
        f"  cd {os.path.relpath(stack)}",
        f"  {invoke} status          services, health, release, address",
        f"  {invoke} logs            what the services printed last",
        f"  {invoke} --list          everything else",
        "  make demo-stop (in the checkout) stops it all and leaves nothing behind",
        "",
        "Its address:",
    ):
        console.note(line)
    print(done.stdout.strip().splitlines()[-1])


@task(MAKERS)
def demo_stop(context: Context) -> None:
    """Stop what demo started and remove what it made."""
    _live(context, *_invoke("rehearsal.stop", "--all"))
    from spin_rehearsal import engine_setup

    engine_setup.stop_own_docker(_runner(context), Console().note)
    if context.config.run.dry:
        print(f"$ rm -r {DEMO}")
    elif DEMO.exists():
        shutil.rmtree(DEMO)


@task(
    MAKERS,
    help={
        "only-unit": "only those that need nothing besides Python",
        "options": "more words for pytest, such as '-k release -x'",
    },
)
def test(context: Context, only_unit: bool = False, options: str = "") -> None:
    """Run the tests; installs what the real parts need, as root on Debian."""
    import shlex

    if not only_unit:
        _prepare_real_parts(context)
        if not options:
            _build_cluster(context)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    os.environ["PATH"] = path
    # What pytest makes of the tests is kept, or each worker would make it anew each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    more = shlex.split(options)
    # Those with real parts in three groups, of which each is a worker's (see tests/conftest.py).
    # All wait for programs now and then: one worker more than there are cores is at work.
    workers = ("-n", str((os.cpu_count() or 1) + 1))
    only = ("tests/unit",) if only_unit else ()
    _live(context, sys.executable, "-m", "pytest", *workers, *only, *more)


def _prepare_real_parts(context: Context) -> None:
    """As root on Debian install what is missing; elsewhere the tests say what they lack."""
    from spin_rehearsal import base_images, engine_setup, packages
    from tests.cluster import available

    if not packages.can_install():
        return
    say = Console().note
    runner = _runner(context)
    engine = engine_setup.ensure_engine(runner, say)
    packages.ensure_packages(runner, say, {**TEST_PARTS, **available.PROGRAMS})
    # Else those who run side by side would all make them.
    base_images.ensure(runner, engine, say)


def _build_cluster(context: Context) -> None:
    """Begin to build the Kubernetes of the tests where that is still to do, beside the other
    tests: the first time takes minutes. Who needs it waits for it."""
    import subprocess

    from tests.cluster import available, build

    if context.config.run.dry or available.reason() or build.is_built():
        return
    Console().note(f"building a Kubernetes for the tests, beside them: {build.log()}")
    with build.log().open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.build"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


@task(
    MAKERS,
    help={
        "quick": "a smoke run, whose figures say nothing",
        "only": "serving, remote, cli or kubernetes, or a scenario of serving (static, busy, …); "
        "may be repeated",
        "output": "directory for the figures, instead of benchmarks/results and docs",
    },
    iterable=["only"],
)
def bench(
    context: Context, quick: bool = False, only: Sequence[str] | None = None, output: str = ""
) -> None:
    """Measure the site, deploys from far away, the command line and Kubernetes (40 minutes).

    The site against the tutorial's and bare nginx, deploys over a line of 40 ms against bare
    ssh, Fabric and Ansible, commands against trivial ones, deploys to a Kubernetes against kubectl
    and Helm.
    """
    common = [*(["--quick"] if quick else []), *(["--output", output] if output else [])]
    failed = 0
    for name, scenarios in _benchmarks(only or ()):
        words = [word for scenario in scenarios for word in ("--only", scenario)]
        try:
            _live(context, sys.executable, "-m", f"benchmarks.{name}", *words, *common)
        except Exit as error:
            # The others need other things: that one can't run is no reason to leave them out.
            failed = failed or error.code
    if failed:
        raise Exit(code=failed)


def _benchmarks(only: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The benchmarks that are meant, each with the scenarios of it; all of them for nothing."""
    scenarios = [name for name in only if name not in BENCHMARKS]
    chosen = [name for name in BENCHMARKS if name in only or not only]
    if scenarios and "serving" not in chosen:
        chosen.insert(0, "serving")
    return [(name, scenarios if name == "serving" else []) for name in chosen]


@task(MAKERS)
def lint(context: Context) -> None:
    """Check style, types and who imports whom: ruff, mypy and import-linter."""
    _live(context, sys.executable, "-m", "ruff", "check", ".")
    _live(context, sys.executable, "-m", "ruff", "format", "--check", ".")
    _live(context, sys.executable, "-m", "mypy")
    _live(context, str(Path(sys.executable).with_name("lint-imports")))


@task(MAKERS)
def docs(context: Context) -> None:
    """Build the pages in docs/_build/html; a link inside that leads nowhere is an error.

    The links to other sites are listed in external-links.txt there.
    """
    # All pages each time: what a page says may come from any file of the packages.
    words = ("-m", "sphinx", "--fail-on-warning", "--keep-going", "--fresh-env", "--quiet")
    _live(context, sys.executable, *words, "-b", "html", str(DOCS), str(PAGES))
    Console().note(f"the pages: {PAGES / 'index.html'}")


@task(MAKERS)
def linkcheck(context: Context) -> None:
    """Ask every other site that the pages link to whether the link is still good."""
    words = ("-m", "sphinx", "--fresh-env", "--quiet", "-b", "linkcheck")
    _live(context, sys.executable, *words, str(DOCS), str(PAGES.with_name("linkcheck")))


OWN = (demo, demo_stop, test, bench, lint, docs, linkcheck)
ns: Collection = collected("spinstack", [*TOPICS, Topic(MAKERS, "For makers of spinstack", OWN)])
