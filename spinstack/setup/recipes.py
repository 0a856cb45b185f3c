"""Services that `invoke add` knows, as text for the stack's files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack.config import goyaml
from spinstack.config.stack import read_text
from spinstack.errors import UsageError
from spinstack.text import read_yaml

if TYPE_CHECKING:
    from spinstack.session import Session

# The user and group of the template's own services.
OWN_USER = "${UID}:${GROUP_ID}"
SOME_USER = "1000:1000"
_GAP = re.compile("<<([a-z_]+)>>")
_NAME = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """What a person asks for; empty or 0 for what is not given. `kind`: of `recipes.yaml`, or the
    name of a service of another kind. `directory`: where its volume is mounted."""

    kind: str
    name: str = ""
    image: str = ""
    user: str = ""
    command: str = ""
    port: int = 0
    directory: str = ""


@cache
def known() -> dict[str, dict[str, Any]]:
    """Services by kind; the empty name is that of any other."""
    found: dict[str, dict[str, Any]] = read_yaml(
        Path(__file__).with_name("recipes.yaml").read_bytes()
    )
    return found


def chosen(session: Session, wanted: Wanted) -> tuple[dict[str, Any], dict[str, str]]:
    """The recipe of a service, and what its gaps are filled with. Raises UsageError for what can't
    be meant."""
    kind = wanted.kind if wanted.kind in known() else ""
    recipe = known()[kind]
    return recipe, _values(session, wanted, recipe, "" if kind else wanted.kind)


def _values(
    session: Session, wanted: Wanted, recipe: Mapping[str, Any], other: str
) -> dict[str, str]:
    """What the gaps of a recipe are filled with. `other`: the name of a service without one."""
    name = wanted.name or recipe["name"] or other
    image = wanted.image or recipe["image"]
    if not image:
        kinds = ", ".join(kind for kind in known() if kind)
        raise UsageError(
            f"there is no recipe for {other!r}",
            remedy=f"name one of {kinds}, or add --image with the image of the service {other}",
        )
    if wanted.command and "<<command>>" not in recipe["compose"]:
        raise UsageError(
            f"{wanted.kind} has a command of its own",
            remedy="leave out --command, and change the service afterwards",
        )
    directory = wanted.directory or recipe.get("directory", "")
    if directory and not re.fullmatch(r"(/[\w.@+-]+)+", directory):
        raise UsageError(
            f"a volume can't be mounted at {directory!r}",
            remedy="give --directory a full path in the container, such as /data",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of a service",
            remedy="give --name letters, digits, hyphens, dots and underscores",
        )
    stack = session.settings.stack
    secret = recipe.get("secret", "")
    return {
        "name": name,
        "image": _text(image),
        "user": _quoted(wanted.user or recipe["user"] or _user(session)),
        "command": goyaml.in_braces(_words(wanted.command)) if wanted.command else "",
        "port": str(wanted.port or recipe.get("port", "") or ""),
        "directory": directory,
        "env_file": f"./{session.settings.env_file}" if image.startswith("$") else "",
        "volume": f"{name}.{stack}" if directory else "",
        "secret": f"{name}.{stack}.{secret}" if secret else "",
        "secret_name": secret,
        "database": stack.replace("-", "_"),
    }


def _quoted(value: str) -> str:
    """In quotes, which a number needs to be a text."""
    return "'" + " ".join(value.split()).replace("'", "''") + "'"


def _text(value: str) -> str:
    """As the value of a key."""
    return goyaml.dump({"": value}, width=10**6).partition(": ")[2].strip()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(
            f"can't parse the command: {error}", where=command, remedy="close the quotes"
        ) from None


def _user(session: Session) -> str:
    """As whom a service of one's own runs."""
    path = session.directory / session.settings.env_file
    text = read_text(path) if path.exists() else ""
    return OWN_USER if re.search(r"(?m)^GROUP_ID=", text) else SOME_USER


def filled(recipe: str, values: Mapping[str, str]) -> str:
    """A recipe's text without the lines that lack something."""
    lines = [line for line in recipe.split("\n") if all(values[gap] for gap in _GAP.findall(line))]
    return "\n".join(_GAP.sub(lambda gap: values[gap[1]], line) for line in lines)


def left(recipe: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[str]:
    """What the files can't say: commands, and how the application gets there."""
    if values["volume"]:
        yield f"`invoke volume.create {values['name']}`"
    if values["secret"]:
        create = f"`invoke secret.create {values['secret_name']} --service {values['name']}`"
        yield f"{create}, with what `openssl rand -hex 20` prints"
        yield f"add secrets: [{values['secret']}] to each service that uses it"
    if values["port"]:
        reach = _GAP.sub(lambda gap: values[gap[1]], recipe["reach"])
        yield f"tell these services where it is: {reach}"
