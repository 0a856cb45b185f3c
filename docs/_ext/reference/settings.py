"""Every setting: its meaning, type, default, and where it may be set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spinstack.config import kubernetes, schema, settings
from spinstack.config.schema import Key
from spinstack.images import engine
from spinstack.rules import centre

from . import centre_rules, markdown

# Sections of the page: title, what it is about, path of its settings, the settings.
SECTIONS = (
    (
        "The stack",
        "Directly below `spinstack:`.",
        "",
        schema.STACK_KEYS,
    ),
    (
        "An image",
        "Below `images:` and the image's key. The compose file names the image by the variable "
        "`KEY_IMAGE`, such as `${WEB_IMAGE}`.",
        "images.KEY.",
        schema.IMAGE_KEYS,
    ),
    (
        "A service",
        "Below `services:` and the service's name.",
        "services.NAME.",
        schema.SERVICE_KEYS,
    ),
    (
        "A health check",
        "Below `health:` of a service.",
        "services.NAME.health.",
        schema.HEALTH_KEYS,
    ),
    (
        "How a container stops",
        "Below `stop:` of a service.",
        "services.NAME.stop.",
        schema.STOP_KEYS,
    ),
    (
        "A destination",
        "Below `destinations:` and the destination's name, or directly below `spinstack:` for all "
        "destinations.",
        "destinations.NAME.",
        schema.DESTINATION_KEYS,
    ),
    (
        "Kubernetes",
        "Below `kubernetes:` of a destination, or of `spinstack:`, for all destinations.",
        "destinations.NAME.kubernetes.",
        schema.KUBERNETES_KEYS,
    ),
    (
        "Code that is cloned",
        "Below `checkouts:` and the variable of `stack.env` that names its directory.",
        "destinations.NAME.checkouts.VARIABLE.",
        schema.CHECKOUT_KEYS,
    ),
)

# What is taken for a setting that is not set and has no default of its own: a key of the centre's
# rules, or words.
FROM_CENTRE = {
    "destinations.NAME.modules": "rancher.modules",
    "destinations.NAME.kubernetes.ingress_class": "kubernetes.ingress_class",
    "destinations.NAME.kubernetes.storage_class": "kubernetes.storage_class",
    "destinations.NAME.kubernetes.pull_secret": "kubernetes.pull_secret",
}
OTHERWISE = {
    "engine": "found on this machine",
    "destinations.NAME.namespace": "the setting `user`",
    "destinations.NAME.kubernetes.context": "the context of the `cluster`",
    "destinations.NAME.kubernetes.ingress_host": "the name that the `cluster` gives an ingress",
    "destinations.NAME.kubernetes.uid": "none; needed if the compose file has `${UID}`",
}
# One can't do without them; those of one platform with its name.
NEEDED = {
    "stack": "",
    "images.KEY.context": "",
    "images.KEY.name": "",
    "services.NAME.health.port": "",
    "services.NAME.stop.command": "",
    "destinations.NAME.environment": "on Rancher 1",
    "destinations.NAME.project_dir": "on Rancher 1, and with `kubectl: login`",
    "destinations.NAME.kubernetes.namespace": "",
    "destinations.NAME.checkouts.VARIABLE.url": "",
}


def page() -> str:
    """The settings, section by section, and the centre's rules."""
    return markdown.page([*_parts(), centre_rules.section()])


def _parts() -> Iterator[str]:
    overview = (
        (title, markdown.links((key.name, _anchor(f"{path}{key.name}")) for key in keys))
        for title, _, path, keys in SECTIONS
    )
    yield markdown.table(("Of what", "Settings"), overview)
    for title, about, path, keys in SECTIONS:
        yield markdown.heading(2, title)
        yield about
        for key in keys:
            yield markdown.heading(3, key.name, _anchor(f"{path}{key.name}"))
            yield markdown.sentence(key.meaning)
            yield markdown.fields(_fields(key, path))


def _anchor(path: str) -> str:
    return f"setting-{path}".replace(".", "-")


def _fields(key: Key, path: str) -> Iterator[tuple[str, str]]:
    allowed = _allowed(f"{path}{key.name}")
    yield "Type", key.wanted + (f": {' or '.join(map(markdown.code, allowed))}" if allowed else "")
    yield "Default", _default(key, f"{path}{key.name}")
    yield "Set in", _origin(key, path)


def _allowed(path: str) -> tuple[str, ...]:
    """The values that may be set; none: all of the type."""
    prefix, _, name = path.rpartition(".")
    if prefix == "destinations.NAME":
        return settings.CHOICES.get(name, ())
    return {
        "engine": engine.KNOWN,
        "destinations.NAME.kubernetes.kubectl": kubernetes.KUBECTL_ON,
    }.get(path, ())


def _default(key: Key, path: str) -> str:
    if path in NEEDED:
        return f"none: it must be set {NEEDED[path]}".strip()
    if key.default is not None:
        shown = str(key.default).lower() if isinstance(key.default, bool) else str(key.default)
        return markdown.code(shown)
    if path in FROM_CENTRE:
        return f"the centre's ({markdown.code(FROM_CENTRE[path])}): {_values(FROM_CENTRE[path])}"
    return OTHERWISE.get(path, "none")


def _values(rule: str) -> str:
    """What the centre's rules say, at Spin and elsewhere."""
    said = []
    for where, profile in (("Spin", "spin"), ("elsewhere", "generic")):
        value = centre_rules.at(centre.packaged(profile, "kubernetes"), rule)
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        said.append((f"{markdown.code(shown)}" if shown else "the cluster's own", where))
    if len({value for value, _ in said}) == 1:
        return said[0][0]
    return "; ".join(f"{value} ({where})" for value, where in said)


def _origin(key: Key, path: str) -> str:
    """The files and variables that may set it."""
    places = ["`invoke.yaml`", "`~/.invoke.yaml`"]
    if path == "destinations.NAME.":
        places.append("the file of `include`")
    if path in ("", "destinations.NAME.") and key.name in schema.known_to_invoke()["spinstack"]:
        places.append(f"`INVOKE_SPINSTACK_{key.name.upper()}`")
    return ", ".join(places)


def names() -> Iterable[str]:
    """The path of every setting."""
    return [f"{path}{key.name}" for _, _, path, keys in SECTIONS for key in keys]
