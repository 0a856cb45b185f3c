"""The tasks of this repository: the collection that stacks use, and those of its makers."""

from __future__ import annotations

from spinstack.tasks import ns

__all__ = ["ns"]
