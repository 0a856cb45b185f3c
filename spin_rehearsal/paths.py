"""Where a rehearsal keeps its files, by its name.

Two directories: a private one with the state and the secrets, and the storage, the pretend
global file systems, which other users of this machine may pass through (a mount into a
container needs that) but hardly read.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from spinstack.errors import UsageError

DEFAULT_NAME = "default"

# The directory in which storages are made; for tests and for disks with more room.
STORAGE_VARIABLE = "SPINSTACK_REHEARSAL_STORAGE"
STORAGE_ROOT = Path("/var/tmp")

# The name of the account on the pretend login node.
USER = "demo"


def state_root() -> Path:
    """The directory above the private directories of this person's rehearsals."""
    return Path.home() / ".local" / "state" / "spinstack" / "rehearsal"


@dataclass(frozen=True)
class Places:
    """The files and directories of one rehearsal.

    `private` (mode 0700) holds what only its owner may see; `storage` is what login node and
    containers see of the centre's file systems.
    """

    private: Path
    storage: Path

    @property
    def destination(self) -> Path:
        return self.private / "destination.yml"

    @property
    def known_hosts(self) -> Path:
        return self.private / "known_hosts"

    @property
    def login(self) -> Path:
        return self.private / "login"

    @property
    def host_key(self) -> Path:
        return self.private / "host_key"

    @property
    def state(self) -> Path:
        return self.private / "state.json"

    @property
    def spin_state(self) -> Path:
        return self.private / "spin.json"

    @property
    def lock(self) -> Path:
        """Locked by the running supervisor, which writes its process id into it."""
        return self.private / "supervisor.lock"

    @property
    def log(self) -> Path:
        return self.private / "supervisor.log"

    @property
    def registry(self) -> Path:
        return self.private / "registry"

    @property
    def marker(self) -> Path:
        """Says whose storage it is."""
        return self.storage / ".rehearsal.json"

    @property
    def home(self) -> Path:
        return self.storage / "global" / "homes" / USER[0] / USER

    @property
    def project_space(self) -> Path:
        return self.storage / "global" / "cfs" / "cdirs"

    @property
    def project(self) -> Path:
        """The project directory of the account."""
        return self.project_space / "desi" / USER

    @property
    def spin(self) -> Path:
        """What `module load spin` brings: `bin/` and `lib/`."""
        return self.storage / "spin"


def of(name: str) -> Places:
    """The places of a rehearsal. Raises UsageError for a name that can't be one.

    The name becomes part of names of containers and of directories.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,19}", name):
        raise UsageError(
            f"{name!r} can't be the name of a rehearsal",
            remedy="use lower-case letters, digits and hyphens, at most 20",
        )
    root = Path(os.environ.get(STORAGE_VARIABLE) or STORAGE_ROOT)
    return Places(state_root() / name, root / f"spinstack-{os.getuid()}-{name}")
