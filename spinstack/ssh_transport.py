"""Paramiko's transport, mended for several tries at one login.

The classic transport asks for the authentication service before every try, at which some
servers end the connection (RFC 4252 has it asked once). `ServiceRequestingTransport` does
that right, but its handler can't send "none" (paramiko 3.2 to 5.1: it calls a missing
function), and makes the event for the answer after the request is sent, so that a quick
answer is missed and the login waits until its time is up. And it waits a tenth of a second for
an answer that is there after 10 ms.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_SERVICE_REQUEST, cMSG_USERAUTH_REQUEST
from paramiko.message import Message
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

        Raises BadAuthenticationType (which tells what is allowed) or AuthenticationException.
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


class LoginTransport(ServiceRequestingTransport):
    """The transport to give to `SSHClient.connect(transport_factory=…)`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._accepted = threading.Event()

    def _parse_service_accept(self, message: Message) -> None:
        super()._parse_service_accept(message)  # type: ignore[misc]
        self._accepted.set()

    def ensure_session(self) -> None:
        """Ask for the authentication service, once, and go on as soon as it is there.

        Paramiko's own looks ten times a second, and for ever once the connection has ended.
        Raises SSHException or EOFError then.
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
