"""What `invoke doctor` checks of a Kubernetes destination: kubectl, kubeconfig, the cluster.

The cluster is asked where the destination's scripts run, and from the other place, where one of
the two may be all that works. A login node is asked only if a login is open.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spinstack.checks import login_node, survey
from spinstack.errors import SpinstackError
from spinstack.setup import kubeconfig, login_state
from spinstack.setup.doctor import PATIENCE, Outcome
from spinstack.setup.doctor_machine import QUICK
from spinstack.text import read_json
from spinstack.transport import connect
from spinstack.transport.command import Command
from spinstack.transport.laptop.node import LaptopNode

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode

# Seconds for the cluster's answers, so that the doctor hears of it in time.
ANSWERS_WITHIN = PATIENCE - 1.5


def program(session: Session) -> Outcome:
    """kubectl on this machine, and its version."""
    name = session.platform.program
    command = Command(name, "version", "--client", "-o", "json")
    try:
        result = session.runner.run(command, timeout=QUICK, changes=False)
    except SpinstackError as error:
        remedy = "install it (kubernetes.io/docs/tasks/tools), or set kubectl: login"
        return Outcome(name, "problem", error.what, remedy)
    try:
        version = read_json(result.stdout)["clientVersion"]["gitVersion"]
    except (ValueError, LookupError, TypeError):
        said = (result.stderr or result.stdout).strip()[:200] or f"exit code {result.code}"
        return Outcome(name, "problem", f"does not tell its version: {said}", f"reinstall {name}")
    return Outcome(name, "ok", f"{name} {version}")


def config(session: Session) -> Sequence[Outcome]:
    """The kubeconfig on this machine: its context, and how long its login lasts."""
    to = session.destination
    cluster, part = to.cluster, "kubeconfig"
    path = cluster.local_kubeconfig
    if not path.exists():
        source = to.centre.kubernetes.kubeconfig
        remedy = f"get it from {source}, and save it there with mode 600; or set kubectl: login"
        return [Outcome(part, "problem", f"there is no {path}", remedy)]
    found = kubeconfig.load(path)
    known = kubeconfig.contexts(found)
    outcomes = []
    if path.stat().st_mode & 0o077:
        outcomes.append(Outcome(part, "warning", f"others can read {path}", f"chmod 600 {path}"))
    if cluster.context not in known:
        what = f"{path} has no context {cluster.context}; it has {', '.join(known) or 'none'}"
        remedy = "set context: to one of these, or get the cluster's kubeconfig and add it"
        return [*outcomes, Outcome(part, "problem", what, remedy)]
    login = kubeconfig.login(found, cluster.context, path.parent)
    return [*outcomes, _lasting(to, login, f"{path}, context {cluster.context}")]


def _lasting(to: Destination, login: kubeconfig.Login | None, where: str) -> Outcome:
    """Whether the context's login outlives a deploy."""
    part, anew = "kubeconfig", f"get a new one from {to.centre.kubernetes.kubeconfig}"
    if login is None:
        return Outcome(part, "warning", f"{where}: no login in it", anew)
    if login.program:
        if shutil.which(login.program) is None:
            what = f"{where}: kubectl runs {login.program} to log in, which is not installed"
            return Outcome(part, "problem", what, f"install {login.program}, or {anew}")
        return Outcome(part, "ok", f"{where}: {login.program} logs in")
    if login.end is None:
        return Outcome(part, "ok", f"{where}: {login.kind}, which does not tell how long it lasts")
    left = login.end - login_state.now()
    if left <= 0:
        what = f"{where}: {login.kind} that expired on {login_state.moment(login.end)}"
        return Outcome(part, "problem", what, anew)
    what = f"{where}: {login.kind} for another {login_state.lasting(left)}"
    if left < to.healthy_within:
        return Outcome(part, "problem", f"{what}, less than a deploy may take", anew)
    return Outcome(part, "ok", what)


def access(session: Session) -> Sequence[Outcome]:
    """Whether the server answers, knows the account, and lets it deploy to the namespace."""
    to = session.destination
    if session.dry:
        with session.login_node() as node:
            survey.ask_platform(node, to, session.platform, ANSWERS_WITHIN)
        return []
    if to.on_laptop and not to.cluster.local_kubeconfig.exists():
        return []  # `config` has said it
    chosen = _node(to)
    return [_not_asked(to)] if chosen is None else _asked(session, to, chosen)


def elsewhere(session: Session) -> Sequence[Outcome]:
    """That the cluster can be reached from the other place too, if it can."""
    to = session.destination
    there = replace(to, kubernetes=replace(to.cluster, on_laptop=not to.on_laptop))
    if session.dry or (there.on_laptop and not _has_all(session, there)):
        return []
    try:
        node = _node(there)
        outcomes = _asked(session, there, node) if node else []
    except SpinstackError:
        return []
    if not outcomes or any(one.state != "ok" for one in outcomes):
        return []
    word = "laptop" if there.on_laptop else "login"
    return [replace(outcomes[0], found=f"{outcomes[0].found}, too (kubectl: {word})")]


def _has_all(session: Session, to: Destination) -> bool:
    """Whether this machine has what it takes to ask the cluster."""
    there = shutil.which(session.platform.program)
    return there is not None and to.cluster.local_kubeconfig.exists()


def _node(to: Destination) -> LoginNode | None:
    """Where the destination's scripts run, if no login is needed for that."""
    if to.on_laptop:
        return LaptopNode()
    return connect.login_node(to) if connect.is_open(to) else None


def _not_asked(to: Destination) -> Outcome:
    what = f"{_name(to)} was not asked: you are not logged in to {to.host}"
    return Outcome("cluster", "warning", what, "run `invoke login`, then `invoke doctor` again")


def _asked(session: Session, to: Destination, node: LoginNode) -> list[Outcome]:
    try:
        seen = survey.ask_platform(node, to, session.platform, ANSWERS_WITHIN)
    finally:
        node.close()
    found = login_node.access(seen, to, session.platform)
    outcomes = [
        Outcome(
            "cluster",
            "problem" if one.severity == "error" else "warning",
            f"{one.problem} ({one.where})",
            one.remedy,
        )
        for one in found
    ]
    works = Outcome("cluster", "ok", f"{_name(to)} lets you deploy, from {node.name}")
    return outcomes or [works]


def _name(to: Destination) -> str:
    cluster = to.cluster
    return f"namespace {cluster.namespace} in {cluster.context}"
