"""Scenario: images: how large, how soon rebuilt after one line changed, what is pushed then."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.bench import STACKS, Bench
from benchmarks.serving.figures import GENERATED, TUTORIAL, Cell
from benchmarks.serving.images import generated_specs, tutorial_app_spec
from spin_rehearsal import packages, registry_child
from spinstack.errors import SpinstackError
from spinstack.images import build
from spinstack.images.tag import ImageSpec

# The tutorial's takes a minute each time.
REBUILDS = {GENERATED: 3, TUTORIAL: 1}
_PUSH_WITHIN = 900.0


def delivery(bench: Bench) -> None:
    """Sizes of both images, then rebuild and push of the application's after a change."""
    for name in STACKS:
        for service in ("app", "web"):
            size = bench.stage.ask(
                *("image", "inspect", "--format={{.Size}}"),
                bench.variants[name].values[f"{service.upper()}_IMAGE"],
            )
            bench.results.add(Cell("image", service, 0, name), mb=int(size) / 1e6)
    if bench.effort.quick:
        return  # to push some hundred MB takes too long for a smoke run
    with _registry() as (address, directory):
        for name in (GENERATED, TUTORIAL):
            _change_and_push(bench, name, address, directory)


def _change_and_push(bench: Bench, name: str, address: str, directory: Path) -> None:
    spec = _app_spec(bench, name)
    first = bench.shop.build(spec)
    _push(bench, first, f"{address}/{name}:first")
    changed = f"{address}/{name}:changed"
    for _ in range(REBUILDS[name]):
        # Different each time, so that no earlier run's layer fits.
        with (spec.context / "app.py").open("a", encoding="utf-8") as file:
            file.write(f"# changed {time.time_ns()}\n")
        built = build.build(bench.shop.runner, bench.shop.engine, spec, changed)
        bench.results.add(Cell("rebuild", "app", 0, name), seconds=built.seconds)
    before = _stored(directory)
    _push(bench, changed, changed)
    bench.results.add(Cell("push", "app", 0, name), kb=(_stored(directory) - before) / 1000)
    for reference in (changed, f"{address}/{name}:first"):
        bench.stage.ask("image", "rm", reference)


def _app_spec(bench: Bench, name: str) -> ImageSpec:
    ours = bench.variants[GENERATED]
    if name == GENERATED:
        return generated_specs(bench.shop, ours.directory)["APP_IMAGE"]
    directory = bench.variants[TUTORIAL].directory
    return tutorial_app_spec(bench.shop, directory, ours, quick=False)


def _push(bench: Bench, reference: str, name: str) -> None:
    if reference != name:
        bench.stage.ask("tag", reference, name)
    engine = bench.stage.engine
    flags = engine.plain_http(name.partition("/")[0])
    done = bench.stage.runner.run(engine.command("push", *flags, name), timeout=_PUSH_WITHIN)
    if not done.ok:
        raise SpinstackError(
            f"{engine.name} could not push to the registry of this run",
            where=name,
            remedy="read what it says above",
            details=done.stderr.strip()[-800:],
        )


def _stored(directory: Path) -> int:
    """Bytes that the registry keeps: layers, configurations and manifests."""
    return sum(path.stat().st_size for path in directory.glob("blobs/**/data"))


@contextmanager
def _registry() -> Iterator[tuple[str, Path]]:
    """A registry of this run's own: its address, and the directory of its files."""
    program = packages.find_program(registry_child.PROGRAM) or registry_child.PROGRAM
    with tempfile.TemporaryDirectory(prefix="spinstack-bench-", dir="/var/tmp") as place:
        directory = Path(place)
        address = f"127.0.0.1:{_free_port()}"
        file = directory / "config.yml"
        file.write_text(registry_child.config(address, directory), encoding="utf-8")
        log = directory / "log"
        with log.open("w") as output:
            child = subprocess.Popen(
                [program, "serve", os.fspath(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            _wait_for(address, child, log)
            yield address, directory
        finally:
            child.terminate()
            child.wait()


def _wait_for(address: str, child: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    for _ in range(200):
        with socket.socket() as connection:
            if connection.connect_ex((host, int(port))) == 0:
                return
        if child.poll() is not None:
            break
        time.sleep(0.05)
    raise SpinstackError(
        "the registry of this run does not start",
        where=address,
        remedy="read what it says above",
        details=log.read_text()[-800:],
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
