"""Paramiko's transport, mended for several tries at one login.

The classic transport asks for the authentication service before every try, at which some
servers end the connection (RFC 4252 has it asked once). `ServiceRequestingTransport` does
that right, but its handler can't send "none" (paramiko 3.2 to 5.1: it calls a missing
function), and makes the event for the answer after the request is sent, so that a quick
answer is missed and the login waits until its time is up. It also waits for the service to be
granted, a tenth of a second at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

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

    _service_userauth_accepted: bool

    def ensure_session(self) -> None:
        """Ask for the authentication service, once, and go on: whoever answers it reads in
        order (RFC 4252, section 5, lets requests follow each other), and one that refuses the
        service ends the connection. Raises SSHException where there is no connection.
        """
        if self._service_userauth_accepted or not (self.is_active() and self.initial_kex_done):
            super().ensure_session()
            return
        request = Message()
        request.add_byte(cMSG_SERVICE_REQUEST)
        request.add_string("ssh-userauth")
        self._send_message(request)  # type: ignore[attr-defined]
        self._service_userauth_accepted = True
        self.auth_handler = self.get_auth_handler()

    def get_auth_handler(self) -> LoginHandler:
        return LoginHandler(self)
