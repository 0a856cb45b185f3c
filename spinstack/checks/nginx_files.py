"""The files of a service's nginx: what its image copies and what it mounts below /etc/nginx, from
nginx.conf on by what they include."""

from __future__ import annotations

import difflib
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from spinstack.checks import dockerfile, nginx_conf
from spinstack.checks.nginx_conf import Directive, Unreadable
from spinstack.config.settings import ImageSetting, Settings
from spinstack.config.stack import Stack
from spinstack.rules.finding import Finding
from spinstack.rules.service import Service

PLACE = "/etc/nginx"
# The file that nginx reads first.
_MAIN = f"{PLACE}/nginx.conf"


def image(settings: Settings, stack: Stack, service: Service) -> ImageSetting | None:
    """The image of the stack that the service runs."""
    for one in settings.images:
        if service.image and service.image == stack.images.get(one.variable):
            return one
    return None


def context(settings: Settings, stack: Stack, service: Service) -> Path | None:
    """The directory that the service's image is built from."""
    built = image(settings, stack, service)
    return (settings.directory / built.context).resolve() if built else None


def placed(settings: Settings, stack: Stack, service: Service) -> dict[str, Path]:
    """Files of the stack below /etc/nginx: path in the container -> file."""
    root = settings.directory.resolve()
    built = image(settings, stack, service)
    found = dockerfile.copied(root / built.context, built.dockerfile, PLACE) if built else {}
    for mount in service.mounts:
        if not mount.source.startswith(".") or not mount.target.startswith(PLACE):
            continue
        source = (root / mount.source).resolve()
        if os.path.isfile(source):  # noqa: PTH113 - a Path raises for a name that is too long
            found[mount.target] = source
        elif os.path.isdir(source):  # noqa: PTH112 - as above
            inside = (path for path in sorted(source.rglob("*")) if path.is_file())
            found |= {posixpath.join(mount.target, it.relative_to(source)): it for it in inside}
    resolved = ((target, path.resolve()) for target, path in found.items())
    return {target: path for target, path in resolved if path.is_relative_to(root)}


@dataclass
class Read:
    """What was read: file relative to the stack's directory -> its directives; what is wrong."""

    confs: dict[str, list[Directive]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read(settings: Settings, stack: Stack, service: Service) -> Read:
    """The files that nginx reads, as far as they are the stack's. Where nginx.conf is not, all
    that it may include."""
    there = placed(settings, stack, service)
    made, root = Read(), settings.directory.resolve()
    left = [_MAIN] if _MAIN in there else [path for path in there if path.endswith(".conf")]
    while left:
        path = there[left.pop(0)]
        name = path.relative_to(root).as_posix()
        if name in made.confs:
            continue
        try:
            made.confs[name] = nginx_conf.parse(_text(path))
        except Unreadable as error:
            # Not again: another file may include it, too.
            made.confs[name] = []
            problem = f"nginx can't parse it: {error}"
            remedy = "correct the line or the block that it is in"
            made.findings.append(Finding("nginx-syntax", f"{name}:{error.line}", problem, remedy))
        for directive in nginx_conf.everywhere(made.confs[name]):
            if directive.name == "include" and directive.arguments:
                left += _included(directive.arguments[0], there)
                made.findings += _missing(directive, name, there)
    return made


def _included(pattern: str, there: Mapping[str, Path]) -> list[str]:
    """The files that an include means; a name that is no full path is one below /etc/nginx."""
    whole = posixpath.normpath(posixpath.join(PLACE, pattern))
    return [path for path in there if PurePosixPath(path).match(whole)]


def _missing(directive: Directive, name: str, there: Mapping[str, Path]) -> Iterator[Finding]:
    """An include of a file that is not where the stack has others, without which nginx does not
    start. /etc/nginx itself has files of nginx's own."""
    whole = posixpath.normpath(posixpath.join(PLACE, directive.arguments[0]))
    beside = [path for path in there if posixpath.dirname(path) == posixpath.dirname(whole)]
    if whole in there or not beside or posixpath.dirname(whole) == PLACE or "*" in whole:
        return
    near = (difflib.get_close_matches(whole, beside, 1) or sorted(beside))[0]
    problem = f"it includes {directive.arguments[0]}, which is not there"
    remedy = f"change it to {posixpath.relpath(near, PLACE)}, or add the file"
    yield Finding("nginx-syntax", f"{name}:{directive.line}", problem, remedy)


def _text(path: Path) -> str:
    try:
        # Opening a FIFO would wait for ever.
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""
