"""The login of the day on its own: opened, shown, ended.

On the wire `openssh` one master connection serves every command until it ends; on the wire
`fabric` each command logs in by itself, and there is nothing to open or to end. Where kubectl runs
on the laptop nobody logs in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import UsageError
from spinstack.setup import login_state
from spinstack.setup.login_state import BY_ITSELF, NOT_NEEDED, Certificate, LoginState
from spinstack.transport import connect
from spinstack.transport.command import Command
from spinstack.transport.connect import FABRIC, LAPTOP, OPENSSH

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.session import Session
    from spinstack.transport.openssh.master import Master


def login(session: Session, *, status: bool, sshproxy: bool, person: str, json: bool) -> None:
    """What `invoke login` does with its options.

    Raises UsageError for options that exclude each other, Exit with code 1 if `status` finds no
    login.
    """
    _refuse_mixtures(status=status, sshproxy=sshproxy, person=person, json=json)
    if sshproxy and session.destination.on_laptop:
        what = "this destination needs no ssh key: kubectl runs on this machine"
        raise UsageError(what, remedy="see `invoke doctor` for what it needs")
    if status:
        _show(session, json=json)
    elif sshproxy:
        _fetch(session, person)
    else:
        _open(session)


def logout(session: Session, *, json: bool) -> None:
    """End the open login at the destination, if there is one."""
    if session.destination.on_laptop:
        if json:
            session.console.json({"destination": session.destination.name, "ended": False})
        else:
            session.console.note(f"nothing to end: {NOT_NEEDED}")
        return
    master = _master(session)
    if session.dry:
        session.console.result("# ends the open login, if there is one")
        return
    ended = master.close() if master else False
    if json:
        session.console.json({"destination": session.destination.name, "ended": ended})
    elif master is None:
        session.console.note(f"nothing to end: {BY_ITSELF}")
    else:
        session.console.result(f"{master.name}: {'logged out' if ended else 'was not logged in'}")


def _refuse_mixtures(*, status: bool, sshproxy: bool, person: str, json: bool) -> None:
    if status and sshproxy:
        what = "--status and --sshproxy exclude each other"
        raise UsageError(what, remedy="use only one of them")
    if person and not sshproxy:
        raise UsageError("--person needs --sshproxy", remedy="add --sshproxy")
    if json and not status:
        raise UsageError("--json needs --status", remedy="run `invoke login --status --json`")


def _master(session: Session) -> Master | None:
    """The master connection, on the wire that has one. A dry run goes by the setting alone: it
    would have to run a program to find out."""
    wire = session.destination.wire if session.dry else connect.chosen(session.destination)
    if wire == FABRIC:
        return None
    from spinstack.transport.openssh.master import Master

    return Master(session.destination, session.console.note)


def _open(session: Session) -> None:
    """Open the login, or say that it is open."""
    if session.destination.on_laptop:
        session.console.note(f"nothing to open: {NOT_NEEDED}; `invoke doctor` checks its access")
        return
    master = _master(session)
    if master is None:
        session.console.note(f"nothing to open: {BY_ITSELF}")
        session.console.note("`invoke login --sshproxy` gets a key that saves the prompt")
    elif session.dry:
        session.console.result(f"$ {_shown(session, master)}")
    else:
        there = master.alive() or master.open()
        session.console.result(f"{master.name}: {login_state.kept(there)}")


def _shown(session: Session, master: Master) -> str:
    """The command that would log in, without what the person's ssh configuration adds."""
    from spinstack.transport.openssh import login as openssh_login
    from spinstack.transport.openssh import master as openssh_master

    seconds = openssh_master.PERSIST_HOURS * 3600
    words = openssh_login.master_words(master.socket, seconds)
    port = session.destination.port
    return Command(*words, *(["-p", str(port)] if port else []), "--", master.name).shown()


def _show(session: Session, *, json: bool) -> None:
    """Show the login and its keys; Exit with code 1 if there is no login."""
    if session.dry:
        looks = "# asks the ssh process that holds the login; reads certificates"
        if session.destination.on_laptop:
            looks = f"# reads {session.destination.cluster.local_kubeconfig}"
        session.console.result(looks)
        return
    from invoke.exceptions import Exit

    state, now = _state(session), login_state.now()
    if json:
        session.console.json(state.as_dict(now))
    else:
        session.console.result("\n".join(state.lines(now)))
    if not state.logged_in(now):
        raise Exit(code=1)


def _state(session: Session) -> LoginState:
    destination = session.destination
    if destination.on_laptop:
        return _state_here(destination)
    master = _master(session)
    user = f"{destination.user}@" if destination.user else ""
    return LoginState(
        destination=destination.name,
        name=master.name if master else f"{user}{destination.host}",
        wire=OPENSSH if master else FABRIC,
        answered=destination.login_answer_file is not None and not destination.practise,
        master=master.alive() if master else None,
        certificates=tuple(login_state.certificates(destination)),
    )


def _state_here(destination: Destination) -> LoginState:
    """By the kubeconfig. Raises SpinstackError if it can't be read."""
    from spinstack.setup import kubeconfig

    cluster = destination.cluster
    path = cluster.local_kubeconfig
    found = kubeconfig.login(kubeconfig.load(path), cluster.context, path.parent)
    known = found is not None and found.end is not None
    return LoginState(
        destination=destination.name,
        name=destination.place,
        wire=LAPTOP,
        answered=False,
        master=None,
        certificates=(Certificate(path, 0, found.end),) if found and known else (),
    )


def _fetch(session: Session, person: str) -> None:
    """Fetch a key, and say how long it is valid and whether a login will use it."""
    from spinstack.setup import sshproxy

    key = sshproxy.fetch(session, person)
    if session.dry:
        return
    now = login_state.now()
    for found in login_state.certificates(session.destination):
        if found.key == key:
            session.console.result(f"{key}: {found.told(now)}")
    if not _is_used(session, key):
        session.console.warn(
            f"logins don't use {key} until you set identity_file: {key} in invoke.yaml"
        )


def _is_used(session: Session, key: Path) -> bool:
    """Whether a login tries the key: by default that of the person's own account."""
    wanted = session.destination.identity_file
    return (wanted or Path(session.destination.centre.sshproxy.key)).expanduser() == key
