"""The account on the pretend login node: its numbers, directories and login shell."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from spin_rehearsal.paths import STORAGE_VARIABLE, USER, Places
from spinstack.directories import Directory, check
from spinstack.errors import SpinstackError
from spinstack.sample.owner import GID, UID

NODE_NAME = "login01"

# The search path of a session before any module is loaded.
PATH = "/usr/local/bin:/usr/bin:/bin"

_STORAGE = "the rehearsal's storage"
_ELSEWHERE = f"set {STORAGE_VARIABLE} to a directory that only you can write to"


@dataclass(frozen=True)
class Account:
    """Who the login sessions are. `switch`: whether sessions must change to these numbers."""

    uid: int
    gid: int
    home: Path
    switch: bool

    @property
    def owner(self) -> tuple[int, int] | None:
        """Whom files are given to; None if sessions are ourselves."""
        return (self.uid, self.gid) if self.switch else None

    def environment(self, term: str = "", connection: str = "") -> dict[str, str]:
        """What sshd sets for a session, and nothing of this process's own."""
        values = {
            "HOME": str(self.home),
            "USER": USER,
            "LOGNAME": USER,
            "SHELL": shell(),
            "PATH": PATH,
            "LANG": "C.UTF-8",
        }
        if term:
            values["TERM"] = term
        if connection:
            values["SSH_CONNECTION"] = connection
        return values


def of(places: Places) -> Account:
    """The account of a rehearsal: unprivileged numbers if we are root, else ourselves."""
    if os.geteuid() == 0:
        return Account(UID, GID, places.home, switch=True)
    return Account(os.getuid(), os.getgid(), places.home, switch=False)


def shell() -> str:
    """The login shell. Raises SpinstackError on a machine without bash."""
    found = shutil.which("bash", path="/bin:/usr/bin:/usr/local/bin")
    if found is None:
        raise SpinstackError(
            "bash, the rehearsal's login shell, is not installed", remedy="install bash"
        )
    return found


def check_storage(places: Places) -> bool:
    """Whether the storage exists. Raises SpinstackError if it is not ours alone."""
    return check(places.storage, what=_STORAGE, remedy=_ELSEWHERE)


def check_reachable(places: Places) -> None:
    """Raises SpinstackError if sessions could not reach the storage."""
    if _blocked := _closed_above(places.storage):
        raise SpinstackError(
            f"{_blocked} is closed to other users (no o+x), so no container or session could "
            "reach the rehearsal's storage",
            where=str(places.storage),
            remedy=f"chmod o+x {_blocked}, or set {STORAGE_VARIABLE} to another directory",
        )


def open_storage(places: Places) -> Directory:
    """The storage, made if it is missing. Raises SpinstackError if it is not ours alone, or if
    sessions could not reach it."""
    check_reachable(places)
    return Directory(places.storage, 0o755, what=_STORAGE, remedy=_ELSEWHERE)


def lay_out(
    places: Places, account: Account, modules: tuple[str, ...], storage: Directory
) -> Directory:
    """Make the account's directories and its login script; done again, it changes nothing.
    Returns the project directory.

    Every directory above a mount has o+x, as Spin asks; only the home is closed. `modules`:
    the names that `module load` knows. Raises SpinstackError if one of the directories is a
    link, or belongs to somebody else.
    """
    owner = account.owner

    def own(path: Path, mode: int) -> Directory:
        above = storage.directory(path.parent.relative_to(places.storage).as_posix())
        return above.directory(path.name, mode, owner)

    home, project = own(places.home, 0o700), own(places.project, 0o755)
    script = login_script(places.spin / "bin", modules)
    home.write(".bash_profile", script.encode(), 0o644, owner)
    return project


def _closed_above(storage: Path) -> Path | None:
    """The first directory above the storage that other users can't pass through."""
    for parent in reversed(storage.parents):
        if parent.exists() and not parent.stat().st_mode & 0o001:
            return parent
    return None


def login_script(tools: Path, modules: tuple[str, ...]) -> str:
    """`.bash_profile`: a message of the day on standard output, and `module`.

    Only login shells read it, so only they know `module`, as on NERSC's login nodes.
    """
    facts = {"node": NODE_NAME, "modules": " ".join(modules), "tools": str(tools)}
    head = "".join(f"_rehearsal_{key}={shlex.quote(value)}\n" for key, value in facts.items())
    script = Path(__file__).with_name("bash_profile.sh").read_text(encoding="utf-8")
    return f"{head}{script}"
