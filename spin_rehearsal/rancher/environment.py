"""Which environment the client works in."""

from __future__ import annotations

from . import menu
from .api import Resource, Server
from .failure import Failure

_ID_PREFIX = "1a"


def visible(server: Server) -> list[Resource]:
    """The environments that the key may see."""
    return list(server.request("GET", "/projects").get("data", []))


def choose(server: Server, wanted: str) -> str:
    """The id of the environment. Raises Failure for an unknown name.

    An id is not looked up, and a name is not either when the key sees one environment only.
    With no name and several environments there is a menu, without end at end-of-file.
    """
    if wanted.startswith(_ID_PREFIX):
        return wanted
    found = visible(server)
    if len(found) == 1:
        return str(found[0]["id"])
    if wanted:
        for project in found:
            if wanted.lower() in (str(project["name"]).lower(), project["id"]):
                return str(project["id"])
        raise Failure(f"Not found: {wanted}")
    if not found:
        raise Failure("Failed to find any environments")
    choices = [f"{project['name']}({project['id']})" for project in found]
    return str(found[menu.select("Environments:", choices)]["id"])
