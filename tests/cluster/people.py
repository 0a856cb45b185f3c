"""Namespaces, and those who may work in one of them alone."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from . import certificates
from .cluster import Cluster, Kubectl

PERSON = "person"
# How long a login is good for unless said otherwise; seconds.
LOGIN_FOR = 12 * 3600.0


@dataclass(frozen=True)
class Namespace:
    """A namespace, and the kubeconfig of a person who may do there what `edit` allows and gets
    403 for everything else."""

    cluster: Cluster
    name: str
    kubeconfig: Path

    @property
    def person(self) -> Kubectl:
        """kubectl of that person, whose kubeconfig names the namespace."""
        return Kubectl(self.cluster.kubectl, self.kubeconfig)

    @property
    def admin(self) -> Kubectl:
        """kubectl of the cluster's administrator; needs `--namespace`."""
        return self.cluster.admin

    def remove(self) -> None:
        """Without waiting for its end."""
        self.admin.run("delete", "namespace", self.name, "--wait=false", "--ignore-not-found")


def make_namespace(cluster: Cluster, name: str, directory: Path | None = None) -> Namespace:
    """A new namespace, with its person's kubeconfig in `directory` (the cluster's own if None)."""
    cluster.admin.apply(*_objects(name))

    def has_account() -> bool:
        words = ("get", "serviceaccount", "default", "--namespace", name)
        return cluster.admin.try_(*words).returncode == 0

    cluster.wait_for(has_account, f"pods may be made in {name}")
    path = (directory or cluster.place.directory) / f"{name}.kubeconfig"
    write_kubeconfig(cluster, name, path)
    return Namespace(cluster, name, path)


def _objects(namespace: str) -> list[dict[str, Any]]:
    at = {"name": PERSON, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": at},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": at,
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", **at}],
        },
    ]


def write_kubeconfig(
    cluster: Cluster, namespace: str, path: Path, seconds: float = LOGIN_FOR
) -> None:
    """The person's login, good for so many seconds: none or fewer for one that has expired."""
    content = certificates.kubeconfig(
        cluster.server,
        cluster.authority,
        PERSON,
        {"token": token(cluster, namespace, seconds)},
        namespace,
    )
    certificates.write_private(path, content)


def token(cluster: Cluster, namespace: str, seconds: float = LOGIN_FOR) -> str:
    """A bearer token of the person. Of our own clusters signed here: the API server itself gives
    out none for less than ten minutes."""
    where = ("--namespace", namespace)
    if cluster.own is None:
        words = ("create", "token", PERSON, f"--duration={max(seconds, 600):.0f}s", *where)
        return cluster.admin.run(*words).strip()
    uid = cluster.admin.get("serviceaccount", PERSON, *where)["metadata"]["uid"]
    now = time.time()
    issuer = "https://kubernetes.default.svc"
    claims = {
        "iss": issuer,
        "aud": [issuer],
        "sub": f"system:serviceaccount:{namespace}:{PERSON}",
        "iat": int(now - 3600),
        "nbf": int(now - 3600),
        "exp": int(now + seconds),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": PERSON, "uid": uid}},
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    pem = (cluster.place.certificates / "tokens.key").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64(signature)}"


def _part(content: dict[str, Any]) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
