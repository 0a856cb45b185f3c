"""The daily login: log in, show it, log out."""

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
        "status": "show how long login, key and certificate last; exit code 1: not logged in",
        "sshproxy": "get a one-day key with the centre's sshproxy.sh",
        "person": "with --sshproxy, for a collaboration account: your own user name",
        "json": "with --status: print the result as JSON",
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
    """Log in once for the whole day.

    Asks for password and code, and keeps a connection to the login node open that the commands
    of every stack use, until `invoke logout` or until it has not been used for 10 h. With
    `wire: fabric` each command logs in by itself; a key from --sshproxy saves typing the
    password. On Kubernetes with `kubectl: laptop` no login is needed.

    Exit codes of --status: 0 logged in (`wire: fabric`: the certificate is valid; with
    `kubectl: laptop`: the login in the kubeconfig has not expired), 1 not.
    """
    from spinstack.setup import login as setup_login

    setup_login.login(session, status=status, sshproxy=sshproxy, person=person, json=json)


@task("login", help={"to": TO, "json": JSON})
def logout(session: Session, to: str | None = None, json: bool = False) -> None:
    """Log out: close the connection that `login` opened.

    Commands that are still using it fail. Keys and certificates are kept.
    """
    from spinstack.setup import login as setup_login

    setup_login.logout(session, json=json)


TOPIC = Topic("login", "One login a day", (login, logout))
