"""When a container counts as started, as ready, and as alive."""

from __future__ import annotations

from typing import Any

from spinstack.config.service_settings import Health

# Seconds that a container which has just opened its port may take for its first answer: shorter,
# and a healthy start leaves warnings among the events.
_FIRST_ANSWER = 5
# Not asked sooner than after so many seconds, nor answered for within fewer: a container that is
# busy gets no visitors at once (readiness), and is replaced only when it stays so.
_ALIVE_EVERY, _ALIVE_ANSWER = 10, 5


def probes(check: Health | None) -> dict[str, Any]:
    """The three probes of a container, none without a check."""
    if check is None:
        return {}
    ask = _ask(check)
    return {
        "startupProbe": {
            **ask,
            "initialDelaySeconds": 1,
            "periodSeconds": 1,
            "timeoutSeconds": max(check.timeout, _FIRST_ANSWER),
            "failureThreshold": check.start_within,
        },
        "readinessProbe": {
            **ask,
            "periodSeconds": check.interval,
            "timeoutSeconds": check.timeout,
            "failureThreshold": check.retries,
        },
        "livenessProbe": {
            **ask,
            "periodSeconds": max(check.interval, _ALIVE_EVERY),
            "timeoutSeconds": max(check.timeout, _ALIVE_ANSWER),
            "failureThreshold": check.retries,
        },
    }


def _ask(check: Health) -> dict[str, Any]:
    if check.path:
        return {"httpGet": {"path": check.path, "port": check.port}}
    return {"tcpSocket": {"port": check.port}}
