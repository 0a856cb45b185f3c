"""What Rancher's CLI makes of the keys in a compose file (v0.6.7, format version 2), as data.

Source: what the client itself accepts and refuses.
"""

from __future__ import annotations

# What Rancher reads besides the compose file, with health checks and scale: made from the setting
# `services`, unless the stack has one of its own.
FILE = "rancher-compose.yml"

# Top-level keys that Rancher's CLI reads; it silently ignores all others.
TOP_LEVEL: frozenset[str] = frozenset(
    ["version", "services", "volumes", "networks", "secrets", "hosts", "containers"]
).union(["dependencies", "catalog", ".catalog"])

# Keys of newer compose formats, and what Rancher uses instead.
RENAMED = {
    "healthcheck": "remove it, and use health: below services: in invoke.yaml",
    "deploy": "remove it, and use scale: below services: in invoke.yaml",
    "configs": "remove it, and mount a file of the stack with volumes:",
    "log_driver": "write logging: {driver: …} instead",
    "log_opt": "write logging: {options: …} instead",
    "platform": "remove it; the setting is build_platform in invoke.yaml",
    "profiles": "remove it, or make it a separate stack",
}
