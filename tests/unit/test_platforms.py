"""The contract of every platform: what `platforms/base.py` says of one, asked of each there is.

A new one gets a case here, which makes what its program prints, and passes all of it.
"""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinstack.config import settings as config_settings
from spinstack.config import stack as config_stack
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.errors import UsageError
from spinstack.operate.status import ago
from spinstack.platforms import base, choose, rows
from spinstack.platforms.base import (
    ALL,
    AT_REST,
    NO_CONTAINER,
    OPEN,
    PASSING,
    UP,
    Garbled,
    LogQuery,
    Phase,
    Platform,
)
from spinstack.platforms.logs import in_order
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step
from tests.baking import REPOSITORY
from tests.unit.kubernetes_fake import CLUSTER
from tests.unit.platform_cases import CASES, STACK, Case, Printed

COMPOSE = """\
version: '2'
services:
  app: {image: "registry.spin.nersc.gov/alice/app:1.0"}
  web: {image: "registry.spin.nersc.gov/alice/web:1.0", ports: ["60037:8080"]}
"""


# Where a change is a job of its own; on Kubernetes it is made step by step.
as_jobs = pytest.mark.parametrize(
    "case", [name for name in CASES if name != "kubernetes"], indirect=True
)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return CASES[request.param](tmp_path / "there")


@pytest.fixture
def platform(case: Case) -> Platform:
    return case.platform


@pytest.fixture
def printed(case: Case) -> Printed:
    return case.printed()


@pytest.fixture
def destination(case: Case, tmp_path: Path) -> Destination:
    place = {"project_dir": "/global/cfs/cdirs/x", "host": "there", **case.place}
    raw = {"spinstack": {"stack": STACK, "destinations": {"dev": place}}}
    return config_settings.load(raw, tmp_path).destination("dev")


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    directory = tmp_path / STACK
    directory.mkdir()
    (directory / "docker-compose.yml").write_text(COMPOSE)
    (directory / "stack.env").write_text("")
    loaded = config_settings.load({"spinstack": {"stack": STACK}}, directory)
    return config_stack.read(loaded, {}, ())


def test_every_platform_that_can_be_set_is_asked_here() -> None:
    for name in config_settings.CHOICES["platform"]:
        found = choose.platform(name, CLUSTER)
        assert found.name == name
        assert isinstance(found, type(CASES[name].platform))
    for name in ("no such", "kubernetes"):
        with pytest.raises(UsageError):
            choose.platform(name)


def members() -> Iterator[tuple[str, Any]]:
    for name, value in vars(Platform).items():
        if not name.startswith("_"):
            yield name, value


def test_it_has_all_that_a_platform_has(platform: Platform) -> None:
    for name, value in members():
        found = getattr(platform, name)
        if not isinstance(value, property):
            wanted = [one for one in inspect.signature(value).parameters if one != "self"]
            assert list(inspect.signature(found).parameters) == wanted, name
    assert platform.title and platform.program and platform.look_by_hand
    assert 0 < platform.quick < platform.slow
    assert platform.largest_input > 0
    assert platform.shell()


# --- Steps ----------------------------------------------------------------------------------


def asks(platform: Platform, destination: Destination) -> dict[str, Step]:
    """Those that are in scripts with steps of others, by what they ask."""
    return {
        "ready": platform.ready(destination),
        "access": platform.has_access(),
        "states": platform.states(),
        "containers": platform.containers(),
        "exists": platform.exists(STACK),
        **{f"inspect {name}": platform.inspect(STACK, name) for name in ("app", "web")},
        **{f"log {name}": platform.log(STACK, name, LogQuery()) for name in ("app", "web")},
    }


def orders(platform: Platform, stack: str = STACK, name: str = "web") -> dict[str, Step]:
    return {
        "start": platform.start(stack, [name]),
        "stop": platform.stop(stack, name),
        "stop all": platform.stop(stack),
        "restart": platform.restart(stack, [name]),
        "scale": platform.scale(stack, name, 3),
        "remove": platform.remove(stack, name),
        "remove all": platform.remove(stack),
        "volume": platform.create_volume(name, name),
        "secret": platform.create_secret(name, b"hunter2"),
        "forget": platform.remove_kept("secret", name),
    }


def test_what_asks_and_what_orders_may_fail_and_only_the_rest_ends_a_script(
    platform: Platform, destination: Destination
) -> None:
    must = {name: step.must for name, step in asks(platform, destination).items()}
    assert {name for name, value in must.items() if value} == {"ready", "states"}
    assert not platform.states(if_access=True).must
    assert not platform.states(must=False).must
    assert platform.containers(must=True).must
    for kind in ("secret", "volume"):
        assert platform.kept(kind).must
    more = (platform.watch(1), platform.follow_logs(STACK, ["web"], LogQuery()), platform.gone("x"))
    for step in (*orders(platform).values(), *more):
        assert not step.must, step.name


def names_of_others() -> set[str]:
    """What the rooms above call their own steps in scripts that a platform's are in."""
    found = set()
    for room in ("remote", "checks", "setup", "operate"):
        for path in (REPOSITORY / "spinstack" / room).rglob("*.py"):
            found |= set(re.findall(r"\bStep\(\s*\"([^\"]+)\"", path.read_text()))
    job = (REPOSITORY / "spinstack" / "remote" / "job.sh").read_text()
    return found | set(re.findall(r"\bstep '([^']+)'", job))


def test_names_of_steps_do_not_collide(platform: Platform, destination: Destination) -> None:
    steps = asks(platform, destination)
    names = [step.name for step in steps.values()]
    assert len(set(names)) == len(names)
    assert platform.states(if_access=True).name == steps["states"].name
    others = names_of_others()
    assert {"lock", "lock owner", "release", "bring up"} <= others
    assert not set(names) & others
    for step in (*steps.values(), *orders(platform).values(), platform.watch(1)):
        assert step.name.isprintable()
        assert step.name.strip() == step.name != ""


def test_it_makes_the_shell_ready(case: Case, destination: Destination) -> None:
    ready = case.platform.ready(destination).body()
    # Modules are the login node's.
    said = case.bash(f"module() {{ :; }}\n{ready}\nprintenv UID")
    assert said.splitlines()[-1].isdigit()
    (case.home / "bin" / case.platform.program).unlink()
    # The machine of the tests may have it, too.
    assert case.ended(f"PATH=~/bin\nmodule() {{ :; }}\n{ready}").returncode != 0


# --- What runs ------------------------------------------------------------------------------


def test_states_are_read(platform: Platform, printed: Printed) -> None:
    app, web = platform.read_states(printed.states, STACK)
    assert (app.stack, app.name, app.phase) == (STACK, "app", Phase.RUNNING)
    assert (app.up, app.stopped, app.open, app.at_rest, app.stuck) == (
        True,
        False,
        False,
        True,
        False,
    )
    assert (app.scale, app.current) == (2, 2)
    assert app.image == "registry.spin.nersc.gov/alice/app:1.0", "as the compose file has it"
    assert (web.name, web.up, web.stopped, web.at_rest) == ("web", False, True, True)
    assert web.shown == web.state
    (other,) = platform.read_states(printed.states, "other")
    assert [point.port for point in other.endpoints]
    assert platform.read_states(printed.states, "third") == []


def test_no_services_are_an_answer_and_garbage_is_none(
    platform: Platform, printed: Printed
) -> None:
    assert platform.read_states("", STACK) == [], "what a dry run has"
    assert platform.read_states(printed.nothing, STACK) == []
    for text in printed.garbage:
        with pytest.raises(Garbled):
            platform.read_states(text, STACK)


def reads(platform: Platform) -> list[Callable[[str], object]]:
    """All that reads what was printed, and must bear anything but for Garbled."""

    def inspected(text: str) -> object:
        found = platform.read_inspect(text)
        return platform.running(found, "/x/releases/r1") if found else None

    return [
        lambda text: platform.read_states(text, STACK),
        lambda text: platform.read_containers(text, STACK),
        lambda text: list(platform.taken_ports(text)),
        lambda text: list(platform.read_log(text, STACK, "app")),
        lambda text: [platform.read_kept(kind, text) for kind in ("secret", "volume")],
        inspected,
        platform.complaints,
        platform.is_noise,
        platform.known,
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_text_is_read_or_garbled(
    platform: Platform, printed: Printed, data: st.DataObject
) -> None:
    whole = st.sampled_from(
        [printed.states, printed.containers, printed.inspected, printed.log, printed.secrets]
    )
    text = data.draw(whole)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    text = text[:start] + data.draw(st.text(max_size=30)) + text[end:]
    for read in reads(platform):
        try:
            read(text)
        except Garbled:
            assert read is not platform.complaints


def read_both(case: Case) -> tuple[list[base.ServiceState], list[base.ServiceState], str]:
    """Every state there is, as read here, and from the rows; and the rows."""
    platform = case.platform
    case.has_every_state()
    here = platform.read_states(case.bash(platform.states().body()), STACK)
    text = case.bash(platform.change(STACK, "stack.env", creating=False).rows.script())
    return here, rows.parse(text, STACK, platform.words), text


@as_jobs
def test_rows_say_the_same_as_states(case: Case) -> None:
    here, there, _ = read_both(case)
    # What rows do not have.
    bare = [replace(one, image="", scale=1, current=0, created="") for one in here]
    assert [replace(one, image="", scale=1, current=0) for one in there] == bare
    told = ("up", "stopped", "open", "stuck", "moving", "at_rest", "passing", "shown")
    for name in told:
        assert [getattr(one, name) for one in there] == [getattr(one, name) for one in here]
    for name in told[:-1]:
        if name != "open" or case.platform.two_steps:
            assert {getattr(one, name) for one in here} == {True, False}, name


@as_jobs
def test_the_script_there_judges_as_it_is_judged_here(case: Case) -> None:
    here, _, text = read_both(case)
    words = case.platform.words
    arrays = {"up_words": UP, "open_words": OPEN, "at_rest_words": AT_REST}
    lines = [f"{name}=({shlex.join(words.of(*phases))})" for name, phases in arrays.items()]
    program = (REPOSITORY / "spinstack" / "remote" / "job.sh").read_text()
    judge = """
    rows() { printf '%s\\n' "$printed"; }
    look >/dev/null
    for name in "${!state[@]}"; do
        printf '%s' "$name"
        is_up "$name" && printf ' up'
        one_of "${state[$name]}" "${at_rest_words[@]}" && printf ' rest'
        one_of "${state[$name]}" "${open_words[@]}" && printf ' open'
        [ "${moving[$name]}" = error ] && printf ' stuck'
        [ "${moving[$name]}" = yes ] && printf ' moving'
        echo
    done | sort
    """
    values = [f"stack={STACK} address=endpoint place=/none printed={shlex.quote(text)}"]
    said = case.bash("\n".join([*values, *lines, program, judge])).splitlines()
    expected = [
        " ".join(
            [
                one.name,
                *(["up"] if one.up else []),
                *(["rest"] if one.at_rest else []),
                *(["open"] if one.open else []),
                *(["stuck"] if one.stuck else []),
                *(["moving"] if one.moving else []),
            ]
        )
        for one in here
    ]
    assert sorted(said) == sorted(expected)


def test_words_for_states(platform: Platform) -> None:
    words = platform.words
    assert words.of(*UP)
    assert words.of(Phase.STOPPED)
    assert set(words.of(*UP)) <= set(words.of(*AT_REST))
    assert not set(words.of(*UP)) & set(words.of(Phase.STOPPED, *PASSING))
    assert not set(words.of(*PASSING)) & set(words.of(*AT_REST))
    assert bool(words.of(*OPEN)) == platform.two_steps
    for word in words.phases:
        assert word and "|" not in word and word == word.strip()
    assert words.phase("a word of no platform") is Phase.OTHER


def test_containers_are_read(platform: Platform, printed: Printed) -> None:
    found = platform.read_containers(printed.containers, STACK)
    app = base.running(found["app"])
    assert [container.number for container in app] == [1, 2]
    assert len({container.id for container in app}) == 2
    assert not base.running(found.get("web", []))
    assert "old" not in found
    now = base_moment()
    assert all(ago(container.created, now) for container in app)


def test_a_list_of_containers_that_is_none_is_garbled(platform: Platform, printed: Printed) -> None:
    assert platform.read_containers("", STACK) == {}
    for text in ("<html>maintenance</html>", "Segmentation fault"):
        with pytest.raises(Garbled):
            platform.read_containers(text, STACK)


def base_moment() -> Any:
    from datetime import datetime, timezone

    return datetime(2026, 11, 22, 17, tzinfo=timezone.utc)


def test_ports_of_all_stacks_are_known(case: Case, printed: Printed) -> None:
    found = case.platform.taken_ports(printed.states)
    taken = {(one.port, one.stack, one.service) for one in found}
    wanted = {("60037", STACK, "web"), ("60042", "other", "web")}
    assert taken == (wanted if case.shares_ports else set())


def test_an_inspected_service_can_be_compared(platform: Platform, printed: Printed) -> None:
    found = platform.read_inspect(printed.inspected)
    assert found is not None
    assert platform.running(found, "/x/releases/r1").image
    assert platform.read_inspect("") is None
    for text in printed.garbage:
        with pytest.raises(Garbled):
            platform.read_inspect(text)


def test_a_log_is_brought_into_the_order_of_time(platform: Platform, printed: Printed) -> None:
    lines = list(platform.read_log(printed.log, STACK, "app"))
    assert [line.text.strip() for line in in_order(lines, ALL)] == [
        *("one", "two", "three", "at line 4")
    ]
    assert {line.service for line in lines} == {"app"}
    timed = {line.text: line.container for line in lines if line.text in ("one", "three")}
    assert len(set(timed.values())) == 2, "the container is told"
    assert list(platform.read_log("", STACK, "app")) == []


def test_secrets_are_listed_by_name(platform: Platform, printed: Printed) -> None:
    found = platform.read_kept("secret", printed.secrets)
    assert [one.name for one in found] == ["demo.a", "demo.b"]
    assert len({one.id for one in found}) == 2
    assert platform.read_kept("volume", "") == []
    for text in ("<html>maintenance</html>", "Segmentation fault"):
        with pytest.raises(Garbled):
            platform.read_kept("volume", text)


# --- Commands -------------------------------------------------------------------------------

NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda text: "/" not in text and not text.startswith("-"))


def of_a_change(platform: Platform, name: str) -> dict[str, str]:
    change = platform.change(STACK, "stack.env", creating=False)
    variable, given_it = Raw('"$1"'), f"set -- {shlex.quote(name)}; "
    return {
        "bring": platform.change(name, "stack.env", creating=False).bring.script(),
        "create": platform.change(name, "stack.env", creating=True).bring.script(),
        "put back": change.put_back(name).script(),
        "put back it": given_it + change.put_back(variable).script(),
        "stop it": given_it + change.stop(variable).script(),
        "log of it": given_it + change.log_of(variable).script(),
    }


def each(steps: Sequence[str]) -> str:
    """Scripts one after the other; none disturbs another one."""
    return "\n".join(f"( {step}\n) </dev/null >/dev/null 2>&1" for step in steps)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=NAMES, words=st.lists(NAMES, min_size=1, max_size=3))
def test_names_and_words_arrive_as_they_are(case: Case, name: str, words: list[str]) -> None:
    case.records()
    platform = case.platform
    container = base.Container(name, f"x-{name}-1", "running")
    scripts = {
        "exists": platform.exists(name).body(),
        "inspect": platform.inspect(STACK, name).body(),
        "log": platform.log(STACK, name, LogQuery(5, "600s")).body(),
        "exec": platform.exec(container, words, terminal=False, input_bytes=0).script(),
        **(of_a_change(platform, name) if platform.detached else {}),
        **{what: step.body() for what, step in orders(platform, name, name).items()},
    }
    marked = [f"{script}\n{platform.program} MARK" for script in scripts.values()]
    told = "\0".join(case.told(each(marked))).split("MARK")
    assert len(told) == len(scripts) + 1
    for what, found in zip(scripts, told, strict=False):
        written = (name, json.dumps(name)[1:-1])
        assert any(one in found.replace("\0MARK", "") for one in written), what
    for word in words:
        assert word in told[list(scripts).index("exec")].split("\0")


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.binary(max_size=60))
def test_a_secret_arrives_and_is_not_shown(case: Case, value: bytes) -> None:
    case.records()
    fed = case.home / "fed"
    fed.write_bytes(b"")
    step = case.platform.create_secret("demo.x", b"hunter2" + value)
    told = case.told(step.body())
    assert fed.read_bytes() == b"hunter2" + value
    assert "hunter2" not in " ".join(command.shown() for command in step.commands)
    assert "demo.x" in told
    assert not [word for word in told if "hunter2" in word], "every user can read those"


def test_a_service_is_asked_in_a_container_of_its_own(case: Case, printed: Printed) -> None:
    platform = case.platform
    case.records()

    def asked(service: str, words: Sequence[str], seconds: int = 5) -> str:
        ask = platform.ask(STACK, service, words, seconds).script()
        return f"found={shlex.quote(printed.containers)}\n( {ask} )\necho $? >~/code"

    words = ["cat", "a b", "$HOME"]
    told = case.told(asked("app", words))
    assert told[-3:] == words
    ids = [one.id for one in platform.read_containers(printed.containers, STACK)["app"]]
    assert case.finds or set(told) & set(ids)
    assert (case.home / "code").read_text() == "0\n"
    if not case.finds:
        assert case.told(asked("web", words)) == []
        assert (case.home / "code").read_text() == f"{NO_CONTAINER}\n"
    (case.home / "bin" / platform.program).write_text("#!/bin/sh\nexec sleep 9\n")
    case.told(asked("app", words, 1))
    assert (case.home / "code").read_text() == "124\n"


def test_watching_ends_each_round_with_its_code(case: Case, printed: Printed) -> None:
    said = case.bash(f"sleep() {{ SECONDS=99; }}\n{case.platform.watch(2).body()}")
    *lines, last = said.strip().splitlines()
    assert last == "round 0"
    case.platform.read_states("\n".join(lines), STACK)


@as_jobs
def test_a_change_in_one_step_has_nothing_to_confirm(case: Case) -> None:
    case.records()
    change = case.platform.change(STACK, "stack.env", creating=True)
    told = case.told(f"{change.confirm.script()} </dev/null && {case.platform.program} well")
    assert (told == ["well"]) == (not case.platform.two_steps)
    assert isinstance(change.rows, Command)


# --- The stack's files, access --------------------------------------------------------------


def test_a_good_stack_passes_and_is_shown(
    platform: Platform, stack: Stack, destination: Destination
) -> None:
    assert platform.check(stack, destination) == []
    shown = platform.rendered(stack, destination)
    for name in stack.service_names:
        assert name in shown
    checks = platform.health_checks(stack)
    assert checks is None or set(checks) == set(stack.service_names)
    own = {path.name for path in stack.directory.iterdir()}
    for name, data in platform.release_files(stack, destination).items():
        assert name not in own
        assert "/" not in name
        assert data == platform.release_files(stack, destination)[name], "the same each time"


def test_what_keeps_an_account_out_is_told(platform: Platform, destination: Destination) -> None:
    assert platform.access_findings(destination, ready=True, access=True, states=True) == []
    for ready, access in ((False, False), (True, False), (True, True)):
        found = platform.access_findings(destination, ready=ready, access=access, states=False)
        assert found
        assert all(one.problem and one.remedy for one in found)
    grant = platform.grant(destination)
    assert grant is None or (grant.what and grant.place and grant.program)


# --- What it says ---------------------------------------------------------------------------


def test_a_script_there_finds_the_complaints_that_are_found_here(
    case: Case, printed: Printed
) -> None:
    platform = case.platform
    patterns = {False: platform.complaint_pattern, True: platform.error_pattern}
    for line in (*printed.errors, *printed.warnings, *printed.talk):
        text = f"first\n{line}\nlast\n"
        for errors_only, pattern in patterns.items():
            found = platform.complaints(text, errors_only=errors_only)
            grep = f"printf %s {shlex.quote(text)} | grep -Eq {shlex.quote(pattern)}"
            assert (case.ended(grep).returncode == 0) == bool(found), line
            wanted = line in printed.errors or (not errors_only and line in printed.warnings)
            assert bool(found) == wanted, line
    assert platform.known("nothing that anybody has ever said") is None
