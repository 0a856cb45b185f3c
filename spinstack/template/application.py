"""A person's own application in a new stack of the kind wsgi, in place of the example."""

from __future__ import annotations

import ast
import codecs
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path

from spinstack.directories import expanded
from spinstack.errors import SpinstackError, UsageError
from spinstack.rules.names import stack_name_of
from spinstack.template import pairs, stack
from spinstack.text import split_lines, without_password

KIND = "wsgi"
# Where it goes, and what of the example it takes the place of.
PLACE = "app"
_EXAMPLE = ("guestbook.py", "templates", "static")
# What a directory may have for other ways to run it: the stack has its own.
_OTHERS = ("Dockerfile", "wsgi.py", "requirements.txt", "requirements.in", "uv.toml")
_LEFT = ("__pycache__", "node_modules", "venv")
# Flask's own place for what belongs to one installation: secrets, data.
_OWN = "instance"
_KEYS = (".pem", ".key", ".p12", ".kdbx")
_IMPORTED = "from guestbook import app\n"
# What is called to make an application, or makes one if it is called.
_CLASSES, _FACTORIES = ("Flask",), ("create_app", "make_app")
_WANTED = ("requirements.in", "requirements.txt")
# Of a stack's name, with what may be added to it.
_LONGEST_NAME = 50


@dataclass(frozen=True)
class Application:
    """`module`, `name`: what WSGI calls, made by a call of it if it is a `factory`; `files`: path
    in the directory -> file; `wanted`: lines for requirements.in; `notes`: what was left out."""

    directory: Path
    module: str
    name: str
    factory: bool = False
    files: dict[str, Path] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def stack_name(self, output: str) -> str:
        """A name for its stack, whose directory is not there yet: the application's may be."""
        name = stack_name_of(self.directory.name, _LONGEST_NAME)
        return f"{name}-stack" if (Path(output) / name).exists() else name


def find(directory: str, entry: str = "") -> Application:
    """The application in a directory. `entry`: MODULE:NAME, empty to have it found. Raises
    UsageError if there is none, or more than one, or if its files have the names of the stack's."""
    place = expanded(directory).resolve()
    if not place.is_dir():
        raise UsageError(f"{directory} is not a directory", remedy="give --app a directory")
    if Path.home().resolve().is_relative_to(place):
        what = f"{directory} is all that you have, not an application"
        raise UsageError(what, remedy="give --app the application's own directory")
    notes: list[str] = []
    files = dict(_files(place, notes))
    taken = {path.name for part in _parts() for path in part.iterdir()} - {*_EXAMPLE}
    for name in files:
        top = name.partition("/")[0]
        if top in taken:
            raise UsageError(
                f"{top} is the name of a file of the stack's own",
                where=str(place),
                remedy="rename it in the application, then run the same command again",
            )
    module, name, factory = _named(entry, files) if entry else _only(place, files)
    wanted = tuple(_packages(place, notes))
    return Application(place, module, name, factory, files, wanted, tuple(notes))


def _parts() -> tuple[Path, Path]:
    """What a stack's directory for the application is made of."""
    return stack() / PLACE, stack() / "kinds" / KIND / PLACE


def answers(found: Application, given: Iterable[str], output: str) -> list[str]:
    """The answers to the template, with those that follow from it. Raises UsageError for another
    kind."""
    told = pairs(given)
    if told.setdefault("kind", KIND) != KIND:
        raise UsageError(
            f"an application is for a stack of the kind {KIND}", remedy=f"answer kind={KIND}"
        )
    told.setdefault("stack_name", found.stack_name(output))
    return [f"{key}={value}" for key, value in told.items()]


def bring(made: Path, found: Application) -> bool:
    """Put it into a new stack. Whether it needs other packages than are pinned there. Raises
    SpinstackError for a file that can't be copied."""
    place = made / PLACE
    for name in _EXAMPLE:
        path = place / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        for name, path in found.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / name)
    except OSError as error:
        raise SpinstackError(
            f"the application could not be copied: {error.strerror}",
            where=str(error.filename),
            remedy=f"make it readable, remove {made}, then run the same command again",
        ) from None
    _edit(place / "wsgi.py", _IMPORTED, _import_of(found))
    return _want(place / "requirements.in", found.wanted)


def _files(place: Path, notes: list[str]) -> Iterator[tuple[str, Path]]:
    """All but hidden ones, which may hold secrets, and what is made from others; links as what they
    lead to, but for those that lead back to where they are. Raises UsageError for a directory that
    can't be read."""
    for above, names, found in os.walk(place, followlinks=True, onerror=_stop):
        here = Path(above)
        around = {it.resolve() for it in (here, *here.parents) if it.is_relative_to(place)}
        inside = (name for name in names if (here / name).resolve() not in around)
        names[:] = sorted(name for name in inside if _wanted(here / name))
        if here == place and _OWN in names:
            names.remove(_OWN)
            notes.append(f"{_OWN}/ is left out: secrets and data are none of an image's")
        for name in sorted(found):
            path = here / name
            if not path.is_file() or name.startswith(".") or name.endswith(".pyc"):
                continue
            if here == place and name in _OTHERS:
                if name not in _WANTED:
                    notes.append(f"{name} is left out: the stack has its own")
            elif name.endswith(_KEYS):
                notes.append(f"{name} is left out: give keys with `invoke secret.create`")
            else:
                yield path.relative_to(place).as_posix(), path


def _wanted(directory: Path) -> bool:
    name = directory.name
    made = name in _LEFT or (directory / "pyvenv.cfg").exists()
    return not (name.startswith(".") or made)


def _stop(error: OSError) -> None:
    raise _unreadable(error)


def _unreadable(error: OSError) -> UsageError:
    return UsageError(
        f"the application can't be read: {error.strerror}",
        where=str(error.filename),
        remedy="make it readable, then run the same command again",
    )


def _named(entry: str, files: Mapping[str, Path]) -> tuple[str, str, bool]:
    match = re.fullmatch(r"(\w+(?:\.\w+)*):(\w+)(\(\))?", entry)
    parts = [*match[1].split("."), match[2]] if match else []
    if match is None or not all(it.isidentifier() and not iskeyword(it) for it in parts):
        raise UsageError(
            f"{entry!r} does not name an application",
            remedy="give --entry MODULE:NAME, such as hello:app, or hello:create_app()",
        )
    path = match[1].replace(".", "/")
    if f"{path}.py" not in files and f"{path}/__init__.py" not in files:
        raise UsageError(
            f"there is no module {match[1]} in the application",
            remedy=f"name one with --entry, or rename it: {', '.join(_OTHERS)} are left out",
        )
    return match[1], match[2], bool(match[3])


def _only(place: Path, files: Mapping[str, Path]) -> tuple[str, str, bool]:
    """The one that the modules define: those of the directory, and packages in it."""
    found = []
    for name, path in files.items():
        module = re.fullmatch(r"(\w+)(?:\.py|/__init__\.py)", name)
        if module:
            found += [(module[1], *one) for one in _defined(path)]
    # What a factory makes is usually named, too.
    found = [one for one in found if not one[2]] or found
    if len(found) == 1:
        return found[0]
    shown = ", ".join(f"{module}:{name}" for module, name, _ in found)
    what = f"more than one application: {shown}" if found else "no module here makes a Flask()"
    remedy = "name yours with --entry MODULE:NAME, such as hello:app"
    if not found and any(_defined(place / "wsgi.py")):
        remedy = "rename wsgi.py, which is the name of a file of the stack's own"
    raise UsageError(what, where=str(place), remedy=remedy)


def _defined(path: Path) -> Iterator[tuple[str, bool]]:
    """Applications and factories of a module, by name; none if it can't be parsed."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in _FACTORIES:
            yield node.name, True
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and _makes_one(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [it.id for it in targets if isinstance(it, ast.Name)]
            # With several names it is one all the same.
            yield from ((name, False) for name in names[:1])


def _makes_one(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in (*_CLASSES, *_FACTORIES)


def _import_of(found: Application) -> str:
    if found.factory:
        return f"from {found.module} import {found.name}\n\napp = {found.name}()\n"
    renamed = "" if found.name == "app" else " as app"
    return f"from {found.module} import {found.name}{renamed}\n"


def _packages(place: Path, notes: list[str]) -> Iterator[str]:
    """The lines of its list of packages, without hashes."""
    path = next((place / name for name in _WANTED if (place / name).is_file()), None)
    if path is None:
        if (place / "pyproject.toml").exists():
            notes.append("no requirements.txt: list its packages in app/requirements.in")
        return
    for written in split_lines(_text(path).replace("\\\n", " ")):
        line = re.sub(r"(^|\s)#.*|\s--hash=\S+", "", written).strip()
        if line.startswith(("-", ".", "/")) or "://" in line:
            first = without_password(line.split()[0])
            notes.append(f"{path.name}: {first} … is left out; see app/requirements.in")
        elif line:
            yield line


def _text(path: Path) -> str:
    """As pip reads it; some shells write UTF-16."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(error) from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig", "replace").replace("\r\n", "\n")


def _want(path: Path, lines: tuple[str, ...]) -> bool:
    """Add packages to requirements.in. Whether that changes what is wanted."""
    text = path.read_text(encoding="utf-8")
    there = {line for line in split_lines(text) if line and not line.startswith("#")}
    known = {_package(line): line for line in there}
    new = [line for line in lines if line.lower() != known.get(_package(line), "").lower()]
    for line in new:
        if old := known.get(_package(line)):
            text = text.replace(f"\n{old}\n", f"\n{line}\n")
    added = [line for line in new if _package(line) not in known]
    if added:
        text += "# The application's own.\n" + "".join(f"{line}\n" for line in added)
    path.write_text(text, encoding="utf-8")
    return bool(new)


def _package(line: str) -> str:
    """The package that a line asks for, as indexes compare names."""
    name = re.match(r"[\w.-]*", line)
    return re.sub(r"[-_.]+", "-", name[0] if name else "").lower()


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new), encoding="utf-8")
