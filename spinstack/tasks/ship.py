"""From the laptop to Spin: build, push, look at what is sent, deploy, finish or take back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session


@task("ship", help={"to": TO, "force": "build even what is there already", "json": JSON})
def build(session: Session, to: str | None = None, force: bool = False, json: bool = False) -> None:
    """Build the images whose files changed.

    An image is named by the content of its files, so what is there already is not built again.
    """
    from spinstack.deploy import images as deploy_images

    deploy_images.build(session, force=force)
    session.give(json, {"images": _references(session)})


@task("ship", help={"to": TO, "json": JSON})
def push(session: Session, to: str | None = None, json: bool = False) -> None:
    """Push the images that the registry lacks.

    They must have been built (invoke build), and the registry may want a login first
    (invoke registry.login).
    """
    from spinstack.deploy import images as deploy_images

    digests = deploy_images.push(session)
    session.give(json, {"images": _references(session), "digests": digests})


def _references(session: Session) -> dict[str, str]:
    """The stack's images by their variables in the compose file."""
    images = session.settings.images
    return {image.variable: session.image_reference(image) for image in images}


@task("ship", help={"to": TO})
def render(session: Session, to: str | None = None) -> None:
    """Show what would be sent, variables filled in.

    The compose files and the variables as Rancher gets them, on standard output; nothing is
    contacted. Compare two destinations: invoke render --to dev > dev; invoke render --to prod
    | diff dev -
    """
    session.console.result(session.platform.rendered(session.stack, session.destination))


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def deploy(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Bring the stack to Spin; ends with the address.

    Checks, builds, pushes, logs in once, uploads a release, lets Rancher create or upgrade
    the services, waits until all are healthy, asks the site itself and confirms. After a
    failure the version before runs again. The first deploy and every later one are the same
    command; what has not changed is neither built nor pushed.

    Once begun it goes on on the login node by itself, also if the lid of the laptop closes; the
    same command again looks on, or finishes it. Ctrl-C asks whether to leave it running or to
    take it back.

        invoke deploy --to rehearsal      try it on this machine (invoke rehearsal.start first)
        invoke --dry deploy --to dev      show every command and run none
        invoke deploy --to dev            in earnest
        url=$(invoke deploy --to dev)     progress goes to standard error, the address here

    Exit codes: 0 the site answers, 1 failed, or left running there (the last lines say why, and
    what runs now), 2 nothing was tried: a wrong setting, or no was the answer.
    """
    from spinstack.deploy import deploy as deploy_deploy

    _print(session, "deploy", deploy_deploy.deploy(session, yes=yes), json)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def up(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Start a stack that is not there yet.

    Like deploy, without building and pushing: the images must be in the registry.
    """
    from spinstack.deploy import deploy as deploy_deploy

    _print(session, "up", deploy_deploy.up(session, yes=yes), json)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def upgrade(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Upgrade and leave the decision open.

    New containers run, the old ones are kept stopped, until `invoke confirm` or
    `invoke rollback`. The images must be in the registry.
    """
    from spinstack.deploy import deploy as deploy_deploy

    _print(session, "upgrade", deploy_deploy.upgrade(session, yes=yes), json)
    session.console.note("look at the site, then: invoke confirm, or: invoke rollback")


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def confirm(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Keep an upgrade that was left open.

    Removes the old containers, which were kept stopped.
    """
    from spinstack.deploy import rollback as deploy_rollback

    deploy_rollback.confirm(session, yes=yes)
    session.give(json, {"action": "confirm"})


@task(
    "ship",
    help={
        "to": TO,
        "yes": YES,
        "release": "which one to go back to, by its id in `invoke releases` (default: the one "
        "before)",
        "json": JSON,
    },
)
def rollback(
    session: Session,
    to: str | None = None,
    release: str = "",
    yes: bool = False,
    json: bool = False,
) -> None:
    """Take back an upgrade, or go back to a release.

    If an upgrade was left open, the old containers run again. Otherwise the stack is brought
    back to an earlier release, with the very files that it had.
    """
    from spinstack.deploy import rollback as deploy_rollback

    _print(
        session, "rollback", deploy_rollback.roll_back(session, to_release=release, yes=yes), json
    )


@task("ship", help={"to": TO, "json": JSON})
def releases(session: Session, to: str | None = None, json: bool = False) -> None:
    """List the releases that can be gone back to."""
    from dataclasses import asdict

    from spinstack.deploy import releases as deploy_releases

    found = deploy_releases.releases(session)
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
    from spinstack.deploy import journal as deploy_journal

    deploy_journal.show(session, change, raw=raw, as_json=json)


@task("ship", help={"to": TO, "json": JSON})
def diff(session: Session, to: str | None = None, json: bool = False) -> None:
    """Show what a deploy would change; exit code 2 if anything.

    Service by service against what runs: image, command, mounts and the files behind them,
    ports, user, capabilities, variables. Changes nothing.

    Exit codes: 0 nothing to do, 1 failed or wrongly used, 2 a deploy would change something.
    """
    from invoke.exceptions import Exit

    from spinstack.deploy import diff as deploy_diff
    from spinstack.errors import UsageError

    try:
        found = deploy_diff.changes(session)
    except UsageError as error:
        # Its usual code means something else here.
        error.exit_code = 1
        raise
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


@task(
    "ship",
    help={
        "to": TO,
        "yes": YES,
        "keep": "how many to keep besides the running one (default: 5)",
        "json": JSON,
    },
)
def prune(
    session: Session,
    to: str | None = None,
    keep: int = 5,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove old releases and images.

    At the destination all but the newest releases; on this machine the stack's images that
    none of the remaining releases uses.
    """
    from spinstack.deploy import prune as deploy_prune

    old = deploy_prune.prune(session, keep=keep, yes=yes)
    images = deploy_prune.remove_old_images(session)
    text = f"{len(old)} releases and {images} images removed"
    session.give(json, {"action": "prune", "releases": old, "images": images}, text)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def unlock(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Break the lock of a deploy that died.

    Only if it is known to be dead: the question names who holds the lock, from which machine
    and since when.
    """
    from spinstack.deploy import take_over

    owner = take_over.unlock(session, yes=yes)
    text = f"the lock of {owner} is broken"
    session.give(json, {"action": "unlock", "owner": owner}, text)


def _print(session: Session, action: str, url: str, json: bool) -> None:
    session.give(json, {"action": action, "url": url}, url)


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
