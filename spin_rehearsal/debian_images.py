"""Base images made from Debian's packages with mmdebstrap, where no registry can be reached.

One root file system serves them all, imported under several names: they share their only
layer, so that it is made, stored and pushed once.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spin_rehearsal import packages
from spinstack.errors import SpinstackError
from spinstack.text import read_json, split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

Say = Callable[[str], None]

# Debian 12, as the tags say, whatever runs on this machine.
SUITE = "bookworm"
CONTENTS = ("python3", "python3-venv", "python3-pip", "ca-certificates", "nginx-light")

# This machine's certificate authorities go into the images, so that pip works inside a build
# on a network whose TLS is opened by a gateway.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_AUTHORITIES_INSIDE = "/etc/ssl/certs/ca-certificates.crt"

RECIPE_LABEL = "spinstack.recipe"
BUILD_WITHIN = 900.0

_DISK, _MEMORY = Path("/var/tmp"), Path("/dev/shm")
# What must be free before memory is used for files; they need 0.6 GB. Bytes.
_ROOM = 2_000_000_000

# What the official images have where Debian's packages differ: `python` and `pip` that may
# install anywhere, nginx that writes its logs to the container's output.
_ADAPT = """set -e; cd "$1"
ln -s python3 usr/bin/python
rm -f usr/lib/python3*/EXTERNALLY-MANAGED etc/nginx/sites-enabled/default
ln -sf /dev/stdout var/log/nginx/access.log
ln -sf /dev/stderr var/log/nginx/error.log
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale
"""


@dataclass(frozen=True)
class Equivalent:
    """An image of our own that stands in for an official one; `changes` as for `import`."""

    name: str
    changes: tuple[str, ...]


# By the build argument of the template's Dockerfiles.
EQUIVALENTS: Mapping[str, Equivalent] = {
    "PYTHON_IMAGE": Equivalent(
        "spinstack/python:3.11-debian12",
        (
            f"ENV PIP_CERT={_AUTHORITIES_INSIDE}",
            f"ENV REQUESTS_CA_BUNDLE={_AUTHORITIES_INSIDE}",
            f"ENV SSL_CERT_FILE={_AUTHORITIES_INSIDE}",
            "ENV LANG=C.UTF-8",
            'CMD ["python3"]',
        ),
    ),
    "NGINX_IMAGE": Equivalent(
        "spinstack/nginx:1.22-debian12",
        ("EXPOSE 80", 'CMD ["nginx", "-g", "daemon off;"]'),
    ),
}


def has_image(runner: Runner, engine: str, image: str) -> bool:
    """Whether the engine has an image of that name."""
    return runner.run(Command(engine, "image", "inspect", image), timeout=60, changes=False).ok


def present(runner: Runner, engine: str, wanted: Iterable[str]) -> dict[str, str] | None:
    """Build arguments that name equivalents made earlier; None if one is missing or outdated."""
    names = {}
    for argument in wanted:
        equivalent = EQUIVALENTS.get(argument)
        if equivalent is None or not _is_current(runner, engine, equivalent.name):
            return None
        names[argument] = equivalent.name
    return names


def make(
    runner: Runner, engine: str, wanted: Mapping[str, str], say: Say = lambda text: None
) -> dict[str, str]:
    """Make the equivalents of `wanted` (build argument -> official image).

    Returns build argument -> name. Raises SpinstackError for an image that has no
    equivalent, or where mmdebstrap is missing and can't be installed.
    """
    unknown = [image for argument, image in wanted.items() if argument not in EQUIVALENTS]
    if unknown:
        raise _unreachable(unknown[0])
    _ensure_mmdebstrap(runner, say, next(iter(wanted.values())))
    say("building equivalents of the base images from Debian packages (half a minute)")
    with (
        tempfile.TemporaryDirectory(prefix="spinstack-images-", dir=_workshop()) as directory,
        ThreadPoolExecutor() as at_once,
    ):
        archive = Path(directory) / "root.tar"
        _bootstrap(runner, archive)
        imports = [
            at_once.submit(_import, runner, engine, archive, EQUIVALENTS[argument])
            for argument in wanted
        ]
        for each in imports:
            each.result()
    return {argument: EQUIVALENTS[argument].name for argument in wanted}


def names() -> list[str]:
    """The names of all equivalents, for whoever removes them."""
    return [equivalent.name for equivalent in EQUIVALENTS.values()]


def _ensure_mmdebstrap(runner: Runner, say: Say, image: str) -> None:
    try:
        packages.ensure_packages(
            runner,
            say,
            {
                "mmdebstrap": "mmdebstrap",
                "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
            },
        )
    except SpinstackError as error:
        raise SpinstackError(
            f"the image {image} can't be pulled, and no equivalent can be built on this machine",
            remedy="get online and run the same command again, or, as root on Debian or "
            "Ubuntu, apt-get install mmdebstrap debian-archive-keyring",
            details=str(error),
        ) from None


def _unreachable(image: str) -> SpinstackError:
    return SpinstackError(
        f"the image {image} can't be pulled, and there is no recipe for an equivalent",
        remedy="get online and run the same command again",
    )


def _is_current(runner: Runner, engine: str, name: str) -> bool:
    command = Command(engine, "image", "inspect", "--format", "{{json .Config.Labels}}", name)
    answer = runner.run(command, timeout=60, changes=False)
    if not answer.ok or runner.dry:
        return False
    labels = read_json(answer.stdout) or {}
    return bool(labels.get(RECIPE_LABEL) == _recipe())


def _recipe() -> str:
    """A digest of all that decides what is in the images, this machine's authorities included."""
    parts = repr((SUITE, CONTENTS, _ADAPT, sorted(EQUIVALENTS.items())))
    digest = hashlib.sha256(parts.encode())
    if AUTHORITIES.exists():
        digest.update(AUTHORITIES.read_bytes())
    return digest.hexdigest()[:16]


def _workshop() -> Path:
    """Where the root file system is put together: in memory where that can be (a third less
    time), which must allow device nodes and programs."""
    memory = os.statvfs(_MEMORY) if _MEMORY.is_dir() else None
    if memory is None or memory.f_flag & (os.ST_NODEV | os.ST_NOEXEC):
        return _DISK
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _MEMORY if min(free, memory.f_bavail * memory.f_frsize) > _ROOM else _DISK


def _bootstrap(runner: Runner, archive: Path) -> None:
    """Write a root file system of Debian as a tar archive.

    With two cores it takes 22 s in memory, 29 s on a disk.

    No `path-exclude` for dpkg: mmdebstrap would filter each package through a script, which
    takes longer (19 s against 2 s) than to delete the files at the end.
    """
    words = ["mmdebstrap", "--variant=minbase", f"--include={','.join(CONTENTS)}"]
    words += ['--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io"]
    if AUTHORITIES.exists():
        words.append(f"--customize-hook=copy-in {AUTHORITIES} {AUTHORITIES.parent}")
    words += [f"--customize-hook={_ADAPT}", SUITE, str(archive)]
    done = runner.run(Command(*words), timeout=BUILD_WITHIN, env={"TMPDIR": str(archive.parent)})
    if not done.ok:
        raise SpinstackError(
            "mmdebstrap could not build the base images",
            remedy="see its output above; most often Debian's package mirror can't be reached, or "
            "the disk is full",
            details="\n".join(split_lines(done.stderr)[-12:]),
        )


def _import(runner: Runner, engine: str, archive: Path, equivalent: Equivalent) -> None:
    words = [engine, "import"]
    former = runner.run(
        Command(engine, "image", "inspect", "--format", "{{.Id}}", equivalent.name), changes=False
    ).stdout.strip()
    for change in (*equivalent.changes, f"LABEL {RECIPE_LABEL}={_recipe()}"):
        words += ["--change", change]
    done = runner.run(Command(*words, str(archive), equivalent.name), timeout=BUILD_WITHIN)
    if not done.ok:
        raise SpinstackError(
            f"{engine} could not import the image {equivalent.name}",
            remedy="check whether the disk is full (docker system df)",
            details=(done.stdout + done.stderr).strip(),
        )
    if former and not runner.dry:
        # Nameless now; stays if something was built on it.
        runner.run(Command(engine, "image", "rm", former))
