"""Fixes that `spinstack init` offers and that take more than one file or line: a variable's default
goes to the env file, a volume gets its new name wherever it is mounted, a tag its digest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from spinstack.checks import mend
from spinstack.config import goyaml
from spinstack.config.stack import read_text
from spinstack.config.yaml_edit import Unclear, with_entry
from spinstack.errors import SpinstackError
from spinstack.images import lookup, registry, registry_login
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName
from spinstack.session import Session
from spinstack.setup.env_change import edited
from spinstack.transport.command import Command

# The new texts of files, by their names; empty if there is nothing to be done.
Fix = Callable[[Session, Finding], dict[str, str]]

# `${NAME:-default}` and the like, whole.
_FORM = re.compile(r"\$\{([A-Za-z_]\w*)(:?[-?+])([^}$]*)\}")
# Seconds that an engine may take to hand out a small file of an image.
_FILE_WITHIN = 60.0


def offered(session: Session, finding: Finding) -> dict[str, str]:
    """What a finding's fix would write. Raises OSError for a file that can't be read."""
    if finding.rule in FIXES:
        return FIXES[finding.rule](session, finding)
    return {}


def write(directory: Path, texts: dict[str, str]) -> None:
    """Raises OSError for a file that can't be written."""
    for name, text in texts.items():
        path = directory / name
        if path.exists():
            mend.write(path.resolve(), text)
        else:
            path.write_text(text, encoding="utf-8")


def default(session: Session, finding: Finding) -> dict[str, str]:
    """`${NAME}` in place of `${NAME:-default}`, with the default in the env file."""
    compose, lines, number = _line(session, finding)
    written = finding.problem.partition(" can't be read")[0]
    form = _FORM.fullmatch(written)
    if form is None or written not in lines[number]:
        return {}
    name, operator, value = form[1], form[2], form[3]
    if operator.endswith("+") or (operator.endswith("-") and not value):
        return {}
    lines[number] = lines[number].replace(written, f"${{{name}}}")
    texts = {compose: "\n".join(lines)}
    if operator.endswith("-"):
        texts.update(_set(session, name, value))
    return texts


def user(session: Session, finding: Finding) -> dict[str, str]:
    """`user:` with the person's number and the group of the env file."""
    compose, lines, number = _line(session, finding)
    found = re.match(r"(\s*)[\w.-]+:\s*(#.*)?$", lines[number])
    if found is None:
        return {}
    indent = re.match(r"\s*", lines[number + 1])[0] if number + 1 < len(lines) else ""  # type: ignore[index]
    if len(indent) <= len(found[1]):
        return {}
    lines.insert(number + 1, f"{indent}user: '${{UID}}:${{GROUP_ID}}'")
    return {compose: "\n".join(lines), **_set(session, "GROUP_ID", _GROUP)}


# What the template suggests.
_GROUP = "58102"


def _set(session: Session, name: str, value: str) -> dict[str, str]:
    """The env file with a variable that it does not set yet."""
    env = session.stack.env_name
    path = session.directory / env
    text = read_text(path) if path.exists() else ""
    if name in session.stack.env:
        return {}
    return {env: edited(text, {name: value}, ())}


def volume(session: Session, finding: Finding) -> dict[str, str]:
    """A volume's name as Spin has it, of the first service that mounts it."""
    compose = session.settings.compose_file
    text = read_text(session.directory / compose)
    quoted = re.match(r"'(.+)' can't be the name of a volume$", finding.problem)
    root = next(goyaml.documents(text), None)
    if quoted is None or not isinstance(root, yaml.MappingNode):
        return {}
    old = quoted[1]
    services = session.stack.services(session.destination)[0]
    users = [it.name for it in services if any(mount.source == old for mount in it.mounts)]
    if not users:
        return {}
    new = f"{users[0]}.{session.settings.stack}"
    places = {node.start_mark.index: node for node in _names(root, old)}
    for _, node in sorted(places.items(), reverse=True):
        start, end = node.start_mark.index, node.end_mark.index
        text = text[:start] + text[start:end].replace(old, new, 1) + text[end:]
    return {compose: text}


def _names(root: yaml.MappingNode, name: str) -> Iterator[yaml.Node]:
    """Where a volume is declared, and where it is mounted, in blocks for anchors, too."""
    todo: list[yaml.Node] = [root]
    for key, value in root.value:
        if key.value == "volumes" and isinstance(value, yaml.MappingNode):
            yield from (inner for inner, _ in value.value if inner.value == name)
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            todo += [value for _, value in node.value]
            for key, value in node.value:
                if key.value == "volumes" and isinstance(value, yaml.SequenceNode):
                    yield from (it for it in value.value if str(it.value).startswith(f"{name}:"))


def exposed(session: Session, finding: Finding) -> dict[str, str]:
    """A port below `expose:` of a service that has none there yet."""
    found = re.fullmatch(r"add '(\d+)' to expose: of ([\w.-]+)", finding.remedy)
    compose = session.settings.compose_file
    if found is None:
        return {}
    text = read_text(session.directory / compose)
    with suppress(Unclear):
        entry = f"expose: ['{found[1]}']"
        return {compose: with_entry(text, ("services", found[2]), "expose", entry)}
    return {}


def tag(session: Session, finding: Finding) -> dict[str, str]:
    """The digest of what a tag that moves stands for now, if its registry says it."""
    compose, lines, number = _line(session, finding)
    found = re.match(r"the tag of (\S+) does not say", finding.problem)
    if found is None or found[1] not in lines[number]:
        return {}
    image = ImageName.parse(found[1])
    place = f"{image.registry}/{image.path}"
    try:
        login = registry_login.credentials(session.runner, session.engine, place)
    except SpinstackError:
        login = None
    there = registry.manifest(_tagged(image), login)
    if there is None or not there.digest:
        return {}
    name = found[1].removesuffix(f":{image.tag}") if image.tag else found[1]
    lines[number] = lines[number].replace(found[1], f"{name}@{there.digest}")
    return {compose: "\n".join(lines)}


def _tagged(image: ImageName) -> ImageName:
    return image if image.tag else ImageName(image.registry, image.path, "latest")


def group(session: Session, finding: Finding) -> dict[str, str]:
    """The number of a group that the service's image knows by name, if the image is here."""
    compose, lines, number = _line(session, finding)
    for service in session.stack.services(session.destination)[0]:
        for name in service.group_add:
            if service.where("group_add") != finding.where or repr(name) not in finding.problem:
                continue
            gid = _group_of(session, service.image, name)
            written = re.compile(rf"(.*[\s\[-])(['\"]?){re.escape(name)}\2(\s*[,\]#].*|\s*)$")
            for at in range(number, len(lines)):
                item = written.match(lines[at])
                if gid and item:
                    lines[at] = f"{item[1]}'{gid}'{item[3]}"
                    return {compose: "\n".join(lines)}
    return {}


def _group_of(session: Session, image: str, name: str) -> str:
    """As /etc/group of an image has it; empty if it has not, or there is no such image here."""
    try:
        engine = session.engine
        if lookup.local(session.runner, engine, image) is None:
            return ""
    except SpinstackError:
        return ""
    show = ("run", "--rm", "--network", "none", "--entrypoint", "cat", image, "/etc/group")
    done = session.runner.run(Command(engine.name, *show), timeout=_FILE_WITHIN)
    found = re.search(rf"(?m)^{re.escape(name)}:[^:]*:(\d+):", done.stdout) if done.ok else None
    return found[1] if found else ""


def _line(session: Session, finding: Finding) -> tuple[str, list[str], int]:
    """The compose file, its lines, and which of them (from 0) a finding is about."""
    name, _, number = finding.where.rpartition(":")
    if name != session.settings.compose_file or not number.isdigit():
        return "", [""], 0
    return name, read_text(session.directory / name).split("\n"), int(number) - 1


FIXES: dict[str, Fix] = {
    "variable-form": default,
    "user-numeric": user,
    "volume-name": volume,
    "port-closed": exposed,
    "image-tag": tag,
    "numeric-id": group,
}
