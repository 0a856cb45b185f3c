"""Logging in: who the host is, and who we are.

Host keys: known ones are checked, unknown ones are shown and confirmed, changed ones are
refused. Login: a key with a certificate (`sshproxy`), keys of the ssh config and the agent,
then the prompts of the server, each asked once.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import paramiko
from paramiko.auth_strategy import (
    AuthResult,
    AuthSource,
    AuthStrategy,
    InMemoryPrivateKey,
    OnDiskPrivateKey,
    Password,
)

from spinstack.directories import make_parents
from spinstack.errors import SpinstackError, UsageError
from spinstack.transport import certificate
from spinstack.transport.prompt import RENEW, SSHPROXY_KEY, Prompt


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` shows it: SHA256 of the public key, base64 without padding."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode()
    return f"{key.get_name()} SHA256:{digest.rstrip('=')}"


class AskAboutUnknownHost(paramiko.MissingHostKeyPolicy):
    """Shows an unknown host's fingerprint and asks; a yes is stored in the known hosts."""

    def __init__(self, name: str, known_hosts: Path, ask: Prompt | None) -> None:
        """`name`: the host's name in known hosts files."""
        self._name = name
        self._known_hosts = known_hosts
        self._ask = ask

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Raises SpinstackError unless the person accepts the key."""
        shown = fingerprint(key)
        if self._ask is None:
            raise SpinstackError(
                f"the host key of {hostname} is not known",
                where=shown,
                remedy="run the same command in a terminal; it asks whether this is the "
                "fingerprint that the centre publishes",
            )
        answer = self._ask(
            f"The host {hostname} is not known yet. Its key:\n  {shown}\n"
            "Is this the fingerprint that the centre publishes? [yes/no] "
        )
        if answer.strip().lower() != "yes":
            raise SpinstackError(
                f"the host key of {hostname} was not accepted",
                where=shown,
                remedy="compare it with the fingerprints that the centre publishes, then try again",
            )
        try:
            make_parents(self._known_hosts)
            with self._known_hosts.open("a", encoding="utf-8") as file:
                file.write(f"{self._name} {key.get_name()} {key.get_base64()}\n")
        except OSError as error:
            raise SpinstackError(
                f"the host key of {hostname} could not be stored: {error.strerror}",
                where=str(self._known_hosts),
                remedy="make it a file that you can write to, then log in again",
            ) from None


def changed_host_key(error: paramiko.BadHostKeyException, forget: str) -> SpinstackError:
    """The error for a host whose key is not the known one. `forget`: what removes that."""
    return SpinstackError(
        f"the host key of {error.hostname} has CHANGED: someone may be intercepting the connection",
        where=f"known {fingerprint(error.expected_key)}, offered {fingerprint(error.key)}",
        remedy=f"ask the centre whether it changed its key; if it did, run `{forget}` and log in "
        "again",
    )


REVOKED_REMEDY = "don't log in; ask the centre which key the host should have"


def revoked_host_key(name: str, key: paramiko.PKey, at: str) -> SpinstackError:
    """The error for a host with a key that `at`, a line of a known hosts file, revokes."""
    return SpinstackError(
        f"the host key of {name} is REVOKED: someone may be intercepting the connection",
        where=f"offered {fingerprint(key)}, revoked in {at}",
        remedy=REVOKED_REMEDY,
    )


class ServerPrompts(AuthSource):
    """Keyboard-interactive: each of the server's prompts is passed to `ask`."""

    def __init__(self, username: str, ask: Prompt) -> None:
        super().__init__(username)
        self._ask = ask

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Raises SpinstackError if a prompt can't be answered; that ends the login."""
        failures: list[SpinstackError] = []

        def answer(title: str, instructions: str, prompts: Sequence[tuple[str, bool]]) -> list[str]:
            # In paramiko's own thread, which would print a traceback and continue.
            try:
                return [self._ask(prompt) for prompt, _echo in prompts]
            except SpinstackError as error:
                failures.append(error)
                transport.close()
                return []

        try:
            return transport.auth_interactive(self.username, answer)
        except (paramiko.SSHException, EOFError, OSError):
            if failures:
                raise failures[0] from None
            raise


class Login(AuthStrategy):
    """The ways to log in, tried in order, with at most one prompt. `agent`: its keys, when they
    are needed."""

    def __init__(
        self,
        user: str,
        *,
        identity_files: Sequence[Path],
        agent: Callable[[], Sequence[paramiko.PKey]],
        ask: Prompt,
    ) -> None:
        super().__init__(ssh_config=paramiko.SSHConfig())
        self.user = user
        self._identity_files = identity_files
        self._agent = agent
        self._ask = ask
        # Whether the host has asked for an answer.
        self.prompted = False
        # Why keys could not be used; shown if the login fails.
        self.notes: list[str] = []
        # Why the first invalid certificate is not valid; empty if all are.
        told = map(certificate.outdated, identity_files)
        self.outdated = next(filter(None, told), "")

    def get_sources(self) -> Iterator[AuthSource]:
        yield from self._sources({"publickey", "keyboard-interactive", "password"})

    def _sources(self, allowed: Collection[str]) -> Iterator[AuthSource]:
        if "publickey" in allowed:
            yield from filter(None, map(self._key, self._identity_files))
            for key in self._agent():
                yield InMemoryPrivateKey(self.user, key)
        if "keyboard-interactive" in allowed:
            yield ServerPrompts(self.user, self._answer)
        elif "password" in allowed:
            yield Password(self.user, lambda: self._answer(f"Password for {self.user}: "))

    def _answer(self, prompt: str) -> str:
        self.prompted = True
        return self._ask(prompt)

    def _key(self, path: Path) -> AuthSource | None:
        """A private key with its certificate beside it, if it can be read."""
        try:
            key = paramiko.PKey.from_path(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # its parsers raise all kinds for a file that is no key
            self.notes.append(f"{path} was not used: {error}")
            return None
        if certificate.outdated(path):
            return None
        return OnDiskPrivateKey(self.user, "ssh-config", path, key)

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Tries what the server allows. Stops at the first wrong answer to a prompt: a one-time
        code must not be asked for twice."""
        last: Exception = paramiko.AuthenticationException("no login method that it allows")
        for source in self._sources(_allowed(transport, self.user)):
            try:
                source.authenticate(transport)
            except paramiko.AuthenticationException as error:
                last = error
            except UsageError as error:
                # People with a valid key are not asked.
                raise self._renew(error) from None
            # One success may not be enough: a key, and then a code.
            if transport.is_authenticated():
                return AuthResult(self)
        raise last

    def _renew(self, error: UsageError) -> UsageError:
        if self.outdated:
            error.where, error.remedy = self.outdated, RENEW
        return error


def _allowed(transport: paramiko.Transport, user: str) -> Collection[str]:
    """The login methods that the server offers this user, requested as OpenSSH does."""
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as error:
        return list(error.allowed_types)
    return ()


def identity_files(
    setting: Path | None, from_ssh_config: Sequence[str], user_home: Path
) -> list[Path]:
    """The private keys to try, in order: the setting, those in the ssh config, sshproxy's, the
    usual names."""
    found = [setting.expanduser()] if setting else []
    found += [Path(name).expanduser() for name in from_ssh_config]
    found.append(SSHPROXY_KEY.expanduser())
    if not from_ssh_config:
        found += [user_home / ".ssh" / f"id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")]
    return list(dict.fromkeys(found))
