"""Fixes of what has a name that stands in several places: a variable's default goes to the env
file, a volume gets its new name wherever it is mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from spinstack.config import compose, env_file, goyaml, interpolation
from spinstack.config.compose import ComposeFile
from spinstack.config.stack import COMPUTED_THERE
from spinstack.config.yaml_edit import Change, Unclear, Written
from spinstack.rules.finding import Finding
from spinstack.session import Session
from spinstack.setup import env_change

# `${NAME:-default}` and the like, whole.
_FORM = re.compile(r"\$\{([A-Za-z_]\w*)(:?[-?+])([^}$]*)\}", re.ASCII)


def default(session: Session, finding: Finding, file: Written, line: int) -> dict[str, str]:
    """`${NAME}` in place of `${NAME:-default}`, with the default in the env file, if every place
    then has the value that it had."""
    old = finding.problem.partition(" can't be read")[0]
    form = _FORM.fullmatch(old)
    if form is None or form[2].endswith("+"):
        return {}
    name, operator, value = form[1], form[2], form[3]
    texts = {}
    if operator.endswith("-"):
        if not _certain(session, name, value):
            return {}
        # Written first: a file that then can't be does not take the default with it.
        texts = env_change.added(session, name, value)
    return {**texts, file.name: file.changed(_without_form(file, line, old, f"${{{name}}}"))}


def _without_form(file: Written, line: int, old: str, new: str) -> Iterator[Change]:
    # Behind an odd number of dollar signs, the one of the form is escaped.
    form = re.compile(rf"(?<!\$)((?:\$\$)*){re.escape(old)}")
    # Variables are filled in in values alone.
    keys = {id(key) for it in _mappings(file) for key, _ in it.value}
    for node in goyaml.nodes(file.root):
        here = node.start_mark.line + 1 == line and id(node) not in keys
        if isinstance(node, yaml.ScalarNode) and here:
            value = interpolation.rewritten(node.value, old, new)
            if value != node.value:
                written = form.sub(lambda found: found[1] + new, file.of(node))
                yield Change(node, written, value)


def _certain(session: Session, name: str, value: str) -> bool:
    """Whether a variable has this value in the env file, or can be given it there without changing
    another place in which it is used."""
    stack, destination = session.stack, session.destination
    read, wrong = env_file.parse(f"{name}={value}\n", stack.env_name)
    if wrong or not value or read[name].value != value:
        return False
    if name in stack.env:
        return stack.env[name].value == value
    if name in {*COMPUTED_THERE, *stack.images, *destination.env}:
        return False
    used = re.compile(rf"\$\{{?{name}\b", re.ASCII)
    forms = (
        _FORM.fullmatch(reference.written)
        for file in (stack.compose, *stack.beside.values())
        for reference in interpolation.references(file)
        if used.search(reference.written)
    )
    return all(it and it[2].endswith("-") and (it[1], it[3]) == (name, value) for it in forms)


def volume(session: Session, finding: Finding, file: Written, line: int) -> dict[str, str]:
    """A volume's name as Spin has it: that of the first service that mounts it and has no volume
    yet. The volume itself may not be named elsewhere."""
    old, new = _old_name(finding), new_volume(session, finding, file)
    declared = session.stack.compose.data.get("volumes")
    told = declared.get(old) if isinstance(declared, dict) else None
    if not new or (isinstance(told, dict) and {"external", "name"} & told.keys()):
        return {}
    text = file.changed(file.begun(node, old, new) for node, name in _named(file) if name == old)
    # Left where a variable has it, it would be another volume.
    if old in _volumes(session, compose.parse(text, file.name, optional=True)):
        raise Unclear(f"{old} is named in other ways, too")
    return {file.name: text}


def new_volume(session: Session, finding: Finding, file: Written) -> str:
    """The name that a volume would get; empty if each that it may have is another's."""
    old, volumes = _old_name(finding), _volumes(session, session.stack.compose)
    taken = {name for _, name in _named(file)} | volumes.keys()
    users = volumes.get(old, []) if old else []
    names = (f"{user}.{session.settings.stack}" for user in users)
    return next((name for name in names if name not in taken), "")


def _old_name(finding: Finding) -> str:
    quoted = re.match(r"'(.+)' can't be the name of a volume$", finding.problem)
    return quoted[1] if quoted else ""


def _volumes(session: Session, file: ComposeFile) -> dict[str, list[str]]:
    """The services that mount each volume, with variables filled in."""
    # As written: in a release, a variable that is mounted is always a directory.
    values = {name: variable.value for name, variable in session.stack.env.items()}
    data = interpolation.filled(file, {**values, **session.destination.env})
    declared, services = data.get("volumes"), data.get("services")
    found: dict[str, list[str]] = {str(it): [] for it in declared or ()}
    for name, service in services.items() if isinstance(services, dict) else ():
        mounts = service.get("volumes") if isinstance(service, dict) else None
        for mount in mounts if isinstance(mounts, list) else ():
            found.setdefault(_source(mount), []).append(name)
    return found


def _source(mount: Any) -> str:
    if isinstance(mount, dict):
        return "" if mount.get("type") == "bind" else str(mount.get("source", ""))
    source, colon, _ = str(mount).partition(":")
    return source if colon else ""


def _named(file: Written) -> Iterator[tuple[yaml.Node, str]]:
    """Where volumes are declared, and where they are mounted, in blocks for anchors, too; each with
    its name."""
    for key, value in file.root.value:
        if key.value == "volumes" and isinstance(value, yaml.MappingNode):
            yield from ((inner, str(inner.value)) for inner, _ in value.value)
    for node in _mappings(file):
        for key, value in node.value:
            if key.value == "volumes" and isinstance(value, yaml.SequenceNode):
                yield from (found for it in value.value if (found := _mounted(it)))


def _mappings(file: Written) -> Iterator[yaml.MappingNode]:
    return (node for node in goyaml.nodes(file.root) if isinstance(node, yaml.MappingNode))


def _mounted(item: yaml.Node) -> tuple[yaml.Node, str] | None:
    if isinstance(item, yaml.ScalarNode):
        source, colon, _ = item.value.partition(":")
        return (item, source) if colon else None
    if isinstance(item, yaml.MappingNode):
        parts = {str(key.value): value for key, value in item.value}
        source = parts.get("source")
        if "type" in parts and parts["type"].value == "volume" and source:
            return source, str(source.value)
    return None
