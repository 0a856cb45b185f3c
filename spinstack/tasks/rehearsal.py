"""A pretend NERSC on this machine, or a pretend Spin in a cluster: start, stop, status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

    from invoke.context import Context

    from spin_rehearsal.kubernetes.start import Status as ClusterStatus
    from spin_rehearsal.paths import Places
    from spin_rehearsal.start import Status
    from spinstack.session import Session

NAME = "name of the rehearsal, if you have several (default: default)"
PLATFORM = "cattle: Spin with Rancher 1, all on this machine; kubernetes: in a cluster of yours"
# The platform of the rehearsal that makes its own Spin, and of the one that needs a cluster.
CATTLE, KUBERNETES = "cattle", "kubernetes"


@task(
    "rehearse",
    help={
        "name": NAME,
        "platform": PLATFORM,
        "context": "on kubernetes: the context of your kubeconfig (default: the only cluster of "
        "kind, k3d, minikube, k3s, Docker Desktop and the like)",
        "registry": "on kubernetes: one that the cluster pulls from (default: one of its own)",
        "files": "a directory of yours: what is in it is copied to the one that the stack mounts",
        "yes": YES,
        "json": JSON,
    },
)
def start(
    c: Context,
    name: str = "default",
    platform: str = CATTLE,
    context: str | None = None,
    registry: str | None = None,
    files: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Start a pretend NERSC on this machine.

    An ssh login node, Spin with Rancher, a registry and global storage, all on 127.0.0.1:
    the destination `rehearsal`. Installs what is missing if it can (on Debian or Ubuntu, as
    root), and says so. Logs the engine in to the registry, until the rehearsal is stopped. A
    rehearsal that is already running is left alone.

    With --platform kubernetes, a cluster of yours gets a namespace like one of Spin's: its
    policies refuse what Spin's refuse, and you deploy as a member of a project. A registry that
    asks for a login runs beside it, with the pull secret in the namespace. It is the destination
    `spin-rehearsal`.

    In a stack's directory, the directories that it mounts are made there, too. --files fills one:

        invoke rehearsal.start --files ~/my-pages
    """
    from spin_rehearsal import own_files, paths
    from spin_rehearsal.kubernetes import places
    from spinstack.directories import expanded
    from spinstack.session import Session

    session = Session(c)
    in_cluster = _is_kubernetes(platform, context, registry)
    from_here = expanded(files) if files else None
    where = places.of(name) if in_cluster else paths.of(name)
    directories = _mounted_there(session, where, from_here)
    if in_cluster:
        _start_in_cluster(session, name, context or "", registry or "", yes, json)
    else:
        _start_here(session, name, json)
    filled = [] if session.dry else own_files.prepare(where, directories, from_here)
    for path in filled:
        session.console.note(f"{'filled' if files else 'made'} {path}")


def _mounted_there(session: Session, where: Places, files: Path | None) -> list[PurePosixPath]:
    """What the stack at hand mounts there: nothing without a stack, or if its files can't be read,
    which a deploy says. Raises SpinstackError if the files to copy need to know."""
    from spin_rehearsal import own_files
    from spinstack.config.settings import NotAStack
    from spinstack.errors import SpinstackError

    found: list[PurePosixPath] | None = None
    try:
        found = own_files.mounted(session.settings, where)
    except SpinstackError as error:
        if files and not isinstance(error, NotAStack):
            raise
    if files:
        own_files.must_fit(files, found)
    return found or []


def _start_here(session: Session, name: str, json: bool) -> None:
    from spin_rehearsal import start as spin_rehearsal_start

    status = spin_rehearsal_start.start(name, runner=session.runner, say=session.console.note)
    if status is None:
        return
    if json:
        session.console.json(status.as_json())
    for line in [] if json else how_to_practise(status):
        session.console.note(line)


def _is_kubernetes(platform: str, *needs_it: str | None) -> bool:
    """Raises UsageError for another platform, and for options that need Kubernetes."""
    from spinstack.errors import UsageError

    if platform not in (CATTLE, KUBERNETES):
        remedy = f"use {CATTLE} or {KUBERNETES}"
        raise UsageError(f"there is no rehearsal of the platform {platform!r}", remedy=remedy)
    if platform == CATTLE and any(needs_it):
        remedy = f"add --platform {KUBERNETES}"
        raise UsageError("--context and --registry are for a rehearsal in a cluster", remedy=remedy)
    return platform == KUBERNETES


def _start_in_cluster(
    session: Session, name: str, context: str, registry: str, yes: bool, json: bool
) -> None:
    from spin_rehearsal.kubernetes import start as in_cluster

    status = in_cluster.start(
        name,
        context=context,
        registry=registry,
        runner=session.runner,
        say=session.console.note,
        confirm=lambda question: session.confirm(question, yes=yes),
    )
    if status is None:
        return
    if json:
        session.console.json(status.as_json())
    for line in [] if json else how_to_deploy(status):
        session.console.note(line)


@task(
    "rehearse",
    help={
        "name": NAME,
        "platform": PLATFORM,
        "keep_data": "keep the data; the next start resumes from there",
        "all": "also remove the base images that were built for rehearsals",
    },
)
def stop(
    context: Context,
    name: str = "default",
    platform: str = CATTLE,
    keep_data: bool = False,
    all: bool = False,
) -> None:
    """Stop the pretend NERSC and remove what it created.

    Removes its containers, networks, volumes and files, and the images that were pushed to its
    registry; base images are kept for the next one. On Kubernetes: the namespace with all in it,
    the policies, the registry, and its files.
    """
    from spin_rehearsal import stop as spin_rehearsal_stop
    from spinstack.session import Session

    session = Session(context)
    if _is_kubernetes(platform):
        from spin_rehearsal.kubernetes import stop as in_cluster

        _nothing_to_keep(keep_data, all)
        in_cluster.stop(name, runner=session.runner, say=session.console.note)
        return
    spin_rehearsal_stop.stop(
        name,
        keep_data=keep_data,
        all_images=all,
        runner=session.runner,
        say=session.console.note,
    )


def _nothing_to_keep(keep_data: bool, all: bool) -> None:
    from spinstack.errors import UsageError

    if keep_data or all:
        what = "--keep-data and --all are for a rehearsal with Rancher"
        raise UsageError(what, remedy="leave them out")


@task("rehearse", help={"name": NAME, "platform": PLATFORM, "json": JSON})
def status(
    context: Context, name: str = "default", platform: str = CATTLE, json: bool = False
) -> None:
    """Show whether the pretend NERSC is running, and where.

    The exit code is 0 either way; in --json see `running`.
    """
    from spinstack.console.console import Console

    console = Console()
    lines, fields = _looked(name, in_cluster=_is_kubernetes(platform))
    if json:
        console.json(fields)
        return
    for line in lines:
        console.result(line)


def _looked(name: str, *, in_cluster: bool) -> tuple[list[str], dict[str, object]]:
    """How a rehearsal is: in lines for a person, and for a script."""
    if in_cluster:
        from spin_rehearsal.kubernetes import start as spin_rehearsal_kubernetes

        there = spin_rehearsal_kubernetes.status(name)
        return described_in_cluster(there), there.as_json()
    from spin_rehearsal import start as spin_rehearsal_start

    found = spin_rehearsal_start.status(name)
    return described(found), found.as_json()


def described(status: Status) -> list[str]:
    """A rehearsal in lines for a person."""
    if not status.running:
        return [
            f"the rehearsal {status.name} is not running; start it: invoke rehearsal.start"
            + ("" if status.name == "default" else f" --name {status.name}")
        ]
    silent = f", but its {' and '.join(status.silent)} do not respond" if status.silent else ""
    return [
        f"the rehearsal {status.name} is running{silent}",
        f"login node   {status.ssh}",
        f"registry     {status.registry}",
        f"Spin         {status.spin}, services on {status.node_address}",
        f"stacks       {', '.join(status.stacks) or 'none'}",
        f"storage      {status.storage}",
        *how_to_practise(status),
    ]


def described_in_cluster(status: ClusterStatus) -> list[str]:
    """A rehearsal on Kubernetes in lines for a person."""
    name = "" if status.name == "default" else f" --name {status.name}"
    if not status.running:
        command = f"invoke rehearsal.start --platform {KUBERNETES}{name}"
        return [f"the rehearsal {status.name} is not in a cluster; start it: {command}"]
    return [
        f"the rehearsal {status.name} is in the namespace {status.namespace}",
        f"cluster      {status.context}",
        f"ingress      {status.ingress_class or 'none'}",
        f"registry     {status.registry}",
        f"storage      {status.storage}",
        *how_to_deploy(status),
    ]


def how_to_deploy(status: ClusterStatus) -> list[str]:
    """The destination for a stack's `invoke.yaml`, and what it needs from the cluster."""
    lines = [
        *_how_to_add(status),
        f"its nodes must see {status.storage} at the same path, as hostPath shows it to pods",
    ]
    if not status.own_registry:
        lines.append(f"and they must be able to pull from {status.registry}")
    if status.ingress_class:
        site = f"STACK.{status.namespace}.localhost"
        lines.append(f"the site will be {site}, a name that must lead to the ingress")
    return lines


def _how_to_add(status: ClusterStatus) -> list[str]:
    if status.name == "default":
        return ["deploy there with `invoke deploy --to spin-rehearsal`"]
    return [
        "deploy there with this line below destinations: in invoke.yaml, and --to spin-rehearsal:",
        f"    spin-rehearsal: {{include: {status.destination}}}",
    ]


def how_to_practise(status: Status) -> list[str]:
    """How to deploy to one that has a name of its own, and how to practise the login by hand."""
    address, _, port = status.ssh.rpartition(":")
    return [
        *_how_to_reach(status.name),
        f"practise     ssh -p {port} -o UserKnownHostsFile={status.known_hosts_file} {address}",
        f"             the password and code valid now: cat {status.login_answer_file}",
    ]


def _how_to_reach(name: str) -> list[str]:
    """The destination of a stack's `invoke.yaml` that the template does not have."""
    from spin_rehearsal import paths

    if name == paths.DEFAULT_NAME:
        return []
    destination = f"{name}: {{include: {paths.of(name).destination}}}"
    return [
        f"deploy       add to destinations: in invoke.yaml:  {destination}",
        f"             then run `invoke deploy --to {name}`",
    ]


TOPIC = Topic("rehearse", "Try it on this machine", (start, stop, status), group="rehearsal")
