"""The rehearsal as a destination: the file that a stack's `invoke.yaml` includes."""

from __future__ import annotations

from typing import Any

import yaml

from spin_rehearsal.paths import USER, Places
from spin_rehearsal.state import HOST, State
from spinstack.directories import write_private

_HEAD = "# Written by `invoke rehearsal.start`; the settings of the destination `rehearsal`.\n"


def settings(decided: State, where: Places) -> dict[str, Any]:
    """The settings, by the keys of `spinstack/config/schema.py`."""
    found: dict[str, Any] = {
        "host": HOST,
        "port": decided.ssh_port,
        "user": USER,
        "known_hosts_file": str(where.known_hosts),
        "login_answer_file": str(where.login),
        "environment": decided.centre(where).environments[0],
        "project_dir": str(where.project),
        "registry": decided.registry,
        "namespace": USER,
        # Nobody outside this machine could look up a name.
        "address": "endpoint",
        "centre": decided.overrides(where),
    }
    if decided.build_args:
        found["build_args"] = dict(decided.build_args)
    return found


def write(decided: State, where: Places) -> None:
    """Write the file, whole or not at all."""
    text = yaml.safe_dump(settings(decided, where), sort_keys=False)
    write_private(where.destination, _HEAD + text)
