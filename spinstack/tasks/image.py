"""The stack's images on this machine: list them, run one on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session

PUSHED = {True: "yes", False: "no", None: "?"}


@task("try", name="list", help={"to": TO, "json": JSON})
def list_images(session: Session, to: str | None = None, json: bool = False) -> None:
    """List the stack's images on this machine.

    `*` marks images built from the current files. PUSHED is what the registry says; `?` means
    that it does not answer or asks for a login.
    """
    from dataclasses import asdict

    from spinstack.local import images

    session.must_know_destination()
    found = images.listed(session)
    if session.dry:
        return
    if json:
        session.console.json([asdict(image) for image in found])
        return
    if not found:
        session.console.note("no images yet; `invoke build` builds them")
        return
    rows = [
        [
            "*" if image.current else "",
            image.name,
            image.tag,
            images.shown_size(image.size),
            image.created,
            ", ".join(image.services) or "none",
            PUSHED[image.pushed],
        ]
        for image in found
    ]
    session.console.table(["", "NAME", "TAG", "SIZE", "CREATED", "SERVICE", "PUSHED"], rows)


@task(
    "try",
    name="run",
    help={
        "image": "which one: its key in invoke.yaml, such as app",
        "port": "port on 127.0.0.1 (default: the port that the image listens on)",
        "inside": "port that the image listens on (default: the service's, or EXPOSE)",
        "to": TO,
    },
)
def run_image(
    session: Session, image: str = "", port: int = 0, inside: int = 0, to: str | None = None
) -> None:
    """Run one image on its own on this machine, until Ctrl-C.

    With the user, capabilities, mounts and read-only root that its service has on Spin, and
    sample data for directories that are not on this machine. The container is removed when it
    ends.
    """
    from spinstack.local import run

    run.run(session, image, port=port or None, inside=inside or None)


TOPIC = Topic("try", "Images on this machine", (list_images, run_image), group="image")
