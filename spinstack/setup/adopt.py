"""`spinstack init`: settings for a compose file that is already there, made from what is beside it.

Only `invoke.yaml` and `tasks.py` are added. What can't be carried over is told; what the rules have
against the rest is `check`'s to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from spinstack import template
from spinstack.checks import own_files
from spinstack.checks.stack import PLACEHOLDER_PROJECT, PLACEHOLDER_USER
from spinstack.config import compose, env_file, interpolation, services
from spinstack.config.compose import ComposeFile
from spinstack.config.stack import read_text
from spinstack.errors import SpinstackError, UsageError
from spinstack.images.tag import declared_args
from spinstack.rules import centre, names
from spinstack.rules.service import ImageName
from spinstack.text import read_yaml

SETTINGS, TASKS = "invoke.yaml", "tasks.py"
# In the order in which Compose looks for them; the first is also the setting's default.
COMPOSE_FILES = ("docker-compose.yml", "docker-compose.yaml", "compose.yaml", "compose.yml")
DEFAULT_ENV_FILE = "stack.env"
# Keys of `build:` that an image of the stack has, too.
_CARRIED = {"context", "dockerfile", "args"}
_SECRET = re.compile("PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|API_?KEY|CREDENTIAL", re.IGNORECASE)
_BARE = re.compile(r"[A-Za-z./][A-Za-z0-9_./-]*")


@dataclass
class Found:
    """What a directory holds: names of files, and images by service, each with its settings.
    `notes`: what is not carried over."""

    stack: str
    compose_file: str
    env_file: str = ""
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    build_args: dict[str, str] = field(default_factory=dict)
    registry: str = ""
    namespace: str = ""
    notes: list[str] = field(default_factory=list)


def look(directory: Path, *, compose_file: str = "", env: str = "", stack: str = "") -> Found:
    """What is there; names that are given are taken. Raises UsageError without a compose file,
    SpinstackError for one that can't be read."""
    name = compose_file or _compose_file(directory)
    file = compose.parse(read_text(directory / name), name, optional=True)
    # Compose names what it runs after the directory, unless the file has a name.
    called = file.data.get("name")
    called = called if isinstance(called, str) and "$" not in called else directory.name
    found = Found(stack or names.stack_name_of(called), name)
    found.env_file = env or _env_file(directory, file)
    found.images = dict(_images(directory, file, found))
    _take_build_args(directory, file, found)
    found.registry, found.namespace = _registry(file)
    found.notes += _secrets(directory, found.env_file or DEFAULT_ENV_FILE)
    others = {*COMPOSE_FILES, *(path.name for path in directory.glob("*compose*.y*ml"))} - {name}
    for other in sorted(others - set(own_files.OVERRIDES)):
        if (directory / other).is_file() and other != "rancher-compose.yml":
            found.notes.append(f"{other} is not read: a stack has one compose file, {name}")
    return found


def _compose_file(directory: Path) -> str:
    for name in COMPOSE_FILES:
        if (directory / name).is_file():
            return name
    raise UsageError(
        "there is no compose file",
        where=str(directory),
        remedy="change to its directory, or name it with --compose-file; spinstack new makes a "
        "stack from nothing",
    )


def _env_file(directory: Path, file: ComposeFile) -> str:
    """The file that sets most of the compose file's variables, or else the first one that a service
    names; empty for the usual one, or if none is needed."""
    written = [service for service in file.services.values() if isinstance(service, dict)]
    named = [PurePosixPath(it).as_posix() for one in written for it in services.env_files(one)]
    inside = [name for name in named if not name.startswith(("/", ".", "~")) and "$" not in name]
    there = [".env", *sorted(path.name for path in directory.glob("*.env"))]
    candidates = list(dict.fromkeys([DEFAULT_ENV_FILE, *inside, *there]))
    used = {reference.name for reference in interpolation.references(file)}
    scores = {
        name: len(used & _variables(directory / name))
        for name in candidates
        if (directory / name).is_file()
    }
    best = max(scores, key=lambda name: scores[name], default="")
    chosen = best if best and scores[best] else next(iter(inside), "")
    return "" if chosen == DEFAULT_ENV_FILE else chosen


def _variables(path: Path) -> set[str]:
    try:
        return set(env_file.parse(read_text(path), path.name, names_alone=True)[0])
    except SpinstackError:
        return set()


def _secrets(directory: Path, name: str) -> Iterator[str]:
    """What is better not in an env file, which is uploaded with each release."""
    for variable in sorted(_variables(directory / name)):
        if _SECRET.search(variable):
            yield (
                f"{variable} in {name} looks like a secret, and {name} is uploaded to where your "
                "group can read it: better make it one with `spinstack secret.create`"
            )


def _images(
    directory: Path, file: ComposeFile, found: Found
) -> Iterator[tuple[str, dict[str, str]]]:
    """The image of each service that is built from a directory with a Dockerfile."""
    for name, service in file.services.items():
        build = service.get("build") if isinstance(service, dict) else None
        if build is None:
            continue
        parts = build if isinstance(build, dict) else {"context": build}
        context, dockerfile = parts.get("context", "."), parts.get("dockerfile", "Dockerfile")
        path = Path(directory, str(context), str(dockerfile))
        if not path.is_file():
            found.notes.append(
                f"build: of {name} is not taken over: there is no {context}/{dockerfile}; add an "
                f"image below images: in {SETTINGS}"
            )
            continue
        left = [f"{key}:" for key in sorted(map(str, parts)) if key not in _CARRIED]
        if left:
            found.notes.append(
                f"{' and '.join(left)} below build: of {name} "
                f"{'is' if len(left) == 1 else 'are'} not taken over: write it into the Dockerfile"
            )
        image = {"context": str(context), "name": _image_name(name, service, found.stack)}
        if dockerfile != "Dockerfile":
            image["dockerfile"] = str(dockerfile)
        yield name, image


def _take_build_args(directory: Path, file: ComposeFile, found: Found) -> None:
    """Those that are no secrets, and mean the same to each image that has them: the settings' are
    for all images."""
    given: dict[str, dict[str, str]] = {}
    declared: dict[str, frozenset[str]] = {}
    for name, image in found.images.items():
        build = file.services[name]["build"]
        args = services.pairs(build.get("args") if isinstance(build, dict) else None)
        given[name] = {argument: value or "" for argument, value in args.items()}
        path = Path(directory, image["context"], image.get("dockerfile", "Dockerfile"))
        declared[name] = declared_args(path.read_bytes().decode("utf-8", "replace"))
    for argument in dict.fromkeys(argument for args in given.values() for argument in args):
        having = [it for it in given if argument in given[it] or argument in declared[it]]
        values = list(dict.fromkeys(given[it].get(argument, "") for it in having))
        why = _not_taken(argument, values)
        if why:
            images = " and ".join(having)
            found.notes.append(f"the argument {argument} of {images} is not taken over: {why}")
        else:
            found.build_args[argument] = _default(values[0])


def _not_taken(argument: str, values: list[str]) -> str:
    """Why an argument with these values for the images that have it is none of the settings'."""
    variables = (name for value in values for name in re.findall(r"\$\{?(\w+)", value))
    if any(_SECRET.search(name) for name in (argument, *variables)):
        return "it looks like a secret, and whoever can pull an image sees its arguments"
    if len(values) > 1:
        return (
            f"build_args: in {SETTINGS} are for all images, and it is not the same in these; "
            "give it another name in one Dockerfile"
        )
    return "" if _default(values[0]) else f"set it below build_args: in {SETTINGS}"


def _default(text: str) -> str:
    """A value without variables, or with the defaults of them; empty if one has none."""
    plain = re.sub(r"\$\{\w+:?-([^}$]*)\}", r"\1", text)
    return "" if "$" in plain else plain


def _image_name(name: str, service: Mapping[str, Any], stack: str) -> str:
    try:
        return ImageName.parse(str(service["image"])).path.rpartition("/")[2]
    except (KeyError, ValueError):
        return f"{names.as_label(name) or 'image'}-{stack}"


def _registry(file: ComposeFile) -> tuple[str, str]:
    """Registry and namespace of the first image from one of the centre's own registries."""
    own = centre.load().registries_own
    for service in file.services.values():
        try:
            image = ImageName.parse(str(service["image"]))
        except (KeyError, TypeError, ValueError):
            continue
        namespace = image.path.rpartition("/")[0]
        if image.registry in own and namespace:
            return image.registry, namespace
    return "", ""


def written(found: Found) -> dict[str, str]:
    """The files to add, by name. Raises SpinstackError if the package has no template."""
    return {
        SETTINGS: _settings(found),
        TASKS: (template.stack() / TASKS).read_text(encoding="utf-8"),
    }


def _settings(found: Found) -> str:
    lines = [_HEAD.format(stack=_quoted(found.stack))]
    if found.compose_file != COMPOSE_FILES[0]:
        lines.append(f"  compose_file: {_quoted(found.compose_file)}\n")
    if found.env_file:
        lines.append(
            f"  # The variables of the compose file.\n  env_file: {_quoted(found.env_file)}\n"
        )
    if found.images:
        lines.append(_IMAGES)
        for name, image in found.images.items():
            parts = ", ".join(f"{key}: {_quoted(value)}" for key, value in image.items())
            lines.append(f"    {_quoted(name)}: {{{parts}}}\n")
    if found.build_args:
        lines.append("  # Arguments of the images' Dockerfiles.\n  build_args:\n")
        for name, value in found.build_args.items():
            lines.append(f"    {_quoted(name)}: {json.dumps(value, ensure_ascii=False)}\n")
    registry = found.registry or "registry.nersc.gov"
    lines.append(_REST.format(registry=_quoted(registry), user=PLACEHOLDER_USER))
    if found.namespace:
        lines.append(f"  namespace: {_quoted(found.namespace)}\n")
    place = {"project": PLACEHOLDER_PROJECT, "user": PLACEHOLDER_USER}
    lines.append(_DESTINATIONS.format(stack=_quoted(found.stack), **place))
    return "".join(lines)


def _quoted(text: str) -> str:
    """As YAML reads it back: to it, on and no are no text."""
    bare = _BARE.fullmatch(text) and read_yaml(text.encode()) == text
    return text if bare else json.dumps(text, ensure_ascii=False)


_HEAD = """\
# Settings of this stack: where it is deployed, and how. Your own settings for all stacks (user
# name, key) can go in ~/.invoke.yaml. No passwords in either.
spinstack:
  # Name of the stack, and part of the web address.
  stack: {stack}
  # Default destination, unless --to names another: one of those below.
  destination: rehearsal
"""
_IMAGES = """\
  # Images: directory with the Dockerfile, and name (which says what software is in it). The compose
  # file names the image app as ${APP_IMAGE}, and so on.
  images:
"""
_REST = """\
  # Login name at NERSC.
  user: {user}
  # Login node.
  host: perlmutter.nersc.gov
  # Registry that Spin pulls from, and your namespace in it (default: your login name).
  registry: {registry}
"""
_DESTINATIONS = """\
  # Releases are uploaded to a directory in it, named after the stack; directories in the env file
  # may be relative to it. Spin must be able to mount it: not home, not scratch.
  project_dir: /global/cfs/cdirs/{project}/{user}
  # Your namespace in Spin, to which you add your numeric user id at NERSC, as which the containers
  # run (uid: what `id -u` prints there).
  kubernetes: {{namespace: {stack}}}
  # Each destination has the settings above, overridden by its own.
  destinations:
    # A pretend NERSC on this machine, started by `invoke rehearsal.start`, which also writes
    # the file included here.
    rehearsal: {{include: ~/.local/state/spinstack/rehearsal/default/destination.yml}}
    # The same in a Kubernetes of yours, by `invoke rehearsal.start --platform kubernetes`.
    spin-rehearsal:
      include: ~/.local/state/spinstack/rehearsal-kubernetes/default/destination.yml
    # Spin's clusters. protected: changes need --to naming it, or a confirmation.
    development: {{platform: kubernetes, kubernetes: {{cluster: development}}}}
    production: {{platform: kubernetes, protected: true, kubernetes: {{cluster: production}}}}
    # First-generation Spin. environment: the part of it that the stack runs in.
    dev: {{environment: dev-cattle}}
    prod: {{environment: prod-cattle, protected: true}}
"""
