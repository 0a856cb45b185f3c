"""The Dockerfiles of a stack: which base images they build on, and which files they copy."""

from __future__ import annotations

import difflib
import json
import os
import posixpath
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from spinstack.config.settings import ImageSetting, Settings
from spinstack.images.dockerignore import Ignore
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName
from spinstack.text import split_lines

_ARG = re.compile(r"\s*ARG\s+(\w+)=(\S+)", re.IGNORECASE)
# Its sources are files of the build context, unless they come from another stage or a URL.
_COPY = re.compile(r"\s*(?:COPY|ADD)\s+(.*)", re.IGNORECASE | re.DOTALL)
_HERE_DOCUMENT = re.compile(r"<<-?([\"']?)([A-Za-z_]\w*)\1")
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)


def findings(settings: Settings, centre: Centre) -> Iterator[Finding]:
    """Base images whose tag may point to another image tomorrow, and files to copy that are not
    there."""
    for image in settings.images:
        yield from _missing_sources(settings, image)
        for number, reference in bases(settings, image):
            try:
                name = ImageName.parse(reference)
            except ValueError:
                continue
            if not name.digest and (not name.tag or name.tag in centre.floating_tags):
                where = f"{image.context}/{image.dockerfile}:{number}"
                problem = f"the base image {reference} has a tag that moves, or none"
                remedy = "name its version, as in python:3.12-slim-bookworm and nginx:1.28.0"
                yield Finding("image-base", where, problem, remedy, "warning")


def bases(settings: Settings, image: ImageSetting) -> Iterator[tuple[int, str]]:
    """Line and reference of each `FROM` with an image, build arguments at their defaults; the
    line is that of the argument if the whole reference is one."""
    text = _text(settings.directory / image.context / image.dockerfile)
    arguments: dict[str, str] = {}
    set_in: dict[str, int] = {}
    stages = {"scratch"}
    for number, line in _instructions(text):
        if argument := _ARG.match(line):
            arguments[argument[1]] = argument[2].strip("\"'")
            set_in[argument[1]] = number
        elif base := _FROM.match(line):
            reference = re.sub(r"\$\{?(\w+)\}?", lambda m: arguments.get(m[1], m[0]), base[1])
            if reference not in stages and "$" not in reference:
                whole = base[1].strip("${}") if base[1].startswith("$") else ""
                yield set_in.get(whole, number), reference
            if base[2]:
                stages.add(base[2])


def copied(context: Path, name: str, below: str) -> dict[str, Path]:
    """The files of a build context that the Dockerfile called `name` copies to a directory or into
    it: path in the image -> file. Without those whose place can't be told without building."""
    found: dict[str, Path] = {}
    for _, instruction in _instructions(_text(context / name)):
        copy = _COPY.match(instruction)
        words = _words(copy[1]) if copy else []
        target = words[-1] if words else ""
        if not f"{target}/".startswith(f"{below}/"):
            continue
        sources = [path for word in words[:-1] for path in _matching(context, word)]
        for source in sources:
            if source.is_dir():
                inside = (path for path in sorted(source.rglob("*")) if path.is_file())
                found |= {posixpath.join(target, path.relative_to(source)): path for path in inside}
            else:
                into = target.endswith("/") or len(sources) > 1
                found[posixpath.join(target, source.name) if into else target] = source
    return found


def _missing_sources(settings: Settings, image: ImageSetting) -> Iterator[Finding]:
    context = settings.directory / image.context
    try:
        ignore = Ignore.parse(_text(context / ".dockerignore"))
    except ValueError:
        return  # a build says so
    for number, instruction in _instructions(_text(context / image.dockerfile)):
        copy = _COPY.match(instruction)
        for source in _sources(copy[1]) if copy else ():
            where = f"{image.context}/{image.dockerfile}:{number}"
            there = _matching(context, source)
            if not there:
                near = difflib.get_close_matches(source, _beside(context, source), 1)
                remedy = f"change it to {near[0]}" if near else f"put it into {image.context}/"
                problem = f"{source}, which it copies, is not in {image.context}/"
                yield Finding("image-copy", where, problem, remedy)
            elif all(_left_out(ignore, context, path) for path in there):
                problem = f"{source}, which it copies, is left out by {image.context}/.dockerignore"
                remedy = f"add !{source} as the last line of {image.context}/.dockerignore"
                yield Finding("image-copy", where, problem, remedy)


def _sources(words: str) -> list[str]:
    """The files and patterns that a COPY or ADD takes from the build context, as far as that can
    be told without building: none with a variable, for one."""
    return [word for word in _words(words)[:-1] if not re.search(r"\$|^<<|://|^git@", word)]


def _words(words: str) -> list[str]:
    """What a COPY or ADD takes, and as the last word where that goes. Empty if it is taken from
    another stage, or if that can't be read."""
    flags = re.match(r"(?:--\S+\s+)*", words)
    assert flags
    try:
        rest = words[flags.end() :]
        told = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    except ValueError:
        return []
    if "--from=" in flags[0] or not all(isinstance(word, str) for word in told):
        return []
    return list(told)


def _matching(context: Path, source: str) -> list[Path]:
    """What a source means: paths are relative to the context, whatever they begin with."""
    path = posixpath.normpath(f"/{source}").lstrip("/")
    if re.search(r"[*?[]", path):
        # To Docker `**` within a name is `*`; Python refuses it.
        return list(context.glob(re.sub(r"\*{2,}", "*", path)))
    # A Path raises for a name that no file can have.
    return [context / path] if os.path.exists(context / path) else []  # noqa: PTH110


def _beside(context: Path, source: str) -> list[str]:
    """What is in the directory of a source, as the source would be written."""
    place = posixpath.dirname(posixpath.normpath(f"/{source}")).lstrip("/")
    return sorted(path.relative_to(context).as_posix() for path in (context / place).glob("*"))


def _left_out(ignore: Ignore, context: Path, path: Path) -> bool:
    """Whether nothing of the path gets into the build context."""
    name = path.relative_to(context).as_posix()
    if name == "." or not ignore.ignores(name):
        return False
    return not path.is_dir() or ignore.can_skip(name)


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """The instructions of a Dockerfile as one line each, with the number of their first line;
    without comments and here-documents."""
    lines = iter(enumerate(split_lines(text), start=1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = line.rstrip()
        while whole.endswith("\\"):
            _, more = next(lines, (0, ""))
            whole = whole if more.lstrip().startswith("#") else f"{whole[:-1]} {more.strip()}"
        for _, end in _HERE_DOCUMENT.findall(whole):
            for _, inside in lines:
                if inside.strip() == end:
                    break
        yield number, whole


def _text(path: Path) -> str:
    """Empty if there is no such text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
