"""The Dockerfiles of a stack: which base images they build on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spinstack.config.settings import ImageSetting, Settings
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName

_ARG = re.compile(r"\s*ARG\s+(\w+)=(\S+)", re.IGNORECASE)
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)


def findings(settings: Settings, centre: Centre) -> Iterator[Finding]:
    """Base images whose tag may point to another image tomorrow."""
    for image in settings.images:
        for number, reference in _bases(settings, image):
            try:
                name = ImageName.parse(reference)
            except ValueError:
                continue
            if not name.digest and (not name.tag or name.tag in centre.floating_tags):
                where = f"{image.context}/Dockerfile:{number}"
                problem = f"the base image {reference} has a tag that moves, or none"
                remedy = "pin a version, such as python:3.12-slim-bookworm"
                yield Finding("image-base", where, problem, remedy, "warning")


def _bases(settings: Settings, image: ImageSetting) -> Iterator[tuple[int, str]]:
    """Line and reference of each `FROM` with an image, build arguments at their defaults."""
    try:
        text = (settings.directory / image.context / "Dockerfile").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    arguments: dict[str, str] = {}
    stages = {"scratch"}
    for number, line in enumerate(text.splitlines(), start=1):
        if argument := _ARG.match(line):
            arguments[argument[1]] = argument[2].strip("\"'")
        elif base := _FROM.match(line):
            reference = re.sub(r"\$\{?(\w+)\}?", lambda m: arguments.get(m[1], m[0]), base[1])
            if reference not in stages and "$" not in reference:
                yield number, reference
            if base[2]:
                stages.add(base[2])
