"""What Rancher's command line prints, read into values."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from spinstack.platforms import base
from spinstack.platforms.rancher1 import commands, states
from spinstack.platforms.rancher1 import output as rancher_output

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
    (state,) = states.parse_states(text, "demo")
    assert state.up
    assert state.shown == "healthy"
    assert state.image == "registry/x:1"
    assert state.endpoints == (base.Endpoint("128.55.1.2", 60037),)


def test_fields_that_the_cli_leaves_out_are_empty() -> None:
    (state,) = states.parse_states(
        ps({"Service": {"state": "inactive"}, "Name": "demo/web"}), "demo"
    )
    assert (state.health, state.endpoints, state.scale) == ("", (), 0)
    assert not state.up


def test_an_upgraded_service_is_up_only_when_healthy() -> None:
    def state(**changes: str) -> base.ServiceState:
        entry = {**ACTIVE, "Service": {**ACTIVE["Service"], **changes}}  # type: ignore[dict-item]
        return states.parse_states(ps(entry), "demo")[0]

    assert state(state="upgraded").up
    assert state(state="upgraded").unconfirmed
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
    steps = [
        commands.render_step("demo", "stack.env"),
        commands.create_step("demo", "stack.env"),
        commands.upgrade_step("demo", "stack.env"),
        commands.confirm_step("demo", "stack.env"),
        *commands.rollback_steps("demo", "stack.env", ["app", "web"]),
        commands.logs_step("demo", "app", 20),
        commands.stop_step("demo"),
        commands.remove_step("demo", "app"),
        states.states_step(),
        states.watch_step(9),
    ]
    for step in steps:
        assert "timeout -k 5 " in step.body()
        assert "demo" in step.body() or "ps --all" in step.body()
    assert "--type stack" in commands.remove_step("demo").body()
    assert "--type stack" in commands.stop_step("demo").body()


@given(st.text())
def test_garbage_is_no_state_and_no_exception(text: str) -> None:
    assert states.parse_states(text, "demo") == []
    rancher_output.complaints(text)


_ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
_KEYS = ["state", "launchConfig", "publicEndpoints", "scale", "currentScale", "healthState"]


@given(st.dictionaries(st.sampled_from(_KEYS), _ANYTHING))
def test_json_of_another_shape_is_no_exception(service: dict[str, object]) -> None:
    assert len(states.parse_states(ps({"Service": service, "Name": "demo/web"}), "demo")) == 1
