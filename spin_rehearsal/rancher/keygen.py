"""The helper of `spin-keygen.sh`: trades a user's password for an API key, and stores it.

spin-keygen.sh URL USER   with the password on standard input, never in the arguments
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from . import config
from .api import BadResponse, Server
from .failure import Failure

_UNAUTHORIZED = 401


def main(words: Sequence[str]) -> int:
    """Returns 0, or 1 after one line on stderr: wrong password, or no answer."""
    url, user = words
    password = sys.stdin.readline().rstrip("\r\n")
    try:
        key = Server(url, user, password).request("POST", "/keys", {"name": f"{user} key"})
    except BadResponse as problem:
        wrong = problem.status == _UNAUTHORIZED
        sys.stderr.write(f"Error: {'Incorrect username or password' if wrong else problem}.\n")
        return 1
    except Failure as problem:
        sys.stderr.write(f"Error: {problem}\n")
        return 1
    stored = config.load({})
    config.save(
        stored._replace(
            access_key=str(key["accessKey"]),
            secret_key=str(key["secretKey"]),
            url=str(key.get("url") or url),
            environment="",
        )
    )
    sys.stdout.write("Success: Spin API Key generated for user.\n")
    return 0
