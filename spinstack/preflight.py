"""What a deploy checks before anything is touched; the rules are in `spinstack.checks`."""

from __future__ import annotations

from spinstack.checks.laptop import check

__all__ = ["check"]
