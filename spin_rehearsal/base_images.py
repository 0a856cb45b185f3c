"""The base images that a stack's Dockerfiles ask for: there, pulled, or stood in for.

Where the registry can't be reached (a lab network, a plane), equivalents are made from
Debian's packages, under names of our own: a real deploy must never take them for the
official ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spin_rehearsal import debian_images
from spinstack import template
from spinstack.directories import make_parents
from spinstack.errors import SpinstackError
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

Say = Callable[[str], None]

# dockerd gives up on a registry that does not answer after 15 s by itself; this limit is
# for one that answers slowly. Seconds.
PULL_WITHIN = 300.0

_ARG = re.compile(r"^ARG\s+(\w+_IMAGE)=(\S+)\s*$", re.IGNORECASE | re.MULTILINE)


def wanted(stack_directory: Path) -> dict[str, str]:
    """Build argument -> image of every base image that the Dockerfiles below ask for."""
    found: dict[str, str] = {}
    for dockerfile in sorted(stack_directory.rglob("Dockerfile")):
        found.update(asked_for(dockerfile.read_text(encoding="utf-8")))
    return found


def asked_for(dockerfile: str) -> dict[str, str]:
    """The `ARG NAME_IMAGE=default` lines of a Dockerfile: name -> default."""
    return {match[1]: match[2].strip("\"'") for match in _ARG.finditer(dockerfile)}


def ensure(runner: Runner, engine: str, say: Say) -> dict[str, str]:
    """Have every base image of the template; returns the build arguments that this needs.

    Empty where the official images are there or could be pulled; quick when nothing is left
    to do. Raises SpinstackError where the registry can't be reached and no equivalents can
    be made.
    """
    missing = {
        name: image
        for name, image in wanted(template.stack()).items()
        if not debian_images.has_image(runner, engine, image)
    }
    if not missing:
        return {}
    stand_ins = debian_images.present(runner, engine, missing)
    if stand_ins is not None:
        return stand_ins
    with _one_at_a_time():
        missing = _without_pulled(runner, engine, missing, say)
        return debian_images.make(runner, engine, missing, say) if missing else {}


def _without_pulled(
    runner: Runner, engine: str, missing: dict[str, str], say: Say
) -> dict[str, str]:
    """Pull until the registry turns out to be out of reach; what is still missing."""
    left = dict(missing)
    for name, image in missing.items():
        say(f"pulling {image}")
        try:
            done = runner.run(Command(engine, "pull", "--quiet", image), timeout=PULL_WITHIN)
        except SpinstackError as error:  # no answer in time
            say(f"{error.what}")
            break
        if not done.ok:
            say(f"{image} can't be pulled: {_last_line(done.stderr)}")
            break
        del left[name]
    return left


def _last_line(text: str) -> str:
    lines = split_lines(text.strip())
    return lines[-1] if lines else "no reason given"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two rehearsals that start together make the images once."""
    import fcntl

    from spin_rehearsal import paths

    lock = paths.state_root() / "images.lock"
    make_parents(lock)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
