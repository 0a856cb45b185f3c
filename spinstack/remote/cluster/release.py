"""A new release of a stack for its cluster: its manifests, as they will be applied."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.cluster import apply
from spinstack.remote.upload import Release
from spinstack.transport.script import Script, tail

if TYPE_CHECKING:
    from spinstack.config.stack import Stack
    from spinstack.remote.cluster.stack import ClusterStack


def make_release(there: ClusterStack, stack: Stack) -> Release:
    """Raises SpinstackError if none can be made of the stack's files."""
    text = _rendered(there, stack)
    digest = hashlib.sha256(text.encode()).hexdigest()
    moment = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    release_id = f"{moment}-{digest[:8]}"
    return Release(release_id, there.root / "releases" / release_id, text.encode())


def _rendered(there: ClusterStack, stack: Stack) -> str:
    """All manifests of the stack, with a person's own additions, which kubectl merges."""
    if not (stack.directory / "kubernetes").is_dir() or there.node.dry:
        return there.platform.rendered(stack, there.destination)
    files = there.platform.release_files(stack, there.destination)
    step = apply.kustomize_step(there.cluster, files)
    result = there.node.run(Script((there.ready, step)))[step.name]
    if result.ok:
        return result.output
    raise SpinstackError(
        "kubectl can't merge the files in kubernetes/ into the manifests",
        where=str(stack.directory / "kubernetes"),
        remedy="fix what it says; `invoke render --output DIR` writes what it was given",
        details=tail(result.output),
    )
