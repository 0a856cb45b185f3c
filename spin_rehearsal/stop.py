"""Stopping a rehearsal, so that nothing of it is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from spin_rehearsal import account, debian_images, engine_setup, paths, serve, state
from spin_rehearsal.login_codes import LoginCodes
from spin_rehearsal.paths import DEFAULT_NAME, Places
from spin_rehearsal.spin import containers
from spin_rehearsal.spin.service import SpinService
from spin_rehearsal.state import State
from spin_rehearsal.supervisor_lock import supervisor_pid
from spinstack.errors import SpinstackError
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, Runner

Say = Callable[[str], None]

# How long the supervisor may take to end when asked; seconds.
_END_WITHIN = 30.0


def stop(
    name: str = DEFAULT_NAME,
    *,
    keep_data: bool = False,
    all_images: bool = False,
    runner: Runner | None = None,
    say: Say = print,
) -> None:
    """Stop a rehearsal and remove what it created: processes, containers, networks, volumes, the
    images that went through its registry, the login for it, its files. Running it again changes
    nothing.

    `keep_data`: only processes and containers are stopped, and the next start resumes from
    there. `all_images`: also remove the equivalents of official base images. Raises
    SpinstackError for a supervisor that does not stop, an engine that does not respond, a
    storage that is not ours.
    """
    runner = runner or LocalRunner()
    where = paths.of(name)
    decided = state.load(where.state)
    if not account.check_storage(where) and decided is None and not all_images:
        say(f"no rehearsal {name!r}")
        return
    if runner.dry:
        _show(where, decided, keep_data, all_images, runner)
        return
    if decided is not None:
        _end_supervisor(where)
        _end_containers(decided, where, runner, keep_data)
    if keep_data:
        say(f"stopped the rehearsal {name!r}; its data is kept in {where.storage}")
        return
    if decided is not None:
        remove_images(runner, decided.engine, decided.registry)
        runner.run(Command(decided.engine, "logout", decided.registry))
    _remove_files(where)
    if decided is not None and not state.others(where):
        remove_unnamed(runner, decided.engine)
    _tell_rest(name, decided, all_images, runner, say)


def _show(
    where: Places, decided: State | None, keep_data: bool, all_images: bool, runner: Runner
) -> None:
    """A dry run: what would be stopped and removed."""
    pid = supervisor_pid(where)
    if pid is not None:
        runner.run(Command("kill", str(pid)))
    if decided is not None:
        runner.run(containers.listed(decided.engine, "container", decided.prefix))
        if not keep_data:
            runner.run(containers.remove(decided.engine, ["CONTAINER..."]))
            runner.run(Command(decided.engine, "image", "rm", f"{decided.registry}/..."))
            runner.run(Command(decided.engine, "logout", decided.registry))
        if all_images:
            runner.run(Command(decided.engine, "image", "rm", *debian_images.names()))
    if not keep_data:
        runner.run(Command("rm", "--recursive", str(where.storage), str(where.private)))


def _remove_files(where: Places) -> None:
    """No link is followed. Raises SpinstackError for what can't be removed."""
    try:
        for directory in (where.storage, where.private):
            with suppress(FileNotFoundError):
                shutil.rmtree(directory)
    except OSError as error:
        raise SpinstackError(
            f"files of the rehearsal can't be removed: {error.strerror}",
            where=str(error.filename),
            remedy="remove what is there, then stop the rehearsal again",
        ) from None
    root = paths.state_root()
    if root.is_dir() and not any(path.is_dir() for path in root.iterdir()):
        shutil.rmtree(root)
        with suppress(OSError):  # someone else has files there
            root.parent.rmdir()


def _end_supervisor(where: Places) -> None:
    pid = supervisor_pid(where)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _END_WITHIN
    while supervisor_pid(where) is not None:
        if time.monotonic() > deadline:
            raise SpinstackError(
                "the rehearsal's supervisor does not stop",
                where=f"process {pid}, log {where.log}",
                remedy=f"kill -9 {pid}, then stop the rehearsal again",
            )
        time.sleep(0.05)


def _end_containers(decided: State, where: Places, runner: Runner, keep: bool) -> None:
    if keep:
        listed = runner.run(containers.listed(decided.engine, "container", decided.prefix))
        if ids := listed.stdout.split():
            runner.run(Command(decided.engine, "stop", *ids))
        return
    SpinService(serve.spin_config(decided, where, LoginCodes(where.login)), runner).purge()


def remove_images(runner: Runner, engine: str, registry: str) -> None:
    """Remove every local image whose name begins with that registry.

    Images that still have another name keep it.
    """
    form = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
    listed = runner.run(Command(engine, "image", "ls", "--digests", "--format", form))
    names: list[str] = []
    for line in split_lines(listed.stdout):
        tagged, _, digested = line.partition(" ")
        if tagged.startswith(f"{registry}/"):
            names.append(digested if tagged.endswith(":<none>") else tagged)
    if names:
        runner.run(Command(engine, "image", "rm", "--force", *dict.fromkeys(names)))


def remove_unnamed(runner: Runner, engine: str) -> None:
    """Remove the nameless images built on our base images: stages that the classic builder
    keeps. Only when the last rehearsal goes, since another one's build may be using them."""
    ours = {layer for name in debian_images.names() for layer in _layers(runner, engine, name)}
    unnamed = Command(engine, "image", "ls", "--quiet", "--no-trunc", "--filter", "dangling=true")
    listed = runner.run(unnamed, changes=False)
    for image in dict.fromkeys(listed.stdout.split()):
        if ours.intersection(_layers(runner, engine, image)):
            runner.run(Command(engine, "image", "rm", image))


def _layers(runner: Runner, engine: str, image: str) -> list[str]:
    form = "{{range .RootFS.Layers}}{{.}} {{end}}"
    command = Command(engine, "image", "inspect", "--format", form, image)
    return runner.run(command, changes=False).stdout.split()


def _tell_rest(
    name: str, decided: State | None, all_images: bool, runner: Runner, say: Say
) -> None:
    """Say what is kept: base images, which the next rehearsal would have to get again."""
    engine = decided.engine if decided else engine_setup.ensure_engine(runner, say)
    ours = [
        image for image in debian_images.names() if debian_images.has_image(runner, engine, image)
    ]
    if all_images and ours:
        runner.run(Command(engine, "image", "rm", *ours))
        ours = []
    say(f"removed the rehearsal {name!r}" + ("" if ours else "; base images are kept"))
    if ours:
        say(f"kept for the next one: the base images {' and '.join(ours)} (--all removes them)")
