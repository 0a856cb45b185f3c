"""The comments of this package's YAML files that are headings, or say what a key means."""

from __future__ import annotations

import re


def above(text: str, key: str) -> dict[str, str]:
    """Headings `# --- Title ----` of a file, each by the first key below it. `key`: the pattern
    of a line with a key, of which it is the group."""
    found: dict[str, str] = {}
    title = ""
    for line in text.split("\n"):
        if heading := re.match(r"# --- (.+?) -+$", line):
            title = heading[1]
        elif title and (named := re.match(key, line)):
            found[named[1]] = title
            title = ""
    return found


def comments(text: str) -> dict[str, str]:
    """The comment right above each key of a YAML file, by the path of the key: `ports.world`.
    Sequences and flow mappings are values, in which no key is looked for."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    said: list[str] = []
    for line in text.split("\n"):
        if comment := re.match(r" *# ?(.*)", line):
            said.append(comment[1])
            continue
        if key := re.match(r"( *)([a-z][a-z0-9_]*):(?: |$)", line):
            path = [it for it in path if it[0] < len(key[1])] + [(len(key[1]), key[2])]
            if said:
                found[".".join(name for _, name in path)] = " ".join(said)
        # A comment that nothing follows belongs to the file.
        said = []
    return found
