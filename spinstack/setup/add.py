"""`invoke add`: a further service in a stack's own files, with what it needs.

Text is put in, nothing else changes, and only what the check agrees to.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack.checks import stack as checks_stack
from spinstack.config import compose, goyaml, service_settings, yaml_edit
from spinstack.config import stack as config_stack
from spinstack.config.stack import Stack, read_text
from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms import choose
from spinstack.rules import names
from spinstack.rules.finding import Finding, errors
from spinstack.setup import env_change, recipes
from spinstack.setup.recipes import Wanted
from spinstack.text import read_yaml, split_lines

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.session import Session

SETTINGS = "invoke.yaml"


@dataclass(frozen=True)
class Service:
    """A service to be added. `volume`, `secret`: their names, empty for none; `files`: the text of
    each file with it; `left`: what a person has to do, line by line. `port`: 0 for none."""

    name: str
    about: str
    image: str
    port: int
    volume: str
    secret: str
    files: Mapping[str, str]
    left: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        fields = asdict(self)
        return {**fields, "files": list(self.files), "left": list(self.left)}


def add(session: Session, wanted: Wanted) -> Service:
    """Put a service into the compose file and the settings; in a dry run it only says how.

    Raises UsageError for a service that is there already, and for what can't be meant;
    SpinstackError for files that can't be read, changed or written, and for what the check would
    refuse. Nothing has changed then.
    """
    before = {name: read_text(session.directory / name) for name in _files(session)}
    made = _service(session, wanted, before)
    env_change.refuse(
        session.directory / session.settings.compose_file,
        list(_new_errors(session, made)),
        "ask for something else",
    )
    if not session.dry:
        for name, text in made.files.items():
            env_change.write(session.directory / name, text)
    return made


def difference(directory: Path, made: Service) -> Iterator[str]:
    """What changes in the files, as lines of a patch."""
    for name, text in made.files.items():
        before = split_lines(read_text(directory / name))
        yield from difflib.unified_diff(before, split_lines(text), name, name, lineterm="")


def _files(session: Session) -> tuple[str, str]:
    return session.settings.compose_file, SETTINGS


def _service(session: Session, wanted: Wanted, before: Mapping[str, str]) -> Service:
    recipe, values = recipes.chosen(session, wanted)
    _refuse_taken(session, values["name"])
    text = recipes.filled(recipe["compose"], values)
    compose_file, settings_file = before
    changed = _entered(before, compose_file, ("services",), values["name"], text)
    for section, name in (("volumes", values["volume"]), ("secrets", values["secret"])):
        if name and not _has(before[compose_file], section, name):
            entry = f"{name}: {{external: true}}\n"
            changed = _entered(changed, compose_file, (section,), name, entry)
    if values["port"]:
        health = {"port": int(values["port"]), "start_within": recipe["start_within"]}
        entry = f"{values['name']}: {goyaml.in_braces({'health': health})}\n"
        path = ("spinstack", "services")
        changed = _entered(changed, settings_file, path, values["name"], entry)
    return Service(
        name=values["name"],
        about=recipe["about"],
        image=wanted.image or recipe["image"],
        port=int(values["port"] or 0),
        volume=values["volume"],
        secret=values["secret"],
        files={name: it for name, it in changed.items() if it != before[name]},
        left=tuple(recipes.left(recipe, values)),
    )


def _refuse_taken(session: Session, name: str) -> None:
    file = session.settings.compose_file
    parsed = compose.parse(read_text(session.directory / file), file)
    if name in parsed.services:
        raise UsageError(
            f"the stack has a service {name} already",
            where=parsed.where("services", name),
            remedy=f"give the new one another name, such as --name {name}-2",
        )
    if name in session.settings.services:
        raise UsageError(
            f"the settings have a service {name} already",
            where=session.settings.services[name].where,
            remedy=f"remove it there, or give the new one another name: --name {name}-2",
        )


def _has(text: str, section: str, name: str) -> bool:
    listed = compose.parse(text, "").data.get(section)
    return isinstance(listed, dict) and name in listed


def _entered(
    texts: Mapping[str, str], file: str, path: tuple[str, ...], name: str, entry: str
) -> dict[str, str]:
    try:
        return {**texts, file: yaml_edit.with_entry(texts[file], path, name, entry)}
    except yaml_edit.Unclear as error:
        raise SpinstackError(
            f"can't put {name} into {file}: {error}; nothing was changed",
            where=file,
            remedy=f"add it by hand, below {': '.join(path)}:",
            details=entry.strip("\n"),
        ) from None


def _new_errors(session: Session, made: Service) -> Iterator[Finding]:
    """What the check would refuse with the service and does not refuse now, at a destination whose
    settings can be read; each once."""
    known: set[tuple[str, str]] = set()
    for to in _destinations(session):
        port = names.inside_port(made.port, to.centre) if made.port else []
        platform = choose.platform(to.platform, to.kubernetes)
        images = {
            it.variable: f"{to.registry}/{to.namespace}/{it.name}:new"
            for it in session.settings.images
        }
        now = config_stack.read(session.settings, images, platform.beside)
        found = [
            errors(checks_stack.check(session.settings, to, it, platform))
            for it in (now, _with(session, now, made))
        ]
        known |= {(it.rule, it.problem) for it in found[0]}
        for it in (*port, *found[1]):
            if (it.rule, it.problem) not in known:
                known.add((it.rule, it.problem))
                yield it


def _destinations(session: Session) -> Iterator[Destination]:
    if session.destination_was_named:
        yield session.destination
        return
    for name in session.settings.destination_names:
        try:
            yield session.settings.destination(name)
        except UsageError:  # such as that of a rehearsal which is not running
            continue


def _with(session: Session, now: Stack, made: Service) -> Stack:
    """The stack as its files would make it."""
    name = session.settings.compose_file
    parsed = compose.parse(made.files[name], name)
    services = dict(now.service_settings)
    if SETTINGS in made.files:
        told = read_yaml(made.files[SETTINGS].encode())["spinstack"]["services"][made.name]
        services |= service_settings.read({made.name: told}, "spinstack.services")
    findings = [*now.findings, *parsed.findings, *parsed.advice]
    return replace(now, compose=parsed, service_settings=services, findings=findings)
