"""The static tree: what of it may be read, and where in it pages may be put."""

from __future__ import annotations

import os
from pathlib import Path

from nightwatch_web.failures import Forbidden, Missing

# Longest path that Linux takes, in bytes (PATH_MAX in linux/limits.h).
LONGEST = 4096


class Tree:
    """A directory that no path leaves: neither by `..` nor through a link."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def inside(self, path: str) -> Path:
        """The real place of a path in the tree, which need not exist.

        Raises Missing for paths that are none, that name something hidden (a page that is
        still being built, say) or that lead out of the tree.
        """
        parts = path.split("/")
        wrong = "\0" in path or any(not part or part.startswith(".") for part in parts)
        if wrong or len(os.fsencode(path)) > LONGEST:
            raise Missing(f"{path} is no page of this site.")
        root = os.path.realpath(self.root)
        real = os.path.realpath(Path(root, *parts))
        if os.path.commonpath([root, real]) != root:
            raise Missing(f"{path} is no page of this site.")
        return Path(real)

    def has_directory(self, path: str) -> bool:
        """Whether the path is a directory of the tree."""
        try:
            return self.inside(path).is_dir()
        except (Missing, OSError):
            return False

    def file(self, path: str) -> Path | None:
        """The file of that path, or None. Raises Missing and Forbidden."""
        place = self.inside(path)
        try:
            if not place.is_file():
                return None
        except PermissionError as error:
            raise Forbidden(
                f"This application may not look into the directory of {path}."
            ) from error
        except OSError as error:
            raise Missing(f"{path}: {error.strerror}.") from error
        if not os.access(place, os.R_OK):
            raise Forbidden(f"The file {path} is there, but this application may not read it.")
        return place
