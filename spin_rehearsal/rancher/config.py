"""Where the server is and with which key: global flags, then variables, then the file.

The file is `$HOME/.rancher/cli.json`, or the one that `--config` or `RANCHER_CLIENT_CONFIG`
names: an object with accessKey, secretKey, url, environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .failure import Failure


class Settings(NamedTuple):
    """What the client knows of its server; empty strings where nothing is configured."""

    access_key: str
    secret_key: str
    url: str
    environment: str
    path: str

    def as_json(self) -> str:
        """The object of the file on one line, the secret key in clear as the real one does."""
        return json.dumps(
            {
                "accessKey": self.access_key,
                "secretKey": self.secret_key,
                "url": self.url,
                "environment": self.environment,
                "path": self.path,
            },
            separators=(",", ":"),
        )


def load(options: Mapping[str, Any]) -> Settings:
    """The settings that hold, from the global flags and what they overrule.

    Raises Failure when the file is not JSON.
    """
    path = _path(options)
    stored = _read(path)

    def pick(flag: str, variable: str, key: str) -> str:
        return str(options.get(flag) or os.environ.get(variable) or stored.get(key) or "")

    return Settings(
        pick("access-key", "RANCHER_ACCESS_KEY", "accessKey"),
        pick("secret-key", "RANCHER_SECRET_KEY", "secretKey"),
        pick("url", "RANCHER_URL", "url"),
        pick("environment", "RANCHER_ENVIRONMENT", "environment"),
        str(path),
    )


def save(settings: Settings) -> None:
    """Write the file, readable by its owner only."""
    path = Path(settings.path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(private, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(settings.as_json() + "\n")


def _path(options: Mapping[str, Any]) -> Path:
    named = options.get("config") or os.environ.get("RANCHER_CLIENT_CONFIG")
    return Path(named) if named else Path(os.environ.get("HOME", "")) / ".rancher" / "cli.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise Failure(f"open {path}: {(problem.strerror or '').lower()}") from None
    except ValueError as problem:
        raise Failure(_go_json_problem(path, problem)) from None
    return content if isinstance(content, dict) else {}


def _go_json_problem(path: Path, problem: ValueError) -> str:
    if isinstance(problem, json.JSONDecodeError) and problem.pos < len(problem.doc):
        return f"invalid character '{problem.doc[problem.pos]}' looking for beginning of value"
    return "unexpected end of JSON input"
