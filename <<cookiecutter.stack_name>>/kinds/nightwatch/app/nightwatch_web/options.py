"""The command line of the application, handed over by uWSGI's --pyargv."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Where the application finds things, as full paths."""

    static: Path
    data: Path


def parse(arguments: Sequence[str]) -> Options:
    """Options from the words of the command line. Exits with code 2 for wrong ones."""
    parser = argparse.ArgumentParser(prog="nightwatch_web", allow_abbrev=False)
    # -s is the older spelling, -i the newer one, of the same option.
    parser.add_argument("-s", "-i", "--static", "--indir", type=Path, required=True)
    parser.add_argument("-d", "--data", "--datadir", type=Path)
    given = parser.parse_args(arguments)
    static = given.static.absolute()
    return Options(static, given.data.absolute() if given.data else static)
