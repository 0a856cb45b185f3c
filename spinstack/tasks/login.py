"""The login of the day: open it, look at it, end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session


@task(
    "login",
    help={
        "to": TO,
        "status": "tell how long login, key and certificate still live; exit code 1: no login",
        "sshproxy": "fetch a key for a day by the centre's sshproxy.sh",
        "person": "with --sshproxy, for a collaboration account: your own name",
        "json": "with --status, print it as JSON",
    },
    # Or else -h would be one of them.
    auto_shortflags=False,
)
def login(
    session: Session,
    to: str | None = None,
    status: bool = False,
    sshproxy: bool = False,
    person: str = "",
    json: bool = False,
) -> None:
    """Log in once, for all commands of the day.

    Asks for password and code, and leaves a connection to the login node that the commands of
    every stack use, until `invoke logout` or until nobody used it for 10 h. With
    `wire: fabric` each command logs in by itself, and a key fetched by --sshproxy spares the
    question.

    Exit codes of --status: 0 logged in (with `wire: fabric`: a certificate is good), 1 not.
    """
    from spinstack.setup import login as setup_login

    setup_login.login(session, status=status, sshproxy=sshproxy, person=person, json=json)


@task("login", help={"to": TO, "json": JSON})
def logout(session: Session, to: str | None = None, json: bool = False) -> None:
    """End the login of the day.

    Commands that still use it fail. Keys and certificates stay as they are.
    """
    from spinstack.setup import login as setup_login

    setup_login.logout(session, json=json)


TOPIC = Topic("login", "One login a day", (login, logout))
