"""What all pages share: the document around the content, and small pieces of HTML."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path

from spinstack.sample.quality import Status

# The sample nightwatch inlines the same file into the pages that it makes on demand.
_STYLE = "../files/nightwatch/py/nightwatch/webpages/templates/style.css"
_SIGNS = {Status.OK: "✓", Status.WARNING: "!", Status.ERROR: "✕"}
_WORDS = {Status.OK: "good", Status.WARNING: "warning", Status.ERROR: "problem"}
_LOGO = (
    '<svg width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">'
    '<circle cx="13" cy="13" r="12" fill="#234a76"/>'
    '<path d="M17.5 3.4a9.8 9.8 0 1 0 0 19.2 8 8 0 0 1 0-19.2z" fill="#f6c453"/>'
    '<circle cx="19" cy="10" r="1.4" fill="#fff"/><circle cx="21" cy="16" r="1" fill="#fff"/></svg>'
)


def document(title: str, content: str, *, root: str) -> str:
    """A complete page. `root` is the relative way to the site's root, ending in a slash."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · Nightwatch sample</title>\n"
        f'<link rel="icon" type="image/png" href="{root}static/icon.png">\n'
        f"<style>\n{_style()}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#content">Skip to the content</a>\n'
        f'<header><div class="in"><a class="brand" href="{root}nights.html">{_LOGO}Nightwatch</a>\n'
        f'<nav aria-label="Site"><a href="{root}nights.html">Calendar</a>'
        f'<a href="{root}timeseries/">Time series</a></nav>'
        '<span class="sample">Sample data</span></div></header>\n'
        f'<main id="content">\n{content}\n</main>\n'
        "<footer>Made up by spinstack's rehearsal: no telescope was pointed for these pages."
        "</footer>\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return (Path(__file__).resolve().parent / _STYLE).read_text(encoding="utf-8")


def word(status: Status) -> str:
    return _WORDS[status]


def css_class(status: Status) -> str:
    """The class of style.css that has the status's colours."""
    return status.name.lower()


def pill(status: Status, text: str = "") -> str:
    """The status as a coloured label with a sign, so that colour is never all there is."""
    return (
        f'<span class="pill {css_class(status)}">{_SIGNS[status]} {escape(text or word(status))}'
        "</span>"
    )


def tiles(pairs: Iterable[tuple[str, str]]) -> str:
    """Boxes of (value as HTML, what it is)."""
    boxes = (f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for value, name in pairs)
    return f'<div class="tiles">{"".join(boxes)}</div>'


def beads(kind: str, statuses: Iterable[Status], label: str) -> str:
    """A row of small coloured marks, a status each; `kind` is `beads` or `strip`."""
    marks = "".join(
        f'<i class="{css_class(status)}"></i>' if status else "<i></i>" for status in statuses
    )
    return f'<span class="{kind}" role="img" aria-label="{escape(label)}">{marks}</span>'


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
