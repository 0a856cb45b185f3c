"""What Rancher's command line prints, read into values."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.platforms import base
from spinstack.platforms.rancher1 import access, commands, states
from spinstack.platforms.rancher1 import output as rancher_output
from spinstack.platforms.rancher1.platform import Rancher1

ACTIVE = {
    "Service": {
        "id": "1s5",
        "name": "web",
        "state": "active",
        "healthState": "healthy",
        "scale": 1,
        "currentScale": 1,
        "launchConfig": {"imageUuid": "docker:registry/x:1"},
        "fqdn": "web.demo.dev-cattle.stable.spin.nersc.org",
        "publicEndpoints": [{"ipAddress": "128.55.1.2", "port": 60037}],
    },
    "Name": "demo/web",
    "CombinedState": "healthy",
    "ID": "1s5",
}


def ps(*entries: object) -> str:
    return "\n".join(json.dumps(entry) for entry in entries)


def test_states_are_read_between_log_lines_and_other_stacks() -> None:
    side = {**ACTIVE, "Name": "demo/web/side"}
    other = {**ACTIVE, "Name": "demo-2/web"}
    text = 'time="2026-01-31T12:00:00Z" level=info msg="x"\n' + ps(ACTIVE, side, other) + "\n"
    (state,) = states.parse(text, "demo")
    assert state.up
    assert state.shown == "healthy"
    assert state.image == "registry/x:1"
    assert state.endpoints == (base.Endpoint("128.55.1.2", 60037),)


def test_fields_that_the_cli_leaves_out_are_empty() -> None:
    (state,) = states.parse(ps({"Service": {"state": "inactive"}, "Name": "demo/web"}), "demo")
    assert (state.health, state.endpoints, state.scale) == ("", (), 0)
    assert not state.up


def test_an_upgraded_service_is_up_only_when_healthy() -> None:
    def state(**changes: str) -> base.ServiceState:
        entry = {**ACTIVE, "Service": {**ACTIVE["Service"], **changes}}  # type: ignore[dict-item]
        return states.parse(ps(entry), "demo")[0]

    assert state(state="upgraded").up
    assert state(state="upgraded").open
    assert not state(state="upgraded", healthState="initializing").up
    assert not state(state="upgrading", transitioning="yes").up
    assert state(state="activating", transitioning="error").stuck


def test_complaints_are_found_with_and_without_a_terminal() -> None:
    output = (
        'time="2026-01-31T12:00:00Z" level=info msg="Creating stack demo"\n'
        'time="2026-01-31T12:00:00Z" level=warning msg="The UID variable is not set. \\"x\\""\n'
        "\x1b[31mFATA\x1b[0m[0001] Failed to read project: no \r\n"
        "error demo/x: Not found: demo/x\n"
    )
    assert rancher_output.complaints(output) == [
        'The UID variable is not set. "x"',
        "Failed to read project: no",
        "error demo/x: Not found: demo/x",
    ]


def test_every_call_has_a_time_limit_and_a_stack_of_its_own() -> None:
    rancher = Rancher1()
    change = rancher.change("demo", "stack.env", creating=False)
    steps = [
        rancher.log("demo", "app", base.LogQuery(20)),
        rancher.stop("demo"),
        rancher.remove("demo", "app"),
        rancher.scale("demo", "app", 2),
        rancher.states(),
        rancher.watch(9),
    ]
    calls = [change.render, change.bring, change.confirm, change.rows]
    calls += [make("app") for make in (change.put_back, change.stop, change.log_of)]
    for text in [*(step.body() for step in steps), *(call.script() for call in calls)]:
        assert "timeout -k 5 " in text
        assert "demo" in text or "ps --all" in text
    assert "--type stack" in commands.remove_step("demo").body()
    assert "--type stack" in commands.stop_step("demo").body()


@given(st.text())
def test_garbage_is_no_state_and_no_exception(text: str) -> None:
    with contextlib.suppress(base.Garbled):
        assert states.parse(text, "demo") == []
    rancher_output.complaints(text)


_ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
_KEYS = ["state", "launchConfig", "publicEndpoints", "scale", "currentScale", "healthState"]


@given(st.dictionaries(st.sampled_from(_KEYS), _ANYTHING))
def test_json_of_another_shape_is_no_exception(service: dict[str, object]) -> None:
    assert len(states.parse(ps({"Service": service, "Name": "demo/web"}), "demo")) == 1


@pytest.mark.parametrize(
    ("variables", "has"),
    [
        ("", False),
        ("RANCHER_ACCESS_KEY=a RANCHER_SECRET_KEY=b", True),
        ("RANCHER_ACCESS_KEY=a", False),
        ("RANCHER_CLIENT_CONFIG=$HOME/other.json", True),
    ],
)
def test_a_key_may_be_given_as_variables(tmp_path: Path, variables: str, has: bool) -> None:
    (tmp_path / "other.json").write_text("{}")
    export = f"export {variables}; " if variables else ""
    done = subprocess.run(
        ["bash", "-c", export + access.has_key().script()],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert (done.returncode == 0) == has


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("error demo: Not found: demo", True),
        ('{"id": "1st1", "state": "removing"}', False),
        ("error demo: Bad response statusCode [500]. Status [500 Internal Server Error]", False),
    ],
)
def test_a_stack_is_gone_once_rancher_knows_none(said: str, gone: bool) -> None:
    body = commands.gone_step("demo").body()
    text = f"timeout() {{ echo '{said}'; }}\nsleep() {{ :; }}\nseq() {{ echo 1; }}\n{body}"
    assert (subprocess.run(["bash", "-c", text]).returncode == 0) == gone
