"""The settings of spinstack: every key with its type and meaning, and the check against them.

One table is the schema, the manual and the defaults. Keys are below `spinstack:` in any of
Invoke's layers; those of a destination may also be set directly there, as defaults for all
destinations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spinstack.errors import UsageError
from spinstack.text import NO_TEXT, whole_number


class Key:
    """A setting: its name, the Python types that its value may have, its meaning."""

    # Not a dataclass: making one takes as long as all keys together, in every command.
    def __init__(
        self, name: str, types: tuple[type, ...], meaning: str, default: Any = None
    ) -> None:
        self.name = name
        self.types = types
        self.meaning = meaning
        self.default = default
        # Whether a mapping has only single values in it.
        self.flat = name in ("env", "build_args")

    @property
    def wanted(self) -> str:
        """The type in plain words."""
        names = {
            str: "text",
            int: "a number",
            bool: "true or false",
            list: "a list of text",
            dict: "a mapping of single values" if self.flat else "a mapping",
        }
        return " or ".join(names[kind] for kind in self.types)


TEXT, NUMBER, YES_NO, MAPPING, LIST = (str,), (int,), (bool,), (dict,), (list,)

STACK_KEYS = (
    Key("stack", TEXT, "name of the stack, part of its address"),
    Key("destination", TEXT, "where commands go unless --to names another destination"),
    Key("compose_file", TEXT, "the compose file", "docker-compose.yml"),
    Key("env_file", TEXT, "the variables of the compose file", "stack.env"),
    Key("images", MAPPING, "images built from this directory: key, context, name"),
    Key("destinations", MAPPING, "named sets of the settings below"),
    Key("engine", TEXT, "docker or podman; detected if not set"),
    Key("services", MAPPING, "service: its health check, how many containers it has, and the like"),
    Key("stats", MAPPING, "service: command in its container whose output `status` shows"),
)

SERVICE_KEYS = (
    Key("health", MAPPING, "what a container must answer: port, path and the like"),
    Key("scale", NUMBER, "number of containers", 1),
    Key("stop", MAPPING, "how a container on Kubernetes ends its work: command, within"),
)

# As in `healthcheck:` of a compose file, where that has them.
HEALTH_KEYS = (
    Key("port", NUMBER, "port inside the container"),
    Key("path", TEXT, "page that must respond; a connection is enough if not set"),
    Key("start_within", NUMBER, "seconds until a new container must be healthy", 60),
    Key("interval", NUMBER, "seconds from one check to the next", 2),
    Key("timeout", NUMBER, "seconds that an answer may take", 2),
    Key("retries", NUMBER, "failed checks in a row that make a container unhealthy", 3),
)

STOP_KEYS = (
    Key("command", TEXT, "command in the container, after which its program ends by itself"),
    Key("within", NUMBER, "seconds until it is killed", 30),
)

IMAGE_KEYS = (
    Key("context", TEXT, "directory with the Dockerfile and what it copies"),
    Key("name", TEXT, "name of the image in the registry"),
    Key("dockerfile", TEXT, "the Dockerfile, relative to the context", "Dockerfile"),
)

CHECKOUT_KEYS = (
    Key("url", TEXT, "repository to clone"),
    Key("ref", TEXT, "branch, tag or commit; the repository's default branch if not set"),
)

DEFAULT_KUBECONFIG = "~/.kube/config"

# Below `kubernetes:`, where the platform is kubernetes; a value that is not set is the centre's.
KUBERNETES_KEYS = (
    Key("cluster", TEXT, "one of the centre's clusters, for its context and host names"),
    Key("context", TEXT, "the context in the kubeconfig; the cluster's name if not set"),
    Key("namespace", TEXT, "the namespace that the stack is deployed to"),
    Key("kubeconfig", TEXT, "the kubeconfig", DEFAULT_KUBECONFIG),
    Key("kubectl", TEXT, "where kubectl runs: on the laptop, or on the login node", "laptop"),
    Key("uid", NUMBER, "your user id at the centre, for ${UID} in the compose file"),
    Key("ingress_class", TEXT, "class of the ingress"),
    Key("ingress_host", TEXT, "name of the site, if not the one that the centre gives it"),
    Key("tls_secret", TEXT, "secret with the certificate of the site's name"),
    Key("storage_class", TEXT, "storage class of the claims for named volumes"),
    Key("pull_secret", TEXT, "secret with the login to the registry"),
)

DESTINATION_KEYS = (
    Key("include", TEXT, "a YAML file with more of these settings, written by another program"),
    Key("platform", TEXT, "what runs the stack there: cattle or kubernetes", "cattle"),
    Key("profile", TEXT, "whose rules hold there: spin, or generic for any cluster", "spin"),
    Key("kubernetes", MAPPING, "cluster, context, namespace and the like, on Kubernetes"),
    Key("host", TEXT, "login node, or its name in your ssh config", "perlmutter.nersc.gov"),
    Key("wire", TEXT, "openssh: one login a day; fabric: one per command; auto: either", "auto"),
    Key("port", NUMBER, "ssh port, if not 22 or the one in your ssh config"),
    Key("user", TEXT, "your user name on the login node"),
    Key("identity_file", TEXT, "private key, such as sshproxy's ~/.ssh/nersc"),
    Key("known_hosts_file", TEXT, "file of known host keys, besides your ssh's own"),
    Key("sshproxy", TEXT, "the centre's sshproxy.sh, if it is not on your PATH"),
    Key("login_answer_file", TEXT, "file that answers the login prompt (rehearsals only)"),
    Key("practise", YES_NO, "ask for the login even if a file could answer", False),
    Key("modules", LIST, "modules loaded on the login node"),
    Key("environment", TEXT, "the platform's environment, such as dev-cattle"),
    Key("project_dir", TEXT, "directory on the global file system that holds the releases"),
    Key("registry", TEXT, "registry that images are pushed to", "registry.spin.nersc.gov"),
    Key("namespace", TEXT, "your part of the registry"),
    Key("build_platform", TEXT, "platform that images are built for", "linux/amd64"),
    Key("build_args", MAPPING, "build arguments, such as other base images"),
    Key("env", MAPPING, "variables of the env file that differ at this destination"),
    Key("checkouts", MAPPING, "code that `setup` clones: variable of its directory, url, ref"),
    Key("address", TEXT, "show the site by its name (fqdn) or its IP address (endpoint)", "fqdn"),
    Key("probe_path", TEXT, "pages that must respond after a deploy, separated by spaces", "/"),
    Key("healthy_within", NUMBER, "seconds until all is healthy, pulls of images included", 300),
    Key("protected", YES_NO, "changes need --to naming it, or a confirmation", False),
    Key("centre", MAPPING, "overrides for the centre's rules (see spin.yaml)"),
)  # fmt: skip


def known_to_invoke() -> dict[str, dict[str, None]]:
    """Every single-valued key, without a value, for Invoke's configuration: it reads an
    `INVOKE_SPINSTACK_…` variable only for keys that it knows."""
    single = [key for key in (*STACK_KEYS, *DESTINATION_KEYS) if not {dict, list} & {*key.types}]
    return {"spinstack": {key.name: None for key in single}}


def from_variables(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are set; numbers and booleans given as text, as in a variable, are parsed."""
    table = {key.name: key for key in (*STACK_KEYS, *DESTINATION_KEYS)}
    return {
        name: _read(table[name], value) if name in table and isinstance(value, str) else value
        for name, value in values.items()
        if value is not None
    }


def _read(key: Key, text: str) -> Any:
    number = whole_number(text) if key.types == NUMBER else None
    if number is not None:
        return number
    if key.types == YES_NO and text.lower() in ("1", "true", "yes", "0", "false", "no"):
        return text.lower() in ("1", "true", "yes")
    return text


def check(
    values: Mapping[str, Any], keys: Iterable[Key], path: str, also: Iterable[Key] = ()
) -> None:
    """Raises UsageError for the first key that is unknown or has a value of the wrong type."""
    table = {key.name: key for key in (*keys, *also)}
    for name, value in values.items():
        where = f"{path}.{name}"
        key = table.get(str(name))
        if key is None:
            import difflib

            near = difflib.get_close_matches(str(name), table, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(table)}"
            raise UsageError(f"unknown setting {name!r}", where=where, remedy=remedy)
        _check_type(key, value, where)


def _check_type(key: Key, value: Any, where: str) -> None:
    # bool is a kind of int in Python; a port is not.
    fits = isinstance(value, key.types) and not (isinstance(value, bool) and bool not in key.types)
    if isinstance(value, list):
        fits = fits and all(isinstance(item, str) for item in value)
    if isinstance(value, dict) and key.flat:
        fits = fits and not any(isinstance(item, (list, dict)) for item in value.values())
    if value is not None and not fits:
        raise UsageError(
            f"the setting {key.name} must be {key.wanted}, not {value!r}",
            where=where,
            remedy=f"{key.name}: {key.meaning}",
        )
    for path, text in _texts(value, where):
        if NO_TEXT.search(text):
            raise UsageError(
                f"the setting {path.rpartition('.')[2]} has a control character in it",
                where=path,
                remedy="remove it; an editor shows it as ^@ or <U+0085>, for example",
            )
        if key.name == "env" and "\n" in text:
            raise UsageError(
                f"the variable {path.rpartition('.')[2]} has a line break in it",
                where=path,
                remedy="write its value on one line: an env file has no longer ones",
            )


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every text in a value, with where it is."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield where, str(key)
            yield from _texts(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, where)
