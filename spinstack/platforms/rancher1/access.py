"""The Rancher API key: whether the account has one, how to get one, messages without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.console import known_errors
from spinstack.platforms.base import Grant
from spinstack.platforms.rancher1.output import ERRORS, complaints
from spinstack.rules.finding import Finding
from spinstack.transport.command import Command, Raw, joined
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# The file, or the keys as variables: the CLI takes either.
_HAS_KEY = (
    '{ test -s "${RANCHER_CLIENT_CONFIG:-$HOME/.rancher/cli.json}" ||'
    ' test -n "${RANCHER_ACCESS_KEY:+$RANCHER_SECRET_KEY}"; }'
)


def known(text: str) -> tuple[str, str] | None:
    """Cause and remedy of a complaint by the CLI, from the table of known errors."""
    found = known_errors.find(text, "rancher-step")
    return (found.cause, found.remedy) if found else None


def has_key() -> Command:
    return Command(Raw(_HAS_KEY))


def key_step() -> Step:
    """Whether the account has a key of the Rancher API (spin-keygen.sh writes the file)."""
    return Step("rancher key", (has_key(),), must=False)


def grant(destination: Destination) -> Grant:
    """With Spin's own program, which asks for the password."""
    loads = [Command("module", "load", name) for name in destination.modules]
    command = joined([*loads, Command("spin-keygen.sh")], "&&")
    return Grant(command, "Rancher key", "~/.rancher/cli.json", "spin-keygen.sh")


def findings(
    destination: Destination, *, ready: bool, has_key: bool, states: bool, said: str
) -> list[Finding]:
    """What keeps the account from Rancher; `said`: what it printed instead of the states."""
    where = destination.host
    if not ready:
        problem = f"no rancher command from the modules {', '.join(destination.modules)}"
        right = ", ".join(destination.centre.modules)
        remedy = f"set modules: [{right}] in invoke.yaml"
        if destination.modules == destination.centre.modules:
            remedy = f"set modules: in invoke.yaml to one that `module avail {right}` lists there"
        return [Finding("rancher-command", where, problem, remedy)]
    if not has_key:
        problem = "you have no Rancher key there yet"
        remedy = f"run `invoke setup --to {destination.name}`, or deploy, which asks for a password"
        return [Finding("rancher-key", where, problem, remedy, "warning")]
    cause = None if states else known("\n".join(complaints(said, ERRORS)))
    if cause:
        return [Finding("rancher-states", where, *cause)]
    if not states:
        problem = "Rancher does not list what runs; other stacks' ports were not checked"
        remedy = "try again; if it keeps failing, move ~/.rancher/cli.json there away, then run "
        remedy += f"`invoke setup --to {destination.name}`"
        return [Finding("rancher-states", where, problem, remedy, "warning")]
    return []
