"""Links out of the site: into the repository, and to other sites."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

# Documents of the repository that the site has as pages of its own.
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "tests/cluster/README.md": "test-cluster.md",
}
# Where the links to other sites are listed, below the site.
LISTED = "external-links.txt"

_found: dict[str, set[str]] = {}


def inside(page: str, text: str) -> str:
    """The text of a page with links to documents of the repository leading to those of the site;
    in the repository itself they lead to the files."""

    def leading(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link[1]))
        here = PAGES.get(path)
        up = "../" * page.count("/")
        return f"]({up}{here})" if here else link[0]

    return re.sub(r"\]\((\.\./[^)#\s]+)\)", leading, text)


def collect(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Remember the links of a page that lead to other sites."""
    from docutils import nodes

    for link in doctree.findall(nodes.reference):
        address = link.get("refuri", "")
        if address.startswith(("http://", "https://")):
            _found.setdefault(address, set()).add(page)


def write(app: Sphinx, error: Exception | None) -> None:
    """List them with their pages; nobody is asked (`make linkcheck` does)."""
    if error or app.builder.name != "html":
        return
    lines = (
        f"{address}  ({', '.join(sorted(pages))})" for address, pages in sorted(_found.items())
    )
    Path(app.outdir, LISTED).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
