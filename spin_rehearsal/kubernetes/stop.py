"""Stopping a rehearsal in a cluster, so that nothing of it is left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress

from spin_rehearsal import account
from spin_rehearsal.kubernetes import at_hand, cluster, places, registry
from spin_rehearsal.kubernetes.kubectl import Kubectl
from spin_rehearsal.kubernetes.places import State
from spin_rehearsal.paths import DEFAULT_NAME, Places
from spinstack.errors import SpinstackError
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner, Runner

Say = Callable[[str], None]


def stop(name: str = DEFAULT_NAME, *, runner: Runner | None = None, say: Say = print) -> None:
    """Remove what a rehearsal made in the cluster and on this machine. Running it again changes
    nothing. Raises SpinstackError for a cluster that does not answer."""
    runner = runner or LocalRunner()
    where = places.of(name)
    decided = places.load(where)
    if not account.check_storage(where) and decided is None:
        say(f"no rehearsal {name!r}")
        return
    if decided is not None and _is_there(runner, decided, say):
        _end(Kubectl(runner, decided.kubeconfig, decided.context), decided, where, say)
    if decided is not None and decided.engine:
        registry.stop(runner, decided)
    if runner.dry:
        runner.run(Command("rm", "--recursive", str(where.storage), str(where.private)))
        return
    _remove_files(where)
    say(f"stopped the rehearsal {name!r}")


def _is_there(runner: Runner, decided: State, say: Say) -> bool:
    """Whether the kubeconfig still knows the cluster: kind and k3d take it out with the cluster."""
    if runner.dry or decided.context in _names(runner, decided):
        return True
    say(f"there is no context {decided.context} any more: what was in that cluster is left alone")
    return False


def _names(runner: Runner, decided: State) -> set[str]:
    return {one.name for one in at_hand.contexts(runner, [decided.kubeconfig])}


def _end(kubectl: Kubectl, decided: State, where: Places, say: Say) -> None:
    """The policies last: until then, nothing that they refuse can start in the namespace."""
    try:
        if not cluster.is_ours(kubectl, decided):
            say(f"the namespace {decided.namespace} is somebody else's by now: it is left alone")
            return
        kubectl.run("delete", "namespace", decided.namespace, "--ignore-not-found", "--wait=false")
        # Nobody waits for the pages that a pod still makes.
        pods = ("delete", "pods", "--all", "--namespace", decided.namespace)
        kubectl.run(*pods, "--grace-period=1", "--wait=false", "--ignore-not-found")
        cluster.wait_until_gone(kubectl, decided)
        cluster.remove_policies(kubectl, decided, keep=set())
    except SpinstackError as error:
        raise SpinstackError(
            "the rehearsal can't be removed from the cluster",
            where=error.where,
            remedy=f"start the cluster, then stop the rehearsal again; if the cluster is gone for "
            f"good, remove {where.private}",
            details=error.details,
        ) from None


def _remove_files(where: Places) -> None:
    """No link is followed. Raises SpinstackError for what can't be removed."""
    try:
        # The state last: it tells a further stop what is left.
        for directory in (where.storage, where.private):
            with suppress(FileNotFoundError):
                shutil.rmtree(directory)
    except OSError as error:
        raise SpinstackError(
            f"files of the rehearsal can't be removed: {error.strerror}",
            where=str(error.filename),
            remedy="remove what is there, then stop the rehearsal again",
        ) from None
    with suppress(OSError):  # another rehearsal's
        where.private.parent.rmdir()
