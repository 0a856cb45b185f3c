"""What a deploy sends, readable: the compose file with its variables filled in."""

from __future__ import annotations

import yaml

from spinstack import compose, envfile
from spinstack.settings import Destination
from spinstack.stack import COMPUTED_THERE, Stack


def rendered(stack: Stack, destination: Destination) -> str:
    """The env file of a release and the compose file as Rancher will understand it.

    What is only known on the login node (UID) stays a variable.
    """
    values = stack.variables(destination)
    kept = {name: f"${{{name}}}" for name in COMPUTED_THERE}
    filled = compose.interpolate(stack.compose.data, {**values, **kept})
    parts = [
        f"# {stack.env_name} at {destination.name}",
        envfile.text(values).rstrip(),
        f"# {stack.compose.source}",
        yaml.safe_dump(filled, sort_keys=False, width=100).rstrip(),
    ]
    if stack.rancher:
        parts.append(f"# {stack.rancher.source}")
        parts.append(yaml.safe_dump(stack.rancher.data, sort_keys=False, width=100).rstrip())
    return "\n".join(parts)
