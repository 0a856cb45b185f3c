"""`rancher export`: a stack's compose files, written out of what the server has."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..api import Project, Resource
from ..failure import Failure
from ..flags import Parsed
from ..launchconfig import HASH
from ..lookup import lookup
from ..session import Session

_KEYS = {
    "capAdd": "cap_add",
    "capDrop": "cap_drop",
    "command": "command",
    "dataVolumes": "volumes",
    "entryPoint": "entrypoint",
    "environment": "environment",
    "groupAdd": "group_add",
    "hostname": "hostname",
    "ports": "ports",
    "readOnly": "read_only",
    "user": "user",
    "workingDir": "working_dir",
}


def run(session: Session, given: Parsed) -> int:
    """Raises Failure for an unknown stack, before anything is written."""
    project = session.project
    stacks = [lookup(project, name, ("stack",)) for name in given.names]
    files = {path: text for stack in stacks for path, text in _files(project, stack).items()}
    target = given.options["file"]
    if not target:
        for path, text in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
    elif target == "-":
        sys.stdout.buffer.write(_archive(files))
    else:
        try:
            Path(target).write_bytes(_archive(files))
        except OSError as problem:
            raise Failure(f"open {target}: {(problem.strerror or '').lower()}") from None
    return 0


def _files(project: Project, stack: Resource) -> dict[str, str]:
    services = project.find("service", stackId=stack["id"])
    docker = {service["name"]: _docker(service["launchConfig"]) for service in services}
    rancher = {service["name"]: _rancher(service) for service in services}
    return {
        f"{stack['name']}/docker-compose.yml": _yaml(docker),
        f"{stack['name']}/rancher-compose.yml": _yaml(rancher),
    }


def _yaml(services: Mapping[str, Any]) -> str:
    content = {"version": "2", "services": _escaped(dict(services))}
    return str(yaml.safe_dump(content, sort_keys=True))


def _escaped(value: Any) -> Any:
    """The value with its dollars doubled, so that an `up` of the file gives it back."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _docker(config: Resource) -> dict[str, Any]:
    made: dict[str, Any] = {"image": str(config.get("imageUuid") or "").partition(":")[2]}
    made.update({name: config[key] for key, name in _KEYS.items() if config.get(key)})
    labels = {key: text for key, text in (config.get("labels") or {}).items() if key != HASH}
    if labels:
        made["labels"] = labels
    if config.get("tmpfs"):
        made["tmpfs"] = [
            f"{path}:{text}" if text else path for path, text in config["tmpfs"].items()
        ]
    return made


def _rancher(service: Resource) -> dict[str, Any]:
    made: dict[str, Any] = {"scale": service.get("scale") or 1, "start_on_create": True}
    if service.get("retainIp"):
        made["retain_ip"] = True
    check = (service["launchConfig"]).get("healthCheck")
    if check:
        made["health_check"] = {_snake(key): item for key, item in check.items() if item}
    return made


def _snake(key: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key)


def _archive(files: Mapping[str, str]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()
