"""What outlives containers at Rancher: secrets and volumes of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session

ALL = "those of other stacks too"


@task("keep", help={"to": TO, "all": ALL, "json": JSON}, name="list")
def secret_list(
    session: Session, to: str | None = None, all: bool = False, json: bool = False
) -> None:
    """List the stack's secrets; values can't be read back."""
    from spinstack.operate import secrets

    secrets.list_secrets(session, all=all, json=json)


@task(
    "keep",
    help={
        "name": "the file that the containers see: /run/secrets/NAME",
        "service": "the service that it is for (default: all)",
        "file": "file that holds the value; - or nothing: standard input",
        "to": TO,
        "json": JSON,
    },
    name="create",
)
def secret_create(
    session: Session,
    name: str,
    service: str = "",
    file: str = "",
    to: str | None = None,
    json: bool = False,
) -> None:
    """Make a secret; its value comes from a file or standard input.

    Its whole name says whose it is: SERVICE.STACK.NAME, or STACK.NAME. Spin also wants a
    description `owner:USER`, which Rancher's command line can't write: the centre can.

        invoke secret.create password --service app --file ~/password
        pwgen 20 1 | invoke secret.create password --service app
    """
    from spinstack.operate import secrets

    secrets.create_secret(session, name, service, file, json=json)


@task(
    "keep",
    help={
        "name": "as it was given to secret.create, or whole, as secret.list shows it",
        "service": "the service that it is for, if it was made for one",
        "to": TO,
        "yes": YES,
        "json": JSON,
    },
    name="rm",
)
def secret_rm(
    session: Session,
    name: str,
    service: str = "",
    to: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove a secret.

    Its value is lost. Containers that run keep their copy; new ones don't start without it.
    One that is not there is no failure.
    """
    from spinstack.operate import secrets

    secrets.remove_secret(session, name, service, yes=yes, json=json)


@task("keep", help={"to": TO, "all": ALL, "json": JSON}, name="list")
def volume_list(
    session: Session, to: str | None = None, all: bool = False, json: bool = False
) -> None:
    """List the stack's volumes at Rancher."""
    from spinstack.operate import volumes

    volumes.list_volumes(session, all=all, json=json)


@task(
    "keep",
    help={
        "service": "the service that it is for",
        "driver": "storage driver (default: rancher-nfs)",
        "to": TO,
        "json": JSON,
    },
    name="create",
)
def volume_create(
    session: Session,
    service: str = "",
    driver: str = "",
    to: str | None = None,
    json: bool = False,
) -> None:
    """Make a volume: storage of a service that outlives its containers.

    Its name is SERVICE.STACK. For files that you want to see on the login node mount a
    directory of the project space instead.
    """
    from spinstack.operate import volumes

    volumes.create_volume(session, service, driver, json=json)


@task(
    "keep",
    help={"service": "the service that it is for", "to": TO, "yes": YES, "json": JSON},
    name="rm",
)
def volume_rm(
    session: Session,
    service: str = "",
    to: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove a volume with all that is in it."""
    from spinstack.operate import volumes

    volumes.remove_volume(session, service, yes=yes, json=json)


SECRETS = Topic("keep", "Secrets at Rancher", (secret_list, secret_create, secret_rm), "secret")
VOLUMES = Topic("keep", "Volumes at Rancher", (volume_list, volume_create, volume_rm), "volume")
