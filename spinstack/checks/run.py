"""`invoke check` from start to finish: this machine, its engine, the login node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spinstack.checks import image_state, login_node, mend, nginx_test, survey, trees
from spinstack.checks import stack as checks_stack
from spinstack.checks.survey import Survey
from spinstack.checks.walk import Entry
from spinstack.config import release_files
from spinstack.config.settings import Destination, Settings
from spinstack.config.stack import Stack
from spinstack.console import known_errors
from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms import health
from spinstack.platforms.base import Garbled, Platform
from spinstack.remote.access import remote_stack
from spinstack.remote.history import write
from spinstack.rules import centre, finding
from spinstack.rules.finding import Finding
from spinstack.rules.service import Service
from spinstack.template import record
from spinstack.transport import probe
from spinstack.transport.command import Command
from spinstack.transport.login_node import LoginNode
from spinstack.transport.script import Script, Step

if TYPE_CHECKING:
    from spinstack.session import Session

UNSEEN = "the mounted directories were not looked at"
NO_LOGIN_NODE = (
    f"{UNSEEN}: they are not on this machine, where kubectl runs (set project_dir: at the "
    "destination, and they are looked at through its login node)"
)


@dataclass
class Report:
    """What was found, what was fixed on the way, and anything else to note. `unseen`: why the
    login node could not be looked at."""

    findings: list[Finding] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: SpinstackError | None = None

    @property
    def failed(self) -> bool:
        return bool(finding.errors(self.findings))


def run(session: Session, *, fix: bool = False, deep: bool = False) -> Report:
    """Check the session's stack; also on the login node if a destination was named.

    `fix`: first fix what can be fixed safely. `deep`: whole trees, and nginx's own test. Raises
    SpinstackError for a directory that is too large to be looked through.
    """
    release_files.check_size(session.directory)  # before all files are read
    report = Report()
    report.notes += [told] if (told := record.newer(session.directory)) else []
    _choose_destination(session, report)
    if fix:
        _mend(session, report)
    found = _local(session)
    if not session.stack.compose.findings:
        found += _images(session, deep)
        nobody = any(one.rule == "user-name" for one in found)
        nobody = nobody and not session.destination.on_laptop
        if session.destination_was_named and nobody:
            # A password would be asked for, and a code used up, in vain.
            report.notes.append("the login node was not checked: nobody can log in yet")
        elif session.destination_was_named:
            try:
                found += _there(session, report, found, fix=fix, deep=deep)
            except SpinstackError as error:
                # What was found here is shown all the same.
                report.unseen = error
    report.findings = checks_stack.in_order(found)
    return report


def _local(session: Session) -> list[Finding]:
    return checks_stack.check(
        session.settings, session.destination, session.stack, session.platform
    )


def _mend(session: Session, report: Report) -> None:
    found = _local(session)
    try:
        mended = mend.mend(session.directory, found, dry=session.dry)
    except OSError as error:
        raise SpinstackError(
            f"can't fix a file: {error.strerror}",
            where=str(error.filename or session.directory),
            remedy="make it writable, or fix it by hand",
        ) from None
    report.mended += [f"{one.where}: {one.problem} [{one.rule}]" for one in mended]
    # The stack is read again.
    session.__dict__.pop("stack", None)


def _images(session: Session, deep: bool) -> Iterator[Finding]:
    """Silent if there is no engine: a deploy and doctor report that."""
    try:
        engine = session.engine
    except SpinstackError:
        return
    stack, to = session.stack, session.destination
    services, _ = stack.services(to)
    yield from image_state.findings(
        session.runner, engine, services, stack, to, ask_registries=session.destination_was_named
    )
    if deep:
        yield from nginx_test.findings(session.runner, engine, session.settings, stack, services)


def _there(
    session: Session, report: Report, here: list[Finding], *, fix: bool, deep: bool
) -> list[Finding]:
    """`here`: what was found on this machine."""
    to = session.destination
    with (
        session.login_node() as node,
        session.console.step(f"look at {to.environment if to.on_laptop else to.host}") as step,
    ):
        visit = Visit(node, session.destination, session.stack, session.platform)
        try:
            found = visit.findings(fix=fix, deep=deep)
        finally:
            report.mended += visit.mended
        if visit.mended:
            write.note(session, node, "check --fix", "; ".join(visit.mended))
        if visit.states_known and not finding.errors([*here, *found]):
            try:
                found += _foreseen(session, node)
            except SpinstackError as error:
                # What was found up to here is shown all the same.
                found.append(finding.unseen(error, to.runs_at))
        if to.on_laptop and visit.mounts:
            found += _mounts(session, report)
        findings = f"{len(found)} finding{'s' if len(found) > 1 else ''}"
        step.done(findings if found else "nothing wrong")
    return found


def _mounts(session: Session, report: Report) -> list[Finding]:
    """Of a destination whose scripts run on this machine: what keeps its nodes from the mounted
    directories."""
    with session.file_node(asking=True) as node:
        if node is None:
            report.notes.append(NO_LOGIN_NODE)
            return []
        try:
            return walked(node, session.destination, session.stack)
        except SpinstackError as error:
            report.notes.append(f"{UNSEEN}: {error.what} ({error.remedy})")
            return []


def mounts(stack: Stack, to: Destination) -> list[login_node.Use]:
    """What the services mount of the global file system, by the users that their pods have."""
    uid = to.kubernetes.uid if to.kubernetes else None
    known = {} if uid is None else {"uid": str(uid)}
    return login_node.uses(stack.services(to, **known)[0])


def walked(node: LoginNode, to: Destination, stack: Stack) -> list[Finding]:
    """What keeps the nodes from the directories that the services mount, and the containers, by
    their own users, from what is in them. Raises SpinstackError if the connection fails."""
    uses = mounts(stack, to)
    if not uses:
        return []
    seen = survey.walked(node, [use.mount.source for use in uses])
    return [] if node.dry else login_node.mounts(seen, uses, to)


def _foreseen(session: Session, node: LoginNode) -> list[Finding]:
    """What the platform itself has against a deploy."""
    remote = remote_stack(session, node)
    return remote.foreseen(remote.make_release(session.stack))


def _choose_destination(session: Session, report: Report) -> None:
    """A rehearsal that has not been started yet has no settings of its own; then check the stack's
    files by what Spin itself allows."""
    try:
        session.destination  # noqa: B018 - raises if its settings can't be read
    except UsageError:
        stand_in = None if session.destination_was_named else _without_include(session.settings)
        if stand_in is None:
            raise
        session.destination = stand_in
        report.notes.append(
            f"the settings of {stand_in.name} don't exist yet (`invoke rehearsal.start` creates "
            "them): checked against Spin's own rules"
        )


def _without_include(settings: Settings) -> Destination | None:
    """The default destination from the stack's own settings alone; None if it has no include, or
    one that exists."""
    name = settings.default_destination
    own = dict((settings.raw.get("destinations") or {}).get(name) or {})
    path = own.pop("include", None)
    if not path:
        return None
    own.setdefault("environment", centre.load().environments[0])
    # Nobody logs in to it.
    raw: dict[str, Any] = {**settings.raw, "destinations": {name: own}, "user": ""}
    raw["namespace"] = raw.get("namespace") or "demo"
    if checks_stack.PLACEHOLDER_PROJECT in str(raw.get("project_dir")).split("/"):
        # Nor uploads anything: the rehearsal will have a directory of its own.
        raw["project_dir"] = f"{centre.load().mountable[0]}/demo"
    try:
        return replace(settings, raw=raw).destination(name)
    except UsageError:
        return None


class Visit:
    """One stack's checks over one connection."""

    def __init__(
        self, node: LoginNode, destination: Destination, stack: Stack, platform: Platform
    ) -> None:
        self._node = node
        self._to = destination
        self._stack = stack
        self._platform = platform
        self.mended: list[str] = []
        # Whether the platform answers.
        self.states_known = False

    def findings(self, *, fix: bool = False, deep: bool = False) -> list[Finding]:
        """What is wrong there. `fix`: first give directories of ours o+x, listed in `mended`.
        `deep`: look through whole trees. Raises SpinstackError if the connection fails."""
        seen = self._look()
        if fix and self._mend(seen):
            seen = self._look()
        if self._node.dry:
            return []
        self.states_known = seen.states_known
        services = self._services(seen.uid)
        found = login_node.findings(seen, services, self._to, self._platform, self._stack.name)
        found += self._site(seen)
        if seen.states_known:
            found += survey.absent(self._node, self._to, self._platform, self._stack)
        if deep and not self._to.on_laptop:
            found += trees.audit(self._node, seen, self._uses(seen))
        return found

    def _site(self, seen: Survey) -> Iterator[Finding]:
        """What the site warns of if it runs, such as mounted code that its image can't import. One
        that can't be reached from here is skipped."""
        url = self._address(seen)
        for path in self._to.probe_paths if url else ():
            answer = probe.ask(url + path)
            if not answer.reached:
                return
            for line in answer.remarks("warning"):
                known = known_errors.explain(line, self._stack.directory)
                remedy = known.remedy if known else "see `invoke logs`"
                yield Finding("site-warning", url + path, line, remedy, "warning")

    def _address(self, seen: Survey) -> str:
        """Where the stack's services answer; empty unless all of them are up."""
        try:
            states = self._platform.read_states(seen.states_said, self._stack.name)
        except Garbled:
            return ""
        up = seen.states_known and all(state.up for state in states)
        return health.address(states, self._to) if up else ""

    @property
    def mounts(self) -> list[str]:
        """What the services mount of the global file system."""
        return [use.mount.source for use in login_node.uses(self._services(None))]

    def _look(self) -> Survey:
        return survey.look(self._node, self._to, self._platform, self.mounts)

    def _services(self, uid: int | None) -> list[Service]:
        """The services, with the login node's `${UID}` once that is known, or that of the pods."""
        cluster = self._to.kubernetes
        uid = cluster.uid if cluster and cluster.uid is not None else uid
        known = {} if uid is None else {"uid": str(uid)}
        return self._stack.services(self._to, **known)[0]

    def _uses(self, seen: Survey) -> list[login_node.Use]:
        uses = login_node.uses(self._services(seen.uid))
        return [use for use in uses if use.mount.source in seen.ways]

    def _mend(self, seen: Survey) -> bool:
        """Let others enter those directories above the mounts that are ours."""
        ours = [
            entry
            for entry in login_node.blocked(seen, self._uses(seen), self._to)
            if entry.uid == seen.uid
        ]
        if not ours:
            return False
        steps = [Step(f"mend {entry.path}", (_chmod(entry),), must=False) for entry in ours]
        result = self._node.run(Script(tuple(steps)))
        for entry, step in zip(ours, result.steps, strict=False):
            if step.ok:
                self.mended.append(f"{self._node.name}: {login_node.chmod(entry)}")
        return bool(self.mended)


def _chmod(entry: Entry) -> Command:
    return Command("chmod", "o+x", "--", entry.path)
