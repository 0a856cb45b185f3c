"""Commands for running services: look first, ask, carry out, report.

Each raises SpinstackError if the platform would refuse, before anything is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import control
from spinstack.operate.selection import check_name, done, named, one_service, service_names
from spinstack.platforms.base import Phase, ServiceState
from spinstack.platforms.health import shown
from spinstack.remote import lock
from spinstack.remote.access import connected
from spinstack.remote.history.write import recorded
from spinstack.session import ask_if_protected

if TYPE_CHECKING:
    from spinstack.console.progress import StepDisplay
    from spinstack.remote.stack import RemoteStack
    from spinstack.session import Session

_KEPT = "Nothing is lost: containers, logs and files are kept."
# A container that is started again is a new one.
_FILES_KEPT = "Lost: the containers' logs. Kept: files, secrets and volumes."


def start(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Start what was stopped."""
    what = named(session, service)
    with _found(session, "start", service, Phase.STOPPED) as (there, states):
        names = [state.name for state in states if state.stopped]
        if not names:
            control.must_be_up(there, states)
            done(session, "start", states, json, f"{what} is already running")
            return
        ask_if_protected(session, yes=yes, doing=f"Start {what}")
        limit = session.destination.healthy_within
        with _order(session, there, "start", service, ", ".join(names)) as step:
            states = control.start(there, names, limit, step.detail)
    done(session, "start", states, json, f"{what} is running")


def stop(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Stop the stack or a service; start brings it back."""
    what = named(session, service)
    with _found(session, "stop", service, Phase.RUNNING) as (there, states):
        names = [state.name for state in states if not state.stopped]
        if not names:
            done(session, "stop", states, json, f"{what} is already stopped")
            return
        down = f"{_down(service)} until `invoke start`. {_kept(session)}"
        session.confirm(_question(session, "Stop", what, names, down), yes=yes)
        with _order(session, there, "stop", service, ", ".join(names)) as step:
            states = control.stop(there, service, names, step.detail)
    done(session, "stop", states, json, f"{what} is stopped; `invoke start` brings it back")


def restart(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Restart the stack or a service."""
    what = named(session, service)
    with _found(session, "restart", service, Phase.RUNNING) as (there, states):
        names = _running(states, what, there)
        down = f"{_down(service)} for some seconds. {_KEPT}"
        if not session.platform.detached:
            down = f"{_overlap(session, names)} {_FILES_KEPT}"
        session.confirm(_question(session, "Restart", what, names, down), yes=yes)
        limit = session.destination.healthy_within
        with _order(session, there, "restart", service, ", ".join(names)) as step:
            states = control.restart(there, names, limit, step.detail)
    done(session, "restart", states, json, f"{what} is running again")


def _overlap(session: Session, names: Sequence[str]) -> str:
    """Of a platform that replaces containers: whether visitors notice. Two containers never write
    to one volume."""
    services, _ = session.stack.services(session.destination)
    alone = [
        service.name
        for service in services
        if service.name in names and any(it.is_volume and not it.read_only for it in service.mounts)
    ]
    text = "New containers start before the old ones stop"
    if not alone:
        return f"{text}."
    are = "is" if len(alone) == 1 else "are"
    return f"{text}; {' and '.join(alone)} {are} down for some seconds (one container a volume)."


def _kept(session: Session) -> str:
    return _KEPT if session.platform.detached else _FILES_KEPT


def scale(session: Session, service: str, count: int, *, json: bool, yes: bool) -> None:
    """Run more or fewer containers of a service; the next deploy keeps the number."""
    name = one_service(session, service)
    if count < 1:
        raise UsageError(
            "--count must be at least 1",
            remedy="add, for example, --count 2; to run none, use `invoke stop`",
        )
    with _found(session, "scale", name, Phase.RUNNING) as (there, states):
        before = states[0]
        if before.phase is not Phase.SCALING:
            _running(states, name, there)
        if before.scale == before.current == count:
            done(session, "scale", states, json, f"{name} already runs {_containers(count)}")
            return
        _ask_to_scale(session, before, count, yes)
        limit = session.destination.healthy_within
        told = f"{name}: {before.scale} → {count}"
        with _order(session, there, "scale", f"{name}={count}", told) as step:
            states = control.scale(there, name, count, limit, step.detail)
    done(session, "scale", states, json, f"{name} runs {_containers(count)}")


def remove(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Remove the stack or a service; files are kept."""
    check_name(session, service)
    what = named(session, service)
    with connected(session) as there:
        states = _states(session, there)
        if service not in service_names(session):
            states = control.chosen(states, service, there.stack)
        states = [state for state in states if service in ("", state.name)]
        if not states and not session.dry and (service or not control.exists(there)):
            done(session, "rm", [], json, f"{what} does not exist; nothing to remove")
            return
        names = [state.name for state in states] or ["no services"]
        lost = (
            f"{_down(service)} then. Lost: the containers, with their logs and what they wrote "
            "outside mounted directories. Kept: releases, mounted directories, images, "
            "secrets, named volumes."
        )
        session.confirm(_question(session, "Remove", what, names, lost), yes=yes)
        with _order(session, there, "rm", service, ", ".join(names), shown_as="remove"):
            begun = bool(states) and all(state.phase is Phase.REMOVING for state in states)
            control.remove(there, service, begun=begun)
    done(session, "rm", [], json, f"{what} is removed; `invoke deploy` creates it again")


@contextmanager
def _found(
    session: Session, verb: str, service: str, dry: Phase
) -> Iterator[tuple[RemoteStack, list[ServiceState]]]:
    """A connection, with the services that are meant, if commands for them are possible now.
    Raises SpinstackError if there are none, or if they are not. A dry run assumes that all of
    them are in the phase `dry`."""
    check_name(session, service)
    what = named(session, service)
    with connected(session) as there:
        states = control.chosen(_states(session, there), service, there.stack)
        if session.dry:
            names = [service] if service else service_names(session)
            states = control.assumed(there.stack, names, dry)
        elif not states:
            raise SpinstackError(
                f"{what} does not exist", where=there.where, remedy="run `invoke deploy`"
            )
        control.must_be_settled(states, f"{verb} {service if verb == 'scale' else what}")
        yield there, states


@contextmanager
def _order(
    session: Session, there: RemoteStack, doing: str, detail: str, told: str, shown_as: str = ""
) -> Iterator[StepDisplay]:
    """A command as a step on the console, recorded in the history; `told`: shown when it is
    done."""
    with (
        recorded(session, there.node, doing, detail),
        session.console.step(shown_as or doing) as step,
    ):
        yield step
        step.done(told)


def _states(session: Session, there: RemoteStack) -> list[ServiceState]:
    """The services as they are. Raises Locked while somebody, even we ourselves, is changing the
    stack: a deploy fails if its services are stopped or removed meanwhile."""
    states = there.platform.states()
    result = there.run(*there.lock_steps(), states)
    if not session.dry:
        lock.refuse_while_locked(session, there, result)
    return there.read_states(result.output(states.name))


def _running(states: list[ServiceState], what: str, there: RemoteStack) -> list[str]:
    """The running ones. Raises SpinstackError if there are none."""
    names = [state.name for state in states if state.phase is Phase.RUNNING]
    if names:
        return names
    raise SpinstackError(
        f"{what} is not running ({shown(states)})",
        where=there.where,
        remedy="run `invoke start`",
    )


def _ask_to_scale(session: Session, before: ServiceState, count: int, yes: bool) -> None:
    """Ask: fewer containers lose something; more, with a published port, need a node each."""
    name = before.name
    if count < before.scale:
        gone = before.scale - count
        session.confirm(
            f"Scale {name} at {session.destination.name} from {before.scale} down to {count}? "
            f"Lost: {_containers(gone)}, with their logs. Kept: the others, and all files.",
            yes=yes,
        )
        return
    # On Kubernetes each container has an address of its own.
    if before.endpoints and session.destination.kubernetes is None:
        session.console.warn(
            f"{name} publishes port {before.endpoints[0].port}: "
            "two of its containers can't be on one node"
        )
    ask_if_protected(session, yes=yes, doing=f"Scale {name} to {count}")


def _question(session: Session, verb: str, what: str, names: list[str], then: str) -> str:
    return f"{verb} {what} at {session.destination.name} ({', '.join(names)})? {then}"


def _down(service: str) -> str:
    return f"{service} is down" if service else "The site is down"


def _containers(count: int) -> str:
    return f"{count} container{'s' if count > 1 else ''}"
