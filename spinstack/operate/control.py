"""Start, stop, restart, scale and remove: what is possible now, the command, the waiting.

A platform need not wait, and may stop half of a stack before it notices that the other half
can't be stopped: so read the states first, and again until they are as wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.base import STOP_SECONDS, Phase, ServiceState
from spinstack.platforms.client import StackClient
from spinstack.platforms.health import ServicesFailed, Watcher, shown

# Shows what is being waited for.
Tell = Callable[[str], None]


def chosen(states: Sequence[ServiceState], service: str, stack: str) -> list[ServiceState]:
    """All services, or the named one. Raises UsageError if that one does not exist there."""
    found = [state for state in states if service in ("", state.name)]
    if service and not found and states:
        names = ", ".join(state.name for state in states)
        raise UsageError(
            f"{stack} has no service {service!r} at its destination",
            remedy=f"choose one of {names}, or run `invoke deploy` to add it",
        )
    return found


def must_be_settled(states: Sequence[ServiceState], doing: str) -> None:
    """Raises SpinstackError if the platform would refuse, before anything is done."""
    unconfirmed = [state.name for state in states if state.open]
    if unconfirmed:
        raise SpinstackError(
            f"can't {doing}: the upgrade of {', '.join(unconfirmed)} was neither confirmed nor "
            "rolled back",
            where=f"{states[0].stack}; nothing was changed",
            remedy="look at the site, then run `invoke confirm` or `invoke rollback` first",
        )
    for state in states:
        if state.passing:
            error = SpinstackError(
                f"can't {doing}: {state.name} is {state.phase.value}",
                where=f"{state.stack}; nothing was changed",
                remedy=f"it is stuck: remove it with `invoke rm --service {state.name}`, then run "
                "`invoke deploy`"
                if state.stuck
                else "wait some seconds until `invoke status` shows it settled, then run it again",
                details=state.message,
            )
            # What keeps it from getting on is not what has to be fixed first.
            error.explained = True
            raise error


def stop(there: StackClient, service: str, wanted: Sequence[str], tell: Tell) -> list[ServiceState]:
    """Stop the stack or one service; returns when all of `wanted` are stopped."""
    step = there.platform.stop(there.stack, service)
    there.order(step, what=f"{_name(there, service)} was not stopped")
    return wait(there, wanted, "stop", lambda state: state.stopped, tell)


def must_be_up(there: StackClient, states: Sequence[ServiceState]) -> None:
    """Raises SpinstackError if a service that was started is not healthy."""
    ill = [state for state in states if not state.up]
    if ill:
        raise SpinstackError(
            f"already started but not healthy ({shown(ill)})",
            where=there.where,
            remedy="fix the cause (see `invoke logs`), then run `invoke deploy`",
            details="\n".join(state.message for state in ill if state.message),
        )


def start(there: StackClient, names: Sequence[str], limit: int, tell: Tell) -> list[ServiceState]:
    """Start services that are stopped; returns when they are up and healthy."""
    step = there.platform.start(there.stack, names)
    there.order(step, what=f"{_list(names)} could not be started")
    return wait_until_up(there, names, limit, tell)


def restart(there: StackClient, names: Sequence[str], limit: int, tell: Tell) -> list[ServiceState]:
    """Restart running services: their containers stay the same. A whole stack can't be
    restarted in one command."""
    step = there.platform.restart(there.stack, names)
    there.order(step, what=f"{_list(names)} was not restarted")
    return wait_until_up(there, names, limit, tell)


def scale(there: StackClient, name: str, count: int, limit: int, tell: Tell) -> list[ServiceState]:
    """Run `count` containers of a service; returns when all are up and healthy."""
    step = there.platform.scale(there.stack, name, count)
    there.order(step, what=f"{name} could not be scaled")

    def reached(state: ServiceState) -> bool:
        return state.up and state.current == count

    remedy = f"fix the cause, or scale back: `invoke scale --service {name} --count N`"
    return wait(there, [name], f"reach {count} containers", reached, tell, limit, remedy)


def remove(there: StackClient, service: str, *, begun: bool = False) -> None:
    """Remove the stack or one service; returns when it is gone, since a deploy would find what is
    still being removed and do nothing. `begun`: somebody has already started the removal."""
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
    """Whether a stack of this name exists, even without services. Creates nothing."""
    step = there.platform.exists(there.stack)
    return there.read(there.run(step)[step.name], there.platform.read_inspect) is not None


def wait_until_up(
    there: StackClient, names: Sequence[str], limit: int, tell: Tell
) -> list[ServiceState]:
    """Wait until the services run and are healthy. Raises SpinstackError with the last lines of
    their logs if that fails, or takes longer than `limit` seconds."""
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
        failure.remedy = "fix the cause; `invoke logs` shows more"
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
    """Wait until `reached` is true for all the services. Raises SpinstackError when the time is
    up, or, with this remedy, when the platform gives up on one; `wanted`: what they should do."""
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
    error = _too_late(there, f"{_list(names)} did not {wanted} (now: {now})", limit)
    if any(state.stuck for state in seen):
        error.remedy = remedy
    error.details = "\n".join(filter(None, [reasons, there.last_lines(list(names))]))
    raise error


def _too_late(there: StackClient, what: str, seconds: int) -> SpinstackError:
    title = there.platform.title
    remedy = f"see `invoke status`; {title} may still get there (waited at most {seconds} s)"
    return SpinstackError(what, where=there.where, remedy=remedy)


def assumed(stack: str, names: Sequence[str], phase: Phase) -> list[ServiceState]:
    """What a dry run assumes: all services in the phase in which the command is possible."""
    base = ServiceState(stack, "", phase.value, phase=phase)
    return [replace(base, name=name) for name in names]


def _name(there: StackClient, service: str) -> str:
    return f"{there.stack}/{service}" if service else there.stack


def _list(names: Sequence[str]) -> str:
    return " and ".join(names)
