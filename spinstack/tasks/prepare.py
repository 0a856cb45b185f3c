"""Before a deploy: make a stack, check it, log in to the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from invoke.context import Context

    from spinstack.checks.run import Report
    from spinstack.session import Session
    from spinstack.template.update import Outcome


@task(
    "make",
    help={
        "output": "where to create the stack's directory (default: the current directory)",
        "no-input": "do not ask; use the default answers",
        "answer": "KEY=VALUE: answer a question in advance; may be repeated",
        "app": "a directory with your own WSGI application, for the kind wsgi",
        "entry": "MODULE:NAME of the application in there, if that is not clear",
    },
    iterable=["answer"],
)
def new(
    context: Context,
    output: str = ".",
    no_input: bool = False,
    # No default of another type: Invoke would take the type of the values from it.
    answer: Sequence[str] | None = None,
    app: str = "",
    entry: str = "",
) -> None:
    """Create a new stack's directory; asks a few questions.

    Prints the new directory. Nothing is created if an answer is invalid or the directory
    already exists. With --app the files of an application are copied into it, hidden ones
    excepted, in place of the example, and the packages of its requirements.txt are pinned.

        spinstack new
        spinstack new --no-input --answer stack_name=my-site --answer web_port=60021
        spinstack new --no-input --app ~/hello
    """
    from spinstack import template
    from spinstack.console.console import Console

    dry = context.config.run.dry
    if entry and not app:
        from spinstack.errors import UsageError

        raise UsageError("--entry names what is in --app", remedy="give both")
    if app:
        made = _of_application(app, entry, output, answer or (), ask=not no_input, dry=dry)
    else:
        made = template.make(output, answer or (), ask=not no_input, dry=dry)
    if not (dry or no_input):
        from pathlib import Path

        from spinstack.template import git
        from spinstack.transport.runner import LocalRunner

        git.offer(LocalRunner(), Path(made), Console())
    Console().result(str(made))


def _of_application(
    app: str, entry: str, output: str, answers: Sequence[str], *, ask: bool, dry: bool
) -> str:
    from pathlib import Path

    from spinstack import template
    from spinstack.console.console import Console
    from spinstack.deploy import packages
    from spinstack.errors import SpinstackError
    from spinstack.template import application
    from spinstack.transport.runner import LocalRunner

    found = application.find(app, entry)
    answers = application.answers(found, answers, output)
    made = template.make(output, answers, ask=ask, dry=dry)
    if dry:
        return f"{made}\n# copies {len(found.files)} files of {found.directory} into app/"
    console = Console()
    for note in found.notes:
        console.warn(note)
    if application.bring(Path(made), found):
        try:
            with console.step("choose versions of packages"):
                packages.choose(LocalRunner(), Path(made) / application.PLACE)
        except SpinstackError as error:
            console.warn(f"{error.what} ({error.where})")
            console.note(error.details or error.remedy)
            console.note(f"correct it, then run `invoke requirements` in {made}")
    return made


@task(
    "make",
    help={
        "name": "name of the stack (default: that of the directory)",
        "compose-file": "the compose file, if it has no usual name",
        "env-file": "the file with the variables of the compose file (default: the one that sets "
        "most of them)",
        "json": JSON,
    },
)
def init(
    context: Context,
    name: str = "",
    compose_file: str = "",
    env_file: str = "",
    json: bool = False,
) -> None:
    """Make a stack of a directory that has a compose file.

    Adds invoke.yaml and tasks.py, and changes nothing else. Then it says what `check` has against
    the files; on a terminal it offers to fix what it can, one by one. Files that are there stay as
    they are, so that it can be run again.

        cd my-site
        spinstack init

    Exit codes: 0 ready to deploy (perhaps with warnings), 1 errors were found, 2 wrong usage.
    """
    from pathlib import Path

    from spinstack.setup import adopt, offer

    found = adopt.look(Path.cwd(), compose_file=compose_file, env=env_file, stack=name)
    session = offer.made(context, Path.cwd(), found)
    if session.dry:
        return
    offer.must_hold(session, stack=name, compose_file=compose_file, env_file=env_file)
    report = offer.checked(session)
    _tell(session, report, json)
    session.console.note(
        "next: try it here with `invoke rehearsal.start` and `invoke deploy`; for NERSC, look "
        "through invoke.yaml (user, project_dir, kubernetes), then `invoke check --to development`"
    )
    if report.failed:
        from invoke.exceptions import Exit

        raise Exit(code=1)


@task(
    "make",
    help={
        "answer": "KEY=VALUE: answer a question of the template otherwise; may be repeated",
        "from": "the template that the stack was made from (repository or directory), if the "
        "stack has no record of it",
        "checkout": "with --from: its commit, tag or branch at the time",
        "json": JSON,
    },
    iterable=["answer"],
)
def update(
    context: Context,
    answer: Sequence[str] | None = None,
    from_: str = "",
    checkout: str = "",
    json: bool = False,
) -> None:
    """Bring what a newer spinstack has changed in its template into this stack.

    Needs a stack that is committed to git, and commits nothing: look at the changes with
    `git diff --staged`, and commit them, or take them back with `git reset --hard`. What you
    changed stays. Where the template changed the same lines, git marks a conflict in the file.

        pipx upgrade spinstack
        invoke --dry update     what would change
        invoke update

    Exit codes: 0 updated, or nothing to do, 1 failed, or conflicts are left to you, 2 wrong
    usage.
    """
    from spinstack.errors import UsageError
    from spinstack.session import Session
    from spinstack.template import pairs, update
    from spinstack.transport.runner import LocalRunner

    session = Session(context)
    if checkout and not from_:
        raise UsageError("--checkout says nothing without --from", remedy="add --from TEMPLATE")
    source = update.Source(from_, checkout) if from_ else None
    outcome = update.update(
        LocalRunner(), session.runner, session.directory, given=pairs(answer or ()), source=source
    )
    _tell_update(session, outcome, json)
    if outcome.conflicts:
        from invoke.exceptions import Exit

        raise Exit(code=1)


def _tell_update(session: Session, outcome: Outcome, json: bool) -> None:
    """What was changed, on standard output; in a dry run what differs."""
    console = session.console
    if json:
        console.json(outcome.as_dict())
        return
    for question, answer in outcome.new_answers.items():
        console.note(f"a new question: {question}; its default is {answer}")
    if session.dry and outcome.patch:
        console.verbatim(outcome.patch.rstrip("\n"))
    for line in outcome.lines(dry=session.dry):
        console.result(line)


@task(
    "make",
    help={
        "what": "postgres, redis, or the name of a service of your own",
        "name": "the service's name (default: db for postgres, kv for redis)",
        "image": "its image; for one of the stack's own: '${APP_IMAGE}'",
        "command": "what its containers run, quoted as a whole (default: what the image says)",
        "user": "the numbers of user and group that it runs as, as in 999:999",
        "port": "the port that it listens on; gives it a health check",
        "directory": "mount a volume there",
        "to": "only follow the rules of this destination (default: of all)",
        "json": JSON,
    },
)
def add(
    session: Session,
    what: str,
    name: str = "",
    image: str = "",
    command: str = "",
    user: str = "",
    port: int = 0,
    directory: str = "",
    to: str | None = None,
    json: bool = False,
) -> None:
    """Add a service to the stack's files: a database, a cache, a worker.

    It gets a user that is not root, a health check, a volume and a secret, as far as it needs them;
    everything else in the files stays as it is. Then it says what is left to do. `--dry` shows the
    change.

        invoke add postgres
        invoke --dry add redis
        invoke add util-mail --image '${APP_IMAGE}' --command 'python -m mail'
    """
    from spinstack.setup import add, recipes

    wanted = recipes.Wanted(what, name, image, user, command, port, directory)
    made = add.add(session, wanted)
    console = session.console
    if session.dry:
        console.verbatim("\n".join(add.difference(session.directory, made)))
    if json:
        if not session.dry:
            console.json({"stack": session.settings.stack, "action": "add", **made.as_dict()})
        return
    verb = "would add" if session.dry else "added"
    console.result(f"{verb} {made.name} ({made.about}) to {' and '.join(made.files)}")
    for line in (*made.left, "`invoke deploy`"):
        console.advice(f"  next: {line}")


@task(
    "make",
    help={
        "to": "also check this destination: login node, cluster (default: only local files)",
        "json": JSON,
        "explain": "RULE: why this rule exists, and its source (all: list the rules)",
        "fix": "first fix what can be fixed safely, and say what was fixed",
        "deep": "also check whole directory trees (with --to); have nginx test its configuration",
    },
)
def check(
    session: Session,
    to: str | None = None,
    json: bool = False,
    explain: str = "",
    fix: bool = False,
    deep: bool = False,
) -> None:
    """Check the stack's files against Spin's rules; with --to the destination too.

    Each finding says what is wrong, where, and how to fix it; --explain says why the rule
    exists. Changes nothing, unless --fix is given.

        invoke check                          the local files
        invoke check --to dev                 directories and permissions at NERSC too, and what
                                              the running site warns of
        invoke check --explain mount-access   why, and who says so

    Exit codes: 0 ready to deploy (perhaps with warnings), 1 errors were found, 2 wrong usage.
    """
    if explain:
        _explain(session, explain, json)
        return
    from spinstack.checks import run

    if session.dry:
        session.console.result(f"# reads the files in {session.directory}")
    report = run.run(session, fix=fix, deep=deep)
    _tell(session, report, json)
    if report.unseen:
        raise report.unseen
    if report.failed and not session.dry:
        from invoke.exceptions import Exit

        raise Exit(code=1)


def _explain(session: Session, rule: str, json: bool) -> None:
    from dataclasses import asdict

    from spinstack.checks import catalogue

    chosen = list(catalogue.rules().values()) if rule == "all" else [catalogue.explain(rule)]
    if json:
        session.console.json([asdict(each) for each in chosen])
    elif rule == "all":
        session.console.table(["rule", "about"], [[each.id, each.about] for each in chosen])
    else:
        for line in chosen[0].lines():
            session.console.result(line)


def _tell(session: Session, report: Report, json: bool) -> None:
    """The findings on standard output; what was fixed on standard error."""
    for note in report.notes:
        session.console.note(note)
    verb = "would fix" if session.dry else "fixed"
    for mended in report.mended:
        session.console.note(f"{verb} {mended}")
    if json:
        session.console.json([session.console.advised(one.as_dict()) for one in report.findings])
        return
    for found in report.findings:
        session.console.result(f"{found.severity}: {found.problem} [{found.rule}]")
        session.console.advice(f"  where: {found.where}\n  fix:   {found.remedy}")
    severities = [found.severity for found in report.findings]
    counts = ", ".join(_count(severities.count(kind), kind) for kind in ("error", "warning"))
    there = "cluster" if session.destination.on_laptop else "login node"
    unseen = f"; the {there} was not checked" if report.unseen else ""
    session.console.result(f"{session.where}: {counts}{unseen}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@task(
    "make",
    help={"to": TO, "user": "user name at the registry (default: the destination's user)"},
    name="login",
)
def login(session: Session, to: str | None = None, user: str = "") -> None:
    """Log in to the image registry.

    The password is asked for or read from standard input, never given on the command line; a
    rehearsal answers itself.
    """
    import sys

    from spinstack.images import registry_login
    from spinstack.remote.access import key_password

    destination = session.destination
    name = user or destination.user
    if session.dry:
        password = ""
    elif destination.login_answer_file and not destination.practise:
        # That of the login node, as at NERSC.
        password = key_password(session)("Password: ") or ""
    else:
        prompt = f"Password for {name} at {destination.registry}: "
        password = registry_login.read_password(prompt, sys.stdin)
    registry_login.login(session.runner, session.engine, destination.registry, name, password)
    if not session.dry:
        session.console.result(f"logged in to {destination.registry} as {name}")


TOPIC = Topic("make", "Create and check a stack", (new, init, update, add, check))
REGISTRY = Topic("make", "The image registry", (login,), group="registry")
