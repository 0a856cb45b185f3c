"""Ports of the one node: who may have them."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from spinstack.rules.service import Port


def free(address: str, port: Port) -> bool:
    """Whether nothing listens there now, of whatever owner."""
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        # Connections that were closed a moment ago do not occupy a port; listeners do.
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, int(port.outside)))
        except (OSError, OverflowError):
            return False
    return True


def refusal(wanted: Iterable[Port]) -> str:
    """What Rancher's scheduler says when the only node has no room for these ports.
    Source: the wording of the server 1.6 as users quote it in its issues."""
    constraints = [
        f"{port.outside}:{port.inside}/{port.protocol} portReservation" for port in wanted
    ]
    told = ", ".join([*constraints, "1 instanceReservation"])
    return (
        f"Allocation failed: No healthy hosts meet the resource constraints: [{told}] "
        "(port conflict: the port is in use on the node)"
    )
