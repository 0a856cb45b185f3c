"""The session's stack over a connection, and how the account gets access to its platform."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError

if TYPE_CHECKING:
    from spinstack.remote.found import Found
    from spinstack.remote.stack import RemoteStack
    from spinstack.session import Session
    from spinstack.transport.login_node import Answer, LoginNode


def remote_stack(session: Session, node: LoginNode) -> RemoteStack:
    """The session's stack over a connection."""
    settings, cluster = session.settings, session.destination.kubernetes
    if not session.platform.detached and cluster:
        from spinstack.remote.cluster.stack import ClusterStack

        return ClusterStack(node, session.destination, session.platform, settings.stack, cluster)
    from spinstack.remote.directory import DirectoryStack

    return DirectoryStack(
        node, session.destination, session.platform, settings.stack, settings.env_file
    )


@contextmanager
def connected(session: Session) -> Iterator[RemoteStack]:
    """The session's stack over its one connection."""
    with session.login_node() as node:
        yield remote_stack(session, node)


def with_access(session: Session, stack: RemoteStack, found: Found) -> Found:
    """What was found, for an account that has access. One that has none gets it, where that can
    be done, and it is looked once more. Raises SpinstackError where nothing on the login node
    can give it: what was not seen must not pass for a stack that does not run."""
    if found.has_access and not session.dry:
        return found
    grant = session.platform.grant(session.destination)
    if grant is None:
        if session.dry:
            return found
        raise _no_access(session)
    if session.dry:
        session.console.result(f"# only if the account has no {grant.what} yet:")
    with session.console.step(grant.what):
        stack.get_access(grant, key_password(session))
        return stack.look()


def _no_access(session: Session) -> SpinstackError:
    """In the platform's own words, as `check` has them."""
    platform, to = session.platform, session.destination
    found = platform.access_findings(to, ready=True, access=False, states=False)
    problem = found[0].problem if found else f"the account has no access to {platform.title}"
    return SpinstackError(problem, where=to.host, remedy=found[0].remedy if found else "")


def key_password(session: Session) -> Answer:
    """Answers a prompt for the password: from the rehearsal's file, or by asking the person.

    At login the answer is the password followed by six digits; a key needs the password alone.
    """
    from spinstack.transport import prompt as login_prompt

    destination = session.destination
    path = destination.login_answer_file

    def answer(prompt: str) -> str | None:
        if "password" not in prompt.lower():
            return None
        if path and not destination.practise:
            return re.sub(r"\d{6}$", "", login_prompt.answers_from(path)(prompt))
        return login_prompt.ask_on_terminal(f"{prompt} (without one-time code): ")

    return answer
