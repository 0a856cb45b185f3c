"""Fixes what needs no decision: line endings, quotes, the version, cap_drop.

Text in, text out; a file is written completely or not at all, keeping its mode and comments. Run
again, it finds nothing to do.
"""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import yaml

from spinstack.config import compose, env_file, goyaml
from spinstack.rules.finding import Finding

# Takes a file's text and the line (from 1) of a finding.
Mender = Callable[[str, int], str]


def mend(directory: Path, findings: Iterable[Finding], *, dry: bool = False) -> list[Finding]:
    """Fix what has a mender. Returns the findings that are fixed. Raises OSError for a file that
    can't be written. `dry`: write nothing."""
    done: list[Finding] = []
    by_file: dict[str, list[tuple[int, Finding]]] = {}
    for finding in findings:
        name, colon, line = finding.where.rpartition(":")
        if finding.rule in MENDERS and colon and line.isdigit():
            by_file.setdefault(name, []).append((int(line), finding))
    for name, wrong in by_file.items():
        path = (directory / name).resolve()
        text = original = _read(path)
        # From the last line to the first: an insertion only moves the lines below it.
        for number, finding in sorted(wrong, key=lambda item: -item[0]):
            mended = MENDERS[finding.rule](text, number)
            if mended != text and _still_reads(name, text, mended):
                text = mended
                done.append(finding)
        if text != original and not dry:
            _write(path, text)
    return done


def _still_reads(name: str, before: str, after: str) -> bool:
    """A compose file that could be read must still be readable."""
    if not name.endswith((".yml", ".yaml")):
        return True
    read = (compose.parse(text, name, optional=True) for text in (before, after))
    return bool(next(read).findings) or not next(read).findings


def _read(path: Path) -> str:
    # Bytes that are not text, and line endings, are preserved; a byte order mark is not.
    return path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _write(path: Path, text: str) -> None:
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
    node = _root(text)
    if node is None:
        return text
    for key, value in node.value:
        if key.value == "version":
            return text[: value.start_mark.index] + "'2'" + text[value.end_mark.index :]
    first = node.start_mark.index
    return text if node.flow_style else text[:first] + "version: '2'\n" + text[first:]


def cap_drop(text: str, line: int) -> str:
    """`cap_drop: [ALL]` in the service that begins on this line or has its cap_drop there."""
    service = _service_at(text, line)
    if service is None or not service.value:
        return text
    if any(goyaml.is_merge(key) for key, _ in service.value):
        # What it brings may win over what is put above it: for a person to decide.
        return text
    for key, value in service.value:
        if key.value == "cap_drop":
            return _all_into(text, value)
    if service.flow_style:
        return _put(text, service.start_mark.index + 1, "cap_drop: [ALL], ")
    first = service.value[0][0].start_mark
    return _put(text, first.index - first.column, f"{' ' * first.column}cap_drop: [ALL]\n")


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


def _root(text: str) -> yaml.MappingNode | None:
    try:
        node = next(goyaml.documents(text), None)
    except (yaml.YAMLError, RecursionError):
        return None
    return node if isinstance(node, yaml.MappingNode) else None


def _service_at(text: str, line: int) -> yaml.MappingNode | None:
    root = _root(text)
    for section, services in root.value if root else ():
        if section.value != "services" or not isinstance(services, yaml.MappingNode):
            continue
        for name, service in services.value:
            if not isinstance(service, yaml.MappingNode):
                continue
            lines = [name, *(key for key, _ in service.value if key.value == "cap_drop")]
            if line in {node.start_mark.line + 1 for node in lines}:
                return service
    return None


MENDERS: dict[str, Mender] = {
    "line-ends": line_ends,
    "env-quotes": _on_line(env_file.with_comment_above),
    "env-line": _on_line(env_file.with_comment_above),
    "compose-version": compose_version,
    "cap-drop": cap_drop,
}
