"""The variables of an `up`: those of `--env-file` and those of the client's own environment."""

from __future__ import annotations

import os
from collections.abc import Mapping


class Variables:
    """Looks a name up as interpolation and `environment: - NAME` do.

    The env file comes first. In the process environment an empty variable counts as not
    set, in the env file it counts as set.
    """

    def __init__(
        self, from_file: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._from_file = dict(from_file)
        self._environment = dict(os.environ if environment is None else environment)

    def get(self, name: str) -> str | None:
        """The value, or None if the variable is not set."""
        if name in self._from_file:
            return self._from_file[name]
        return self._environment.get(name) or None

    def for_templates(self) -> dict[str, str]:
        """`.Values` of a template: there the process environment wins."""
        return {**self._from_file, **self._environment}
