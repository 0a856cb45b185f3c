"""From the laptop to Spin: build, push, preview, deploy, confirm or roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.deploy.rollback import Tried
    from spinstack.session import Session


@task(
    "ship",
    help={"to": TO, "upgrade": "take the newest version of every package that fits", "json": JSON},
)
def requirements(
    session: Session, to: str | None = None, upgrade: bool = False, json: bool = False
) -> None:
    """Choose the versions of the images' Python packages, after a change in requirements.in.

    Writes requirements.txt beside it, with exact versions and hashes, dependencies included, and
    prints what has changed. Versions that still fit are kept, unless --upgrade is given. Needs
    uv (pip install uv).
    """
    from dataclasses import asdict

    from spinstack.deploy import packages

    changed = packages.pin(session, upgrade=upgrade)
    if session.dry:
        return
    if json:
        session.console.json([asdict(change) for change in changed])
        return
    for change in changed:
        session.console.result(f"{change.name}: {change.before} → {change.now}")
    if not changed:
        session.console.result("nothing has changed")


@task("ship", help={"to": TO, "force": "rebuild even if nothing changed", "json": JSON})
def build(session: Session, to: str | None = None, force: bool = False, json: bool = False) -> None:
    """Build the images whose files changed.

    An image's tag comes from the content of its files, so unchanged images are not rebuilt.
    """
    from spinstack.deploy import images as deploy_images

    deploy_images.build(session, force=force)
    session.give(json, {"images": _references(session)})


@task("ship", help={"to": TO, "json": JSON})
def push(session: Session, to: str | None = None, json: bool = False) -> None:
    """Push the images that are not in the registry yet.

    Build them first (invoke build); the registry may also require a login
    (invoke registry.login).
    """
    from spinstack.deploy import images as deploy_images

    digests = deploy_images.push(session)
    session.give(json, {"images": _references(session), "digests": digests})


def _references(session: Session) -> dict[str, str]:
    """The stack's images by their variables in the compose file."""
    images = session.settings.images
    return {image.variable: session.image_reference(image) for image in images}


@task("ship", help={"to": TO, "output": "write the files of a release to this directory instead"})
def render(session: Session, to: str | None = None, output: str = "") -> None:
    """Show what a deploy would send, with variables filled in.

    The files as the platform gets them, on standard output; contacts nothing. Compare two
    destinations: invoke render --to dev > dev; invoke render --to prod | diff dev -

    With --output, a release's files are written to a directory: those for Kubernetes are deployed
    by `kubectl apply -k DIRECTORY` as well, with your own additions in kubernetes/.
    """
    session.stack.require_readable()
    if not output:
        session.console.verbatim(session.platform.rendered(session.stack, session.destination))
        return
    from pathlib import Path

    from spinstack.deploy import written

    for path in written.write(session, Path(output)):
        session.console.result(f"# would write {path}" if session.dry else str(path))


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def deploy(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Deploy the stack and print its address.

    Checks, builds, pushes, creates or upgrades the services, waits until all are healthy,
    requests a page from the site, and confirms. If it fails, the previous version is put back.
    The first deploy and every later one are the same command; unchanged images are neither
    built nor pushed.

    On Rancher 1 it logs in once, and once started continues on the login node by itself, even if
    the laptop is closed. On Kubernetes it runs here; if it is cut off, what was begun stays. The
    same command again follows it, or finishes it. Ctrl-C asks what to do.

        invoke deploy --to rehearsal      try it on this machine (invoke rehearsal.start first)
        invoke --dry deploy --to dev      show every command, run none
        invoke deploy --to dev            the real thing
        url=$(invoke deploy --to dev)     progress goes to standard error, the address to stdout

    Exit codes: 0 the site responds, 1 failed, or still running on the login node (the last lines
    say why, and what runs now), 2 nothing was tried: a wrong setting, or the answer was no.
    """
    from spinstack.deploy import deploy as deploy_deploy

    _print(session, "deploy", deploy_deploy.deploy(session, yes=yes), json)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def up(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Start a new stack, with images from the registry.

    Like deploy, but without building and pushing: the images must be in the registry.
    """
    from spinstack.deploy import deploy as deploy_deploy

    _print(session, "up", deploy_deploy.up(session, yes=yes), json)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def upgrade(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Upgrade, to be confirmed or rolled back later.

    The new containers run and the old ones are kept, stopped, until `invoke confirm` or
    `invoke rollback`. The images must be in the registry. Not on Kubernetes, where an upgrade
    has no second step.
    """
    from spinstack.deploy import deploy as deploy_deploy

    _print(session, "upgrade", deploy_deploy.upgrade(session, yes=yes), json)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def confirm(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Confirm an upgrade: keep the new version.

    Removes the old containers, which were kept stopped. Not on Kubernetes, where an upgrade has
    no second step.
    """
    from spinstack.deploy import rollback as deploy_rollback

    deploy_rollback.confirm(session, yes=yes)
    session.give(json, {"action": "confirm"})


@task(
    "ship",
    help={
        "to": TO,
        "yes": YES,
        "release": "id of the release to go back to, from `invoke releases` (default: the "
        "previous one)",
        "check": "only try it, and change nothing",
        "json": JSON,
    },
)
def rollback(
    session: Session,
    to: str | None = None,
    release: str = "",
    check: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Roll back an upgrade, or go back to an earlier release.

    If an upgrade has not been confirmed, its old containers are started again. Otherwise, and
    always on Kubernetes, an earlier release is deployed again, with exactly the files that it had.

    With --check it is only tried: on Kubernetes the server judges the release by a dry run, and the
    registry is asked for each of its images; Rancher 1 can't try an upgrade, so there it is looked
    for the release's files and images. Changes nothing, takes no lock.

        invoke rollback --check --to prod     every week, and you know that it works

    Exit codes: 0 it is rolled back, or --check found nothing against it, 1 failed, or --check found
    something, 2 wrong usage, no earlier release, or the answer was no.
    """
    from spinstack.deploy import rollback as deploy_rollback

    if check:
        _try_out(session, deploy_rollback.try_out(session, to_release=release), json)
        return
    _print(
        session, "rollback", deploy_rollback.roll_back(session, to_release=release, yes=yes), json
    )


def _try_out(session: Session, tried: Tried, json: bool) -> None:
    from invoke.exceptions import Exit

    name = tried.note.id if tried.note else ""
    findings = [session.console.advised(one.as_dict()) for one in tried.findings]
    session.give(json, {"action": "rollback", "check": name, "findings": findings})
    for found in () if json else tried.findings:
        session.console.result(f"{found.severity}: {found.problem} [{found.rule}]")
        session.console.advice(f"  where: {found.where}\n  fix:   {found.remedy}")
    if tried.failed:
        raise Exit(code=1)
    if not json and not session.dry:
        session.console.result(f"can go back to {name}: {tried.how}" if name else tried.how)


@task("ship", help={"to": TO, "json": JSON})
def releases(session: Session, to: str | None = None, json: bool = False) -> None:
    """List the releases that you can roll back to."""
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
        "change": "id of the change, or its beginning (default: the newest)",
        "raw": "print every line as it was recorded",
        "json": JSON,
    },
)
def journal(
    session: Session, to: str | None = None, change: str = "", raw: bool = False, json: bool = False
) -> None:
    """Show what the last change did, step by step.

    A deploy to Rancher 1 runs on the login node by itself; this follows it to its end, from any
    machine, and shows earlier ones. On Kubernetes it shows those made from this machine. Neither
    this nor Ctrl-C changes anything.
    """
    from spinstack.deploy import journal as deploy_journal

    deploy_journal.show(session, change, raw=raw, as_json=json)


@task("ship", help={"to": TO, "json": JSON})
def diff(session: Session, to: str | None = None, json: bool = False) -> None:
    """Show what a deploy would change; exit code 2 if anything.

    Compares each service with what runs: image, command, mounts and the files behind them,
    ports, user, capabilities, variables; on Kubernetes each object, as the server would have it.
    Changes nothing.

    Exit codes: 0 nothing to do, 1 failed or wrong usage, 2 a deploy would change something.
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
        "keep": "releases to keep besides the running one (default: 5)",
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

    At the destination: all but the newest releases. On this machine: the stack's images that no
    remaining release uses.
    """
    from spinstack.deploy import prune as deploy_prune

    old = deploy_prune.prune(session, keep=keep, yes=yes)
    images = deploy_prune.remove_old_images(session)
    text = f"removed {len(old)} releases and {images} images"
    session.give(json, {"action": "prune", "releases": old, "images": images}, text)


@task("ship", help={"to": TO, "yes": YES, "json": JSON})
def unlock(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Remove the stale lock of a deploy that died.

    Only if you know that it is dead: the question names who holds the lock, from which machine
    and since when.
    """
    from spinstack.deploy import take_over

    owner = take_over.unlock(session, yes=yes)
    text = f"removed the lock of {owner}"
    session.give(json, {"action": "unlock", "owner": owner}, text)


def _print(session: Session, action: str, url: str, json: bool) -> None:
    session.give(json, {"action": action, "url": url}, url)


TOPIC = Topic(
    "ship",
    "From the laptop to Spin",
    (
        requirements,
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
