"""The settings of a stack and its destinations, checked and typed.

Read only from Invoke's own layers: the stack's invoke.yaml, ~/.invoke.yaml, INVOKE_…
variables, --config file; see `schema.py` for every key. None of them holds secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinstack.config import kubernetes, misread, schema, service_settings
from spinstack.config.kubernetes import Cluster
from spinstack.config.service_settings import ServiceSetting
from spinstack.directories import expanded
from spinstack.errors import UsageError
from spinstack.rules import centre
from spinstack.text import read_yaml


class NotAStack(UsageError):
    """The directory has no settings of a stack."""


@dataclass(frozen=True)
class ImageSetting:
    """An image built from the stack's directory. The compose file names it by `variable`."""

    key: str
    context: str
    name: str
    dockerfile: str = "Dockerfile"

    @property
    def variable(self) -> str:
        return f"{self.key.upper().replace('-', '_')}_IMAGE"


@dataclass(frozen=True)
class Checkout:
    """Code that is mounted: the variable of the env file that names its directory, the
    repository, and what is checked out (empty: the repository's default branch)."""

    variable: str
    url: str
    ref: str = ""


@dataclass(frozen=True)
class Destination:
    """Where a stack runs: one named set of settings. The keys are those of `schema.py`."""

    name: str
    platform: str
    profile: str
    kubernetes: Cluster | None
    host: str
    wire: str
    port: int | None
    user: str
    identity_file: Path | None
    known_hosts_file: Path | None
    sshproxy: Path | None
    login_answer_file: Path | None
    practise: bool
    modules: tuple[str, ...]
    environment: str
    project_dir: str
    registry: str
    namespace: str
    build_platform: str
    build_args: Mapping[str, str]
    env: Mapping[str, str]
    checkouts: tuple[Checkout, ...]
    address: str
    probe_paths: tuple[str, ...]
    healthy_within: int
    protected: bool
    centre: centre.Centre
    included: Path | None

    @property
    def cluster(self) -> Cluster:
        """Where on Kubernetes, for what is done on no other platform."""
        assert self.kubernetes is not None
        return self.kubernetes

    @property
    def on_laptop(self) -> bool:
        """Whether scripts run on this machine, so that there is no login."""
        return self.kubernetes is not None and self.kubernetes.on_laptop

    @property
    def has_login_node(self) -> bool:
        """Whether there is one for the files that are mounted, also where scripts run here: who
        sets a directory on the global file system has one."""
        return not self.on_laptop or self.project_dir != kubernetes.NO_PROJECT_DIR

    @property
    def at_login_node(self) -> Destination:
        """The same, as it is reached through the login node."""
        if self.kubernetes is None:
            return self
        return replace(self, kubernetes=replace(self.kubernetes, on_laptop=False))

    @property
    def place(self) -> str:
        """Where scripts run, for messages: the login node's name, or this machine."""
        return "this machine" if self.on_laptop else self.host

    @property
    def runs_at(self) -> str:
        """What is asked about the stack, for messages: the cluster, or the login node."""
        return self.kubernetes.where if self.kubernetes else self.host

    @property
    def when_unreachable(self) -> str:
        """What to do when the login node does not answer."""
        if self.included:
            return f"check the address in {self.included}; for a rehearsal: invoke rehearsal.start"
        return "check the centre's status page, and whether this machine is online"


@dataclass(frozen=True)
class Settings:
    """The settings of one stack."""

    directory: Path
    stack: str
    default_destination: str
    compose_file: str
    env_file: str
    images: tuple[ImageSetting, ...]
    services: Mapping[str, ServiceSetting]
    engine: str | None
    raw: Mapping[str, Any]

    @property
    def destination_names(self) -> list[str]:
        return list(self.raw.get("destinations") or {})

    def included_by(self, name: str) -> Path | None:
        """The file that a destination includes, which may not be there yet. Raises UsageError for a
        path that can't be one."""
        return _include(name, self.raw)

    def destination(self, name: str | None = None) -> Destination:
        """A destination by name, or the default one.

        Raises UsageError for an unknown one, a missing include file or a wrong value.
        """
        wanted = name or self.default_destination
        known = self.destination_names
        if wanted not in known:
            raise UsageError(
                f"no destination {wanted!r}",
                where=f"{self.directory / 'invoke.yaml'}, spinstack.destinations",
                remedy=f"use one of {', '.join(known)}" if known else "add one there",
            )
        return _destination(wanted, self.raw)


def load(config: Any, directory: Path) -> Settings:
    """From Invoke's merged configuration (or any mapping) of a stack's directory.

    Raises UsageError naming the key that is missing, unknown or of the wrong type.
    """
    for file in _files(config):
        misread.check(file, "spinstack")
    raw = schema.from_variables(plain(config.get("spinstack") or {}))
    schema.check(raw, schema.STACK_KEYS, "spinstack", also=schema.DESTINATION_KEYS)
    # A name such as 1 or on is no text to YAML.
    raw["destinations"] = {str(key): it for key, it in (raw.get("destinations") or {}).items()}
    for name, values in raw["destinations"].items():
        path = f"spinstack.destinations.{name}"
        if values is not None and not isinstance(values, dict):
            raise UsageError(f"{name} must be a mapping", where=path, remedy="see invoke.yaml")
        schema.check(values or {}, schema.DESTINATION_KEYS, path)
    stack = raw.get("stack")
    if not stack:
        raise NotAStack(
            "this is not a stack's directory",
            where=str(directory),
            remedy="change to the directory of a stack (its invoke.yaml sets spinstack.stack), "
            "or create a stack: spinstack new",
        )
    defaults = {key.name: key.default for key in schema.STACK_KEYS}
    return Settings(
        directory=directory,
        stack=stack,
        default_destination=raw.get("destination") or "",
        compose_file=raw.get("compose_file") or defaults["compose_file"],
        env_file=raw.get("env_file") or defaults["env_file"],
        images=_images(raw.get("images") or {}),
        services=service_settings.read(raw.get("services") or {}, "spinstack.services"),
        engine=raw.get("engine"),
        raw=raw,
    )


def _files(config: Any) -> list[Path]:
    """Those that Invoke has read: it keeps them in attributes that are not public."""
    known = getattr(config, "__dict__", {})
    paths = [known.get(f"_{layer}_path") for layer in ("system", "user", "project", "runtime")]
    return [Path(path) for path in paths if path]


def plain(value: Any) -> Any:
    """Invoke's configuration proxies as ordinary dicts and lists."""
    if isinstance(value, Mapping) or hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _images(raw: Mapping[str, Any]) -> tuple[ImageSetting, ...]:
    images = []
    for key, values in raw.items():
        path = f"spinstack.images.{key}"
        if not isinstance(values, dict):
            raise UsageError(
                f"{key} must be a mapping", where=path, remedy="set context: and name: in it"
            )
        schema.check(values, schema.IMAGE_KEYS, path)
        for needed in ("context", "name"):
            if not values.get(needed):
                raise UsageError(f"{needed} is missing", where=path, remedy=f"add {needed}:")
        dockerfile = values.get("dockerfile") or ImageSetting.dockerfile
        images.append(ImageSetting(str(key), values["context"], values["name"], dockerfile))
    return tuple(images)


CHOICES = {
    "platform": ("cattle", "kubernetes"),
    "profile": centre.PROFILES,
    "address": ("fqdn", "endpoint"),
    "wire": ("auto", "fabric", "openssh"),
}


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): _text(value) for key, value in (values or {}).items()}


def _text(value: Any) -> str:
    """A single value as it would be written: a boolean as in YAML, nothing as nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _path(text: str | None) -> Path | None:
    return expanded(text) if text else None


# Key -> how its value becomes the destination's field; other values are used as they are.
_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "identity_file": _path,
    "known_hosts_file": _path,
    "sshproxy": _path,
    "login_answer_file": _path,
    "practise": bool,
    "modules": tuple,
    "project_dir": lambda path: path.rstrip("/"),
    "build_args": _texts,
    "env": _texts,
    "probe_path": lambda paths: tuple(paths.split()),
    "protected": bool,
}
# Keys whose field has another name.
_FIELDS = {"include": "included", "probe_path": "probe_paths"}


def _destination(name: str, raw: Mapping[str, Any]) -> Destination:
    """Each key of the schema becomes a field. Raises UsageError for a wrong value."""
    where = f"spinstack.destinations.{name}"
    values = _layers(name, raw)
    _check_choices(values, where)
    values["centre"] = _centre(values, where)
    values["kubernetes"] = _cluster(values, where)
    _check(values, where)
    values["checkouts"] = _checkouts(values["checkouts"], where)
    # Values for what is not set.
    values["user"] = values["user"] or ""
    values["namespace"] = values["namespace"] or values["user"]
    values["modules"] = values["modules"] or values["centre"].modules
    fields = {
        _FIELDS.get(key, key): _CONVERTERS[key](value) if key in _CONVERTERS else value
        for key, value in values.items()
    }
    return Destination(name=name, **fields)


def _layers(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every key of the schema: from the destination itself, or else the file that it
    includes, the settings for all destinations, the default."""
    own = (raw.get("destinations") or {}).get(name) or {}
    values = {key.name: key.default for key in schema.DESTINATION_KEYS}
    included = _include(name, raw)
    layers = [raw, _included(included, name) if included else {}, own]
    for layer in layers:
        values.update({key: layer[key] for key in values if layer.get(key) is not None})
    # A destination may set only what differs, such as a checkout's ref, or a rule of its centre.
    for key in ("checkouts", "kubernetes", "centre", "build_args"):
        values[key] = {}
        for layer in layers:
            told = layer.get(key) or {}
            if key == "kubernetes" and told.get(kubernetes.SHORT):
                values[key] = {**values[key], kubernetes.LONG: None}
            values[key] = centre.merged(values[key], told)
    return {**values, "include": included}


def _include(name: str, raw: Mapping[str, Any]) -> Path | None:
    own = (raw.get("destinations") or {}).get(name) or {}
    return _path(own.get("include") or raw.get("include"))


def _centre(values: Mapping[str, Any], where: str) -> centre.Centre:
    try:
        return centre.load(values["centre"], values["profile"], values["platform"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the overrides of the centre's rules are not valid: {error}",
            where=f"{where}.centre",
            remedy="use the structure of spin.yaml in the package spinstack",
        ) from None


def _cluster(values: dict[str, Any], where: str) -> kubernetes.Cluster | None:
    """Where on Kubernetes, None elsewhere; fills in what other platforms have to be told."""
    if values["platform"] != "kubernetes":
        return None
    found = kubernetes.read(values["kubernetes"] or {}, values["centre"], f"{where}.kubernetes")
    values["environment"] = values["environment"] or f"{found.context}/{found.namespace}"
    if found.on_laptop:
        values["project_dir"] = values["project_dir"] or kubernetes.NO_PROJECT_DIR
    return found


def _check_choices(values: Mapping[str, Any], where: str) -> None:
    """Raises UsageError for a word that is not one of those allowed."""
    for key, allowed in CHOICES.items():
        if values[key] not in allowed:
            remedy = f"use one of {', '.join(allowed)}"
            raise UsageError(
                f"{key} can't be {values[key]!r}", where=f"{where}.{key}", remedy=remedy
            )


def _check(values: Mapping[str, Any], where: str) -> None:
    """Raises UsageError for a value that is missing, or of the right type but not allowed."""
    for key in ("environment", "project_dir"):
        if not values[key]:
            remedy = f"add {key}:"
            raise UsageError(f"the setting {key} is missing", where=where, remedy=remedy)
    path = values["project_dir"].rstrip("/")
    # A mount is written SOURCE:TARGET, an env file has one line for each variable.
    if ":" in path or not path.isprintable():
        raise UsageError(
            f"project_dir can't be {path!r}: paths with a colon or a line break can't be mounted",
            where=f"{where}.project_dir",
            remedy="use a directory without those characters; spaces are fine",
        )


def _checkouts(checkouts: Mapping[str, Any], where: str) -> tuple[Checkout, ...]:
    found = []
    for variable, values in checkouts.items():
        path = f"{where}.checkouts.{variable}"
        if not isinstance(values, dict):
            raise UsageError(
                f"{variable} must be a mapping", where=path, remedy="set url: and ref: in it"
            )
        schema.check(values, schema.CHECKOUT_KEYS, path)
        url, ref = values.get("url") or "", values.get("ref") or ""
        if not url:
            raise UsageError("url is missing", where=path, remedy="add url: with the repository")
        # Git would read them as options.
        for text in (url, ref):
            if text.startswith("-"):
                raise UsageError(f"{text!r} is not a {'url' if text == url else 'ref'}", where=path)
        found.append(Checkout(str(variable), url, ref))
    return tuple(found)


def _included(path: Path, name: str) -> dict[str, Any]:
    options = " --platform kubernetes" if "rehearsal-kubernetes" in path.parts else ""
    try:
        values = read_yaml(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"the settings of the destination {name} can't be read: {error.strerror}",
            where=str(path),
            remedy=f"for the rehearsal, first run `invoke rehearsal.start{options}`; for another "
            "destination, add --to NAME",
        ) from None
    except ValueError as error:
        raise UsageError(str(error), where=str(path), remedy="fix the file") from None
    if not isinstance(values, dict):
        raise UsageError("not a mapping of settings", where=str(path), remedy="fix the file")
    misread.check(path)
    try:
        schema.check(values, schema.DESTINATION_KEYS, str(path))
    except RecursionError:
        problem = "an alias in it contains itself"
        raise UsageError(problem, where=str(path), remedy="fix the file") from None
    return values
