"""Start, stop, restart, scale and remove: what is possible now, the order, the waiting.

A platform need not wait, and may stop half of a stack before it notices that the other half
can't be stopped: so the states are read first, and again until they are what was wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.base import STOP_SECONDS, Phase, ServiceState
from spinstack.platforms.client import StackClient
from spinstack.platforms.health import ServicesFailed, Watcher, shown

# Told what is being waited for.
Tell = Callable[[str], None]


def chosen(states: Sequence[ServiceState], service: str, stack: str) -> list[ServiceState]:
    """All services, or the one that is named. Raises UsageError for one that is not there."""
    found = [state for state in states if service in ("", state.name)]
    if service and not found and states:
        names = ", ".join(state.name for state in states)
        raise UsageError(
            f"{stack} has no service {service!r} there",
            remedy=f"one of {names}; what is missing there comes with `invoke deploy`",
        )
    return found


def must_be_settled(states: Sequence[ServiceState], doing: str) -> None:
    """Raises SpinstackError where the platform would refuse, before anything was done."""
    unconfirmed = [state.name for state in states if state.open]
    if unconfirmed:
        raise SpinstackError(
            f"can't {doing}: the upgrade of {', '.join(unconfirmed)} was neither confirmed nor "
            "rolled back",
            where=f"{states[0].stack}; nothing was changed",
            remedy="look at the site, then first `invoke confirm` or `invoke rollback`",
        )
    for state in states:
        if state.passing:
            raise SpinstackError(
                f"can't {doing}: {state.name} is {state.phase.value}",
                where=f"{state.stack}; nothing was changed",
                remedy="it does not get on: `invoke rm` removes it, `invoke deploy` makes it anew"
                if state.stuck
                else "wait some seconds, see `invoke status`, run it again",
                details=state.message,
            )


def stop(there: StackClient, service: str, wanted: Sequence[str], tell: Tell) -> list[ServiceState]:
    """Stop the stack or one service; returns when all of `wanted` are stopped."""
    step = there.platform.stop(there.stack, service)
    there.order(step, what=f"{_name(there, service)} was not stopped")
    return wait(there, wanted, "stopped", lambda state: state.stopped, tell)


def must_be_up(there: StackClient, states: Sequence[ServiceState]) -> None:
    """Raises SpinstackError if a service that was started does not run well."""
    ill = [state for state in states if not state.up]
    if ill:
        raise SpinstackError(
            f"started already, and not well (now: {shown(ill)})",
            where=there.where,
            remedy="see `invoke logs`; mend the cause and deploy, or `invoke stop` and `start`",
            details="\n".join(state.message for state in ill if state.message),
        )


def start(there: StackClient, names: Sequence[str], limit: int, tell: Tell) -> list[ServiceState]:
    """Start services that are stopped; returns when they are up and healthy."""
    step = there.platform.start(there.stack, names)
    there.order(step, what=f"{_list(names)} could not be started")
    return wait_until_up(there, names, limit, tell)


def restart(there: StackClient, names: Sequence[str], limit: int, tell: Tell) -> list[ServiceState]:
    """Restart services that run: their containers stay the same. A stack as such can't be."""
    step = there.platform.restart(there.stack, names)
    there.order(step, what=f"{_list(names)} was not restarted")
    return wait_until_up(there, names, limit, tell)


def scale(there: StackClient, name: str, count: int, limit: int, tell: Tell) -> list[ServiceState]:
    """Run `count` containers of a service; returns when all are up and healthy."""
    step = there.platform.scale(there.stack, name, count)
    there.order(step, what=f"{name} could not be scaled")

    def reached(state: ServiceState) -> bool:
        return state.up and state.current == count

    remedy = f"mend the cause, or take it back: invoke scale --service {name} --count N"
    return wait(there, [name], f"{count} containers", reached, tell, limit, remedy)


def remove(there: StackClient, service: str, *, begun: bool = False) -> None:
    """Remove the stack or one service; returns when it is gone, since a deploy would find
    what is being removed and do nothing. `begun`: somebody has given the order already."""
    name = _name(there, service)
    if not begun:
        step = there.platform.remove(there.stack, service)
        there.order(step, what=f"{name} was not removed")
    if service:
        there.watch(STOP_SECONDS, lambda states: all(state.name != service for state in states))
        gone = there.node.dry or all(state.name != service for state in there.states())
    else:
        step = there.platform.gone(there.stack)
        gone = there.run(step, seconds=STOP_SECONDS + 60)[step.name].ok
    if not gone:
        raise _too_late(there, f"{name} is still being removed", STOP_SECONDS)


def exists(there: StackClient) -> bool:
    """Whether there is a stack of this name, even without services. Creates nothing."""
    step = there.platform.exists(there.stack)
    return bool(there.platform.read_inspect(there.run(step).output(step.name)))


def wait_until_up(
    there: StackClient, names: Sequence[str], limit: int, tell: Tell
) -> list[ServiceState]:
    """Wait until the services run and are healthy. Raises SpinstackError with the ends of
    their logs if they don't, or not within `limit` seconds."""
    watcher = Watcher(list(names))

    def look(states: list[ServiceState]) -> bool:
        done = watcher.take(states)
        tell(watcher.summary)
        return done

    there.watch(limit, look)
    if there.node.dry:
        return []
    try:
        watcher.judge(limit, there.stack)
    except ServicesFailed as failure:
        failure.details = there.last_lines(failure.services)
        failure.remedy = "mend the cause; `invoke logs` shows more"
        raise
    return watcher.states


def wait(
    there: StackClient,
    names: Sequence[str],
    wanted: str,
    reached: Callable[[ServiceState], bool],
    tell: Tell,
    limit: int = STOP_SECONDS,
    remedy: str = "see `invoke status`",
) -> list[ServiceState]:
    """Wait until all the services are as `reached` says. Raises SpinstackError when the time
    is up, or when the platform gives one up: then with this remedy; `wanted` names the state."""
    seen: list[ServiceState] = []

    def look(states: list[ServiceState]) -> bool:
        seen[:] = [state for state in states if state.name in names]
        tell(shown(seen))
        return all(map(reached, seen)) or any(state.stuck for state in seen)

    there.watch(limit, look)
    if there.node.dry or (seen and all(map(reached, seen))):
        return seen
    now = shown(seen) or "nothing"
    reasons = "; ".join(state.message for state in seen if state.message)
    error = _too_late(there, f"{_list(names)} did not get {wanted} (now: {now})", limit)
    if any(state.stuck for state in seen):
        error.remedy = remedy
    error.details = "\n".join(filter(None, [reasons, there.last_lines(list(names))]))
    raise error


def _too_late(there: StackClient, what: str, seconds: int) -> SpinstackError:
    title = there.platform.title
    remedy = f"{title} may still get there (waited at most {seconds} s): see `invoke status`"
    return SpinstackError(what, where=there.where, remedy=remedy)


def assumed(stack: str, names: Sequence[str], phase: Phase) -> list[ServiceState]:
    """What a dry run takes for found: all services in the phase in which the order is given."""
    base = ServiceState(stack, "", phase.value, phase=phase)
    return [replace(base, name=name) for name in names]


def _name(there: StackClient, service: str) -> str:
    return f"{there.stack}/{service}" if service else there.stack


def _list(names: Sequence[str]) -> str:
    return " and ".join(names)
