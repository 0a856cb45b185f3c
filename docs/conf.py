"""Sphinx's configuration: the site of docs/, built by `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("_ext")))

from spinstack import __version__

project = "spinstack"
copyright = "the authors of spinstack"
version = release = __version__

extensions = ["myst_parser", "reference"]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["attrs_block", "fieldlist"]
# Pages link to headings of each other.
myst_heading_anchors = 4
# `--to` is no dash, and a quoted message is to be found as it is printed.
smartquotes = False
highlight_language = "none"
# A reference that leads nowhere is an error, of whatever kind.
nitpicky = True

html_theme = "furo"
html_title = f"spinstack {release}"
html_static_path = ["_static"]
html_css_files = ["reference.css"]
# No date and no copies of the sources: the same sources give the same site.
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False

# Addresses of examples.
linkcheck_ignore = [r"http://127\.0\.0\.1", r"https?://localhost"]
linkcheck_timeout = 30
