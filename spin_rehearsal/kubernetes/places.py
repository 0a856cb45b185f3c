"""Where a rehearsal on Kubernetes keeps its files, and what was decided when it was made."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spin_rehearsal import paths
from spin_rehearsal.paths import DEFAULT_NAME, Places
from spinstack.directories import write_private
from spinstack.errors import SpinstackError
from spinstack.rules import centre
from spinstack.rules.centre import Centre
from spinstack.text import read_json

PLATFORM = "kubernetes"
# The label of all that a rehearsal has in a cluster, with the name of its namespace; and the
# annotation by which it knows that the namespace is its own.
LABEL = "spinstack/rehearsal"
ID = "spinstack/rehearsal-id"


def of(name: str) -> Places:
    """The places of a rehearsal. Raises UsageError for a name that can't be one."""
    other = paths.of(name)
    private = paths.state_root().with_name(f"rehearsal-{PLATFORM}") / name
    return Places(private, other.storage.with_name(f"spinstack-{PLATFORM}-{os.getuid()}-{name}"))


def kubeconfig(where: Places) -> Path:
    """The account's, for the destination."""
    return where.private / "kubeconfig"


@dataclass(frozen=True)
class State:
    """`kubeconfig`, `context`: of the person whose cluster it is; `registry`: where images go;
    `engine`: the one that runs it, empty for a person's own registry; `ingress_class`,
    `architecture`: the cluster's, empty until it was asked; `build_args`: of images, where base
    images had to be stood in for."""

    name: str
    kubeconfig: str
    context: str
    id: str
    registry: str
    ingress_class: str = ""
    architecture: str = ""
    engine: str = ""
    build_args: dict[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        suffix = "" if self.name == DEFAULT_NAME else f"-{self.name}"
        return f"spin-rehearsal{suffix}"

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.namespace}

    def overrides(self, where: Places) -> dict[str, Any]:
        """How this centre differs from NERSC, in the shape of `spin.yaml`."""
        host = "{ingress}.{namespace}.localhost" if self.ingress_class else ""
        generic = centre.packaged("generic", PLATFORM)["kubernetes"]
        kubernetes = {
            "clusters": {"development": {"context": "development", "host": host}},
            "host_paths": [str(where.project_space)],
            "ingress_class": self.ingress_class,
            # The cluster's own, whatever it is.
            "storage_class": "",
            "trusted_proxies": generic["trusted_proxies"],
        }
        return {"kubernetes": kubernetes}

    def centre(self, where: Places) -> Centre:
        """The rules that this rehearsal's policies apply."""
        return centre.load(self.overrides(where), platform=PLATFORM)

    def save(self, where: Places) -> None:
        write_private(where.state, json.dumps(asdict(self), indent=2) + "\n")


def decided(name: str, kubeconfig: str, context: str, registry: str, engine: str = "") -> State:
    """The state of a new rehearsal."""
    id = secrets.token_hex(8)
    return State(name, kubeconfig, context, id, registry, engine=engine)


def load(where: Places) -> State | None:
    """The state of a rehearsal, None if there is none. Raises SpinstackError for a file that holds
    something else."""
    try:
        return State(**read_json(where.state.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise SpinstackError(
            "the state of the rehearsal can't be read",
            where=str(where.state),
            remedy=f"delete {where.private}, and its namespace in the cluster",
        ) from None
