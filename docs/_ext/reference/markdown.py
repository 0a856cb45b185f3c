"""Markdown from plain texts of the code: nothing in them is markup but code in backquotes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_MARKUP = re.compile(r"([\\*_<>\[\]#|$~])")


def prose(text: str) -> str:
    """A text of the code as one paragraph, shown to the letter."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(it if it.startswith("`") else _MARKUP.sub(r"\\\1", it) for it in parts)


def sentence(text: str) -> str:
    """The same with a capital letter and a full stop."""
    text = prose(text)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def code(text: str) -> str:
    """Shown to the letter, in a line."""
    fence = "`" * (1 + max((len(it) for it in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def block(text: str, language: str = "text") -> str:
    """Shown to the letter, in lines of its own. `language`: `none` for what is typed."""
    return f"```{language}\n{text.rstrip()}\n```"


def heading(level: int, title: str, anchor: str = "") -> str:
    """`anchor`: what other pages call it by."""
    target = f"({anchor})=\n" if anchor else ""
    return f"{target}{'#' * level} {title}"


def fields(values: Iterable[tuple[str, str]]) -> str:
    """A list of names, each with its Markdown; what has no value is left out."""
    return "\n".join(f":{name}: {value}" for name, value in values if value)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """Cells are Markdown. `kind`: its class in the style sheet."""
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    shown = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{{.{kind}}}\n{shown}" if kind else shown


def links(targets: Iterable[tuple[str, str]]) -> str:
    """Names that lead to targets on some page: pairs of both."""
    return " ".join(f"[{code(name)}](#{target})" for name, target in targets)


def docstring(text: str) -> str:
    """The paragraphs of a docstring, without its first line; what is indented is code."""
    _, _, rest = text.partition("\n")
    paragraphs = re.split(r"\n[ \t]*\n", textwrap.dedent(rest).strip("\n"))
    shown = []
    for paragraph in (it for it in paragraphs if it.strip()):
        indented = paragraph.startswith("    ")
        shown.append(block(textwrap.dedent(paragraph), "none") if indented else prose(paragraph))
    return "\n\n".join(shown)


def page(parts: Iterable[str]) -> str:
    """Parts of a page with an empty line between them; empty ones are left out."""
    return "\n\n".join(part for part in parts if part) + "\n"
