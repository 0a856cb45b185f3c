"""A second platform, as unlike Rancher as can be: services are plain files on the login node.

`~/plain/STACK/SERVICE/` holds a service, a small bash program looks after it. Its words, its
output and its ways are its own: an upgrade replaces what runs at once (a copy of what ran before
is kept to be put back), a state names its reason, and what runs is what the release's manifest
says, not its compose file.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spinstack.config import services
from spinstack.config.interpolation import interpolate
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, Stack
from spinstack.platforms.base import (
    NO_CONTAINER,
    QUICK,
    SLOW,
    STOP_SECONDS,
    ChangeCommands,
    Container,
    Endpoint,
    Garbled,
    Grant,
    HealthCheck,
    Kept,
    LogLine,
    LogQuery,
    Phase,
    RunningService,
    ServiceState,
    StateWords,
    TakenPort,
)
from spinstack.rules.finding import Finding
from spinstack.transport.command import Command, Raw, Secret, Word
from spinstack.transport.script import Step

# Keeps its services below ~/plain; ~/odd/VERB is what it is to do otherwise than well.
PROGRAM = r"""#!/bin/bash
shopt -s nullglob
verb=$1
shift
cd ~/plain || exit
# One at a time: nobody lists a service that is half written.
exec 9>~/.plain-lock && flock 9
printf '%s %s\n' "$verb" "$*" >>~/calls

no() { printf 'plain: no: %s\n' "$*" >&2; exit 1; }
odd() { [ -e ~/odd/"$1" ] && cat ~/odd/"$1"; }
has() { [ -d "$1" ] || no "there is no $1"; }

# tell SERVICE: how it is now; what is on its way arrives after it was looked at.
tell() {
    local state want copies=0 release health ports
    read -r state <"$1/state"; read -r want <"$1/want"; read -r health <"$1/health"
    read -r release <"$1/release"
    case $state in up | rolling) copies=$want ;; esac
    printf '* %s\n  state = %s\n  copies = %s/%s\n  health = %s\n' \
        "$1" "$state" "$copies" "$want" "$health"
    while read -r key value; do
        case $key in
            image) printf '  image = %s\n' "$value" ;;
            port)
                printf '  port = %s\n' "$value"
                [ "$state" = off ] || printf '  at = 10.9.8.7:%s\n' "${value%%:*}"
                ;;
        esac
    done <"$1/spec"
    printf '  release = %s\n' "$release"
    [ ! -e "$1/next" ] || mv "$1/next" "$1/state"
}

# become SERVICE STATE: after a while.
become() { echo rolling >"$1/state"; echo "$2" >"$1/next"; }

# replace SERVICE SPEC RELEASE: what ran before is kept beside it, unless it is of this release.
replace() {
    local release= target=up health=well
    if [ -d "$1" ]; then
        read -r release <"$1/release"
        if [ "$2" = "$(<"$1/spec")" ] && [ "$(<"$1/state")" = up ]; then return; fi
        if [ "$release" != "$3" ]; then
            rm -rf "$1/before"
            mkdir "$1/.new"
            mv "$1"/* "$1/.new"
            mv "$1/.new" "$1/before"
            cp "$1/before/want" "$1/before/log" "$1"
        fi
    else
        mkdir -p "$1"
        echo 1 >"$1/want"
        : >"$1/log"
    fi
    printf '%s\n' "$2" >"$1/spec"
    printf '%s\n' "$3" >"$1/release"
    read -r _ image <<<"$2"
    echo "@1795363200.5 ${1#*/}-1 starting $image" >>"$1/log"
    if target=$(odd new); then
        case $target in ill) target=up health=ill ;; esac
    else
        target=up
    fi
    echo "$health" >"$1/health"
    become "$1" "$target"
}

case $verb in
    list)
        odd list && exit
        count=0
        for service in */*/; do tell "${service%/}"; count=$((count + 1)); done
        echo "end $count"
        ;;
    copies)
        for service in */*/; do
            service=${service%/}
            read -r state <"$service/state"; read -r want <"$service/want"
            case $state in up | rolling) how=alive ;; off) continue ;; *) how=stuck ;; esac
            for ((i = 1; i <= want; i++)); do
                echo "$service $i $how @1795363200 $(<"$service/health")"
            done
        done
        ;;
    here) [ -d "$1" ] && echo "stack = $1" ;;
    show) has "$1"; echo "service = $1"; cat "$1/spec" ;;
    say) # STACK/SERVICE LINES [FROM]
        has "$1"
        from=${3:-0s}
        case $from in
            0s) from=0 ;;
            *s) from=$((1795363200 - ${from%s})) ;;
            *) from=$(date -d "$from" +%s) ;;
        esac
        awk -v from="@$from" 'substr($1, 2) + 0 >= substr(from, 2) + 0' "$1/log" | tail -n "$2"
        ;;
    check)
        odd check
        [ -s "$OLDPWD/plain.services" ] || no 'there is no plain.services'
        ;;
    apply)
        odd apply && exit
        release=${OLDPWD##*/} name= spec=
        while IFS= read -r line; do
            line=${line//'${UID}'/$UID}
            case $line in
                service\ *)
                    [ -z "$name" ] || replace "$1/$name" "$spec" "$release"
                    name=${line#service } spec=
                    ;;
                *) spec+=${spec:+$'\n'}$line ;;
            esac
        done <"$OLDPWD/plain.services"
        [ -z "$name" ] || replace "$1/$name" "$spec" "$release"
        ;;
    back) # In a release: what ran before it runs again.
        odd back && exit 1
        has "$1"
        [ "$(<"$1/release")" = "${OLDPWD##*/}" ] && [ -d "$1/before" ] || exit 0
        mkdir "$1/.old"
        cp "$1/before"/* "$1/.old"
        rm -rf "$1"/*
        mv "$1/.old"/* "$1"
        rmdir "$1/.old"
        rm -f "$1/next"
        become "$1" up
        ;;
    on | again) for one; do has "$one"; become "$one" up; done ;;
    off) for one in $1 $1/*/; do [ ! -e "$one/state" ] || echo off >"$one/state"; done ;;
    size) has "$1"; echo "$2" >"$1/want"; become "$1" up ;;
    drop) has "$1"; rm -rf "${1:?}"; rmdir "${1%/*}" 2>/dev/null || true ;;
    run) # COPY WORD…
        one=${1%-*}
        has "$one"
        cd "$one" && shift && exec "$@" 9>&-
        ;;
    kept) for one in ~/kept-"$1"/*; do echo "${one##*/} since @1795363200"; done ;;
    keep) mkdir -p ~/kept-"$1"; cat >~/kept-"$1/$2" ;;
    forget) rm ~/kept-"$1/$2" || no "there is no $1 $2" ;;
    *) no "what is $verb?" ;;
esac
"""

# What `list` prints as the rows of `spinstack.platforms.rows`.
_ROWS = r"""
function put() { if (name) print "row|" name "|" state "|" health "|" moves "|" at "||" why }
/^\* / { put(); name = $2; state = health = at = why = ""; moves = "no" }
/^  state = / {
    state = substr($0, 11)
    if (at_why = index(state, ": ")) {
        why = substr(state, at_why + 2)
        state = substr(state, 1, at_why - 1)
    }
    if (state == "rolling" || state == "going") moves = "yes"
    if (state == "broken") moves = "error"
}
/^  health = well$/ { health = "healthy" }
/^  health = ill$/ { health = "unhealthy" }
/^  health = unsure$/ { health = "initializing" }
/^  at = / { at = at $3 " " }
END { put() }
"""
# Of what `copies` prints, the first that is well; a word of awk's command line is no file here.
_ANY_WELL = r"""
BEGIN { name = ARGV[1]; ARGV[1] = "" }
$1 == name && /alive .* (well|-)$/ { print $1 "-" $2; exit }
"""
_BEHIND_ITS_NAME = r"""
BEGIN { name = ARGV[1]; ARGV[1] = "" }
{ print name "\t" $0; fflush() }
"""
PHASES = {
    "up": Phase.RUNNING,
    # It can be upgraded once more at any time.
    "rolling": Phase.RUNNING,
    "broken": Phase.FAILED,
    "off": Phase.STOPPED,
    "going": Phase.REMOVING,
}
_HEALTH = {"well": "healthy", "ill": "unhealthy", "unsure": "initializing", "-": ""}
_MOVING = {"rolling": "yes", "going": "yes", "broken": "error"}
MANIFEST = "plain.services"


def plain(*words: Word, seconds: int = QUICK) -> Command:
    return Command("timeout", "-k", "5", str(seconds), "plain", *words)


def _step(name: str, *commands: Command, must: bool = False) -> Step:
    return Step(name, commands, must=must)


def _in_release(*words: Word) -> Command:
    """The program sees the release as the directory that it came from."""
    return plain(*words, seconds=SLOW)


def _named(stack: str, service: Word) -> Word:
    if isinstance(service, Raw):
        return Raw(shlex.quote(f"{stack}/") + service.text)
    return f"{stack}/{service}"


@dataclass
class _Block:
    """A service as `list` prints it."""

    name: str
    values: dict[str, list[str]] = field(default_factory=dict)

    def text(self, key: str, otherwise: str = "") -> str:
        return (self.values.get(key) or [otherwise])[0]


def _blocks(output: str) -> list[_Block]:
    """Raises Garbled for anything that `list` does not print."""
    blocks: list[_Block] = []
    *lines, last = [line for line in output.splitlines() if line.strip()] or ["end 0"]
    for line in lines:
        if line.startswith("plain: "):
            continue
        if match := re.fullmatch(r"\* ([^/\s]+/[^/\s]+)", line):
            blocks.append(_Block(match[1]))
        elif (match := re.fullmatch(r"  (\w+) = (.*)", line)) and blocks:
            blocks[-1].values.setdefault(match[1], []).append(match[2])
        else:
            raise Garbled(output)
    if last != f"end {len(blocks)}":
        raise Garbled(output)
    return blocks


def _state(block: _Block) -> ServiceState:
    stack, _, name = block.name.partition("/")
    word, _, why = block.text("state").partition(": ")
    current, _, wanted = block.text("copies").partition("/")
    points = [text.rpartition(":") for text in block.values.get("at", [])]
    return ServiceState(
        stack=stack,
        name=name,
        state=word,
        health=_HEALTH.get(block.text("health"), ""),
        transitioning=_MOVING.get(word, "no"),
        message=why,
        image=block.text("image"),
        scale=_number(wanted),
        current=_number(current),
        endpoints=tuple(Endpoint(ip, _number(port)) for ip, _, port in points),
        phase=PHASES.get(word, Phase.OTHER),
    )


def _number(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def _moment(stamp: str) -> str:
    """`@SECONDS` as ISO 8601; empty for anything else."""
    if not re.fullmatch(r"@\d{1,10}(\.\d{1,6})?", stamp):
        return ""
    return f"{datetime.fromtimestamp(float(stamp[1:]), timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"


class Plain:
    """Services as plain files."""

    name = "plain"
    title = "Plain"
    program = "plain"
    look_by_hand = "plain list"
    quick = QUICK
    slow = SLOW
    two_steps = False
    detached = True
    words = StateWords(PHASES)
    beside = ()
    volume_driver = "directory"
    streams_input = True
    largest_input = 1000
    complaint_pattern = "^plain: (no|hm): "
    error_pattern = "^plain: no: "

    # The stack's files.

    def check(self, stack: Stack, destination: Destination) -> list[Finding]:
        return [
            Finding("plain-name", stack.compose.source, f"{name} is too long", "a shorter name")
            for name in stack.service_names
            if len(name) > 20
        ]

    def rendered(self, stack: Stack, destination: Destination) -> str:
        return self.release_files(stack, destination)[MANIFEST].decode()

    def release_files(self, stack: Stack, destination: Destination) -> Mapping[str, bytes]:
        kept = {name: f"${{{name}}}" for name in COMPUTED_THERE}
        values = {**stack.variables(destination), **kept}
        lines = []
        for name in stack.service_names:
            service, _ = services.read(stack.compose, name, values)
            written = interpolate(stack.compose.services[name], values)
            told = {
                "user": service.user,
                "drop": service.cap_drop,
                "mounts": [f"{one.source}:{one.target}:{one.mode}" for one in service.mounts],
                "entrypoint": written.get("entrypoint"),
                "command": written.get("command"),
                "environment": stack.environment(written, stack.variables(destination)),
            }
            lines += [f"service {name}", f"image {service.image}"]
            lines += [f"port {port.outside}:{port.inside}" for port in service.ports]
            lines.append(f"rest {json.dumps(told)}")
        return {MANIFEST: ("\n".join(lines) + "\n").encode()}

    def health_checks(self, stack: Stack) -> Mapping[str, HealthCheck] | None:
        return None

    def own_keys(self) -> tuple[frozenset[str], str]:
        return frozenset(), "plain."

    # Access.

    def ready(self, destination: Destination) -> Step:
        return _step(
            "plain at hand",
            Command("export", f"PLAIN_ROOM={destination.environment}"),
            Command("export", "UID"),
            Command("command", "-v", "plain"),
            must=True,
        )

    def has_access(self) -> Step:
        return _step("plain token", Command("test", "-s", Raw('"$HOME"/token')))

    def grant(self, destination: Destination) -> Grant | None:
        return None

    def access_findings(
        self,
        destination: Destination,
        *,
        ready: bool,
        access: bool,
        states: bool,
        said: str = "",
    ) -> list[Finding]:
        if not ready:
            return [Finding("plain-program", destination.host, "no plain there", "ask for it")]
        if not access:
            problem, remedy = "you have no token for Plain", "fetch one from its page"
            return [Finding("plain-token", destination.host, problem, remedy)]
        if not states:
            problem = "Plain does not say what runs"
            return [Finding("plain-list", destination.host, problem, "try again", "warning")]
        return []

    def rights(self) -> Step | None:
        return None

    def missing_rights(self, output: str) -> list[Finding]:
        return []

    # What runs.

    def states(self, *, if_access: bool = False, must: bool = True) -> Step:
        first = self.has_access().commands if if_access else ()
        return _step("what is up", *first, plain("list"), must=must and not if_access)

    def watch(self, seconds: int) -> Step:
        look = f'{plain("list").script()}; echo "round $?"; sleep 1'
        loop = f"end=$((SECONDS + {seconds})); while ((SECONDS < end)); do {look}; done"
        return _step("keep an eye on it", Command(Raw(loop)))

    def read_states(self, output: str, stack: str) -> list[ServiceState]:
        found = [_state(block) for block in _blocks(output)]
        return sorted((one for one in found if one.stack == stack), key=lambda one: one.name)

    def containers(self, *, must: bool = False) -> Step:
        return _step("its copies", plain("copies"), must=must)

    def read_containers(self, output: str, stack: str) -> dict[str, list[Container]]:
        found: dict[str, list[Container]] = {}
        for line in output.splitlines():
            match = re.fullmatch(r"([^/\s]+)/(\S+) (\d{1,9}) (\w+) (@\d+) \S+", line)
            if match is None and line.strip():
                raise Garbled(output)
            if match and match[1] == stack:
                state = "running" if match[4] == "alive" else match[4]
                name = f"{match[2]}-{match[3]}"
                one = Container(f"{stack}/{name}", name, state, _moment(match[5]))
                found.setdefault(match[2], []).append(one)
        return found

    def ask(self, stack: str, service: str, words: Sequence[str], seconds: int) -> Command:
        run: list[Word] = ["timeout", "-k", "1", str(seconds), "plain", "run", Raw('"$id"')]
        find = f"awk {shlex.quote(_ANY_WELL)} {shlex.quote(f'{stack}/{service}')}"
        return Command(
            Raw(f"id=$(printf '%s\\n' \"$found\" | {find});"),
            Raw(f'[ -n "$id" ] || exit {NO_CONTAINER};'),
            *run,
            *words,
        )

    def taken_ports(self, output: str) -> Iterator[TakenPort]:
        try:
            blocks = _blocks(output)
        except Garbled:
            return
        for block in blocks:
            for port in block.values.get("port", []):
                yield TakenPort(port.partition(":")[0], *block.name.split("/", 1))

    def exists(self, stack: str) -> Step:
        return _step("is it here", plain("here", stack))

    def inspect(self, stack: str, service: str) -> Step:
        return _step(f"all of {service}", plain("show", f"{stack}/{service}"))

    def read_inspect(self, output: str) -> dict[str, Any] | None:
        found: dict[str, Any] = {"ports": []}
        for line in output.splitlines():
            if match := re.fullmatch(r"(service|stack) = (\S+)", line):
                found[match[1]] = match[2]
            elif line.startswith("image "):
                found["image"] = line[6:]
            elif line.startswith("port "):
                found["ports"].append(line[5:])
            elif line.startswith("rest "):
                try:
                    found["rest"] = json.loads(line[5:])
                except ValueError:
                    raise Garbled(output) from None
        if {"service", "stack"} & found.keys():
            return found
        if output.strip() and not output.startswith("plain: no: there is no "):
            raise Garbled(output)
        return None

    def running(self, resource: Mapping[str, Any], release: str) -> RunningService:
        rest = resource.get("rest") or {}
        return RunningService(
            image=resource.get("image", ""),
            user=rest.get("user", ""),
            entrypoint=rest.get("entrypoint"),
            command=rest.get("command"),
            mounts=tuple(rest.get("mounts", ())),
            ports=tuple(resource.get("ports", ())),
            cap_drop=tuple(rest.get("drop", ())),
            environment=rest.get("environment", {}),
        )

    def log(self, stack: str, service: str, query: LogQuery) -> Step:
        return _step(f"words of {service}", self._say(f"{stack}/{service}", query))

    def _say(self, name: Word, query: LogQuery) -> Command:
        lines = "+1" if query.tail < 0 else str(query.tail)
        return plain("say", name, lines, *([query.since] if query.since else []))

    def follow_logs(self, stack: str, services: Sequence[str], query: LogQuery) -> Step:
        """Again and again, all of it: what was shown is not shown again."""
        says = []
        for name in services:
            put = f"awk {shlex.quote(_BEHIND_ITS_NAME)} {shlex.quote(name)}"
            says.append(f"{self._say(f'{stack}/{name}', query).script()} | {put}")
        loop = f"while :; do {'; '.join(says)}; read -r -t 1 -u 3 _; [ $? -gt 128 ] || break; done"
        return _step("listen on", Command(Raw(loop)))

    def read_log(self, output: str, stack: str, service: str) -> Iterator[LogLine]:
        time = ""
        for line in output.split("\n") if output.strip() else ():
            stamp, _, rest = line.partition(" ")
            moment = _moment(stamp)
            if moment:
                time = moment
                copy, _, text = rest.partition(" ")
                yield LogLine(time, service, copy, text)
            elif line:
                yield LogLine(time, service, "", line)

    # Orders.

    def _each(self, verb: str, stack: str, services: Sequence[str]) -> Step:
        return _step(f"turn {verb}", plain(verb, *(f"{stack}/{name}" for name in services)))

    def start(self, stack: str, services: Sequence[str]) -> Step:
        return self._each("on", stack, services)

    def stop(self, stack: str, service: str = "") -> Step:
        return _step("turn off", plain("off", f"{stack}/{service}" if service else stack))

    def restart(self, stack: str, services: Sequence[str]) -> Step:
        return self._each("again", stack, services)

    def scale(self, stack: str, service: str, count: int) -> Step:
        return _step("more or fewer", plain("size", f"{stack}/{service}", str(count)))

    def remove(self, stack: str, service: str = "") -> Step:
        return _step("drop it", plain("drop", f"{stack}/{service}" if service else stack))

    def gone(self, stack: str) -> Step:
        here = plain("here", stack).script()
        loop = f"for i in $(seq {STOP_SECONDS}); do {here} || break; sleep 1; done; ! {here}"
        return _step("is it gone", Command(Raw(loop)))

    def exec(
        self, container: Container, words: Sequence[str], *, terminal: bool, input_bytes: int
    ) -> Command:
        return Command("plain", "run", container.id, *words)

    def shell(self) -> Sequence[str]:
        return ("bash",)

    # Secrets and volumes.

    def kept(self, kind: str) -> Step:
        return _step(f"every {kind}", plain("kept", kind), must=True)

    def read_kept(self, kind: str, output: str) -> list[Kept]:
        found = []
        for line in output.splitlines():
            one = re.fullmatch(r"(\S+) since (@\d+)", line)
            if one is None:
                raise Garbled(output)
            found.append(Kept(one[1], one[1], _moment(one[2]), "here"))
        return found

    def create_secret(self, name: str, value: bytes) -> Step:
        octal = "".join(f"\\{byte:03o}" for byte in value)
        feed = ("printf", Secret(octal), Raw("|"))
        return _step("hide it", Command(*feed, *plain("keep", "secret", name).words))

    def create_volume(self, name: str, driver: str) -> Step:
        feed = ("printf", "%s", driver, Raw("|"))
        return _step("lay it out", Command(*feed, *plain("keep", "volume", name).words))

    def remove_kept(self, kind: str, id: str) -> Step:
        return _step(f"forget the {kind}", plain("forget", kind, id))

    # A change of the stack.

    def change(self, stack: str, env_file: str, *, creating: bool) -> ChangeCommands:
        rows = f"( set -o pipefail; {plain('list').script()} | awk {shlex.quote(_ROWS)} )"
        return ChangeCommands(
            render=_in_release("check", stack),
            rows=Command(Raw(rows)),
            bring=_in_release("apply", stack),
            confirm=Command("true"),
            put_back=lambda service: _in_release("back", _named(stack, service)),
            stop=lambda service: plain("off", _named(stack, service)),
            log_of=lambda service: self._say(_named(stack, service), LogQuery(20)),
        )

    # What it says when it fails.

    def complaints(self, text: str, *, errors_only: bool = False) -> list[str]:
        pattern = r"plain: no: (.*)" if errors_only else r"plain: (?:no|hm): (.*)"
        found = (re.match(pattern, line) for line in text.split("\n"))
        return [match[1] for match in found if match]

    def is_noise(self, line: str) -> bool:
        return line.startswith("plain: ")

    def known(self, text: str) -> tuple[str, str] | None:
        if "the door is shut" in text:
            return "Plain lets nobody in just now", "wait for its opening hours"
        return None


def install(home: Path) -> None:
    """Make the account of a login node one that Plain serves."""
    for name in ("bin", "plain", "odd"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "token").write_text("let me in")
    program = home / "bin" / "plain"
    program.write_text(PROGRAM)
    program.chmod(0o755)
