"""Fixes that `spinstack init` offers and that take more than one file or line. Each is offered only
if it is certain: nothing else in the files then means anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from spinstack.checks import mend
from spinstack.config import goyaml
from spinstack.config.stack import read_text
from spinstack.config.yaml_edit import Change, Unclear, Written, with_entry
from spinstack.errors import SpinstackError
from spinstack.images import lookup, registry, registry_login
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName
from spinstack.session import Session
from spinstack.setup import env_change, fixes_names
from spinstack.transport.command import Command

# Takes a finding, the compose file, and the line in it (from 1; 0 if the finding is elsewhere). The
# new texts of files, by their names, in the order in which they are to be written; empty if there
# is nothing to be done. Raises Unclear if that can't be done safely.
Fix = Callable[[Session, Finding, Written, int], dict[str, str]]

# Seconds that an engine may take to hand out a small file of an image.
_FILE_WITHIN = 60.0


def offered(session: Session, finding: Finding) -> dict[str, str]:
    """What a finding's fix would write. Raises SpinstackError for a file that can't be read."""
    file = _compose_file(session) if finding.rule in FIXES else None
    if file is not None:
        name, _, number = finding.where.rpartition(":")
        line = int(number) if name == file.name and number.isdigit() else 0
        with suppress(Unclear):
            return FIXES[finding.rule](session, finding, file, line)
    return {}


def remedy(session: Session, finding: Finding) -> str:
    """What is to be done, as the question about a fix says it."""
    file = _compose_file(session) if finding.rule == "volume-name" else None
    new = fixes_names.new_volume(session, finding, file) if file else ""
    return f"name it {new}, here and wherever it is mounted" if new else finding.remedy


def _compose_file(session: Session) -> Written | None:
    name = session.settings.compose_file
    text = read_text(session.directory / name)
    root = goyaml.root(text)
    return Written(name, text, root) if root else None


def readable(directory: Path, texts: dict[str, str]) -> bool:
    """Whether each file that can be read now can be with its new text."""
    paths = {name: directory / name for name in texts}
    before = {name: read_text(path) if path.exists() else "" for name, path in paths.items()}
    return all(mend.still_reads(name, before[name], text) for name, text in texts.items())


def write(directory: Path, texts: dict[str, str]) -> None:
    """Raises OSError for a file that can't be written."""
    for name, text in texts.items():
        path = directory / name
        if path.exists():
            mend.write(path.resolve(), text)
        else:
            path.write_text(text, encoding="utf-8")


def user(session: Session, finding: Finding, file: Written, line: int) -> dict[str, str]:
    """`user:` with the person's number and the group of the env file."""
    found = re.match(r"service (\S+) mounts the global file system without a user", finding.problem)
    if found is None:
        return {}
    text = with_entry(file.text, ("services", found[1]), "user", "user: '${UID}:${GROUP_ID}'")
    return {**env_change.added(session, "GROUP_ID", _GROUP), file.name: text}


# What the template suggests.
_GROUP = "58102"


def exposed(session: Session, finding: Finding, file: Written, line: int) -> dict[str, str]:
    """A port below `expose:` of a service that has none there yet."""
    found = re.fullmatch(r"add '(\d+)' to expose: of ([\w.-]+)", finding.remedy)
    if found is None:
        return {}
    entry = f"expose: ['{found[1]}']"
    return {file.name: with_entry(file.text, ("services", found[2]), "expose", entry)}


def tag(session: Session, finding: Finding, file: Written, line: int) -> dict[str, str]:
    """The digest of what a tag that moves stands for now, if its registry says it."""
    found = re.match(r"the tag of (\S+) does not say", finding.problem)
    written = found[1] if found else ""
    nodes = [node for node in file.values("image", line) if node.value == written]
    if not nodes:
        return {}
    image = ImageName.parse(written)
    place = f"{image.registry}/{image.path}"
    try:
        login = registry_login.credentials(session.runner, session.engine, place)
    except SpinstackError:
        login = None
    there = registry.manifest(_tagged(image), login)
    if there is None or not there.digest:
        return {}
    name = written.removesuffix(f":{image.tag}") if image.tag else written
    pinned = f"{name}@{there.digest}"
    return {file.name: file.changed(file.begun(node, written, pinned) for node in nodes)}


def _tagged(image: ImageName) -> ImageName:
    return image if image.tag else ImageName(image.registry, image.path, "latest")


def group(session: Session, finding: Finding, file: Written, line: int) -> dict[str, str]:
    """The number of a group that the service's image knows by name, if the image is here."""
    for service in session.stack.services(session.destination)[0]:
        for name in service.group_add:
            if service.where("group_add") != finding.where or repr(name) not in finding.problem:
                continue
            nodes = list(_items(file, line, name))
            gid = _group_of(session, service.image, name) if nodes else ""
            if gid:
                changes = (Change(node, f"'{gid}'", gid) for node in nodes)
                return {file.name: file.changed(changes)}
    return {}


def _items(file: Written, line: int, name: str) -> Iterator[yaml.Node]:
    """The items of a list of groups that are this one."""
    for value in file.values("group_add", line):
        for item in value.value if isinstance(value, yaml.SequenceNode) else ():
            # With an anchor, it is something else's, too.
            if item.value == name and file.of(item).strip("'\"") == name:
                yield item


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


FIXES: dict[str, Fix] = {
    "variable-form": fixes_names.default,
    "user-numeric": user,
    "volume-name": fixes_names.volume,
    "port-closed": exposed,
    "image-tag": tag,
    "numeric-id": group,
}
