"""Fixes what needs no decision: line endings, quotes, the version, cap_drop.

Text in, text out; a file is written completely or not at all, keeping its mode and comments. Run
again, it finds nothing to do.
"""

from __future__ import annotations

import codecs
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from spinstack.config import compose, env_file, goyaml, services
from spinstack.config.yaml_edit import Unclear, with_entry
from spinstack.rules.finding import Finding

# Takes a file's text and the line (from 1) of a finding.
Mender = Callable[[str, int], str]
# Lists whose items newer formats write as mappings, with the keys that the short form can say, or
# that make no difference where a stack runs (an env file that is missing is another finding).
_LONG_FORMS = {
    "ports": {"target", "published", "protocol", "mode", "name", "app_protocol"},
    "volumes": {"type", "source", "target", "read_only", "consistency"},
    "env_file": {"path", "required"},
}
# What root does at the start of most images: it gives files away, listens on port 80, becomes
# another user. Each is among those that Spin allows.
_OF_ROOT = "cap_add: [CHOWN, DAC_OVERRIDE, NET_BIND_SERVICE, SETGID, SETUID]"
# File, line, and perhaps a variable that is set there.
_PLACE = re.compile(r"(.+):(\d+)(?: \(\w+\))?")


def mend(
    directory: Path,
    findings: Iterable[Finding],
    *,
    dry: bool = False,
    menders: Mapping[str, Mender] | None = None,
) -> list[Finding]:
    """Fix what has a mender. Returns the findings that are fixed. Raises OSError for a file that
    can't be written. `dry`: write nothing. `menders`: by rule; those that need no decision if
    not given."""
    menders = MENDERS if menders is None else menders
    done: list[Finding] = []
    by_file: dict[str, list[tuple[int, Finding]]] = {}
    for finding in findings:
        place = _PLACE.fullmatch(finding.where)
        if finding.rule in menders and place:
            by_file.setdefault(place[1], []).append((int(place[2]), finding))
    for name, wrong in by_file.items():
        path = (directory / name).resolve()
        text = original = _read(path)
        # From the last line to the first: an insertion only moves the lines below it.
        for number, finding in sorted(wrong, key=lambda item: -item[0]):
            mended = menders[finding.rule](text, number)
            if mended != text and still_reads(name, text, mended):
                text = mended
                done.append(finding)
        if text != original and not dry:
            write(path, text)
    return done


def still_reads(name: str, before: str, after: str) -> bool:
    """A compose file that could be read must still be readable."""
    if not name.endswith((".yml", ".yaml")):
        return True
    read = (compose.parse(text, name, optional=True) for text in (before, after))
    return bool(next(read).findings) or not next(read).findings


def _read(path: Path) -> str:
    # Bytes that are not text, and line endings, are preserved; a byte order mark is not.
    return path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def write(path: Path, text: str) -> None:
    """Replace the file with a new one, keeping its mode and, if allowed, its owner."""
    old = path.stat()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        with suppress(OSError):
            os.chown(name, old.st_uid, old.st_gid)
        Path(name).chmod(old.st_mode & 0o7777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def line_ends(text: str, line: int) -> str:
    """Unix line endings, everywhere."""
    return text.replace("\r\n", "\n")


def _on_line(change: Callable[[str], str]) -> Mender:
    def mender(text: str, line: int) -> str:
        lines = text.split("\n")
        if line > len(lines):
            return text
        ending = "\r" if lines[line - 1].endswith("\r") else ""
        changed = change(lines[line - 1].removesuffix("\r"))
        lines[line - 1] = changed.replace("\n", f"{ending}\n") + ending
        return "\n".join(lines)

    return mender


def compose_version(text: str, line: int) -> str:
    """`version: '2'`, where it is or as the first key."""
    node = goyaml.root(text)
    if node is None:
        return text
    for key, value in node.value:
        if key.value == "version":
            return text[: value.start_mark.index] + "'2'" + text[value.end_mark.index :]
    first = node.start_mark.index
    return text if node.flow_style else text[:first] + "version: '2'\n" + text[first:]


def cap_drop(text: str, line: int) -> str:
    """`cap_drop: [ALL]` in the service that begins on this line or has its cap_drop there. One that
    may run as root gets back what root does in most images."""
    found = _service_at(text, line)
    if found is None or not found[1].value:
        return text
    name, service = found
    dropped = _dropped(text, name.value, service)
    if dropped != text and _may_be_root(service):
        with suppress(Unclear):
            return with_entry(dropped, ("services", name.value), "cap_add", _OF_ROOT)
    return dropped


def _dropped(text: str, name: str, service: yaml.MappingNode) -> str:
    for key, value in service.value:
        if key.value == "cap_drop":
            return _all_into(text, value)
    if any(goyaml.is_merge(key) for key, _ in service.value):
        # What it brings wins over what is put above it.
        with suppress(Unclear):
            return with_entry(text, ("services", name), "cap_drop", "cap_drop: [ALL]")
        return text
    if service.flow_style:
        return _put(text, service.start_mark.index + 1, "cap_drop: [ALL], ")
    first = service.value[0][0].start_mark
    return _put(text, first.index - first.column, f"{' ' * first.column}cap_drop: [ALL]\n")


def _may_be_root(service: yaml.MappingNode) -> bool:
    """No user is named, nothing is added yet, and no directory is mounted, with which it may be
    neither root nor have these."""
    written = {key.value: value for key, value in goyaml.pairs(service)}
    mounts = written.get("volumes")
    items = mounts.value if isinstance(mounts, yaml.SequenceNode) else []
    named = all(re.match(r"\w[\w.-]*:", str(item.value)) for item in items)
    return named and not {"user", "cap_add"} & written.keys()


def _all_into(text: str, value: yaml.Node) -> str:
    if not isinstance(value, yaml.SequenceNode):
        empty = isinstance(value, yaml.ScalarNode) and not value.value
        return _put(text, value.start_mark.index, " [ALL]") if empty else text
    if value.flow_style:
        return _put(text, value.start_mark.index + 1, "ALL, " if value.value else "ALL")
    mark = value.start_mark
    return _put(text, mark.index, f"- ALL\n{' ' * mark.column}")


def _put(text: str, at: int, more: str) -> str:
    return text[:at] + more + text[at:]


def _service_at(text: str, line: int) -> tuple[yaml.Node, yaml.MappingNode] | None:
    for name, service in _services(text):
        lines = [name, *(key for key, _ in service.value if key.value == "cap_drop")]
        if line in {node.start_mark.line + 1 for node in lines}:
            return name, service
    return None


def _services(text: str) -> Iterator[tuple[yaml.Node, yaml.MappingNode]]:
    """Each service with the node of its name."""
    root = goyaml.root(text)
    for section, listed in root.value if root else ():
        if section.value != "services" or not isinstance(listed, yaml.MappingNode):
            continue
        for name, service in listed.value:
            if isinstance(service, yaml.MappingNode):
                yield name, service


def build(text: str, line: int) -> str:
    """`image: ${APP_IMAGE}` in place of the `build:` of the service app on this line, and of an
    `image:` beside it."""
    for name, service in _services(text):
        keys = {key.value: (key, value) for key, value in service.value}
        if "build" not in keys or keys["build"][0].start_mark.line + 1 != line:
            continue
        inside = keys["build"][1]
        parts = inside.value if isinstance(inside, yaml.MappingNode) else ()
        # A Dockerfile that is nowhere else is not for us to throw away.
        if service.flow_style or any(part.value == "dockerfile_inline" for part, _ in parts):
            return text
        wanted = "image: ${" + f"{name.value.upper().replace('-', '_')}_IMAGE" + "}"
        lines = text.split("\n")
        for key, value in sorted(
            (keys[key] for key in ("build", "image") if key in keys),
            key=lambda pair: -pair[0].start_mark.line,
        ):
            first, last = key.start_mark.line, _last_line(value)
            new = []
            if key.value == "build":
                new = [" " * key.start_mark.column + wanted + _comment(lines, key, value)]
            lines[first : last + 1] = new
        return "\n".join(lines)
    return text


def _comment(lines: list[str], key: yaml.Node, value: yaml.Node) -> str:
    """What follows a key and what is on its line, from the space before # on."""
    at = value.end_mark if value.end_mark.line == key.start_mark.line else key.end_mark
    found = re.search(r"\s+#.*", lines[key.start_mark.line][at.column :])
    return found[0] if found else ""


def short_form(text: str, line: int) -> str:
    """The short form of a list's item on this line, in place of the long one of newer formats."""
    for _, service in _services(text):
        for key, items in service.value:
            if key.value not in _LONG_FORMS or not isinstance(items, yaml.SequenceNode):
                continue
            for item in items.value:
                if isinstance(item, yaml.MappingNode) and item.start_mark.line + 1 == line:
                    return _shortened(text, key.value, item)
    return text


def _shortened(text: str, key: str, item: yaml.MappingNode) -> str:
    parts = {part.value: goyaml.scalar(value) for part, value in _single(item)}
    # Lost, such as the subpath of a volume, it would be another mount.
    if not {part.value for part, value in item.value if value.value} <= _LONG_FORMS[key]:
        return text
    short = services.short_form(key, parts)
    if services.LACKING & set(short.split(":")) or "'" in short:
        return text
    if item.flow_style:
        return text[: item.start_mark.index] + f"'{short}'" + text[item.end_mark.index :]
    lines = text.split("\n")
    first, column = item.start_mark.line, item.start_mark.column
    lines[first : _last_line(item) + 1] = [f"{lines[first][:column]}'{short}'"]
    return "\n".join(lines)


def _single(item: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.ScalarNode]]:
    return ((key, value) for key, value in item.value if isinstance(value, yaml.ScalarNode))


def _last_line(node: Any) -> int:
    """Of a value, from 0: a block ends where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        end = node.end_mark
        # Text after | or > ends where the next line begins, which is no part of it.
        beyond = end.column == 0 and end.line > node.start_mark.line
        return int(end.line) - (1 if beyond else 0)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def inside_project(text: str, line: int) -> str:
    """A directory of the env file relative to project_dir, in place of one beside it."""
    lines = text.split("\n")
    name, equals, value = lines[line - 1].partition("=") if line <= len(lines) else ("", "", "")
    lines[line - 1 : line] = [name + equals + re.sub(r"^(\.\.?/)+", "", value)]
    return "\n".join(lines)


MENDERS: dict[str, Mender] = {
    "line-ends": line_ends,
    "env-quotes": _on_line(env_file.with_comment_above),
    "env-line": _on_line(env_file.with_comment_above),
    "compose-version": compose_version,
    "cap-drop": cap_drop,
}

# These, and what a person has to agree with.
OFFERED: dict[str, Mender] = {
    **MENDERS,
    "compose-build": build,
    "compose-value": short_form,
    "path-characters": inside_project,
}
