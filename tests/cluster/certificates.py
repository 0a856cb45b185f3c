"""The keys and certificates of a cluster, and the kubeconfigs of its components."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .place import KUBERNETES_SERVICE, Place

LIFETIME = datetime.timedelta(days=30)
DAY = datetime.timedelta(days=1)

# Component -> user name and group in the cluster; the names upstream's own roles are made for.
USERS = {
    "admin": ("kubernetes-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": ("system:node:node", "system:nodes"),
    # What is ours reads everything, as the controllers of a centre do.
    "dns": ("dns", "system:masters"),
    "ingress": ("ingress", "system:masters"),
}


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, each as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs what it is asked to."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("spinstack-cluster", "")
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = _builder(self._name, self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(usage, True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def client(self, name: str, group: str = "") -> Pair:
        """Who shows it is the user `name` of `group`."""
        return self._issue(_name(name, group), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def server(self, names: list[str], addresses: list[str]) -> Pair:
        """For a server of these names and addresses."""
        also: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        also += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self._issue(_name(names[0], ""), ExtendedKeyUsageOID.SERVER_AUTH, also)

    def _issue(self, name: x509.Name, use: x509.ObjectIdentifier, also: list[Any]) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, self._name, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), False)
        if also:
            builder = builder.add_extension(x509.SubjectAlternativeName(also), False)
        signed = builder.sign(self._key, hashes.SHA256())
        return Pair(signed.public_bytes(serialization.Encoding.PEM), _pem(key))


def _name(common: str, group: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - DAY).not_valid_after(now + LIFETIME)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_private(path: Path, content: bytes) -> None:
    """Readable by us alone from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def make(place: Place) -> None:
    """All that the components of a new cluster need."""
    authority = Authority()
    at = place.certificates
    write_private(at / "ca.crt", authority.certificate)
    names = ["kubernetes.default.svc", "kubernetes", "kubernetes.default", "localhost"]
    served = authority.server(names, [place.address, "127.0.0.1", KUBERNETES_SERVICE])
    asking = authority.client("apiserver", "system:masters")
    for name, pair in (("apiserver", served), ("apiserver-client", asking)):
        write_private(at / f"{name}.crt", pair.certificate)
        write_private(at / f"{name}.key", pair.key)
    tokens = rsa.generate_private_key(65537, 2048)
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    write_private(at / "tokens.key", _pem(tokens))
    pem = tokens.public_key().public_bytes(serialization.Encoding.PEM, public)
    write_private(at / "tokens.pub", pem)
    for component, (user, group) in USERS.items():
        pair = authority.client(user, group)
        login = {
            "client-certificate-data": _base64(pair.certificate),
            "client-key-data": _base64(pair.key),
        }
        path = at / f"{component}.kubeconfig"
        write_private(path, kubeconfig(place.server, authority.certificate, component, login))
    (at / "admin.kubeconfig").rename(place.admin_kubeconfig)


def kubeconfig(
    server: str, authority: bytes, user: str, login: dict[str, str], namespace: str = "default"
) -> bytes:
    """A kubeconfig with one context named `development`, as Spin hands them out (as JSON, which
    YAML includes). `login`: what stands below `user`, such as a token."""
    name = "development"
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": login}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": user, "namespace": namespace}}
        ],
        "current-context": name,
    }
    return json.dumps(content, indent=1).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
