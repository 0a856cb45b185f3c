"""The session's stack through a connection, and the key that Rancher asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spinstack.remote.found import Found
from spinstack.remote.stack import RemoteStack

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.login_node import Answer, LoginNode


def remote_stack(session: Session, node: LoginNode) -> RemoteStack:
    """The session's stack through a connection."""
    settings = session.settings
    return RemoteStack(node, session.destination, settings.stack, settings.env_file)


def with_key(session: Session, remote: RemoteStack) -> Found:
    """Make a key of Rancher's API; what is seen with it."""
    if session.dry:
        session.console.result("# only if the account has no key for Rancher yet:")
    with session.console.step("Rancher key"):
        remote.make_key(key_password(session))
        return remote.look()


def key_password(session: Session) -> Answer:
    """Answers spin-keygen.sh: from the rehearsal's file, or by asking the person.

    A login answer is the password with six digits after it; the key needs the password alone.
    """
    from spinstack.transport import prompt as transport_prompt

    destination = session.destination
    path = destination.login_answer_file

    def answer(prompt: str) -> str | None:
        if "password" not in prompt.lower():
            return None
        if path and not destination.practise:
            return re.sub(r"\d{6}$", "", transport_prompt.answers_from(path)(prompt))
        return transport_prompt.ask_on_terminal(f"{prompt} (without one-time code): ")

    return answer
