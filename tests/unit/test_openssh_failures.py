"""What OpenSSH says when a login fails, as a person reads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.errors import UsageError
from spinstack.transport.openssh.errors import Attempt, explained
from spinstack.transport.openssh.progress import Progress, Stage
from spinstack.transport.openssh.route import Route

ATTEMPT = Attempt(
    name="bob@login", host="login", port=0, asked=True, outdated="", unreachable="see the centre"
)
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
The fingerprint for the ED25519 key sent by the remote host is\n\
SHA256:abcdef0123.\r
Offending ECDSA key in /home/bob/.ssh/known_hosts:7\r
Host key for login has changed and you have requested strict checking.\r
Host key verification failed.\r
"""
JUMP = """\
ssh: connect to host jump port 22: Connection refused\r
kex_exchange_identification: Connection closed by remote host\r
Connection closed by UNKNOWN port 65535\r
"""
CONFIG = """\
/home/bob/.ssh/config: line 3: Bad configuration option: hostnam\r
/home/bob/.ssh/config: terminating, 1 bad configuration options\r
"""


@pytest.mark.parametrize(
    ("said", "what", "where"),
    [
        ("ssh: connect to host login port 22: Connection refused\r\n",
         "the login node login can't be reached: Connection refused", "login"),
        ("ssh: connect to host login port 22: Operation timed out",
         "the login node login can't be reached: no answer in time", "login"),
        ("ssh: Could not resolve hostname login: Name or service not known",
         "the login node login can't be reached: its name can't be resolved", "login"),
        (JUMP, "the login node login can't be reached: jump: Connection refused", "login"),
        ("kex_exchange_identification: read: Connection reset by peer",
         "the login node login can't be reached: read: Connection reset by peer", "login"),
        ("bob@login: Permission denied (publickey,keyboard-interactive).",
         "bob@login refused the login: Authentication failed "
         "(it allows: publickey,keyboard-interactive)", "login"),
        ("Permissions 0644 for '/k' are too open.\nbob@jump: Permission denied (publickey).",
         "bob@jump refused the login: Authentication failed (it allows: publickey)",
         "Permissions 0644 for '/k' are too open."),
        ("Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures",
         "bob@login refused the login: Too many authentication failures", "login"),
        (CHANGED, "the host key of login has CHANGED: someone may be intercepting the connection",
         "offered ED25519 SHA256:abcdef0123, known by /home/bob/.ssh/known_hosts:7"),
        ("No ED25519 host key is known for login and you have requested strict checking.\r\n"
         "Host key verification failed.", "the host key of login is not known", "login"),
        ("Host key verification failed.", "the host key of login was not accepted", "login"),
        (CONFIG, "ssh can't use its configuration",
         "/home/bob/.ssh/config: line 3: Bad configuration option: hostnam"),
        ("Unable to negotiate with 1.2.3.4 port 22: no matching cipher found.",
         "ssh could not log in to bob@login: "
         "Unable to negotiate with 1.2.3.4 port 22: no matching cipher found.", "login"),
        ("", "ssh could not log in to bob@login: no message", "login"),
    ],
)  # fmt: skip
def test_ssh_is_put_in_our_words(said: str, what: str, where: str) -> None:
    error = explained(said, ATTEMPT)
    assert (error.what, error.where) == (what, where)
    assert error.remedy


def test_nobody_to_ask_and_a_certificate_that_is_no_good() -> None:
    said = "bob@login: Permission denied (publickey,keyboard-interactive)."
    alone = dataclasses.replace(ATTEMPT, asked=False)
    error = explained(said, alone)
    assert isinstance(error, UsageError)
    assert "there is no terminal to answer on" in error.what
    assert "invoke login" in error.remedy
    expired = "the certificate of /k expired on 2026-01-01 00:00 UTC"
    for attempt in (ATTEMPT, alone):
        error = explained(said, dataclasses.replace(attempt, outdated=expired))
        assert expired in (error.what, error.where)
        assert "invoke login --sshproxy" in error.remedy


def test_who_was_never_asked_has_typed_no_wrong_code(tmp_path: Path) -> None:
    """A line of the ssh config keeps ssh from asking; which one, ssh itself says."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho preferredauthentications publickey\n")
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        unasking = Route(cast(Any, SimpleNamespace(host="login", user="bob")), "bob").unasking
    said = "bob@login: Permission denied (publickey,keyboard-interactive)."
    error = explained(said, dataclasses.replace(ATTEMPT, unasking=unasking))
    assert isinstance(error, UsageError)
    assert "your ssh config keeps ssh from answering" in error.what
    assert "PreferredAuthentications publickey, for login" in error.where
    assert error.remedy == ("remove it, or make it publickey,keyboard-interactive,password")
    # A host that takes keys only asked for nothing.
    said = "bob@login: Permission denied (publickey)."
    error = explained(said, dataclasses.replace(ATTEMPT, unasking=unasking))
    assert "refused the login" in error.what


PROGRESS = (
    (b"debug1: Reading configuration data /etc/ssh/ssh_config\r\n", b"", Stage.START),
    (b"debug1: Connecting to login [192.0.2.1] port 22.\r\ndebug1: Conn", b"", Stage.CONNECT),
    (b"ection established.\r\nNOTICE\r\nde", b"NOTICE\r\n", Stage.CONNECT),
    (b"ar user\r\ndebug1: SSH2_MSG_NEWKEYS received\r\n", b"dear user\r\n", Stage.AGENT),
    (b"debug1: get_agent_identities: bound agent to hostkey\r\n", b"", Stage.AGENT),
    (b"debug1: get_agent_identities: agent returned 3 keys\r\n", b"", Stage.LOGIN),
    (b"debug1: Server accepts key: me RSA SHA256:x explicit agent\r\n", b"", Stage.AGENT),
    (b"debug1: Server accepts key: /k RSA SHA256:x explicit\r\n", b"", Stage.AGENT),
    (b"debug1: Next authentication method: password\r\nbob's ", b"bob's ", Stage.ANSWER),
    (b"debug1: of no prompt\n", b"debug1: of no prompt\n", Stage.ANSWER),
    (b'Authenticated to login ([192.0.2.1]:22) using "password".\r\n', b"", Stage.ANSWER),
)


def test_the_debug_lines_say_how_far_it_is_and_nobody_sees_them() -> None:
    progress = Progress()
    for data, seen, stage in PROGRESS:
        assert (progress.feed(data), progress.stage) == (seen, stage)


@given(st.text())
def test_whatever_it_says_is_told_in_single_lines(said: str) -> None:
    error = explained(said, ATTEMPT)
    assert all("\n" not in text for text in (error.what, error.where, error.remedy))
