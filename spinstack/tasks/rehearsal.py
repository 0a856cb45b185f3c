"""A pretend NERSC on this machine: start, stop, status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from invoke.context import Context

    from spin_rehearsal.start import Status

NAME = "name of the rehearsal, if you have several (default: default)"


@task("rehearse", help={"name": NAME, "json": JSON})
def start(context: Context, name: str = "default", json: bool = False) -> None:
    """Start a pretend NERSC on this machine.

    An ssh login node, Spin with Rancher, a registry and global storage, all on 127.0.0.1:
    the destination `rehearsal`. Installs what is missing if it can (on Debian or Ubuntu, as
    root), and says so. Logs the engine in to the registry, until the rehearsal is stopped. A
    rehearsal that is already running is left alone.
    """
    from spin_rehearsal import start as spin_rehearsal_start
    from spinstack.session import Session

    session = Session(context)
    status = spin_rehearsal_start.start(name, runner=session.runner, say=session.console.note)
    if status is None:
        return
    if json:
        session.console.json(status.as_json())
    for line in [] if json else how_to_practise(status):
        session.console.note(line)


@task(
    "rehearse",
    help={
        "name": NAME,
        "keep_data": "keep the data; the next start resumes from there",
        "all": "also remove the base images that were built for rehearsals",
    },
)
def stop(
    context: Context, name: str = "default", keep_data: bool = False, all: bool = False
) -> None:
    """Stop the pretend NERSC and remove what it created.

    Removes its containers, networks, volumes and files, and the images that were pushed to its
    registry; base images are kept for the next one.
    """
    from spin_rehearsal import stop as spin_rehearsal_stop
    from spinstack.session import Session

    session = Session(context)
    spin_rehearsal_stop.stop(
        name,
        keep_data=keep_data,
        all_images=all,
        runner=session.runner,
        say=session.console.note,
    )


@task("rehearse", help={"name": NAME, "json": JSON})
def status(context: Context, name: str = "default", json: bool = False) -> None:
    """Show whether the pretend NERSC is running, and where.

    The exit code is 0 either way; in --json see `running`.
    """
    from spin_rehearsal import start as spin_rehearsal_start
    from spinstack.console.console import Console

    console = Console()
    found = spin_rehearsal_start.status(name)
    if json:
        console.json(found.as_json())
        return
    for line in described(found):
        console.result(line)


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


def how_to_practise(status: Status) -> list[str]:
    """How to practise the login by hand."""
    address, _, port = status.ssh.rpartition(":")
    return [
        f"practise     ssh -p {port} -o UserKnownHostsFile={status.known_hosts_file} {address}",
        f"             the password and code valid now: cat {status.login_answer_file}",
    ]


TOPIC = Topic("rehearse", "Try it on this machine", (start, stop, status), group="rehearsal")
