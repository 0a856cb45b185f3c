"""`rancher secrets`: lists and makes secrets; there is no way to read one back.

As the client 0.6.7 has it: `ls` and `create`, and no `rm` (`rancher rm --type secret` does it).
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import log
from ..failure import Failure
from ..flags import Parsed
from ..session import Session
from .listing import show


def run(session: Session, given: Parsed) -> int:
    """Any other word than `create` lists them, `rm` too."""
    word, *rest = given.names or ["ls"]
    if word == "create":
        _create(session, rest)
        return 0
    columns = {"ID": "id", "NAME": "name", "CREATED": "created"}
    show("Secret", session.project.find("secret"), columns, given.options)
    return 0


def _create(session: Session, words: Sequence[str]) -> None:
    """Raises Failure unless there are a name and a file that can be read, `-` for stdin."""
    if len(words) != 2:
        raise Failure("both NAME and FILE|- are required")
    name, file = words
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except FileNotFoundError:
        log.error(f"Failed to find {file}, argument must be a file or -")
        raise Failure("invalid argument") from None
    except OSError as problem:
        raise Failure(f"read {file}: {problem.strerror}") from None
    value = base64.b64encode(content).decode("ascii")
    made = session.project.create("secret", {"name": name, "value": value})
    session.wait_if_asked([made])
