"""What `invoke doctor` checks outside: login node, keys, registry, clock. It never logs in."""

from __future__ import annotations

import email.utils
import logging
import os
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from spinstack import times
from spinstack.errors import UsageError
from spinstack.images import engine as images_engine
from spinstack.images import registry as images_registry
from spinstack.images import registry_login
from spinstack.setup.doctor import Outcome, State
from spinstack.transport import connect, probe, prompt
from spinstack.transport.fabric import known_hosts, ssh_config
from spinstack.transport.fabric import login as fabric_login

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.session import Session

# Paramiko logs a traceback if a server does not speak ssh; the outcome says it in one line.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# Seconds for one answer of the network.
ANSWER_WITHIN = 5.0
# In seconds. A one-time code is valid for 30 s; NERSC accepts a little more.
CLOCK_MAY_BE_OFF = 20.0


@dataclass(frozen=True)
class Node:
    """Where the login node is, by the settings and the person's ssh config."""

    host: str
    port: int
    through: str
    known_hosts: tuple[Path, ...]
    alias: str = ""

    @property
    def name(self) -> str:
        """Its name in known_hosts files."""
        return known_hosts.name_of(self.host, self.port, self.alias)


def node_of(destination: Destination) -> Node:
    """The node to which the tasks themselves would connect.

    Raises UsageError if the ssh config can't be read.
    """
    if connect.chosen(destination) == connect.OPENSSH:
        return _node_of_openssh(destination)
    connection = ssh_config.connection(destination, int(ANSWER_WITHIN))
    through = connection.gateway
    return Node(
        host=connection.host,
        port=connection.port,
        through=str(getattr(through, "host", through and "a ProxyCommand") or ""),
        known_hosts=_known_hosts(destination, connection.ssh_config),
        alias=connection.ssh_config.get("hostkeyalias", ""),
    )


def _node_of_openssh(destination: Destination) -> Node:
    from spinstack.transport.openssh.route import configured

    found = {key: values[0] for key, values in configured(destination).items()}
    if not found:
        look = f"`ssh -G {destination.host}` says why"
        raise UsageError("ssh can't use its configuration", where="~/.ssh/config", remedy=look)
    command = "a ProxyCommand" if found.get("proxycommand", "none") != "none" else ""
    return Node(
        host=found["hostname"],
        port=destination.port or int(found["port"]),
        through=found.get("proxyjump", command),
        known_hosts=_known_hosts(destination, found),
        alias=found.get("hostkeyalias", ""),
    )


def _known_hosts(destination: Destination, configured: Mapping[str, str]) -> tuple[Path, ...]:
    """The files with known hosts; `configured`: the ssh config's options."""
    names = ["~/.ssh/known_hosts", *configured.get("userknownhostsfile", "").split()]
    own = destination.known_hosts_file
    of_all = known_hosts.of_all(configured.get("globalknownhostsfile", ""))
    expanded = [Path(os.path.expanduser(name)) for name in names]  # noqa: PTH111 - any text
    return (*([own] if own else []), *expanded, *of_all)


def login_node(session: Session) -> Sequence[Outcome]:
    """Whether it answers, and whether its host key is the known one."""
    if session.dry:
        # Its address is known to ssh alone, which is not run now.
        host = session.destination.host
        session.console.result(f"# connects to {host}; reads its greeting and its host key")
        return []
    node = node_of(session.destination)
    where = f"{node.host}, port {node.port}"
    if node.through:
        return [Outcome("login node", "ok", f"{where}, through {node.through}: not checked")]
    try:
        key = host_key(node)
    except socket.gaierror:
        reason = "its name can't be resolved"
    except (OSError, EOFError, paramiko.SSHException) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else _told(error)
    else:
        return [Outcome("login node", "ok", f"{where} answers"), _judged(node, key)]
    remedy = session.destination.when_unreachable
    return [Outcome("login node", "problem", f"{where} can't be reached: {reason}", remedy)]


def _told(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def host_key(node: Node) -> paramiko.PKey:
    """The key that the node presents; the connection ends before any login.

    Raises OSError, EOFError or SSHException.
    """
    connection = socket.create_connection((node.host, node.port), ANSWER_WITHIN)
    with closing(paramiko.Transport(connection)) as transport:
        transport.banner_timeout = ANSWER_WITHIN
        _prefer(transport, known_keys(node))
        transport.start_client(timeout=ANSWER_WITHIN)
        return transport.get_remote_server_key()


def _prefer(transport: paramiko.Transport, known: dict[str, paramiko.PKey]) -> None:
    """Prefer the types of key that are already known, as ssh does."""
    options = transport.get_security_options()
    offered = list(options.key_types)
    wanted = [kind for kind in offered if _plain(kind) in known]
    options.key_types = [*wanted, *(kind for kind in offered if kind not in wanted)]


def _plain(kind: str) -> str:
    """RSA keys have several signature types but are known under one name."""
    return "ssh-rsa" if kind.startswith("rsa-sha2") else kind


def known_keys(node: Node) -> dict[str, paramiko.PKey]:
    """The host's known keys by type."""
    return known_hosts.keys(node.name, node.known_hosts)


def _judged(node: Node, key: paramiko.PKey) -> Outcome:
    shown = fabric_login.fingerprint(key)
    revoked = known_hosts.revoked(key, node.name, node.known_hosts)
    if revoked:
        told = f"REVOKED in {revoked}: {shown}"
        return Outcome("host key", "problem", told, fabric_login.REVOKED_REMEDY)
    if known_hosts.has(key, node.name, node.known_hosts):
        return Outcome("host key", "ok", f"known: {shown}")
    expected = known_keys(node).get(key.get_name())
    if expected is not None:
        return Outcome(
            "host key",
            "problem",
            f"CHANGED: {shown}, known as {fabric_login.fingerprint(expected)}",
            "ask the centre whether it changed its key; if so, run: "
            + known_hosts.forget(node.name, node.known_hosts),
        )
    return Outcome(
        "host key",
        "warning",
        f"not known yet: {shown}",
        "compare it with the centre's published fingerprints when the first login asks",
    )


def keys(session: Session) -> Outcome:
    """The key that saves the prompt, and how long its certificate is valid."""
    destination = session.destination
    if destination.login_answer_file:
        return Outcome("key", "ok", "not needed: a rehearsal answers its own prompt")
    path = (destination.identity_file or prompt.SSHPROXY_KEY).expanduser()
    renew = "run `invoke login --sshproxy` to get one for 24 h"
    if not path.exists():
        state: State = "problem" if destination.identity_file else "warning"
        what = f"no {path}: each login asks for {_prompt(destination)}"
        return Outcome("key", state, what, renew)
    if path.stat().st_mode & 0o077:
        return Outcome("key", "warning", f"others can read {path}", f"chmod 600 {path}")
    certificate = path.with_name(f"{path.name}-cert.pub")
    if not certificate.exists():
        return Outcome("key", "ok", f"{path}, without a certificate")
    return _validity(certificate, renew)


def _prompt(destination: Destination) -> str:
    return destination.centre.login_prompt.strip().rstrip(":")


def _validity(path: Path, renew: str) -> Outcome:
    from cryptography.hazmat.primitives.serialization import (
        SSHCertificate,
        load_ssh_public_identity,
    )

    try:
        identity = load_ssh_public_identity(path.read_bytes())
    except (OSError, ValueError) as error:
        return Outcome("key", "warning", f"can't read {path}: {error}", renew)
    if not isinstance(identity, SSHCertificate):
        return Outcome("key", "warning", f"{path} is not a certificate", renew)
    now, end = time.time(), identity.valid_before
    if end < now:
        return Outcome("key", "warning", f"the certificate {path} expired {_moment(end)}", renew)
    if identity.valid_after > now:
        begin = _moment(identity.valid_after)
        remedy = "check this machine's clock"
        return Outcome("key", "warning", f"{path} is not valid before {begin}", remedy)
    if end >= 2**63:
        return Outcome("key", "ok", f"{path}, valid for ever")
    return Outcome("key", "ok", f"{path}, valid until {_moment(end)} ({(end - now) / 3600:.0f} h)")


def _moment(seconds: float) -> str:
    return times.after_1970(seconds).strftime("%Y-%m-%d %H:%M UTC")


def registry(session: Session) -> Sequence[Outcome]:
    """Whether it answers and accepts the engine's login; and what its clock says."""
    name = session.destination.registry
    if session.dry:
        session.console.result(f"# GET /v2/ on {name}, with the login that the engine has stored")
        return []
    login = _login(session)
    asked = time.time()
    state = images_registry.ask(name, login, seconds=ANSWER_WITHIN)
    return [
        _registry(name, login, state, session.destination),
        clock(name, state.date, (asked + time.time()) / 2),
    ]


def _login(session: Session) -> registry_login.Credentials | None:
    """The login that the engine has stored, read without asking the engine, which may hang."""
    wanted = session.settings.engine or next(
        filter(shutil.which, images_engine.KNOWN), images_engine.KNOWN[0]
    )
    engine = images_engine.Engine(wanted, is_podman=wanted == "podman")
    to = session.destination
    # Podman may keep a login for a single repository.
    first = [image.name for image in session.settings.images[:1]]
    place = "/".join((to.registry, to.namespace, *first))
    return registry_login.credentials(session.runner, engine, place)


def _registry(
    name: str,
    login: registry_login.Credentials | None,
    state: images_registry.State,
    destination: Destination,
) -> Outcome:
    if state.let_in:
        who = f"logged in as {login.user}" if login else "needs no login"
        return Outcome("registry", "ok", f"{name}: {who}")
    if not state.reached:
        remedy = "check its name in invoke.yaml and your network (VPN?)"
        if destination.included:
            remedy = destination.when_unreachable
        return Outcome("registry", "problem", f"{name} can't be reached: {state.reason}", remedy)
    if state.status in (401, 403):
        kept = f"refuses the login of {login.user}" if login else "you are not logged in"
        return Outcome("registry", "problem", f"{name}: {kept}", "run `invoke registry.login`")
    return Outcome(
        "registry",
        "problem",
        f"{name} answers {state.status} {state.reason}",
        "check its name in invoke.yaml; if that is right, tell its operators",
    )


def clock(name: str, date: str, here: float) -> Outcome:
    """This machine's clock (`here`, seconds since 1970) compared with a server's HTTP Date."""
    if probe.is_loopback(name):
        return Outcome("clock", "ok", "not compared: the registry is on this machine")
    try:
        # It gives whole seconds: on average half of one has passed.
        there = email.utils.parsedate_to_datetime(date).timestamp() + 0.5
    except (TypeError, ValueError):
        # That says nothing about the clock.
        look = "get the registry to answer, then run `invoke doctor` again"
        return Outcome("clock", "warning", f"not compared: {name} gave no time", look)
    off = here - there
    if abs(off) > CLOCK_MAY_BE_OFF:
        side = "ahead" if off > 0 else "behind"
        return Outcome("clock", "warning", f"{abs(off):.0f} s {side} of {name}: {_OTP}", _SET)
    return Outcome("clock", "ok", f"{abs(off):.0f} s from {name}'s")


_OTP = "one-time codes, tokens and certificates may be refused"
_SET = "synchronize this machine's clock (Linux: `timedatectl set-ntp true`)"
