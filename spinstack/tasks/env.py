"""The settings in effect and where each comes from; safe changes to the env file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session


@task(
    "make",
    help={
        "to": TO,
        "json": JSON,
        "set": "set NAME=VALUE in the env file; may be repeated",
        "unset": "remove NAME from the env file; may be repeated",
        "edit": "edit a copy of the env file in $EDITOR; saved if the check finds nothing new",
    },
    iterable=["set", "unset"],
)
def env(
    session: Session,
    to: str | None = None,
    json: bool = False,
    set: Sequence[str] | None = None,
    unset: Sequence[str] | None = None,
    edit: bool = False,
) -> None:
    """Show settings and variables and where they come from; change the env file.

    A change is saved only if the check for the destination finds no new errors; comments and
    order are kept. Only the file changes: the site follows with the next deploy.

        invoke env --to dev
        invoke env --set WEB_PORT=60021
    """
    if edit and (set or unset):
        from spinstack.errors import UsageError

        raise UsageError(
            "--edit can't be combined with --set or --unset", remedy="run them one after the other"
        )
    if edit or set or unset:
        _change(session, set or (), unset or (), json=json)
    elif session.dry:
        session.console.result(f"# reads the files in {session.directory}; runs nothing")
    else:
        _show(session, json=json)


def _show(session: Session, *, json: bool) -> None:
    from spinstack.setup import settings as setup_settings

    layers = setup_settings.layers(session.config)
    settings = setup_settings.settings(layers, session.settings, session.destination)
    variables = setup_settings.variables(layers, session, setup_settings.stack_of(session))
    if json:
        session.console.json(
            {
                "stack": session.settings.stack,
                "destination": session.destination.name,
                "settings": [row.as_dict() for row in settings],
                "variables": [row.as_dict() for row in variables],
            }
        )
        return
    for about, rows in (("SETTING", settings), ("VARIABLE", variables)):
        cells = [
            [row.name, setup_settings.text_of(row.value), row.origin]
            for row in rows
            if row.value is not None or about == "VARIABLE"
        ]
        session.console.table([about, f"AT {session.destination.name.upper()}", "FROM"], cells)
        session.console.result("")


def _change(session: Session, set: Sequence[str], unset: Sequence[str], *, json: bool) -> None:
    from spinstack.config.stack import read_text
    from spinstack.setup import env_change

    path = session.directory / session.settings.env_file
    before = read_text(path)
    if not (set or unset):
        if session.dry:
            session.console.result(f"# opens a copy of {path} in an editor, checks it, writes it")
            return
        after = env_change.in_editor(session, path, before)
    else:
        after = env_change.edited(before, env_change.pairs(set), unset)
        env_change.refuse(path, env_change.new_errors(session, after))
    found = env_change.changes(before, after)
    if after != before:
        if session.dry:
            session.console.result(f"# writes {path}")
        else:
            env_change.write(path, after)
    if json:
        session.console.json([{"name": c.name, "old": c.old, "new": c.new} for c in found])
        return
    for change in found:
        session.console.result(change.line())
        if change.name in session.destination.env:
            session.console.warn(
                f"at {session.destination.name}, invoke.yaml overrides this with {change.name}="
                f"{session.destination.env[change.name]}"
            )
    if not found:
        session.console.note("only comments changed" if after != before else "nothing changed")


TOPIC = Topic("make", "Settings and variables", (env,))
