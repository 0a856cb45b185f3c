"""The centre's rules, which the setting `centre` overrides: spinstack/rules/*.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from spinstack.rules import centre

from . import headings, markdown

FILES = Path(centre.__file__).parent
# How their values are called, and what is read for them.
PLACES = (
    ("Spin, Rancher 1", ("spin", "cattle")),
    ("Spin, Kubernetes", ("spin", "kubernetes")),
    ("any other cluster", ("generic", "kubernetes")),
)
# Mappings whose keys are names of things, not of settings.
WHOLE = ("forbidden", "kubernetes.clusters")


def section() -> str:
    """Every rule with its values and its source."""
    return markdown.page(_parts())


def _parts() -> Iterator[str]:
    yield markdown.heading(2, "Rules of the centre")
    yield (
        "Below `centre:` of a destination, or of `spinstack:`, for all destinations. What is not "
        "set there is the centre's: `spin.yaml` of the package, which `kubernetes.yaml` changes "
        "for Kubernetes and `generic.yaml` for `profile: generic`."
    )
    for path in paths():
        yield markdown.heading(3, path, f"centre-{path.replace('.', '-').replace('_', '-')}")
        about = told("spin", path)[0]
        yield markdown.sentence(about) if about else ""
        yield markdown.fields((*_valued(path), *_sources(path)))


def paths() -> list[str]:
    """Every key of the rules, as in `ports.world`."""
    return list(_paths(centre.packaged(), ""))


def _paths(data: Mapping[str, Any], above: str) -> Iterator[str]:
    for key, value in data.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and path not in WHOLE:
            yield from _paths(value, f"{path}.")
        else:
            yield path


def told(file: str, path: str) -> tuple[str, str]:
    """What a file says that a key means, and its source, or that of the block which it is in."""
    comments = headings.comments((FILES / f"{file}.yaml").read_text(encoding="utf-8"))
    about, source = "", ""
    at_path = path
    while at_path:
        text, _, said = comments.get(at_path, "").partition("Source: ")
        about = text.strip() if at_path == path else about
        source = source or said.strip()
        at_path = at_path.rpartition(".")[0]
    return about, source


def _valued(path: str) -> Iterator[tuple[str, str]]:
    """The value everywhere, or in each place; a key that only other places have is empty."""
    values = {name: _shown(at(centre.packaged(*where), path)) for name, where in PLACES}
    if len(set(values.values())) == 1:
        yield "Value", next(iter(values.values()))
    else:
        yield from values.items()


def _sources(path: str) -> Iterator[tuple[str, str]]:
    """Of what Spin allows, and of what is otherwise on Kubernetes."""
    for name, file in (("Source", "spin"), ("Source, Kubernetes", "kubernetes")):
        yield name, markdown.prose(told(file, path)[1])


def at(data: Mapping[str, Any], path: str) -> Any:
    """The value of a key; None if it is not there."""
    value: Any = data
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{markdown.code(str(key))}: {_shown(it)}" for key, it in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(it) for it in value) or "none"
    if isinstance(value, str):
        return markdown.code(value) if value else "the cluster's own"
    return markdown.code(yaml.safe_dump(value).partition("\n")[0])
