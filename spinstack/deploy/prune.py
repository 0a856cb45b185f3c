"""Removes what is no longer needed: old releases at the destination, old images here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.deploy.releases import listed, superfluous
from spinstack.errors import UsageError
from spinstack.images.tag import CONTENT_LABEL
from spinstack.remote import lock
from spinstack.remote.history.write import recorded
from spinstack.transport.script import json_objects

if TYPE_CHECKING:
    from spinstack.session import Session


def remove_old_images(session: Session) -> int:
    """Remove the stack's images from this machine, except those of its present files. Returns
    how many were removed.

    The registry keeps its images: releases pull from it. An image that a container on this
    machine still uses stays, too.
    """
    engine, runner = session.engine, session.runner
    removed = 0
    for image in session.settings.images:
        present = session.image_reference(image)
        repository = present.rpartition(":")[0]
        look = engine.command(
            *("image", "ls", "--format", "{{json .}}"),
            *("--filter", f"label={CONTENT_LABEL}", repository),
        )
        listing = runner.run(look, timeout=60, changes=False)
        for reference in references(listing.stdout, repository):
            if reference != present:
                removed += runner.run(engine.command("image", "rm", reference), timeout=60).ok
    return removed


def references(listing: str, repository: str) -> list[str]:
    """The tagged references in what `image ls --format '{{json .}}'` printed."""
    found = []
    for entry in json_objects(listing):
        tag = entry.get("Tag")
        if isinstance(tag, str) and tag != "<none>":
            found.append(f"{repository}:{tag}")
    return found


def prune(session: Session, *, keep: int, yes: bool) -> list[str]:
    """Remove old releases at the destination. Returns the ids of those removed.

    The running one, an unfinished one and the `keep` newest confirmed ones stay.
    """
    if keep < 1:
        raise UsageError("at least one release must be kept", remedy="use --keep 1 or more")
    with lock.locked(session, "prune") as change:
        found = listed(change.remote)
        old = superfluous(found, keep)
        if session.dry:
            change.remote.remove_releases(["<old releases>"])
        if session.dry or not old:
            return old
        session.confirm(
            f"Remove {len(old)} releases ({old[0]} to {old[-1]})? You can't roll back to them "
            "afterwards; what is running is not touched.",
            yes=yes,
        )
        told = f"{len(old)} releases, {old[0]} to {old[-1]}"
        with (
            recorded(session, change.remote.node, "prune", told),
            session.console.step("prune") as step,
        ):
            change.remote.remove_releases(old)
            step.done(f"{len(old)} removed")
    return old
