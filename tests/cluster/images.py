"""Images made without an engine or a registry: files in a layer, as `docker save` writes them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .components import PAUSE_IMAGE

# A small system for tests; what busybox does under these names, and as `busybox NAME`.
BUSYBOX_IMAGE = "spinstack-cluster/busybox:1"
TOOLS = (
    "sh cat chmod cp date df echo env false getopt grep head hostname httpd id kill ln ls mkdir mv "
    "nc nslookup ps rm sed sleep stat stty tail tee test timeout touch true tty wc wget whoami"
)


@dataclass(frozen=True)
class Content:
    """What an image has: path in it -> file on this machine, or the target of a link."""

    files: Mapping[str, Path]
    links: Mapping[str, str]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()


def pause(program: Path) -> Content:
    """What holds the namespaces of a pod."""
    return Content({"pause": program}, {}, entrypoint=["/pause"])


def busybox(program: Path = Path("/bin/busybox")) -> Content:
    links = {f"bin/{tool}": "busybox" for tool in TOOLS.split()}
    return Content({"bin/busybox": program}, links, command=["sh"])


def write(path: Path, name: str, content: Content) -> None:
    """An archive at `path` with the image `name`."""
    layer = _layer(content)
    config = json.dumps(_config(content, layer)).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "layer.tar", layer, 0o644)
        _add(archive, config_name, config, 0o644)
        _add(archive, "manifest.json", json.dumps(manifest).encode(), 0o644)


def _layer(content: Content) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for directory, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        for name, file in content.files.items():
            _add(archive, name, file.read_bytes(), 0o755)
        for name, target in content.links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return packed.getvalue()


def _config(content: Content, layer: bytes) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin"],
            "Entrypoint": list(content.entrypoint),
            "Cmd": list(content.command),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def write_own(directory: Path, programs: Path) -> list[Path]:
    """Archives of the images that each cluster has from the start."""
    made = {PAUSE_IMAGE: pause(programs / "pause"), BUSYBOX_IMAGE: busybox()}
    paths = []
    for number, (name, content) in enumerate(made.items()):
        paths.append(directory / f"image-{number}.tar")
        write(paths[-1], name, content)
    return paths
