"""From the laptop to Spin: build, push, look at what is sent, deploy, finish or take back."""

from __future__ import annotations

from spinstack import deploy as way
from spinstack.session import Session
from spinstack.tasks.manual import Topic
from spinstack.tasks.running import TO, YES, task


@task("ship", help={"to": TO, "force": "build even what is there already"})
def build(session: Session, to: str | None = None, force: bool = False) -> None:
    """Build the images whose files changed."""
    way.build(session, force=force)


@task("ship", help={"to": TO})
def push(session: Session, to: str | None = None) -> None:
    """Push the images that the registry lacks."""
    way.push(session)


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
    url = way.deploy(session, yes=yes)
    if url:
        session.console.result(url)


@task("ship", help={"to": TO, "yes": YES})
def confirm(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Keep an upgrade that was left unfinished.

    Removes the old containers, which were kept stopped.
    """
    from spinstack import unfinished

    unfinished.confirm(session, yes=yes)


@task("ship", help={"to": TO, "yes": YES})
def rollback(session: Session, to: str | None = None, yes: bool = False) -> None:
    """Take back an upgrade that was left unfinished.

    The old containers run again.
    """
    from spinstack import unfinished

    unfinished.roll_back(session, yes=yes)


TOPIC = Topic("ship", "From the laptop to Spin", (build, push, render, deploy, confirm, rollback))
