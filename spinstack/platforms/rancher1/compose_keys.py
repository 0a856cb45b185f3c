"""What Rancher's CLI makes of the keys in a compose file (v0.6.7, format version 2), as data.

Source: what the client itself accepts and refuses.
"""

from __future__ import annotations

# What Rancher reads besides the compose file: health checks, scale.
FILE = "rancher-compose.yml"

# Top-level keys that Rancher's CLI reads; it silently ignores all others.
TOP_LEVEL: frozenset[str] = frozenset(
    ["version", "services", "volumes", "networks", "secrets", "hosts", "containers"]
).union(["dependencies", "catalog", ".catalog"])

# Keys of newer compose formats, and what Rancher uses instead.
RENAMED = {
    "healthcheck": "use health_check: in rancher-compose.yml (its keys differ too)",
    "deploy": "use scale: and the like in rancher-compose.yml",
    "configs": "mount a file of the stack with volumes:",
    "platform": "use build_platform in invoke.yaml",
    "profiles": "make it a separate stack",
}
