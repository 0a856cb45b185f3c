"""Images on this machine that were built for a stack and that nobody needs any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from spinstack.images import CONTENT_LABEL

if TYPE_CHECKING:
    from spinstack.session import Session


def remove_old_images(session: Session) -> int:
    """Remove the stack's images but those of its present files; how many there were.

    What is in the registry stays: releases pull from there. An image that a container here
    still uses is left, too.
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
    for line in listing.splitlines():
        try:
            tag = json.loads(line).get("Tag")
        except (ValueError, AttributeError):
            continue
        if isinstance(tag, str) and tag != "<none>":
            found.append(f"{repository}:{tag}")
    return found
