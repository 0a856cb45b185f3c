"""Paramiko's transport, fixed for several attempts in one login.

The classic transport requests the authentication service before every attempt, which makes
some servers end the connection (RFC 4252 requests it once). `ServiceRequestingTransport` does
that right, but its handler can't send "none" (paramiko 3.2 to 5.1: it calls a missing
function), and creates the event for the answer after sending the request, so that a quick
answer is missed and the login waits until its time is up. And it waits a tenth of a second for
an answer that arrives after 10 ms.

Both sides of a login exchange many small packets, and TCP delays a small packet until the one
before is acknowledged (RFC 896), which may be delayed too (RFC 1122, section 4.2.3.2). With a
round trip of 40 ms both together cost 125 ms for each login: here neither is waited for.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_SERVICE_REQUEST, cMSG_USERAUTH_REQUEST
from paramiko.message import Message
from paramiko.pkey import PKey
from paramiko.transport import ServiceRequestingTransport


class LoginHandler(AuthOnlyHandler):
    """Sends one request for authentication and waits for its answer."""

    def send_auth_request(
        self,
        username: str,
        method: str,
        finish_message: Callable[[Message], None] | None = None,
    ) -> list[str]:
        """The remaining methods after a partial success, none after a whole one.

        Raises BadAuthenticationType (which says what is allowed) or AuthenticationException.
        """
        self.auth_method = method
        self.username = username
        message = Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (username, "ssh-connection", method):
            message.add_string(text)
        if finish_message:
            finish_message(message)
        self.auth_event = threading.Event()
        with self.transport.lock:
            self.transport._send_message(message)  # type: ignore[attr-defined]
        answer: list[str] = self.wait_for_response(self.auth_event)
        return answer


class PromptSocket:
    """A socket that sends small packets at once and, on Linux, acknowledges at once. With a jump
    host it is not a socket of this machine, and is left as it is."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped
        self._set(getattr(socket, "TCP_NODELAY", None))

    def recv(self, size: int) -> bytes:
        data: bytes = self._wrapped.recv(size)
        # The kernel resets it.
        self._set(getattr(socket, "TCP_QUICKACK", None))
        return data

    def _set(self, option: int | None) -> None:
        if option is not None and isinstance(self._wrapped, socket.socket):
            with contextlib.suppress(OSError):  # it may have been closed meanwhile
                self._wrapped.setsockopt(socket.IPPROTO_TCP, option, 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class LoginTransport(ServiceRequestingTransport):
    """The transport to give to `SSHClient.connect(transport_factory=…)`, with its `judge`."""

    def __init__(self, sock: Any, *, judge: Callable[[PKey], None], **named: Any) -> None:
        """`judge` raises an error for a host key that must not be used, known or not."""
        super().__init__(PromptSocket(sock), **named)  # type: ignore[arg-type]
        self._judge = judge
        self._accepted = threading.Event()
        # The limit for connecting comes first: this one would only say that the connection ended.
        self.handshake_timeout = 3600

    def _parse_service_accept(self, message: Message) -> None:
        super()._parse_service_accept(message)  # type: ignore[misc]
        self._accepted.set()

    def get_remote_server_key(self) -> PKey:
        """What the client compares with the known keys, before anybody is asked anything."""
        key = super().get_remote_server_key()
        self._judge(key)
        return key

    def ensure_session(self) -> None:
        """Request the authentication service, once, and continue as soon as it is available.

        Paramiko's own method polls ten times a second, and forever once the connection has
        ended. This raises SSHException or EOFError then.
        """
        if self._accepted.is_set() or not (self.is_active() and self.initial_kex_done):
            super().ensure_session()
            return
        request = Message()
        request.add_byte(cMSG_SERVICE_REQUEST)
        request.add_string("ssh-userauth")
        self._send_message(request)  # type: ignore[attr-defined]
        while not self._accepted.wait(0.1):
            if not self.is_active():
                raise self.get_exception() or EOFError("the connection ended before the login")
        self.auth_handler = self.get_auth_handler()

    def get_auth_handler(self) -> LoginHandler:
        return LoginHandler(self)
