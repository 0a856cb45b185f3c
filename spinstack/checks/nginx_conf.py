"""nginx's configuration language: text in, directives with their lines out, and which of them
nginx does not have.

Source: nginx's own parser (`ngx_conf_read_token`): words end at white space, `;` or `{`; quotes
and backslashes escape; `${` belongs to a variable; `#` starts a comment where a word may start.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from spinstack.text import read_yaml

# Far deeper than any configuration.
_DEEPEST = 100
# The words in these blocks are values.
_TABLES = ("charset_map", "geo", "map", "split_clients", "types")
HTTP, UWSGI = "HTTP", "uWSGI's own protocol"
# The directives that forward, and what is spoken then.
PASSES = {"proxy_pass": HTTP, "uwsgi_pass": UWSGI}


class Unreadable(ValueError):
    """The text is not a configuration; `line` is where it goes wrong."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


@dataclass
class Directive:
    """A directive: its words, the line of the first, and the contents of its block, if any."""

    words: list[str]
    line: int
    block: list[Directive] | None = None

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def arguments(self) -> list[str]:
        return self.words[1:]


@dataclass(frozen=True)
class _Token:
    text: str
    line: int
    # A word may be the text ";" in quotes.
    word: bool
    column: int = 0


def parse(text: str) -> list[Directive]:
    """The directives of a file. Raises Unreadable."""
    top: list[Directive] = []
    opened: list[Directive] = []
    words: list[_Token] = []
    for token in _tokens(text):
        here = opened[-1].block if opened else top
        assert here is not None
        if token.word:
            if words and _begins_another(token, words):
                raise Unreadable(f"{words[0].text} does not end with ;", words[-1].line)
            words.append(token)
        elif token.text == "}":
            if words:
                raise Unreadable(f"{words[0].text} does not end with ;", words[0].line)
            if not opened:
                raise Unreadable("one } too many", token.line)
            opened.pop()
        elif not words:
            raise Unreadable(f"unexpected {token.text}", token.line)
        else:
            made = Directive([word.text for word in words], words[0].line)
            here.append(made)
            words = []
            if token.text == "{":
                if len(opened) == _DEEPEST:
                    raise Unreadable("blocks are nested too deeply", token.line)
                made.block = []
                opened.append(made)
    if words:
        raise Unreadable(f"{words[0].text} does not end with ;", words[0].line)
    if opened:
        raise Unreadable(f"the {{ of {opened[-1].name} is never closed", opened[-1].line)
    return top


def _begins_another(token: _Token, words: list[_Token]) -> bool:
    """Whether a word that nginx would take for an argument is really the next directive, since it
    is right below the first word: the semicolon between the two was forgotten."""
    first = words[0]
    return (
        token.line > words[-1].line
        and token.column == first.column
        and re.fullmatch(r"[a-z_]+", token.text) is not None
    )


@dataclass(frozen=True)
class Known:
    """The directives that a version of nginx has, such as `1.28`."""

    version: str
    blocks: frozenset[str]
    plain: frozenset[str]


@cache
def known() -> Known:
    """Those of `nginx_directives.yaml`."""
    data = read_yaml(Path(__file__).with_name("nginx_directives.yaml").read_bytes())
    return Known(data["version"], frozenset(data["blocks"]), frozenset(data["plain"]))


def unknown(directives: list[Directive]) -> Iterator[tuple[Directive, str]]:
    """Directives that nginx without further modules does not have, each with the name that was
    meant, empty if none is near."""
    names = known().blocks | known().plain
    for directive in directives:
        if directive.name not in names:
            near = difflib.get_close_matches(directive.name, sorted(names), 1)
            yield directive, near[0] if near else ""
        elif directive.name not in _TABLES:
            yield from unknown(directive.block or [])


def wrong_braces(directives: list[Directive]) -> Iterator[tuple[Directive, str]]:
    """Directives that need a block and have none, or the other way round, each with the fix."""
    for directive in directives:
        if directive.block is None and directive.name in known().blocks - known().plain:
            words = " ".join(directive.words)
            yield directive, f"write {words} {{ without ; and }} at the end of what belongs to it"
        elif directive.block is not None and directive.name in known().plain - known().blocks:
            yield directive, f"end {directive.name} with ; instead of {{ and }}"
        elif directive.name not in _TABLES:
            yield from wrong_braces(directive.block or [])


@dataclass(frozen=True)
class Target:
    """Where nginx sends requests, in which protocol (empty: not known), and the files and lines
    that say so."""

    host: str
    port: str
    protocol: str
    host_at: str
    port_at: str


def target(where: str, passed: str, protocol: str) -> Target:
    """From what stands behind `proxy_pass` or the like, or `server` in an upstream."""
    scheme, there, rest = passed.partition("://")
    # A variable may follow the port at once: `http://app:8080$request_uri`.
    match = re.match(r"(\[[^]]*\]|[^/?:]*)(?::(\d+))?", rest if there else passed)
    host, port = match.groups() if match else ("", None)
    usual = "443" if there and scheme == "https" else "80"
    return Target(host, port or usual, protocol, where, where)


def passes(confs: Iterable[list[Directive]]) -> dict[str, str]:
    """Every host or upstream that is forwarded to, with the protocol; empty if it has several."""
    found: dict[str, str] = {}
    for conf in confs:
        for it in everywhere(conf):
            if it.name in PASSES and it.arguments:
                host, protocol = target("", it.arguments[0], "").host, PASSES[it.name]
                found[host] = protocol if found.get(host, protocol) == protocol else ""
    return found


def everywhere(directives: list[Directive]) -> Iterator[Directive]:
    """All directives, including those in blocks, in the order of the file."""
    for directive in directives:
        yield directive
        yield from everywhere(directive.block or [])


@dataclass
class _Reader:
    text: str
    at: int = 0
    line: int = 1
    tokens: list[_Token] = field(default_factory=list)

    def step(self) -> str:
        character = self.text[self.at]
        self.at += 1
        self.line += character == "\n"
        return character


def _tokens(text: str) -> Iterator[_Token]:
    reader = _Reader(text)
    while reader.at < len(text):
        line, character = reader.line, reader.step()
        if character.isspace():
            continue
        if character == "#":
            while reader.at < len(text) and reader.step() != "\n":
                pass
        elif character in ";{}":
            yield _Token(character, line, word=False)
        elif character in "\"'":
            yield _Token(_quoted(reader, character, line), line, word=True)
        else:
            reader.at -= 1
            column = reader.at - text.rfind("\n", 0, reader.at)
            yield _Token(_word(reader), line, word=True, column=column)


def _quoted(reader: _Reader, quote: str, line: int) -> str:
    made = ""
    while reader.at < len(reader.text):
        character = reader.step()
        if character == quote:
            return made
        if character == "\\" and reader.at < len(reader.text):
            character = reader.step()
        made += character
    raise Unreadable(f"the {quote} is never closed", line)


def _word(reader: _Reader) -> str:
    made = ""
    while reader.at < len(reader.text):
        character = reader.text[reader.at]
        if character.isspace() or character == ";" or (character == "{" and made[-1:] != "$"):
            break
        made += reader.step()
        if character == "\\" and reader.at < len(reader.text):
            made += reader.step()
    return made
