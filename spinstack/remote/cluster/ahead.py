"""What stands against a change, looked at before anything is locked or touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.cluster import access, answers, apply, owners
from spinstack.platforms.kubernetes.cluster.owners import Conflict, InTheWay
from spinstack.remote.cluster import room
from spinstack.remote.cluster.room import Manifests, Tight
from spinstack.rules.finding import Finding, unseen
from spinstack.transport.script import Script, tail

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack
    from spinstack.remote.follow import Follow

# Seconds that what ran before may take to be well again.
BACK_SECONDS = 120
_MORE_ROOM = "stop a service first (`invoke stop`), or ask the centre for a larger quota"
_TAKES_BACK = (
    "`invoke diff --to {name}` shows what a deploy makes of it, which asks before it takes it back "
    "(with --yes it does not ask); to keep it, change the stack's files to it"
)
_REMOVED = "the site is away from the removal until the deploy has ended"


@dataclass(frozen=True)
class Ahead:
    """`in_the_way`: objects of others with names of the stack's; `conflicts`: fields that others
    have changed, and that the change sets anew; `late`: that the login ends too early, in words;
    `tight`: that the quota has too little room; `scaled`: how many containers services have been
    given by `scale`, which a change leaves as it is; `unknown`: what the cluster does not say,
    without which no change begins."""

    in_the_way: Sequence[InTheWay] = ()
    conflicts: Sequence[Conflict] = ()
    late: str = ""
    tight: Tight | None = None
    scaled: Mapping[str, int] = field(default_factory=dict)
    unknown: Sequence[SpinstackError] = ()


def look(stack: ClusterStack, manifests: Manifests) -> Ahead:
    """What the cluster does not say is left for the change itself to meet: it has the server judge
    everything before it begins. But an apply takes over what is somebody else's: whose the objects
    and their fields are has to be known."""
    step = owners.there_step(stack.cluster, manifests.wanted)
    token = replace(access.token_step(stack.cluster), beside=True)
    quota = (room.step(stack),) if room.matters(manifests) else ()
    result = stack.node.run(Script((stack.ready, token, *quota, step)))
    late = _late(access.read_token(result.output(token.name)), stack.destination.healthy_within)
    if not stack.succeeded(result)[step.name].ok:
        what = f"{stack.platform.title} does not say whose objects are there"
        return Ahead(late=late, unknown=[stack.failure(result[step.name], what)])
    there = stack.read(result[step.name], lambda text: answers.read(text).objects)
    wanted = apply.objects(manifests.wanted)
    blocked = owners.in_the_way(there, wanted)
    if blocked or late:
        return Ahead(blocked, late=late)
    counts = owners.scaled(there)
    wanted = apply.objects(room.scaled(manifests.wanted, counts))
    conflicts, unknown = _conflicts(stack, there, wanted)
    told = result[quota[0].name] if quota else None
    tight = room.look(stack, manifests.scaled(counts), told)
    return Ahead(conflicts=conflicts, tight=tight, scaled=counts, unknown=unknown)


def _late(end: datetime | None, healthy_within: int) -> str:
    """In words, that a login ends before a change may have ended, with what ran before brought
    back; empty if it does not, or if nobody knows."""
    needed = healthy_within + BACK_SECONDS
    left = (end - datetime.now(timezone.utc)).total_seconds() if end else needed
    if left >= needed:
        return ""
    return (
        f"the token in the kubeconfig ends in {max(int(left), 0)} s, and a deploy that has to be "
        f"taken back may last {needed} s"
    )


def _remedy_if_late(stack: ClusterStack) -> str:
    to = stack.destination
    return f"get a new kubeconfig from {to.centre.kubernetes.kubeconfig}, or lower healthy_within"


def _conflicts(
    stack: ClusterStack, there: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]
) -> tuple[list[Conflict], list[SpinstackError]]:
    """The server is only asked about objects that somebody else has changed at all. Also returns
    why it did not say it of some."""
    known = {apply.named(one): one for one in owners.shared(there)}
    shared = [one for one in wanted if apply.named(one) in known]
    if not shared:
        return [], []
    steps = owners.conflict_steps(stack.cluster, shared)
    result = stack.succeeded(stack.node.run(Script((stack.ready, *steps))))
    found: list[Conflict] = []
    unknown = []
    for one, step in zip(shared, steps, strict=True):
        told = result[step.name]
        if told.ok or owners.tells_conflicts(told.output):
            found += owners.conflicts(known[apply.named(one)], told.output)
        else:
            what = f"{stack.platform.title} does not say who has changed {step.name}"
            unknown.append(stack.failure(told, what))
    return found, unknown


def must_be_clear(stack: ClusterStack, ahead: Ahead) -> None:
    """Raises SpinstackError for what no change can be made with."""
    error = _stands_against(stack, ahead)
    if error:
        error.explained = True
    elif ahead.unknown:
        error = ahead.unknown[0]
    if error:
        error.now = "nothing was changed"
        raise error


def _stands_against(stack: ClusterStack, ahead: Ahead) -> SpinstackError | None:
    if ahead.late:
        where = f"{stack.cluster.kubeconfig}, context {stack.cluster.context}"
        return SpinstackError(ahead.late, where=where, remedy=_remedy_if_late(stack))
    if ahead.in_the_way:
        found = ahead.in_the_way
        names = ", ".join(f"{one.kind} {one.name}" for one in found)
        return SpinstackError(
            f"not the stack's own: {names}",
            where=stack.place,
            remedy=f"do for each what stands above, or change the namespace ({_REMOVED})",
            details="\n".join(f"{one.told}\n  {one.remedy(stack.cluster)}" for one in found),
        )
    if ahead.tight and ahead.tight.still:
        return SpinstackError(
            "the quota has no room for the new containers",
            where=stack.place,
            remedy=_MORE_ROOM,
            details="\n".join(ahead.tight.still),
        )
    return None


def agreed(ahead: Ahead, manifests: Manifests, follow: Follow, doing: str) -> Manifests:
    """Ask somebody about what the change would undo, and about a site that is away for a while.
    Returns what is to be applied then. Raises UsageError for a no."""
    if ahead.conflicts:
        _ask_about_fields(ahead, follow, doing)
    manifests = manifests.scaled(ahead.scaled)
    if ahead.tight is None:
        return manifests
    follow.session.console.warn(_no_room(ahead.tight))
    names = " and ".join(ahead.tight.stopped)
    question = f"Stop {names} before the new version starts? Away {ahead.tight.gap.told}."
    follow.session.confirm(question, yes=follow.yes)
    return replace(manifests, stopped=ahead.tight.stopped)


def _no_room(tight: Tight) -> str:
    what = "the quota has no room for the new containers beside the old ones"
    return f"{what} ({'; '.join(tight.missing)})"


def _ask_about_fields(ahead: Ahead, follow: Follow, doing: str) -> None:
    console = follow.session.console
    for one in ahead.conflicts:
        console.warn(one.told)
    number = len(ahead.conflicts)
    fields = f"{number} fields" if number > 1 else "1 field"
    question = f"This {doing} takes {fields} back that somebody else has changed (see above;"
    shows = f"`invoke diff --to {follow.session.destination.name}` shows how"
    follow.session.confirm(f"{question} {shows}). Continue?", yes=follow.yes)


def findings(stack: ClusterStack, ahead: Ahead) -> list[Finding]:
    """The same for `check`, with what it would ask about."""
    place = stack.place
    takes_back = _TAKES_BACK.format(name=stack.destination.name)
    found = [Finding("kubeconfig-token", place, ahead.late, _remedy_if_late(stack))]
    return [
        *(found if ahead.late else ()),
        *(unseen(error, place) for error in ahead.unknown),
        *(
            Finding("kubernetes-taken", place, one.told, one.remedy(stack.cluster))
            for one in ahead.in_the_way
        ),
        *(
            Finding("kubernetes-conflict", place, one.told, takes_back, "warning")
            for one in ahead.conflicts
        ),
        *(_of_room(stack, ahead.tight) if ahead.tight else ()),
    ]


def _of_room(stack: ClusterStack, tight: Tight) -> Iterator[Finding]:
    if tight.still:
        problem = f"the quota has no room for the new containers ({'; '.join(tight.still)})"
        yield Finding("kubernetes-quota", stack.place, problem, _MORE_ROOM)
        return
    remedy = f"a deploy asks whether to stop {' and '.join(tight.stopped)} first: the site is away "
    remedy += f"{tight.gap.told}; or ask the centre for a larger quota"
    yield Finding("kubernetes-quota", stack.place, _no_room(tight), remedy, "warning")


def judged(stack: ClusterStack, text: str) -> list[Finding]:
    """What the server, its admission policies included, has against the manifests: a dry run."""
    step = replace(apply.dry_run_step(stack.cluster, text), must=False)
    said = stack.node.run(Script((stack.ready, step))).steps[-1]
    if said.ok:
        return []
    told = stack.platform.complaints(said.output, errors_only=True)
    lines = told or [tail(said.output) or f"exit code {said.code}, no output"]
    return [_refused(stack, line) for line in lines]


def _refused(stack: ClusterStack, line: str) -> Finding:
    cause, remedy = stack.platform.known(line) or (line, "change what it names in the stack")
    return Finding("kubernetes-refused", stack.place, cause, remedy)
