"""`nginx -t` on the stack's configuration, in the image that will run it; for `--deep`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from spinstack.checks import nginx_files
from spinstack.config.settings import Settings
from spinstack.config.stack import Stack
from spinstack.images.engine import Engine
from spinstack.rules.finding import Finding
from spinstack.rules.service import Service
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

# Seconds for a container that only reads its files.
_WITHIN = 60
# The ids of nobody, for when root runs the check.
_NOBODY = 65534


def findings(
    runner: Runner, engine: Engine, settings: Settings, stack: Stack, services: list[Service]
) -> Iterator[Finding]:
    """What nginx rejects in the files that its image has and that each service mounts below
    /etc/nginx. No finding if the image has not been built, or if nothing is mounted there."""
    names = [service.name for service in services]
    for service in services:
        mounted = _mounted(settings.directory.resolve(), service)
        present = engine.command("image", "inspect", service.image)
        if not mounted or not runner.run(present, timeout=_WITHIN, changes=False).ok:
            continue
        words = _words(settings, stack, service)
        result = runner.run(_command(engine, service, mounted, names, words), timeout=_WITHIN)
        match = re.search(r"\[emerg\].*?: (.*) in (/\S+):(\d+)", result.stdout + result.stderr)
        if result.ok or not match:
            continue
        file = nginx_files.placed(settings, stack, service).get(match[2], match[2])
        where = f"{os.path.relpath(file, settings.directory.resolve())}:{match[3]}"
        yield Finding("nginx-test", where, f"nginx rejects it: {match[1]}", "correct the line")


def _mounted(root: Path, service: Service) -> dict[str, str]:
    """Files of the stack, and their paths in the container."""
    return {
        str((root / mount.source).resolve()): mount.target
        for mount in service.mounts
        if mount.source.startswith(".") and mount.target.startswith("/etc/nginx")
    }


def _words(settings: Settings, stack: Stack, service: Service) -> tuple[str, ...]:
    """The arguments: if the image has an entrypoint of its own, it passes them on to nginx."""
    image = nginx_files.image(settings, stack, service)
    path = settings.directory / image.context / image.dockerfile if image else None
    if path and path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        return ("-t",) if re.search(r"^ENTRYPOINT", text, re.MULTILINE) else ("nginx", "-t")
    return ("nginx", "-t")


def _command(
    engine: Engine,
    service: Service,
    mounted: dict[str, str],
    names: Iterable[str],
    words: tuple[str, ...],
) -> Command:
    """A container like the one at Spin, without a network: no other service is needed."""
    me = os.getuid() or _NOBODY
    flags = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    flags += ["--user", f"{me}:{os.getgid() or _NOBODY}"]
    flags += [f"--add-host={name}:127.0.0.1" for name in names]
    flags += [f"--volume={source}:{target}:ro" for source, target in mounted.items()]
    return engine.command("run", *flags, service.image, *words)
