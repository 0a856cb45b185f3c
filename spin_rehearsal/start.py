"""Starting a rehearsal, and its status. Stopping is in `stop.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spin_rehearsal import (
    account,
    base_images,
    destination,
    engine_setup,
    health,
    packages,
    paths,
    registry_child,
    sshd,
    state,
)
from spin_rehearsal.login_codes import LoginCodes
from spin_rehearsal.paths import DEFAULT_NAME, USER, Places
from spin_rehearsal.rancher.install import install, usable_python
from spin_rehearsal.state import HOST
from spin_rehearsal.supervisor_lock import supervisor_pid
from spinstack import sample
from spinstack.directories import Directory
from spinstack.errors import SpinstackError
from spinstack.images import registry_login
from spinstack.images.engine import find
from spinstack.text import read_json, split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, Runner

Say = Callable[[str], None]

# From the start of the supervisor until all its parts answer; seconds.
READY_WITHIN = 30.0

_PRIVATE = "the directory for the rehearsal's state"


@dataclass(frozen=True)
class Status:
    """A rehearsal as a person or a script asks for it. `silent`: parts that do not answer."""

    name: str
    running: bool
    silent: tuple[str, ...]
    ssh: str
    login_answer_file: str
    known_hosts_file: str
    registry: str
    spin: str
    node_address: str
    stacks: tuple[str, ...]
    storage: str
    private: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def start(
    name: str = DEFAULT_NAME,
    *,
    runner: Runner | None = None,
    say: Say = print,
    ready_within: float = READY_WITHIN,
) -> Status | None:
    """Start a rehearsal: what exists is kept, what is missing is created.

    Returns its status (None in a dry run). Raises SpinstackError: nothing to make an engine
    or images of, another rehearsal's storage, a supervisor that does not get ready within
    `ready_within` seconds.
    """
    runner = runner or LocalRunner()
    where = paths.of(name)
    found = status(name)
    if found.running and not found.silent:
        say(f"the rehearsal {name!r} is already running")
        return found
    if found.running:
        raise SpinstackError(
            f"the rehearsal {name!r} is running, but not its {' and '.join(found.silent)}",
            where=str(where.log),
            remedy="restart it: invoke rehearsal.stop --keep-data rehearsal.start",
        )
    _check_storage(where)
    sshd.library()
    engine = engine_setup.ensure_engine(runner, say)
    packages.ensure_packages(runner, say, {registry_child.PROGRAM: "docker-registry"})
    if runner.dry:
        _show(runner, where, engine, say)
        return None
    _prepare(name, where, engine, runner, say)
    _launch(where, ready_within, say)
    _log_in(where, runner)
    return status(name)


def _check_storage(where: Places) -> None:
    """Raises SpinstackError for a storage that can't be used: before an engine is installed and
    images are made, which takes minutes."""
    account.check_reachable(where)
    if account.check_storage(where):
        with account.open_storage(where) as storage:
            state.check_mark(where, storage)


def _show(runner: Runner, where: Places, engine: str, say: Say) -> None:
    """The rest of a dry run: what would be created and started."""
    base_images.ensure(runner, engine, say)
    runner.run(Command("mkdir", "--parents", str(where.private), str(where.project)))
    runner.run(_supervisor(where))


def _prepare(name: str, where: Places, engine: str, runner: Runner, say: Say) -> None:
    """All files and images; the images take longest, so they are made in parallel."""
    with Directory(where.private, what=_PRIVATE, remedy=f"remove {where.private}"):
        decided = state.decide(name, where, engine)
    with account.open_storage(where) as storage:
        state.mark_storage(decided, where, storage)
        who = account.of(where)
        project = account.lay_out(where, who, decided.centre(where).modules, storage)
        python = _session_python(where, runner, say)
        with ThreadPoolExecutor(1) as beside:
            images = beside.submit(base_images.ensure, runner, engine, say)
            decided.save(where)
            install(where.spin, python, decided.spin_url)
            sample.fill(project, who.owner)
            decided = replace(decided, build_args=images.result())
    decided.save(where)
    public_key = sshd.ensure_host_key(where.host_key)
    where.known_hosts.write_text(sshd.known_hosts_line(decided.ssh_port, public_key))
    destination.write(decided, where)


def _session_python(where: Places, runner: Runner, say: Say) -> str:
    """A Python that login sessions may execute, installed if there is none."""
    numbers = account.of(where).owner or (None, None)
    try:
        return usable_python(*numbers)
    except SpinstackError:
        if not packages.can_install():
            raise
        packages.ensure_packages(runner, say, {"/usr/bin/python3": "python3"})
        return usable_python(*numbers)


def _supervisor(where: Places) -> Command:
    return Command(sys.executable, "-m", "spin_rehearsal.serve", str(where.private))


def _launch(where: Places, within: float, say: Say) -> None:
    """Start the supervisor and wait until all its parts answer.

    Raises SpinstackError with the end of its log; then nothing of it runs any more.
    """
    process = _spawn(where)
    decided = state.load(where.state)
    assert decided is not None
    deadline = time.monotonic() + within
    silent = ["supervisor"]
    while process.poll() is None and time.monotonic() < deadline:
        silent = health.silent_parts(decided)
        if not silent:
            say(f"the rehearsal {decided.name!r} is running")
            return
        time.sleep(0.05)
    if process.poll() is None:
        process.terminate()
        process.wait()
    raise SpinstackError(
        f"the rehearsal did not start: its {' and '.join(silent)} did not respond",
        where=str(where.log),
        remedy="fix what the log reports, then start it again",
        details=tail(where.log),
    )


def _spawn(where: Places) -> subprocess.Popen[bytes]:
    """Detached: in a session of its own, its output in the log."""
    package = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with where.log.open("ab") as log:
        return subprocess.Popen(
            _supervisor(where).argv(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )


def _log_in(where: Places, runner: Runner) -> None:
    """Have the engine keep the login for the registry, for pushes from here and pulls of the nodes.
    Raises SpinstackError if it can't."""
    decided = state.load(where.state)
    assert decided is not None
    password = LoginCodes(where.login).password
    registry_login.login(runner, find(runner, decided.engine), decided.registry, USER, password)


def tail(file: Path, lines: int = 15) -> str:
    """The last lines of a file, nothing if there is none."""
    if not file.exists():
        return ""
    return "\n".join(split_lines(file.read_text(encoding="utf-8", errors="replace"))[-lines:])


def status(name: str = DEFAULT_NAME) -> Status:
    """How a rehearsal is; one that was never made is not running and has no addresses."""
    where = paths.of(name)
    decided = state.load(where.state)
    running = decided is not None and supervisor_pid(where) is not None
    silent = health.silent_parts(decided) if decided and running else []
    return Status(
        name=name,
        running=running,
        silent=tuple(silent),
        ssh=f"{USER}@{HOST}:{decided.ssh_port}" if decided else "",
        login_answer_file=str(where.login),
        known_hosts_file=str(where.known_hosts),
        registry=decided.registry if decided else "",
        spin=decided.spin_url if decided else "",
        node_address=decided.node_address if decided else "",
        stacks=tuple(_stacks(where)),
        storage=str(where.storage),
        private=str(where.private),
    )


def _stacks(where: Places) -> list[str]:
    """`name (state)` of each stack that the Spin service has written down."""
    try:
        stacks = read_json(where.spin_state.read_text(encoding="utf-8"))["stacks"]
    except (FileNotFoundError, ValueError, KeyError):
        return []
    return [
        f"{stack['name']} ({stack['state']})"
        for stack in stacks.values()
        if stack["state"] != "removed"
    ]
