"""Paramiko's transport, mended for several tries at one login.

The classic transport asks for the authentication service before every try, at which some
servers end the connection (RFC 4252 has it asked once). `ServiceRequestingTransport` does
that right, but its handler can't send "none" (paramiko 3.2 to 5.1: it calls a missing
function), and makes the event for the answer after the request is sent, so that a quick
answer is missed and the login waits until its time is up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_USERAUTH_REQUEST
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

    def get_auth_handler(self) -> LoginHandler:
        return LoginHandler(self)
