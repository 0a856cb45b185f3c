"""A launchConfig of the API as typed values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spin_rehearsal.spin.errors import ApiError, invalid
from spinstack.rules.service import Mount, Port

PULL_ALWAYS = "io.rancher.container.pull_image"
START_ONCE = "io.rancher.container.start_once"


@dataclass(frozen=True)
class HealthCheck:
    """What is asked of a container, and how often; times in seconds.

    `request_line` such as `GET / HTTP/1.0`; empty: only whether the port accepts.
    Defaults are Rancher's.
    """

    port: int
    request_line: str = ""
    interval: float = 2.0
    response_timeout: float = 2.0
    initializing_timeout: float = 60.0
    reinitializing_timeout: float = 60.0
    healthy_threshold: int = 2
    unhealthy_threshold: int = 3
    strategy: str = "recreate"


@dataclass(frozen=True)
class Launch:
    """What to start. `image` is a reference as the engine takes it."""

    image: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    group_add: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    read_only: bool = False
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    hostname: str = ""
    # Name of the file in the container -> name of the secret.
    secrets: Mapping[str, str] = field(default_factory=dict)
    health: HealthCheck | None = None

    @property
    def pull_always(self) -> bool:
        return self.labels.get(PULL_ALWAYS) == "always"

    @property
    def start_once(self) -> bool:
        return self.labels.get(START_ONCE) == "true"


# Keys with which a container would reach past its walls: Spin gives them to nobody.
_FORBIDDEN = ("privileged", "devices", "securityOpt", "pidMode", "ipcMode", "uts")


def parse(config: object) -> Launch:
    """From the JSON of a request. Raises ApiError (422) naming the field that is wrong."""
    if not isinstance(config, dict):
        raise invalid("launchConfig", "launchConfig is required", "MissingRequired")
    for key in _FORBIDDEN:
        if config.get(key):
            raise invalid(key, f"Spin's audit does not allow {key}", "AuditFailed")
    if str(config.get("networkMode") or "managed") not in ("managed", "bridge"):
        raise invalid("networkMode", "Spin's audit allows the managed network only", "AuditFailed")
    try:
        return _parsed(config)
    except ApiError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid("launchConfig", f"launchConfig: {error}") from None


def _parsed(config: dict[str, Any]) -> Launch:
    image = str(config.get("imageUuid") or "").removeprefix("docker:")
    if not image:
        raise invalid("imageUuid", "imageUuid is required", "MissingRequired")
    return Launch(
        image=image,
        entrypoint=_words(config, "entryPoint"),
        command=_words(config, "command"),
        user=str(config.get("user") or ""),
        group_add=_words(config, "groupAdd"),
        cap_add=_words(config, "capAdd"),
        cap_drop=_words(config, "capDrop"),
        environment=_environment(config),
        ports=_ports(config),
        mounts=_mounts(config),
        read_only=bool(config.get("readOnly")),
        tmpfs=_texts(config, "tmpfs"),
        labels=_texts(config, "labels"),
        working_dir=str(config.get("workingDir") or ""),
        hostname=str(config.get("hostname") or ""),
        secrets=_secrets(config),
        health=_health(config.get("healthCheck")),
    )


def _words(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = config.get(key) or []
    if isinstance(value, str) or not isinstance(value, list):
        raise invalid(key, f"{key} is a list", "InvalidType")
    words = tuple(str(word) for word in value)
    if any("\0" in word for word in words):
        raise invalid(key, f"{key} holds a NUL character", "InvalidCharacters")
    return words


def _texts(config: Mapping[str, Any], key: str) -> dict[str, str]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise invalid(key, f"{key} is a map", "InvalidType")
    return {str(name): "" if text is None else str(text) for name, text in value.items()}


def _secrets(config: Mapping[str, Any]) -> dict[str, str]:
    """From Rancher's list of objects with the `name` of the file and the secret's, `source`."""
    found = {}
    for entry in config.get("secrets") or []:
        if not isinstance(entry, dict) or not (entry.get("name") or entry.get("source")):
            raise invalid("secrets", "secrets is a list of objects with a name", "InvalidType")
        file = str(entry.get("name") or entry.get("source"))
        if "/" in file or set(file) <= {"."}:
            raise invalid("secrets", f"{file!r} can't be the name of a file", "InvalidCharacters")
        found[file] = str(entry.get("source") or file)
    return found


def _environment(config: Mapping[str, Any]) -> dict[str, str]:
    environment = _texts(config, "environment")
    for name, value in environment.items():
        if not name or "=" in name or set(name + value) & set("\n\r\0"):
            # An env file of the engine has no way to write such a one.
            raise invalid("environment", f"the variable {name!r} can't be passed to a container")
    return environment


def _ports(config: Mapping[str, Any]) -> tuple[Port, ...]:
    try:
        return tuple(Port.parse(text) for text in _words(config, "ports"))
    except ValueError as error:
        raise invalid("ports", str(error)) from None


def _mounts(config: Mapping[str, Any]) -> tuple[Mount, ...]:
    try:
        return tuple(Mount.parse(text) for text in _words(config, "dataVolumes"))
    except ValueError as error:
        raise invalid("dataVolumes", str(error)) from None


def _health(config: object) -> HealthCheck | None:
    """Rancher sends milliseconds; a time that is missing gets Rancher's default."""
    if not config:
        return None
    if not isinstance(config, dict) or not config.get("port"):
        raise invalid("healthCheck", "healthCheck needs a port")

    def seconds(key: str, default: float) -> float:
        value = config.get(key)
        return default if value is None else max(float(value) / 1000, 0.05)

    def count(key: str, default: int) -> int:
        return max(int(config.get(key) or default), 1)

    initializing = seconds("initializingTimeout", 60.0)
    return HealthCheck(
        port=int(config["port"]),
        request_line=str(config.get("requestLine") or ""),
        interval=seconds("interval", 2.0),
        response_timeout=seconds("responseTimeout", 2.0),
        initializing_timeout=initializing,
        reinitializing_timeout=seconds("reinitializingTimeout", initializing),
        healthy_threshold=count("healthyThreshold", 2),
        unhealthy_threshold=count("unhealthyThreshold", 3),
        strategy=str(config.get("strategy") or "recreate"),
    )
