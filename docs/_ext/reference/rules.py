"""Every rule of `invoke check`: what it requires, why, who says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinstack.checks import catalogue

from . import headings, markdown

TABLE = Path(catalogue.__file__).with_name("rules.yaml")


def page() -> str:
    """The rules in the order of their file, with its headings."""
    return markdown.page(_parts())


def _parts() -> Iterator[str]:
    titles = headings.above(TABLE.read_text(encoding="utf-8"), r"^([a-z0-9-]+):$")
    for rule in catalogue.rules().values():
        if rule.id in titles:
            yield markdown.heading(2, titles[rule.id])
        yield markdown.heading(3, rule.id, f"rule-{rule.id}")
        yield markdown.sentence(rule.about)
        yield markdown.fields(
            (name, markdown.prose(text))
            for name, text in (("Why", rule.reason), ("Source", rule.source), ("--fix", rule.fix))
        )
