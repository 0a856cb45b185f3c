"""The socket under a login over Fabric."""

from __future__ import annotations

import socket

from spinstack.transport.fabric.paramiko_transport import PromptSocket


def test_small_packets_go_out_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = PromptSocket(socket.create_connection(listening.getsockname()))
        theirs, _ = listening.accept()
        with theirs:
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            ours.sendall(b"ask")
            assert theirs.recv(10) == b"ask"
            theirs.sendall(b"answer")
            assert ours.recv(10) == b"answer"
            ours.close()
            assert theirs.recv(10) == b""


def test_what_is_no_socket_of_this_machine_stays_as_it_is() -> None:
    class Channel:
        """To a jump host."""

        def recv(self, size: int) -> bytes:
            return b"x" * size

    assert PromptSocket(Channel()).recv(3) == b"xxx"
