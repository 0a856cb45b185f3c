"""What the tests with real parts share."""

from __future__ import annotations

from .small_site import small
from .stage import first_deploy, site, stage

__all__ = ["first_deploy", "site", "small", "stage"]
