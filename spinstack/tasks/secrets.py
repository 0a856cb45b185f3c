"""What outlives containers: secrets and volumes of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session

ALL = "include those of other stacks"


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
        "name": "name of the file in the containers: /run/secrets/NAME",
        "service": "the service that may read it (default: all)",
        "file": "file with the value (default, and -: standard input)",
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
    """Create a secret from a file or standard input.

    Its full name says whose it is: SERVICE.STACK.NAME, or STACK.NAME. On Rancher 1, Spin also
    asks for a description `owner:USER`, which Rancher's command line can't set; the centre can.

        invoke secret.create password --service app --file ~/password
        pwgen 20 1 | invoke secret.create password --service app
    """
    from spinstack.operate import secrets

    secrets.create_secret(session, name, service, file, json=json)


@task(
    "keep",
    help={
        "name": "its name as given to secret.create, or in full as secret.list shows it",
        "service": "the service that it was created for, if any",
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

    Its value is lost. Running containers keep their copy; new ones don't start without it.
    It is not an error if there is no such secret.
    """
    from spinstack.operate import secrets

    secrets.remove_secret(session, name, service, yes=yes, json=json)


@task("keep", help={"to": TO, "all": ALL, "json": JSON}, name="list")
def volume_list(
    session: Session, to: str | None = None, all: bool = False, json: bool = False
) -> None:
    """List the stack's volumes."""
    from spinstack.operate import volumes

    volumes.list_volumes(session, all=all, json=json)


@task(
    "keep",
    help={
        "name": "the service that uses it, or the whole name: SERVICE.STACK",
        "driver": "storage driver or class (default: the platform's, such as rancher-nfs)",
        "to": TO,
        "json": JSON,
    },
    name="create",
)
def volume_create(
    session: Session,
    name: str,
    driver: str = "",
    to: str | None = None,
    json: bool = False,
) -> None:
    """Create a volume: a service's storage that outlives its containers.

    Its name is SERVICE.STACK. For files that you want to see from outside the container,
    mount a directory of the project space instead.

        invoke volume.create db
    """
    from spinstack.operate import volumes

    volumes.create_volume(session, name, driver, json=json)


@task(
    "keep",
    help={
        "name": "its service, or the whole name as volume.list shows it",
        "to": TO,
        "yes": YES,
        "json": JSON,
    },
    name="rm",
)
def volume_rm(
    session: Session,
    name: str,
    to: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove a volume and everything in it."""
    from spinstack.operate import volumes

    volumes.remove_volume(session, name, yes=yes, json=json)


FILE = "tar archive on this machine; - for a pipe"
CONTAINER = "the service in whose container it is done (default: the first that mounts it)"


@task(
    "keep",
    help={
        "name": "its service, or the whole name as volume.list shows it",
        "file": FILE,
        "service": CONTAINER,
        "to": TO,
        "json": JSON,
    },
    name="save",
)
def volume_save(
    session: Session,
    name: str,
    file: str,
    service: str = "",
    to: str | None = None,
    json: bool = False,
) -> None:
    """Save what is in a volume to a file on this machine.

    It streams through a running container that mounts it; the file appears when all of it is there.
    A database writes to its files all the time: use its own dump (`exec --plain`), or stop it and
    name with --service another one that mounts the volume.

        invoke volume.save db db.tar
        invoke volume.save db - | gzip > db.tar.gz
    """
    from spinstack.operate import volume_files

    volume_files.save(session, name, file, service, json=json)


@task(
    "keep",
    help={
        "name": "its service, or the whole name as volume.list shows it",
        "file": FILE,
        "service": CONTAINER,
        "to": TO,
        "yes": YES,
        "json": JSON,
    },
    name="load",
)
def volume_load(
    session: Session,
    name: str,
    file: str,
    service: str = "",
    to: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Replace everything in a volume by what volume.save has saved.

    The archive is unpacked beside what is there, which takes its place only when all has arrived.
    On Rancher 1, whose command line can't carry an archive, it says what to do instead.

        invoke volume.load db db.tar
        gunzip < db.tar.gz | invoke volume.load db - --yes
    """
    from spinstack.operate import volume_files

    volume_files.load(session, name, file, service, yes=yes, json=json)


SECRETS = Topic("keep", "Secrets", (secret_list, secret_create, secret_rm), "secret")
VOLUMES = Topic(
    "keep", "Volumes", (volume_list, volume_create, volume_save, volume_load, volume_rm), "volume"
)
