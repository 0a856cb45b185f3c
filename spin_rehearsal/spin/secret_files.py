"""Secrets as containers see them: read-only files in /run/secrets.

They stand in a directory that only the rehearsal's owner can pass through; the engine mounts
each file by itself, readable by whatever user the container runs as, as Rancher does.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from pathlib import Path

from spin_rehearsal.spin.errors import StartFailure
from spin_rehearsal.spin.resources import State
from spinstack.rules.service import Mount

TARGET = "/run/secrets"


def values(state: State, project: str, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """The content of each file by its name; `wanted`: file -> secret.

    Raises StartFailure for a secret that is not there.
    """
    known = {s.name: s.value for s in state.secrets.values() if s.project == project}
    missing = [name for name in wanted.values() if name not in known]
    if missing:
        raise StartFailure(f"secret {missing[0]} not found")
    return {file: base64.b64decode(known[name]) for file, name in wanted.items()}


def write(directory: Path, contents: Mapping[str, bytes]) -> tuple[Mount, ...]:
    """Write the files of one container anew; the mounts that bring them in."""
    forget(directory)
    if not contents:
        return ()
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700)
    mounts = []
    for name, content in contents.items():
        path = directory / name
        path.write_bytes(content)
        path.chmod(0o444)
        mounts.append(Mount(str(path), f"{TARGET}/{name}", "ro"))
    return tuple(mounts)


def forget(directory: Path) -> None:
    """Also when there is none."""
    shutil.rmtree(directory, ignore_errors=True)
