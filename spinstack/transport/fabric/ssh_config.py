"""The person's ssh configuration as this wire understands it: with paramiko's reader, which never
decides for what it does not know."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from fabric import Config as FabricConfig
from fabric import Connection
from paramiko.config import SSHConfigDict

from spinstack.errors import UsageError

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# As ssh reads them; the first value counts (ssh_config(5)).
FILES = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
# The conditions of Match that paramiko judges; it takes every other one for fulfilled.
JUDGED = ("all", "canonical", "exec", "final", "host", "localuser", "originalhost", "user")

# How deep files may include each other (ssh's own limit).
_DEPTH = 16

_REMEDY = "set wire: openssh in invoke.yaml, which leaves that file to ssh; or change it there"


class SSHConfig(paramiko.SSHConfig):
    """Raises UsageError instead of applying what may not apply."""

    # The account at the host, if the settings name one.
    user = ""
    # What is being read.
    _at = ""
    # Where files are that are included by a relative name.
    _base = Path()

    def __init__(self) -> None:
        super().__init__()
        # Lines with RevokedHostKeys, by what they say.
        self.revoked_keys: dict[str, str] = {}

    def read(self, path: Path) -> None:
        """Add a file, if it exists, and those that it includes. Raises UsageError naming the line
        that can't be read."""
        if not path.is_file():
            return
        self._at, self._base = str(path), path.parent
        try:
            self.parse(self._lines(path))
        except (paramiko.SSHException, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"the wire fabric can't read the ssh config: {reason}",
                where=self._at,
                remedy=_REMEDY,
            ) from None

    def _lines(self, path: Path, depth: int = 0, *, in_block: bool = False) -> Iterator[str]:
        """The lines of a file, those of included ones in their place. `in_block`: it is included
        below a Host or Match, which then decides about all of it. Raises ValueError or OSError."""
        begins_a_block = False
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            self._at = f"{path}:{number}"
            text = line.decode("utf-8")
            key, value = _setting(text)
            if key in ("host", "match"):
                if in_block:
                    raise ValueError("Host or Match in a file that is included below another one")
                begins_a_block = True
            if key == "revokedhostkeys":
                self.revoked_keys[value.strip('"')] = self._at
            if key != "include":
                yield text
                continue
            if depth == _DEPTH:
                raise ValueError("too many files include each other")
            for name in self._included(value):
                yield from self._lines(Path(name), depth + 1, in_block=in_block or begins_a_block)
            if not (in_block or begins_a_block):
                # A block of an included file ends with that file.
                yield "Host *"

    def _included(self, value: str) -> list[str]:
        """The files that an Include names, in order; relative names are below the directory of the
        configuration. Raises ValueError."""
        if "%" in value or "${" in value:
            raise ValueError("a token or a variable in Include")
        patterns = [os.path.join(self._base, os.path.expanduser(it)) for it in shlex.split(value)]  # noqa: PTH111, PTH118 - any text
        return [name for pattern in patterns for name in sorted(glob.glob(pattern))]  # noqa: PTH207

    def _get_matches(self, match: str) -> list[dict[str, Any]]:
        # Names of conditions may be in upper case.
        return [
            {**one, "type": one["type"].lower(), "at": f"{self._at} (Match {match})"}
            for one in super()._get_matches(match)  # type: ignore[misc]
        ]

    def _does_match(
        self, match_list: list[dict[str, Any]], host: str, *rest: Any
    ) -> list[dict[str, Any]] | bool:
        """Raises UsageError if it depends on a condition that is not known here."""
        known = [one for one in match_list if one["type"] in JUDGED]
        found: list[dict[str, Any]] | bool = super()._does_match(known, host, *rest)  # type: ignore[misc]
        unknown = next((one for one in match_list if one["type"] not in JUDGED), None)
        if unknown and (found or not known):
            raise UsageError(
                f"the wire fabric can't judge `Match {unknown['type']}` in the ssh config",
                where=unknown["at"],
                remedy=_REMEDY,
            )
        return found

    def _lookup(
        self, hostname: str, options: SSHConfigDict | None = None, *rest: Any, **named: Any
    ) -> SSHConfigDict:
        if options is None and self.user:
            options = SSHConfigDict(user=self.user)
        found: SSHConfigDict = super()._lookup(hostname, options, *rest, **named)  # type: ignore[misc]
        return found

    def lookup(self, hostname: str) -> SSHConfigDict:
        """Without what Fabric would take for something else than ssh does."""
        found = super().lookup(hostname)
        # Whichever comes first counts, and `none` is no host.
        ways = [key for key in found if key in ("proxyjump", "proxycommand")]
        for key in ways:
            if key != ways[0] or found[key] is None or found[key].lower() == "none":
                del found[key]
        # Fabric knows fewer values than ssh; nothing here uses the agent on the other end.
        for key in ("forwardagent", "connecttimeout"):
            found.pop(key, None)
        return found


def _setting(line: str) -> tuple[str, str]:
    """The keyword of a line, in lower case, and its value; empty for a line without one."""
    found = paramiko.SSHConfig.SETTINGS_REGEX.match(line.strip())
    return (found[1].lower(), found[2]) if found else ("", "")


class Config(FabricConfig):  # type: ignore[misc]
    """Fabric's own settings; a jump host is looked up in the same ssh configuration."""

    def _clone_init_kwargs(self, *args: Any, **named: Any) -> dict[str, Any]:
        made: dict[str, Any] = super()._clone_init_kwargs(*args, **named)
        ours = SSHConfig()
        ours._config = made["ssh_config"]._config  # type: ignore[attr-defined]
        return {**made, "ssh_config": ours}


def connection(destination: Destination, seconds: int) -> Connection:
    """Not yet connected. `seconds`: the limit for connecting.

    Raises UsageError if the ssh configuration can't be read or used.
    """
    ssh_config = SSHConfig()
    ssh_config.user = destination.user
    for path in FILES:
        ssh_config.read(Path(os.path.expanduser(path)))  # noqa: PTH111
    try:
        made = Connection(
            destination.host,
            user=destination.user or None,
            port=destination.port,
            connect_timeout=seconds,
            config=Config(ssh_config=ssh_config),
        )
    # Whatever a value may be: no number, a jump host before itself, an unknown name.
    except (ValueError, LookupError, RecursionError, paramiko.SSHException) as error:
        raise UsageError(
            f"the wire fabric can't use the ssh config for {destination.host}: "
            f"{error or type(error).__name__}",
            where=str(FILES[0]),
            remedy=_REMEDY,
        ) from None
    for hop in hops(made):
        hop.connect_timeout = seconds
        revoked = hop.ssh_config.get("revokedhostkeys", "none")
        if revoked.lower() != "none":
            raise UsageError(
                "the wire fabric can't read RevokedHostKeys of the ssh config",
                where=ssh_config.revoked_keys.get(revoked, str(FILES[0])),
                remedy=_REMEDY,
            )
    return made


def hops(connection: Connection) -> list[Connection]:
    """The jump hosts, in the order in which they are passed, and the host itself."""
    gateway = connection.gateway
    return [*(hops(gateway) if isinstance(gateway, Connection) else []), connection]
