"""The doctor: an outcome a part, in order, within a time limit; what each part says."""

from __future__ import annotations

import base64
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
)
from invoke.exceptions import Exit

from spinstack.errors import SpinstackError, UsageError
from spinstack.images import registry_login
from spinstack.setup import doctor, doctor_machine, doctor_network
from spinstack.setup.doctor import Outcome, Part
from spinstack.tasks import doctor as tasks_doctor
from spinstack.transport.runner import Result
from tests.real.openssh import own_config
from tests.unit.stack_session import StackSession, baked, run


def test_parts_are_told_in_their_order_and_none_can_hold_the_others_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = threading.Event()

    def stuck() -> Outcome:
        told.wait(60)
        raise AssertionError

    def wrong() -> Outcome:
        raise SpinstackError("it is broken", where="there", remedy="mend it")

    def slow() -> Outcome:
        time.sleep(0.05)
        return Outcome("slow", "ok", "here")

    # The time stands still until there are two answers, and is up then.
    clock = iter([0.0, 0.0, 0.0, 100.0])
    monkeypatch.setattr(doctor, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    parts = [Part("stuck", stuck), Part("slow", slow), Part("wrong", wrong)]
    found = doctor.examine(parts, patience=50)
    told.set()
    assert [(one.part, one.state) for one in found] == [
        ("stuck", "problem"),
        ("slow", "ok"),
        ("wrong", "problem"),
    ]
    assert found[2].found == "it is broken (there)"
    assert found[2].remedy == "mend it"


@pytest.fixture
def session(tmp_path: Path) -> StackSession:
    return StackSession(baked(tmp_path))


@pytest.fixture
def looks(session: StackSession, monkeypatch: pytest.MonkeyPatch) -> StackSession:
    """A machine where all is well, but the login node does not answer."""
    ok = {name: Outcome(name, "ok", "fine") for name in ("registry", "key", "disk")}
    monkeypatch.setattr(doctor_network, "registry", lambda _: [ok["registry"]])
    monkeypatch.setattr(doctor_network, "keys", lambda _: ok["key"])
    monkeypatch.setattr(doctor_machine, "disk", lambda _: ok["disk"])
    silent = Outcome("login node", "problem", "no answer", "look at the status page")
    monkeypatch.setattr(doctor_network, "login_node", lambda _: [silent])
    session.programs.answers |= {
        "docker version --format '{{json .}}'": Result('{"Client": {"Os": "linux"}}'),
        "docker version --format '{{.Client": Result("28.2.2 20.10.24"),
        "docker info": Result("/no/such/directory\n"),
        "docker compose version": Result("", "unknown command", 1),
        "docker-compose version": Result("", "", 127),
        "ssh -V": Result("", "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19\n"),
    }
    return session


def test_one_line_a_part_with_a_remedy_and_exit_code_1_for_a_problem(
    looks: StackSession, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit) as end:
        run(tasks_doctor.doctor, looks)
    assert end.value.code == 1
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    text = "\n".join(lines)
    assert "ok       engine      docker 28.2.2, server 20.10.24" in lines
    assert "ok       ssh         OpenSSH_9.2p1" in lines
    assert "problem  login node  no answer" in lines
    assert lines[lines.index("problem  login node  no answer") + 1].endswith(
        "fix: look at the status page"
    )
    assert "warning  compose     no compose program for docker" in text


def test_json_has_the_same(looks: StackSession, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit):
        run(tasks_doctor.doctor, looks, json=True)
    told = {one["part"]: one for one in json.loads(capsys.readouterr().out)}
    assert told["login node"]["state"] == "problem"
    assert told["settings"]["state"] == "ok"
    assert set(told["engine"]) == {"part", "state", "found", "remedy"}


def test_dry_shows_what_is_asked_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = StackSession(baked(tmp_path), {"": Result()}, dry=True)
    run(tasks_doctor.doctor, session)
    shown = capsys.readouterr().out
    assert "# connects to perlmutter.nersc.gov;" in shown
    assert "ssh -V" in session.programs.calls


def test_outside_a_stack_the_machine_alone_is_looked_at(tmp_path: Path) -> None:
    session = StackSession(tmp_path)
    outcome = doctor_machine.in_a_stack(session)
    assert outcome is not None
    assert outcome.state == "warning"


def test_findings_of_the_check_are_a_problem(session: StackSession) -> None:
    assert doctor_machine.settings(session).state == "ok"
    env = session.directory / "stack.env"
    env.write_text(env.read_text().replace("60037", "443"))
    outcome = doctor_machine.settings(StackSession(session.directory))
    assert outcome.state == "problem"
    assert "stack.env:11 (WEB_PORT): port 443 belongs to" in outcome.found
    assert outcome.remedy.startswith("use one that is open")


def certificate(path: Path, begin: float, end: float) -> None:
    key = Ed25519PrivateKey.generate()
    made = (
        SSHCertificateBuilder()
        .public_key(key.public_key())
        .type(SSHCertificateType.USER)
        .valid_principals([b"alice"])
        .key_id(b"alice")
        .valid_after(int(begin))
        .valid_before(int(end))
        .serial(1)
        .sign(key)
    )
    path.write_text("key\n")
    path.chmod(0o600)
    path.with_name(f"{path.name}-cert.pub").write_bytes(made.public_bytes())


HOUR = 3600


@pytest.mark.parametrize(
    ("begin", "end", "state", "said"),
    [
        (-HOUR, 23 * HOUR, "ok", "(23 h)"),
        (-25 * HOUR, -HOUR, "warning", "expired"),
        (HOUR, 25 * HOUR, "warning", "is not valid before"),
    ],
)
def test_the_certificate_of_sshproxy_is_read(
    session: StackSession, begin: int, end: int, state: str, said: str
) -> None:
    assert "each login asks for Password + OTP" in doctor_network.keys(session).found
    key = Path.home() / ".ssh/nersc"
    key.parent.mkdir()
    certificate(key, time.time() + begin, time.time() + end + 60)
    outcome = doctor_network.keys(session)
    assert (outcome.state, said in outcome.found) == (state, True)
    key.chmod(0o644)
    assert doctor_network.keys(session).remedy == f"chmod 600 {key}"


@pytest.mark.parametrize(
    ("date", "state", "said"),
    [
        (1000.0, "ok", "0 s"),
        (1090.0, "warning", "90 s behind"),
        (910.0, "warning", "90 s ahead"),
        (None, "warning", "not compared"),
    ],
)
def test_the_clock_is_compared_with_the_registrys(
    date: float | None, state: str, said: str
) -> None:
    told = "" if date is None else formatdate(date, usegmt=True)
    outcome = doctor_network.clock("registry.spin.nersc.gov", told, 1000.5)
    assert outcome.state == state
    assert said in outcome.found
    assert ("synchronize" in outcome.remedy) == ("90 s" in said)
    assert doctor_network.clock("127.0.0.1:5000", told, 1000.5).state == "ok"


class Registry(BaseHTTPRequestHandler):
    """Asks for alice's password."""

    def do_GET(self) -> None:
        known = registry_login.Credentials("alice", "secret").basic()
        let_in = self.headers.get("Authorization") == known
        self.send_response(200 if let_in else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("login", "state", "said"),
    [
        (None, "problem", "you are not logged in"),
        (("alice", "old"), "problem", "refuses the login of alice"),
        (("alice", "secret"), "ok", "logged in as alice"),
    ],
)
def test_the_registry_is_asked_with_the_login_that_the_engine_keeps(
    tmp_path: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    login: tuple[str, str] | None,
    state: str,
    said: str,
) -> None:
    session = StackSession(baked(tmp_path))
    settings = session.directory / "invoke.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("registry.nersc.gov", f"127.0.0.1:{port}"))
    kept = registry_login.Credentials(*login) if login else None
    monkeypatch.setattr(registry_login, "credentials", lambda *_: kept)
    outcome = doctor_network.registry(StackSession(session.directory))[0]
    assert outcome.state == state
    assert said in outcome.found
    if state == "problem":
        assert outcome.remedy == "run `invoke registry.login`"


def test_a_login_of_podman_for_one_image_is_a_login(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = StackSession(baked(tmp_path))
    settings = session.directory / "invoke.yaml"
    text = settings.read_text().replace("registry.nersc.gov", f"127.0.0.1:{port}")
    settings.write_text(text.replace("spinstack:\n", "spinstack:\n  engine: podman\n", 1))
    session = StackSession(session.directory)
    place = f"127.0.0.1:{port}/{session.destination.namespace}/uwsgi-flask-nightwatch"
    auth = base64.b64encode(b"alice:secret").decode()
    kept = tmp_path / "auth.json"
    kept.write_text(json.dumps({"auths": {place: {"auth": auth}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(kept))
    assert doctor_network.registry(session)[0].found.endswith("logged in as alice")


class Greeter(threading.Thread):
    """An ssh server that shows its host key and lets nobody in."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.key = paramiko.RSAKey.generate(2048)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.node = doctor_network.Node("127.0.0.1", self.socket.getsockname()[1], "", ())
        self.kept: list[paramiko.Transport] = []

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())
            self.kept.append(transport)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ("openssh", "ssh can't use its configuration"),
        ("fabric", "the wire fabric can't read the ssh config"),
    ],
)
def test_a_broken_ssh_config_is_no_bug_of_ours(
    session: StackSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wire: str,
    said: str,
) -> None:
    own_config(monkeypatch, tmp_path).write_text("Host *\n  GSSAPIAuthentication\n")
    with pytest.raises(UsageError, match=said):
        doctor_network.node_of(dataclasses.replace(session.destination, wire=wire))


def test_host_keys_are_known_unknown_or_changed(
    session: StackSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greeter = Greeter()
    greeter.start()
    known = tmp_path / "known_hosts"
    node = doctor_network.Node("127.0.0.1", greeter.node.port, "", (known,))
    monkeypatch.setattr(doctor_network, "node_of", lambda _: node)

    def judged(key: paramiko.PKey | None, marker: str = "") -> Outcome:
        line = f"{marker}{node.name} {key.get_name()} {key.get_base64()}\n" if key else ""
        known.write_text(line)
        return doctor_network.login_node(session)[1]

    assert judged(greeter.key).state == "ok"
    assert judged(None).state == "warning"
    changed = judged(paramiko.RSAKey.generate(2048))
    assert (changed.state, changed.found[:7]) == ("problem", "CHANGED")
    known.write_text(f"{known.read_text()}* {greeter.key.get_name()} {greeter.key.get_base64()}\n")
    assert doctor_network.login_node(session)[1].state == "ok"
    revoked = judged(greeter.key, "@revoked ")
    assert (revoked.state, revoked.found[:7]) == ("problem", "REVOKED")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        node = doctor_network.Node("127.0.0.1", closed.getsockname()[1], "", ())
    (gone,) = doctor_network.login_node(session)
    assert gone.state == "problem"
    assert "connection refused" in gone.found
