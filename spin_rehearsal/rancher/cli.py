"""Which commands and flags there are. What they do is in `commands`, imported when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .flags import Flag, number, several, switch, text

VERSION = "v0.6.7"

GLOBAL_FLAGS: tuple[Flag, ...] = (
    switch("debug", help="Debug logging"),
    text("config", "c", help="Client configuration file (default ${HOME}/.rancher/cli.json)"),
    text("environment", "env", help="Environment name or ID"),
    text("url", help="Specify the Rancher API endpoint URL"),
    text("access-key", help="Specify Rancher API access key"),
    text("secret-key", help="Specify Rancher API secret key"),
    text("host", help="Host used for docker command"),
    switch("wait", "w", help="Wait for resource to reach resting state"),
    number("wait-timeout", help="Timeout in seconds to wait", default=600),
    text("wait-state", help="State to wait for (active, healthy, etc)"),
    switch("help", "h", help="show help"),
    switch("version", "v", help="print the version"),
)
_HELP = switch("help", "h", help="show help")


class Command(NamedTuple):
    """A command: its names, its module in `commands`, the function there, and its flags.

    `parsed` is False for `exec`, which hands its words on as they are.
    """

    names: tuple[str, ...]
    module: str
    function: str
    usage: str
    arguments: str
    flags: tuple[Flag, ...] = ()
    parsed: bool = True


_LISTED = (
    switch("quiet", "q", help="Only display IDs"),
    text("format", help="'json' or Custom format: {{.Id}} {{.Name}}"),
)
_TYPE = several("type", help="Restrict to specific types (service, container, stack)")

COMMANDS: tuple[Command, ...] = (
    Command(
        ("config",),
        "configuration",
        "run",
        "Setup client configuration",
        "",
        (switch("print", help="Print the current configuration"),),
    ),
    Command(
        ("environment", "env"),
        "environments",
        "run",
        "Interact with environments",
        "[ls]",
        (
            switch("all", "a", help="Show stop/inactive and recently removed resources"),
            switch("quiet", "q", help="Only display IDs"),
            text("format", help="'json' or Custom format"),
        ),
    ),
    Command(
        ("exec",),
        "execute",
        "run",
        "Run a command on a container",
        "[docker exec options] CONTAINER COMMAND...",
        parsed=False,
    ),
    Command(
        ("export",),
        "export",
        "run",
        "Export configuration yml for a stack as a tar archive or to local files",
        "STACK...",
        (
            text("file", "f", help="Write to a file (or - for stdout) as a tar archive"),
            switch("system", "s", help="If exporting the entire environment, include system"),
        ),
    ),
    Command(
        ("inspect",),
        "inspect",
        "run",
        "View details for services, containers, hosts, environments and stacks",
        "[ID|NAME...]",
        (
            _TYPE,
            switch("links", help="Include URLs in actions and links in resource output"),
            text("format", help="'json' or Custom format", default="json"),
        ),
    ),
    Command(
        ("logs",),
        "logs",
        "run",
        "Fetch the logs of a container",
        "[CONTAINER|SERVICE...]",
        (
            switch("service", "s", help="Show service logs"),
            switch("follow", "f", help="Follow log output"),
            number("tail", help="Number of lines to show from the end", default=100),
            text("since", help="Show logs since timestamp"),
            switch("timestamps", "t", help="Show timestamps"),
        ),
    ),
    Command(
        ("ps",),
        "ps",
        "run",
        "Show services/containers",
        "[SERVICE...]",
        (
            switch("all", "a", help="Show stop/inactive and recently removed resources"),
            switch("system", "s", help="Show system resources"),
            switch("containers", "c", help="Display containers"),
            switch("quiet", "q", help="Only display IDs"),
            text("format", help="'json' or Custom format"),
        ),
    ),
    Command(
        ("restart",),
        "actions",
        "restart",
        "Restart service, container",
        "[ID|NAME...]",
        (
            _TYPE,
            number("batch-size", help="Number of containers to restart at a time", default=1),
            number("interval", help="Interval in millisecond to wait", default=1000),
        ),
    ),
    Command(
        ("rm",),
        "actions",
        "remove",
        "Delete service, container, stack",
        "[ID|NAME...]",
        (_TYPE, switch("stop", "s", help="Stop or deactivate resource first")),
    ),
    Command(
        ("scale",),
        "scale",
        "run",
        "Set number of containers to run for a service",
        "[SERVICE=NUM...]",
    ),
    Command(
        ("secrets", "secret"),
        "secrets",
        "run",
        "Operations on secrets",
        "[ls | create NAME FILE|-]",
        _LISTED,
    ),
    Command(
        ("start", "activate"),
        "actions",
        "start",
        "Start or activate service, container, stack",
        "[ID|NAME...]",
        (_TYPE,),
    ),
    Command(
        ("stop", "deactivate"),
        "actions",
        "stop",
        "Stop or deactivate service, container, stack",
        "[ID|NAME...]",
        (_TYPE,),
    ),
    Command(
        ("up",),
        "up",
        "run",
        "Bring all services up",
        "[SERVICE...]",
        (
            switch("pull", "p", help="Before doing the upgrade do an image pull first"),
            switch("d", help="Do not block and log"),
            switch("render", help="Display processed Compose files and exit"),
            switch("upgrade", "u", "recreate", help="Upgrade if service has changed"),
            switch("force-upgrade", "force-recreate", help="Upgrade regardless"),
            switch("confirm-upgrade", "c", help="Confirm that the upgrade was a success"),
            switch("rollback", "r", help="Rollback to the previous deployed version"),
            number("batch-size", help="Number of containers to upgrade at once", default=2),
            number("interval", help="Update interval in milliseconds", default=1000),
            text("rancher-file", help="Specify an alternate Rancher compose file"),
            text("env-file", "e", help="Specify a file from which to read variables"),
            several("file", "f", help="Specify one or more compose files"),
            text("stack", "s", help="Specify an alternate project name"),
            text("description", help="Description of the stack"),
            switch("prune", help="Prune services that are not in the compose file"),
        ),
    ),
    Command(
        ("volumes", "volume"),
        "volumes",
        "run",
        "Operations on volumes",
        "[ls | create NAME | rm ID|NAME...]",
        (
            *_LISTED,
            switch("all", "a", help="Show stop/inactive and recently removed resources"),
            text("driver", help="Specify volume driver name"),
            several("opt", help="Set driver specific key/value options"),
        ),
    ),
    Command(
        ("wait",),
        "waiting",
        "run",
        "Wait for resources service, container, host, stack to be active",
        "[ID|NAME...]",
    ),
)


def find(name: str) -> Command | None:
    return next((command for command in COMMANDS if name in command.names), None)


def help_text() -> str:
    """What `rancher` without arguments prints."""
    width = max(len(", ".join(command.names)) for command in COMMANDS) + 2
    lines = [
        "Rancher CLI, managing containers one UTF-8 character at a time",
        "",
        "Usage: rancher [OPTIONS] COMMAND [arg...]",
        "",
        f"Version: {VERSION}",
        "",
        "Options:",
        *_flag_lines(GLOBAL_FLAGS),
        "",
        "Commands:",
        *(f"  {', '.join(command.names).ljust(width)}{command.usage}" for command in COMMANDS),
        "",
        "Run 'rancher COMMAND --help' for more information on a command.",
    ]
    return "\n".join(lines)


def command_help(command: Command) -> str:
    """What `rancher COMMAND --help` prints."""
    lines = [
        f"Usage: rancher {command.names[0]} [OPTIONS] {command.arguments}".rstrip(),
        "",
        command.usage,
    ]
    if command.flags:
        lines += ["", "Options:", *_flag_lines(command.flags)]
    return "\n".join(lines)


def flags_of(command: Command) -> tuple[Flag, ...]:
    return (*command.flags, _HELP)


def _flag_lines(flags: Sequence[Flag]) -> list[str]:
    shown = [
        ", ".join(f"{'-' if len(name) == 1 else '--'}{name}" for name in flag.names)
        + ("" if flag.kind == "switch" else " value")
        for flag in flags
    ]
    width = max(map(len, shown)) + 2
    return [f"  {name.ljust(width)}{flags[index].help}" for index, name in enumerate(shown)]
