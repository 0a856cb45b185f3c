"""States of services for a script to read: a line a service, fields between bars.

JSON would need a parser that the login node may not have.
"""

from __future__ import annotations

from spinstack import cattle
from spinstack.cattle import Endpoint, ServiceState
from spinstack.command import Command

# A service a line for a script to read, with `|` between the fields: a TAB would print nothing.
# What may hold anything stands last.
_FIELDS = (
    "{{.Name}}",
    "{{.Service.State}}",
    "{{.Service.HealthState}}",
    "{{.Service.Transitioning}}",
    "{{range .Service.PublicEndpoints}}{{.IpAddress}}:{{.Port}} {{end}}",
    "{{.Service.Fqdn}}",
    "{{.Service.TransitioningMessage}}",
)
ROW_FORMAT = "|".join(("row", *_FIELDS))


def command() -> Command:
    """All services of the environment, also inactive ones, in ROW_FORMAT; creates nothing."""
    return cattle.rancher("ps", "--all", "--format", ROW_FORMAT)


def parse(text: str, stack: str) -> list[ServiceState]:
    """The services of a stack from what it printed; all other lines are passed over."""
    states = []
    for line in text.splitlines():
        fields = line.split("|", len(_FIELDS))
        if fields[0] != "row" or len(fields) <= len(_FIELDS):
            continue
        of_stack, _, name = fields[1].partition("/")
        if of_stack != stack or not name or "/" in name:
            continue
        states.append(
            ServiceState(
                stack=stack,
                name=name,
                state=fields[2],
                health=fields[3],
                transitioning=fields[4] or "no",
                endpoints=tuple(filter(None, map(_endpoint, fields[5].split()))),
                fqdn=fields[6],
                message=fields[7],
            )
        )
    return sorted(states, key=lambda state: state.name)


def _endpoint(text: str) -> Endpoint | None:
    address, _, port = text.rpartition(":")
    return Endpoint(address, int(port)) if port.isdigit() else None
