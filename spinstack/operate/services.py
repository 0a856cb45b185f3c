"""Orders to what runs: looked at first, asked for, carried out, told.

Each raises SpinstackError where Rancher would refuse, before anything was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import control
from spinstack.operate.selection import check_name, done, named, one_service, rancher, service_names
from spinstack.platforms.base import ServiceState
from spinstack.platforms.client import StackClient
from spinstack.platforms.rancher1 import states as rancher_states
from spinstack.remote import changes, lock, lock_steps
from spinstack.remote.history.write import recorded, root

if TYPE_CHECKING:
    from spinstack.session import Session


def start(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Start what was stopped."""
    check_name(session, service)
    what = named(session, service)
    with rancher(session) as there:
        states = _found(session, there, service, "inactive")
        control.must_be_settled(states, f"start {what}")
        names = [state.name for state in states if state.state == "inactive"]
        if not names:
            control.must_be_up(there, states)
            done(session, "start", states, json, f"{what} runs already")
            return
        _ask_if_protected(session, f"Start {what}", yes)
        limit = session.destination.healthy_within
        with (
            recorded(session, there.node, "start", service),
            session.console.step("start") as step,
        ):
            states = control.start(there, names, limit, step.detail)
            step.done(", ".join(names))
    done(session, "start", states, json, f"{what} runs")


def stop(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Stop the stack or a service; start brings it back."""
    check_name(session, service)
    what = named(session, service)
    with rancher(session) as there:
        states = _found(session, there, service, "active")
        control.must_be_settled(states, f"stop {what}")
        names = [state.name for state in states if state.state != "inactive"]
        if not names:
            done(session, "stop", states, json, f"{what} is stopped already")
            return
        session.confirm(
            f"Stop {what} at {session.destination.name} ({', '.join(names)})? {_down(service)} "
            "until `invoke start`. Nothing is lost: containers, logs and files stay.",
            yes=yes,
        )
        with (
            recorded(session, there.node, "stop", service),
            session.console.step("stop") as step,
        ):
            states = control.stop(there, service, names, step.detail)
            step.done(", ".join(names))
    done(session, "stop", states, json, f"{what} is stopped; `invoke start` brings it back")


def restart(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Restart the stack or a service."""
    check_name(session, service)
    what = named(session, service)
    with rancher(session) as there:
        states = _found(session, there, service, "active")
        control.must_be_settled(states, f"restart {what}")
        names = _running(states, what, there)
        session.confirm(
            f"Restart {what} at {session.destination.name} ({', '.join(names)})? "
            f"{_down(service)} for some seconds. Nothing is lost: containers, logs and files stay.",
            yes=yes,
        )
        limit = session.destination.healthy_within
        with (
            recorded(session, there.node, "restart", service),
            session.console.step("restart") as step,
        ):
            states = control.restart(there, names, limit, step.detail)
            step.done(", ".join(names))
    done(session, "restart", states, json, f"{what} runs again")


def scale(session: Session, service: str, count: int, *, json: bool, yes: bool) -> None:
    """Run more or fewer containers of a service.

    It stays so at the next deploy: Rancher reads `scale` in rancher-compose.yml only when it
    creates a service.
    """
    name = one_service(session, service)
    if count < 1:
        raise UsageError("how many?", remedy="--count 2; to have none: invoke stop")
    with rancher(session) as there:
        states = _found(session, there, name, "active")
        control.must_be_settled(states, f"scale {name}")
        before = states[0]
        if before.state != "updating-active":
            _running(states, name, there)
        if before.scale == before.current == count:
            done(session, "scale", states, json, f"{name} runs {_containers(count)} already")
            return
        _ask_to_scale(session, before, count, yes)
        limit = session.destination.healthy_within
        with (
            recorded(session, there.node, "scale", f"{name}={count}"),
            session.console.step("scale") as step,
        ):
            states = control.scale(there, name, count, limit, step.detail)
            step.done(f"{name}: {before.scale} → {count}")
    done(session, "scale", states, json, f"{name} runs {_containers(count)}")


def remove(session: Session, service: str, *, json: bool, yes: bool) -> None:
    """Remove the stack or a service; files stay."""
    check_name(session, service)
    what = named(session, service)
    with rancher(session) as there:
        states = _states(session, there)
        if service not in service_names(session):
            states = control.chosen(states, service, there.stack)
        states = [state for state in states if service in ("", state.name)]
        if not states and not session.dry and (service or not control.exists(there)):
            done(session, "rm", [], json, f"{what} is not there: nothing to remove")
            return
        names = ", ".join(state.name for state in states) or "no services"
        session.confirm(
            f"Remove {what} at {session.destination.name} ({names})? {_down(service)} then. "
            "Lost: the containers, with their logs and what they wrote outside of mounted "
            "directories. Kept: releases, mounted directories, images, secrets, named volumes.",
            yes=yes,
        )
        with (
            recorded(session, there.node, "rm", service),
            session.console.step("remove") as step,
        ):
            begun = bool(states) and all(state.state == "removing" for state in states)
            control.remove(there, service, begun=begun)
            step.done(names)
    done(session, "rm", [], json, f"{what} is removed; `invoke deploy` makes it anew")


def _found(session: Session, there: StackClient, service: str, dry: str) -> list[ServiceState]:
    """The services that are meant. Raises SpinstackError if there are none.

    A dry run takes all of them for being in the state `dry`.
    """
    states = control.chosen(_states(session, there), service, there.stack)
    if session.dry:
        names = [service] if service else service_names(session)
        return control.assumed(there.stack, names, dry)
    if not states:
        raise SpinstackError(
            f"{named(session, service)} is not there", where=there.where, remedy="invoke deploy"
        )
    return states


def _states(session: Session, there: StackClient) -> list[ServiceState]:
    """The services as they are. Raises Locked while somebody, be it ourselves, changes the
    stack: a deploy does not go well with services that are stopped or removed meanwhile."""
    place = root(session)
    result = there.run(
        lock_steps.read_lock_step(place),
        changes.under_way_step(place),
        rancher_states.states_step(),
    )
    if not session.dry and result["lock owner"].ok:
        lock.refuse_while_locked(session, place, result)
    return there.read_states(result.output("states"))


def _running(states: list[ServiceState], what: str, there: StackClient) -> list[str]:
    """Those that run. Raises SpinstackError if none does."""
    names = [state.name for state in states if state.state == "active"]
    if names:
        return names
    now = ", ".join(f"{state.name} {state.shown}" for state in states)
    raise SpinstackError(
        f"{what} does not run (now: {now})", where=there.where, remedy="invoke start"
    )


def _ask_to_scale(session: Session, before: ServiceState, count: int, yes: bool) -> None:
    """Fewer containers lose something; more with a published port need a node each."""
    name = before.name
    if count < before.scale:
        gone = before.scale - count
        session.confirm(
            f"Scale {name} at {session.destination.name} from {before.scale} down to {count}? "
            f"Lost: {_containers(gone)}, with the logs. Kept: the others, and all files.",
            yes=yes,
        )
        return
    if before.endpoints:
        session.console.warn(
            f"{name} publishes port {before.endpoints[0].port}: "
            "two of its containers can't be on one node"
        )
    _ask_if_protected(session, f"Scale {name} to {count}", yes)


def _ask_if_protected(session: Session, doing: str, yes: bool) -> None:
    """What loses nothing is asked only where a destination is protected."""
    if session.destination.protected and not session.destination_was_named:
        session.confirm(f"{doing} at {session.destination.name}?", yes=yes)


def _down(service: str) -> str:
    return f"{service} is down" if service else "The site is down"


def _containers(count: int) -> str:
    return f"{count} container{'s' if count > 1 else ''}"
