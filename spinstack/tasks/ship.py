"""From the laptop to Spin: build, push, look at what is sent, deploy, finish or take back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.manual import Topic
from spinstack.tasks.running import JSON, TO, YES, task

if TYPE_CHECKING:
    from spinstack.session import Session


@task("ship", help={"to": TO, "force": "build even what is there already"})
def build(session: Session, to: str | None = None, force: bool = False) -> None:
    """Build the images whose files changed."""
    from spinstack import laptop

    laptop.build(session, force=force)


@task("ship", help={"to": TO})
def push(session: Session, to: str | None = None) -> None:
    """Push the images that the registry lacks."""
    from spinstack import laptop

    laptop.push(session)


@task("ship", help={"to": TO})
def render(session: Session, to: str | None = None) -> None:
    """Show what would be sent, variables filled in."""
    from spinstack import rendering

    session.console.result(rendering.rendered(session.stack, session.destination))


@task("ship", help={"to": TO, "yes": YES})
def deploy(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Bring the stack to Spin; ends with the address.

    Checks, builds, pushes, logs in once, uploads a release, lets Rancher create or upgrade
    the services, waits until all are healthy, asks the site itself and confirms. After a
    failure the version before runs again.
    """
    from spinstack import deploy as way

    _print(session, way.deploy(session, yes=yes))


@task("ship", help={"to": TO, "yes": YES})
def up(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Start a stack that is not there yet.

    Like deploy, without building and pushing: the images must be in the registry.
    """
    from spinstack import deploy as way

    _print(session, way.up(session, yes=yes))


@task("ship", help={"to": TO, "yes": YES})
def upgrade(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Upgrade and leave the decision open.

    New containers run, the old ones are kept stopped, until `invoke confirm` or
    `invoke rollback`. The images must be in the registry.
    """
    from spinstack import deploy as way

    url = way.upgrade(session, yes=yes)
    _print(session, url)
    session.console.note("look at the site, then: invoke confirm, or: invoke rollback")


@task("ship", help={"to": TO, "yes": YES})
def confirm(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Keep an upgrade that was left open.

    Removes the old containers, which were kept stopped.
    """
    from spinstack import history

    history.confirm(session, yes=yes)


@task(
    "ship",
    help={"to": TO, "yes": YES, "release": "which one to go back to (see invoke releases)"},
)
def rollback(session: Session, to: str | None = None, release: str = "", yes: bool = False) -> None:
    """Take back an upgrade, or go back to a release.

    If an upgrade was left open, the old containers run again. Otherwise the stack is brought
    back to an earlier release, with the very files that it had.
    """
    from spinstack import history

    _print(session, history.roll_back(session, to_release=release, yes=yes))


@task("ship", help={"to": TO, "json": JSON})
def releases(session: Session, to: str | None = None, json: bool = False) -> None:
    """List the releases that can be gone back to."""
    from dataclasses import asdict

    from spinstack import history

    found = history.releases(session)
    if session.dry:
        return
    if json:
        session.console.json([{**asdict(item.note), "state": item.state} for item in found])
        return
    rows = [
        [
            item.note.id,
            item.state,
            f"{item.note.who} on {item.note.host}" if item.note.who else "",
            item.note.commit[:10] + ("+changes" if item.note.dirty else ""),
        ]
        for item in reversed(found)
    ]
    session.console.table(["RELEASE", "STATE", "WHO", "COMMIT"], rows)


@task(
    "ship",
    help={
        "to": TO,
        "change": "which one: its id or the beginning of it (default: the newest)",
        "raw": "every line as it was written there",
        "json": JSON,
    },
)
def journal(
    session: Session, to: str | None = None, change: str = "", raw: bool = False, json: bool = False
) -> None:
    """Show what the last change did, step by step.

    A deploy goes on on the login node by itself; this looks on until it is over, from any
    machine, and shows those of before. Nothing is changed by looking, nor by Ctrl-C.
    """
    from spinstack import journal_view

    journal_view.show(session, change, raw=raw, as_json=json)


@task("ship", help={"to": TO, "json": JSON})
def diff(session: Session, to: str | None = None, json: bool = False) -> None:
    """Show what a deploy would change; exit code 2 if anything.

    Service by service against what runs: image, mounts, ports, user, capabilities, names of
    variables. Exit code 0: nothing to do.
    """
    from invoke.exceptions import Exit

    from spinstack import difference

    found = difference.changes(session)
    if session.dry:
        return
    if json:
        session.console.json([change.as_dict() for change in found])
    for change in [] if json else found:
        session.console.result("\n".join(change.lines()))
    if found:
        raise Exit(code=2)
    if not json:
        session.console.result("nothing to do")


@task("ship", help={"to": TO, "yes": YES, "keep": "how many to keep besides the running one"})
def prune(session: Session, to: str | None = None, keep: int = 5, yes: bool = False) -> None:
    """Remove old releases and images.

    At the destination all but the newest releases; on this machine the stack's images that
    none of the remaining releases uses.
    """
    from spinstack import history, pruning

    old = history.prune(session, keep=keep, yes=yes)
    images = pruning.remove_old_images(session)
    if not session.dry:
        session.console.result(f"{len(old)} releases and {images} images removed")


@task("ship", help={"to": TO, "yes": YES})
def unlock(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Break the lock of a deploy that died."""
    from spinstack import history

    owner = history.unlock(session, yes=yes)
    if not session.dry:
        session.console.result(f"the lock of {owner} is broken")


def _print(session: Session, url: str) -> None:
    if url:
        session.console.result(url)


TOPIC = Topic(
    "ship",
    "From the laptop to Spin",
    (
        build,
        push,
        render,
        diff,
        deploy,
        up,
        upgrade,
        confirm,
        rollback,
        releases,
        journal,
        prune,
        unlock,
    ),
)
