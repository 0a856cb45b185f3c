"""The registry of a rehearsal in a cluster: it asks for a login, as Spin's does.

It has one address for this machine's engine and for the nodes, on the loopback, where programs use
plain HTTP. A node that is a container of that engine (kind, k3d, minikube) has a loopback of its
own: there a second container serves the same files. So no node has to be configured.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import bcrypt

from spin_rehearsal import debian_images, registry_child
from spin_rehearsal.kubernetes.kubectl import Kubectl
from spin_rehearsal.kubernetes.places import State
from spin_rehearsal.paths import USER, Places
from spinstack.directories import write_private
from spinstack.errors import SpinstackError
from spinstack.images import engine as images_engine
from spinstack.images import registry_login
from spinstack.images.engine import Engine
from spinstack.images.registry_login import Credentials
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

Say = Callable[[str], None]

HOST = "127.0.0.1"
IMAGE = "docker.io/library/registry:2.8.3"
# Seconds for the image, for other calls of the engine, and until it answers.
_PULL_WITHIN = 300.0
_WITHIN = 60.0
_READY_WITHIN = 30.0
# Where the image keeps images, and has its configuration.
_FILES = Path("/var/lib/registry")
_CONFIG = Path("/etc/docker/registry")


def address() -> str:
    """A free one on this machine's loopback."""
    with socket.create_server((HOST, 0)) as found:
        return f"{HOST}:{found.getsockname()[1]}"


def start(runner: Runner, kubectl: Kubectl, decided: State, where: Places, say: Say) -> None:
    """Have it run, for this machine and for each node that is a container, and the engine logged
    in. What was pushed before is kept. Raises SpinstackError without its image."""
    engine = _engine(runner, decided)
    _have_image(runner, engine, say)
    if not runner.dry:
        _write(where)
    port = decided.registry.rpartition(":")[2]
    _run(runner, engine, decided, where, "", ("--publish", f"{decided.registry}:{port}"))
    for node in _nodes_in_containers(runner, engine, kubectl):
        _run(runner, engine, decided, where, node, ("--network", f"container:{node}"))
    if runner.dry:
        return
    _wait(decided.registry)
    registry_login.login(runner, engine, decided.registry, USER, _password(where).read_text())


def stop(runner: Runner, decided: State) -> None:
    """Remove it, what was pushed to it, and the engine's login. Changes nothing if it is gone."""
    from spin_rehearsal.stop import remove_images

    engine = _engine(runner, decided)
    listed = engine.command("ps", "--all", "--quiet", "--filter", f"label={_label(decided)}")
    found = runner.run(listed, timeout=_WITHIN, changes=False).stdout.split()
    if runner.dry:
        found = ["CONTAINER..."]
    if found:
        runner.run(engine.command("rm", "--force", *found), timeout=_WITHIN)
    runner.run(engine.command("volume", "rm", "--force", _name(decided)), timeout=_WITHIN)
    remove_images(runner, engine.name, decided.registry)
    runner.run(engine.command("logout", decided.registry), timeout=_WITHIN)


def pull_login(runner: Runner, decided: State, where: Places) -> Credentials | None:
    """What the cluster logs in with: to its own registry, or as this machine's engine does to
    another one; None without a login."""
    if runner.dry:
        return None
    if decided.engine:
        return Credentials(USER, _password(where).read_text())
    try:
        engine = images_engine.find(runner)
    except SpinstackError:
        return None
    return registry_login.credentials(runner, engine, decided.registry)


def pull_secret(registry: str, login: Credentials | None) -> str:
    """The content of a secret of the type kubernetes.io/dockerconfigjson."""
    if login is None:
        return json.dumps({"auths": {}})
    auth = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return json.dumps({"auths": {registry: {"auth": auth}}})


def _engine(runner: Runner, decided: State) -> Engine:
    return images_engine.find(runner, decided.engine)


def _name(decided: State) -> str:
    """Of its volume and, with what is added, of its containers: each person's own."""
    return f"spinstack-{decided.namespace}-{decided.id[:6]}"


def _label(decided: State) -> str:
    return f"spinstack.rehearsal={_name(decided)}"


def _directory(where: Places) -> Path:
    return where.private / "registry"


def _password(where: Places) -> Path:
    return _directory(where) / "password"


def _have_image(runner: Runner, engine: Engine, say: Say) -> None:
    if debian_images.has_image(runner, engine.name, IMAGE) and not runner.dry:
        return
    say(f"pulling {IMAGE}")
    pull = engine.command("pull", "--quiet", IMAGE)
    done = runner.run(pull, timeout=_PULL_WITHIN)
    if not done.ok:
        raise SpinstackError(
            f"the image {IMAGE} of the rehearsal's registry can't be pulled",
            remedy="get online, or name a registry that the cluster pulls from with --registry",
            details=done.stderr.strip(),
        )


def _write(where: Places) -> None:
    """Its configuration and its one user, whose password stays the same."""
    directory = _directory(where)
    directory.mkdir(mode=0o700, exist_ok=True)
    if not _password(where).exists():
        write_private(_password(where), secrets.token_urlsafe(12))
    # The only hash that it reads; it is computed for each request, so no more rounds than needed.
    hashed = bcrypt.hashpw(_password(where).read_bytes(), bcrypt.gensalt(4)).decode()
    write_private(directory / "htpasswd", f"{USER}:{hashed}\n")
    text = registry_child.config(f"{HOST}:5000", _FILES, users=_CONFIG / "htpasswd")
    write_private(directory / "config.yml", text)


def _run(
    runner: Runner,
    engine: Engine,
    decided: State,
    where: Places,
    node: str,
    network: tuple[str, str],
) -> None:
    """Run one of its containers anew: a node that was started again has left it without a
    network. `node`: on whose loopback, empty for this machine's."""
    name = f"{_name(decided)}-{node or 'registry'}"
    runner.run(engine.command("rm", "--force", name), timeout=_WITHIN)
    port = decided.registry.rpartition(":")[2]
    mounts = [f"{_name(decided)}:{_FILES}"]
    mounts += [f"{_directory(where) / it}:{_CONFIG / it}:ro" for it in ("config.yml", "htpasswd")]
    command = engine.command(
        *("run", "--detach", "--name", name, "--label", _label(decided)),
        *("--restart", "unless-stopped", *network),
        *(word for mount in mounts for word in ("--volume", mount)),
        *("--env", f"REGISTRY_HTTP_ADDR={HOST if node else '0.0.0.0'}:{port}", IMAGE),
    )
    done = runner.run(command, timeout=_WITHIN)
    if not done.ok:
        raise SpinstackError(
            "the rehearsal's registry can't be started",
            where=name,
            remedy="fix what the engine says, or name another registry with --registry",
            details=done.stderr.strip(),
        )


def _nodes_in_containers(runner: Runner, engine: Engine, kubectl: Kubectl) -> Iterator[str]:
    """kind, k3d and minikube call a node's container as the node."""
    for one in (kubectl.get("nodes") or {}).get("items") or []:
        name = str(one["metadata"]["name"])
        inspect = Command(engine.name, "container", "inspect", "--format", "{{.Id}}", name)
        if runner.run(inspect, timeout=_WITHIN, changes=False).ok:
            yield name


def _wait(registry: str) -> None:
    """Raises SpinstackError if it does not ask for a login in time."""
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://{registry}/v2/", timeout=1).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401:
                return
        except (OSError, HTTPException):
            pass
        time.sleep(0.2)
    raise SpinstackError(
        "the rehearsal's registry does not respond",
        where=registry,
        remedy="see the log of its container (`docker ps`, `docker logs`), then start again",
    )
