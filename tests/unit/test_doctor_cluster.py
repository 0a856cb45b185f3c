"""A destination on Kubernetes, driven from the laptop: the doctor, the login, setup, the check."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from invoke.exceptions import Exit

from spinstack.errors import UsageError
from spinstack.setup import doctor_cluster, project
from spinstack.setup import login as setup_login
from spinstack.setup import settings as setup_settings
from spinstack.tasks import doctor as tasks_doctor
from spinstack.tasks import prepare
from spinstack.transport.runner import Result
from tests.unit.stack_session import StackSession, baked, run

HOUR = 3600
NOW = time.time()
VERSION = Result('{"clientVersion": {"gitVersion": "v1.37.1"}}')


# Answers as a server would that lets us in; `refused`, beside it, is what it says instead.
KUBECTL = """\
#!/bin/sh
here=${0%/*}
case "$*" in
    *" get "*) [ ! -e $here/refused ] || { cat $here/refused >&2; exit 1; }; echo '{"items": []}' ;;
    *"auth can-i"*) grep -q "${*##* }" $here/no && echo no || echo yes ;;
    *version*) [ ! -e $here/old ] || cat $here/old >&2 ;;
    *) exit 9 ;;
esac
"""


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinstack.setup.login_state.now", lambda: NOW)


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its directory."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "kubectl").write_text(KUBECTL)
    (place / "kubectl").chmod(0o755)
    (place / "no").touch()
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return place


def a_session(tmp_path: Path, **more: Any) -> StackSession:
    stack = baked(tmp_path)
    written = yaml.safe_load((stack / "invoke.yaml").read_text())
    written["spinstack"]["destinations"]["cloud"] = {
        "platform": "kubernetes",
        "kubernetes": {
            **{"cluster": "development", "namespace": "nightwatch", "uid": 41037},
            "kubeconfig": str(tmp_path / "kubeconfig"),
        },
        **more,
    }
    (stack / "invoke.yaml").write_text(yaml.safe_dump(written))
    return StackSession(stack, {"kubectl version": VERSION}, to="cloud")


def a_kubeconfig(tmp_path: Path, user: dict[str, Any] | None = None, mode: int = 0o600) -> Path:
    path = tmp_path / "kubeconfig"
    context = {"cluster": "development", "user": "me"}
    users = [{"name": "me", "user": {"token": "kubeconfig-u:x"} if user is None else user}]
    path.write_text(
        yaml.safe_dump({"contexts": [{"name": "development", "context": context}], "users": users})
    )
    path.chmod(mode)
    return path


def a_token(seconds: float) -> str:
    claims = json.dumps({"exp": NOW + seconds}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def a_certificate(seconds: float) -> str:
    key, now = Ed25519PrivateKey.generate(), datetime.fromtimestamp(NOW, timezone.utc)
    name = x509.Name([])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(seconds=seconds))
        .sign(key, None)
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


@pytest.mark.parametrize(
    ("user", "state", "found"),
    [
        ({"token": "kubeconfig-u-abc:xyz"}, "ok", "does not tell how long it lasts"),
        ({"token": a_token(5 * HOUR + 30)}, "ok", "a token for another 5 h 0 min"),
        ({"token": a_token(120)}, "problem", "less than a deploy may take"),
        ({"token": a_token(-60)}, "problem", "a token that expired on 20"),
        ({"client-certificate-data": a_certificate(-60)}, "problem", "a certificate that expired"),
        ({"client-certificate-data": a_certificate(2 * HOUR)}, "ok", "for another 1 h 59 min"),
        ({"exec": {"command": "no-such-rancher"}}, "problem", "which is not installed"),
        ({"exec": {"command": "sh"}}, "ok", "sh logs in"),
        ({}, "warning", "no login in it"),
        ({"exec": {}, "token": ["?"]}, "ok", "does not tell"),
        ({"exec": "sh"}, "warning", "no login in it"),
    ],
)
def test_how_long_the_login_in_a_kubeconfig_lasts(
    tmp_path: Path, user: dict[str, Any], state: str, found: str
) -> None:
    a_kubeconfig(tmp_path, user)
    (outcome,) = doctor_cluster.config(a_session(tmp_path))
    assert (outcome.state, outcome.part) == (state, "kubeconfig"), outcome
    assert found in outcome.found
    assert bool(outcome.remedy) == (state != "ok")


def test_what_is_wrong_with_the_file_itself(tmp_path: Path) -> None:
    session = a_session(tmp_path)
    (missing,) = doctor_cluster.config(session)
    assert missing.state == "problem" and "rancher2.spin.nersc.gov" in missing.remedy
    path = a_kubeconfig(tmp_path, mode=0o644)
    others, lasting = doctor_cluster.config(session)
    assert (others.state, others.remedy) == ("warning", f"chmod 600 {path}")
    assert lasting.state == "ok"
    path.write_text("contexts: [{name: production, context: {}}, 7]\nusers: 3\n")
    *_, unknown = doctor_cluster.config(session)
    assert "has no context development; it has production" in unknown.found


def doctor(session: StackSession, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    for name in ("disk", "versions", "engine", "settings"):
        monkeypatch.setattr(f"spinstack.setup.doctor_machine.{name}", lambda _: [])
    monkeypatch.setattr("spinstack.setup.doctor_network.registry", lambda _: [])
    told: list[Any] = []
    monkeypatch.setattr(session.console, "json", told.append)
    try:
        run(tasks_doctor.doctor, session, json=True)
    except Exit as end:
        assert end.code == 1
    return list(told[0])


def test_the_doctor_asks_the_cluster_and_no_login_node(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_kubeconfig(tmp_path)
    session = a_session(tmp_path)
    told = doctor(session, monkeypatch)
    assert [(one["part"], one["state"]) for one in told] == [
        ("kubectl", "ok"),
        ("kubeconfig", "ok"),
        ("cluster", "ok"),
    ]
    assert told[0]["found"] == "kubectl v1.37.1"
    where = "development, namespace nightwatch"
    assert (
        told[2]["found"] == "namespace nightwatch in development lets you deploy, from this machine"
    )
    (kubectl / "no").write_text("deployments.apps")
    (kubectl / "old").write_text(
        "WARNING: version difference between client (1.32) and server (1.37) exceeds the "
        "supported minor version skew of +/-1\n"
    )
    *_, rights, skew = doctor(session, monkeypatch)
    assert (rights["state"], rights["found"]) == (
        "problem",
        f"you may not patch deployments.apps there ({where})",
    )
    assert skew["state"] == "warning" and "client" not in skew["found"] and "1.32" in skew["found"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("error: You must be logged in to the server (Unauthorized)", "token|log"),
        (
            'Error from server (Forbidden): deployments.apps is forbidden: User "u-abc" cannot '
            'list resource "deployments" in API group "apps" in the namespace "nightwatch"',
            "right|may not|namespace",
        ),
        (
            "Unable to connect to the server: dial tcp: lookup rancher2.spin.nersc.gov on "
            "127.0.0.53:53: no such host",
            "name|resolved|host",
        ),
        (
            "Unable to connect to the server: tls: failed to verify certificate: x509: "
            "certificate signed by unknown authority",
            "certificate",
        ),
    ],
)
def test_why_the_cluster_does_not_answer(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch, said: str, found: str
) -> None:
    a_kubeconfig(tmp_path)
    (kubectl / "refused").write_text(f"{said}\n")
    outcome = doctor(a_session(tmp_path), monkeypatch)[2]
    assert outcome["state"] in ("problem", "warning")
    assert re.search(found, outcome["found"]), outcome
    assert outcome["remedy"]


def test_without_a_login_the_doctor_does_not_log_in_and_says_what_works_from_here(
    tmp_path: Path,
) -> None:
    path = a_kubeconfig(tmp_path)
    at = {"cluster": "development", "namespace": "nightwatch", "kubectl": "login"}
    more = {"kubernetes": {**at, "kubeconfig": str(path)}, "project_dir": "/global/cfs/x"}
    session = a_session(tmp_path, **more)
    (here,) = doctor_cluster.elsewhere(session)
    assert here.state == "ok" and here.found.endswith("from this machine, too (kubectl: laptop)")
    (there,) = doctor_cluster.access(session)
    assert there.state == "warning" and "you are not logged in" in there.found
    path.unlink()
    assert doctor_cluster.elsewhere(session) == []


def login(session: StackSession, **options: bool) -> None:
    nothing = {"status": False, "sshproxy": False, "person": "", "json": False}
    setup_login.login(session, **{**nothing, **options})  # type: ignore[arg-type]


def test_nobody_logs_in_where_kubectl_runs_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, path = a_session(tmp_path), a_kubeconfig(tmp_path, {"token": a_token(HOUR + 30)})
    login(session)
    setup_login.logout(session, json=False)
    assert "nothing to open: no login is needed" in capsys.readouterr().err
    login(session, status=True)
    told = capsys.readouterr().out
    assert "login  this machine: no login is needed" in told
    assert f"key    {path}: valid for another 1 h 0 min" in told
    a_kubeconfig(tmp_path, {"token": a_token(-5)})
    with pytest.raises(Exit):
        login(session, status=True, json=True)
    assert json.loads(capsys.readouterr().out)["logged_in"] is False
    with pytest.raises(UsageError, match="needs no ssh key"):
        login(session, sshproxy=True)


def test_setup_looks_at_access_and_leaves_what_is_far_away(tmp_path: Path, kubectl: Path) -> None:
    a_kubeconfig(tmp_path)
    session = a_session(tmp_path)
    lines = project.setup(session)
    assert [(line.state, line.what) for line in lines[:1]] == [("ok", "Kubernetes")]
    assert {line.state for line in lines[1:]} == {"left"}
    (kubectl / "no").write_text("configmaps")
    (line, *_) = project.setup(session)
    assert (line.state, line.text) == ("needs you", "you may not create configmaps there")


def test_the_check_asks_the_cluster_and_says_what_it_could_not_see(
    tmp_path: Path,
    kubectl: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spinstack.checks.image_state.findings", lambda *_, **__: [])
    a_kubeconfig(tmp_path)
    (kubectl / "no").write_text("configmaps")
    with pytest.raises(Exit):
        run(prepare.check, a_session(tmp_path))
    told = capsys.readouterr()
    assert "error: you may not create configmaps there [kubernetes-rights]" in told.out
    assert "project directory" not in told.out
    assert "the mounted directories were not looked at" in told.err


def test_env_tells_where_the_settings_of_kubernetes_and_the_uid_come_from(tmp_path: Path) -> None:
    session = a_session(tmp_path)
    path = session.directory / "invoke.yaml"
    path.write_text(path.read_text() + "  kubernetes: {storage_class: nfs}\n")
    session = StackSession(session.directory, to="cloud")
    layers = setup_settings.layers(session.config)
    rows = {
        row.name: row
        for row in (
            *setup_settings.settings(layers, session.settings, session.destination),
            *setup_settings.variables(layers, session, setup_settings.stack_of(session)),
        )
    }
    assert rows["kubernetes.storage_class"].value == "nfs", "one of all destinations counts too"
    assert rows["kubernetes.namespace"].value == "nightwatch"
    assert rows["UID"].value == "41037"
    assert "invoke.yaml:" in rows["UID"].origin
