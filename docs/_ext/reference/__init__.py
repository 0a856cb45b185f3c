"""Fills the pages of docs/reference from the code, when the site is built.

Each of them begins with what is written by hand; the rest is made of what the program itself
uses, so that neither can say what the other does not. Sphinx loads this as an extension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors, exits, links, rules, settings, tasks

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Page -> what makes the rest of it.
PAGES = {
    "reference/tasks": tasks.page,
    "reference/settings": settings.page,
    "reference/rules": rules.page,
    "reference/known-errors": errors.page,
}


def filled(page: str, text: str) -> str:
    """The Markdown of a page: as it is written, and what the code adds."""
    text = links.inside(page, text)
    return f"{text}\n{PAGES[page]()}" if page in PAGES else text


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""

    def fill(_: Sphinx, page: str, source: list[str]) -> None:
        source[0] = filled(page, source[0])

    app.connect("source-read", fill)
    app.connect("doctree-resolved", links.collect)
    app.connect("build-finished", links.write)
    return {"version": exits.FORM, "parallel_read_safe": True, "parallel_write_safe": False}
