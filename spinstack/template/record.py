"""What a stack knows about the template that it was made from: `.cruft.json`, and `.template.zip`.

The first has the format of cruft (https://cruft.github.io/cruft/), with one key more, the
version of spinstack. The second holds the files as the template made them, before anybody changed
one: what a newer template changed is the difference between these and those that it makes.

The template's hooks import this with whatever Python cookiecutter has: use only the standard
library here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinstack import __version__
from spinstack.errors import SpinstackError

FILE = ".cruft.json"
ORIGINAL = ".template.zip"
FILES = (FILE, ORIGINAL)
PACKAGE = "spinstack"
# Where cookiecutter keeps them.
ANSWERS = "cookiecutter"


@dataclass(frozen=True)
class Record:
    """`version` of spinstack, empty if unknown; `template` and `commit`: where it came from."""

    version: str
    template: str
    commit: str
    answers: Mapping[str, str]


def begin(stack: Path, template: Path, context: Mapping[str, Any]) -> None:
    """For the hook that runs before the files are made: write the record into their directory.

    `context`: the answers, and what cookiecutter adds to them. The archive is left empty, for the
    hook that runs afterwards; in a directory that has other files, which are not the template's,
    there is none.
    """
    archive = stack / ORIGINAL
    if any(stack.iterdir()):
        archive.unlink(missing_ok=True)
    else:
        archive.touch()
    # Of what only cruft sets: it writes the file itself.
    if "_commit" in context:
        return
    url, commit = _source(template)
    value = {
        "template": url,
        "commit": commit,
        "checkout": context.get("_checkout"),
        "context": {ANSWERS: {key: context[key] for key in _questions(context)}},
        "directory": None,
        "version": __version__,
    }
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    (stack / FILE).write_text(text, encoding="utf-8")


def _questions(context: Mapping[str, Any]) -> list[str]:
    """Without those of other kinds of stacks, whose answers mean nothing here."""
    kinds = (context.get("_only_for") or {}).items()
    others = {key for kind, keys in kinds if kind != context.get("kind") for key in keys}
    return [key for key in context if not key.startswith("_") and key not in others]


def _source(template: Path) -> tuple[str, str]:
    """Repository and commit of a checkout; of an installed package what its metadata says."""
    if (template / ".git").exists():
        url = _git(template, "remote", "get-url", "origin") or str(template)
        return _without_login(url), _git(template, "rev-parse", "HEAD")
    return _repository(), f"v{__version__}"


def _without_login(url: str) -> str:
    return re.sub(r"^(https?://)[^/]*@", r"\1", url)


def _repository() -> str:
    """Where the package's sources are, if it is known."""
    from importlib import metadata

    try:
        links = metadata.metadata(PACKAGE).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return PACKAGE
    found = dict(str(link).split(", ", 1) for link in links)
    return found.get("Repository", PACKAGE)


def _git(template: Path, *words: str) -> str:
    command = ["git", "-C", str(template), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def read(stack: Path) -> Record | None:
    """The record of a stack; None if it has none. Raises SpinstackError for a broken file."""
    path = stack / FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        answers = value["context"][ANSWERS]
        return Record(
            version=str(value.get("version") or ""),
            template=str(value["template"]),
            commit=str(value["commit"]),
            answers={key: str(it) for key, it in answers.items() if not key.startswith("_")},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SpinstackError(
            f"{FILE} does not say which template the stack was made from",
            where=str(path),
            remedy="restore it from git",
        ) from None


def unpack(stack: Path, into: Path) -> None:
    """The files as the template made them. Raises SpinstackError if they can't be read."""
    import zipfile
    import zlib

    archive = stack / ORIGINAL
    try:
        with zipfile.ZipFile(archive) as kept:
            for info in kept.infolist():
                # Where it lies now: a name may lead elsewhere, and is not followed there.
                file = Path(kept.extract(info, into))
                if file.is_file():
                    file.chmod(0o755 if info.external_attr >> 16 & 0o100 else 0o644)
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        raise SpinstackError(
            f"{ORIGINAL}, the files as the template made them, can't be read",
            where=str(archive),
            remedy="restore it from git, or say which template the stack was made from: "
            "invoke update --from TEMPLATE --checkout COMMIT",
        ) from None


def newer(stack: Path) -> str:
    """What to tell about a stack whose template was that of an older spinstack; empty if it is not
    known, or as new as this one."""
    try:
        record = read(stack)
    except SpinstackError as error:
        return f"{error.what}; {error.remedy}"
    if record is None or _order(record.version) >= _order(__version__):
        return ""
    return (
        f"this stack was made by spinstack {record.version}, this is {__version__}: "
        "`invoke --dry update` shows what its template has changed"
    )


def _order(version: str) -> tuple[int, ...]:
    """To compare by; of an unknown version, that it is new."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    return numbers or (1_000_000,)
