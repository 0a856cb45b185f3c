"""Names as Kubernetes takes them."""

from __future__ import annotations

import re

# Source: kubernetes.io, "Object Names and IDs": RFC 1035 and 1123 labels, DNS subdomain names.
_LONGEST_LABEL, _LONGEST_SUBDOMAIN = 63, 253
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
# Keys of annotations: an optional prefix, which is a subdomain, and a name.
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
# Names of variables of a container.
_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")


def is_service(name: str) -> bool:
    """Whether a Service can be called so."""
    return len(name) <= _LONGEST_LABEL and _SERVICE.fullmatch(name) is not None


def is_label(name: str) -> bool:
    """Whether it is one part of a DNS name."""
    return len(name) <= _LONGEST_LABEL and _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """Whether a claim, a ConfigMap or a Secret can be called so."""
    return len(name) <= _LONGEST_SUBDOMAIN and _SUBDOMAIN.fullmatch(name) is not None


def is_annotation(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return _QUALIFIED.fullmatch(name) is not None and (not slash or is_subdomain(prefix))


def is_variable(name: str) -> bool:
    return _VARIABLE.fullmatch(name) is not None


class Volumes:
    """Gives the volumes of a pod names that tell what they hold, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, text: str) -> str:
        """A name made from the last part of a path."""
        last = re.sub(r"[^a-z0-9]+", "-", text.rstrip("/").rpartition("/")[2].lower()).strip("-")
        base = last[: _LONGEST_LABEL - 4].strip("-") or "volume"
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}-{number}"
        self._taken.add(name)
        return name
