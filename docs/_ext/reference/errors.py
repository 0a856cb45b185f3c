"""Every known error: what is printed, what it means, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spinstack.console import error_table

from . import headings, markdown


def page() -> str:
    """The known errors, by the program that prints them."""
    return markdown.page(_parts())


def occasions() -> dict[str, str]:
    """What was being done on each occasion, as the table itself explains it."""
    text = error_table.TABLE.read_text(encoding="utf-8")
    listed = text.partition("# The occasions:")[2].partition("\n\n")[0]
    return dict(re.findall(r"(?m)^#   ([a-z-]+) +(.+)$", listed))


def _parts() -> Iterator[str]:
    titles = headings.above(error_table.TABLE.read_text(encoding="utf-8"), r"^([a-z0-9_]+):$")
    known, group = occasions(), ""
    for entry in error_table.packaged():
        if entry.group != group:
            group = entry.group
            yield markdown.heading(2, titles[group].partition(":")[0])
        yield markdown.heading(3, entry.id, f"error-{entry.id.replace('.', '-')}")
        yield markdown.block(entry.pattern.pattern)
        yield markdown.fields(
            (
                ("Cause", markdown.sentence(entry.cause)),
                ("Fix", markdown.sentence(entry.remedy)),
                ("When", markdown.sentence("; ".join(known[it] for it in entry.when) or "")
                 if entry.when else ""),
                ("Source", markdown.prose(entry.source)),
            )
        )  # fmt: skip
