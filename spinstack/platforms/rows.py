"""States of services as lines that bash can read: what `ChangeCommands.rows` prints, and what is
in the journal of a change. JSON would need a parser that the login node may not have.

    row|STACK/SERVICE|STATE|HEALTH|MOVING|ADDRESS:PORT …|FQDN|MESSAGE

An address that is not asked by http has its scheme in front: `https://ADDRESS:PORT`.

MOVING is `yes`, `error` or `no`, as in `ServiceState.transitioning`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spinstack.platforms.base import Endpoint, ServiceState, StateWords
from spinstack.text import one_line, whole_number

WORD = "row"
_FIELDS = 7


def parse(text: str, stack: str, words: StateWords) -> list[ServiceState]:
    """The services of a stack from such lines; all other lines are skipped."""
    states = []
    for line in text.split("\n"):
        # What may hold anything comes last.
        fields = line.split("|", _FIELDS)
        if fields[0] != WORD or len(fields) <= _FIELDS:
            continue
        of_stack, _, name = fields[1].partition("/")
        # A second slash means a sidekick, whose state is that of its service.
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
                phase=words.phase(fields[2]),
            )
        )
    return sorted(states, key=lambda state: state.name)


def line(state: ServiceState) -> str:
    """A service as such a line."""
    points = " ".join(map(_written, state.endpoints))
    moves = state.transitioning
    fields = (f"{state.stack}/{state.name}", state.state, state.health, moves, points, state.fqdn)
    # A reason may have a line break in it.
    return "|".join((WORD, *fields, one_line(state.message)))


def rounds(lines: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """What each look at the states printed, with its exit code, which a line `round CODE` ends;
    the code is empty if the last one was cut off."""
    said: list[str] = []
    for line in lines:
        word, _, code = line.partition(" ")
        if word == "round":
            yield said, code
            said = []
        else:
            said.append(line)
    yield said, ""


def last_round(lines: Iterable[str]) -> str:
    """The last look that printed anything."""
    return "\n".join(next(filter(None, reversed([said for said, _ in rounds(lines)])), []))


def last_look(lines: Iterable[str]) -> str:
    """All that the last look printed that came to its end; empty if it printed nothing."""
    return "\n".join(next(reversed([said for said, code in rounds(lines) if code]), []))


def _written(endpoint: Endpoint) -> str:
    scheme = "" if endpoint.scheme == "http" else f"{endpoint.scheme}://"
    return f"{scheme}{endpoint.ip}:{endpoint.port}"


def _endpoint(text: str) -> Endpoint | None:
    address, _, port = text.rpartition(":")
    scheme, there, host = address.partition("://")
    number = whole_number(port)
    if number is None:
        return None
    return Endpoint(host, number, scheme) if there else Endpoint(address, number)
