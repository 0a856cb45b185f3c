"""How a container ends: after its last visitor, and when its work is done."""

from __future__ import annotations

from typing import Any

from spinstack.platforms.kubernetes import quantities
from spinstack.platforms.kubernetes.source import Source

# Seconds that a container stays after it was taken out of its Service: proxies learn of that a
# little later. Kubernetes does both at the same time.
DRAIN = 5
# Kubernetes' own time for a program to end.
_GRACE = 30
# Seconds between the end of the time for the work, and SIGKILL.
_MARGIN = 5


def ending(source: Source) -> tuple[int, dict[str, Any]]:
    """Seconds until SIGKILL, and what is done before SIGTERM (`lifecycle`; empty: nothing)."""
    given = quantities.seconds(source.keys.get("stop_grace_period"))
    grace = _GRACE if given is None else given
    stop = source.setting.stop
    if stop:
        # SIGTERM would come when this ends, so it does not end before the container does.
        script = f"sleep {DRAIN}; {stop.command}; exec sleep {stop.within}"
        hook = {"exec": {"command": ["/bin/sh", "-c", script]}}
        return DRAIN + stop.within + _MARGIN, {"preStop": hook}
    if source.public:
        return DRAIN + grace, {"preStop": {"sleep": {"seconds": DRAIN}}}
    return grace, {}
