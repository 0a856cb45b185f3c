"""The contract of a login node, on both wires, where each login needs a code of its own.

The tests are those of `test_wires.py`. Each has to do with one login.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spinstack.config import settings
from spinstack.transport import connect as transport_connect
from spinstack.transport.channel_node import ChannelNode

from . import one_time, test_wires
from .test_wires import PROFILE, Connect, wire

pytestmark = pytest.mark.real("root", "sshd", "one-time codes")

__all__ = ["wire"]

# Those that use one login; the others are about hosts and keys.
for _name in (
    "test_steps_are_told_as_they_happen_and_one_that_fails_ends_the_script",
    "test_a_large_payload_arrives_whole",
    "test_any_text_arrives_as_it_is",
    "test_a_step_that_never_ends_is_ended_and_the_next_script_runs",
    "test_a_step_that_prints_without_end_is_ended_and_the_next_script_runs",
    "test_ctrl_c_ends_the_script_and_the_next_one_runs",
    "test_a_script_that_is_left_ends_there_and_the_next_one_runs",
    "test_a_server_that_ends_the_connection_is_noticed_at_once",
    "test_a_program_that_asks_on_the_terminal_is_answered",
    "test_a_command_gives_its_outputs_and_its_exit_code",
):
    globals()[_name] = getattr(test_wires, _name)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[one_time.LoginNode]:
    home = tmp_path / "remote-home"
    home.mkdir()
    (home / ".bash_profile").write_text(PROFILE)
    with one_time.login_node(tmp_path, environment=f"HOME={home}") as node:
        yield node


@pytest.fixture
def connect(lab: one_time.LoginNode, wire: str, tmp_path: Path) -> Iterator[Connect]:
    """Makes nodes; whoever made them has logged in once."""
    made: list[ChannelNode] = []
    with one_time.handed_out(lab.person, tmp_path) as answers:
        values = lab.settings(environment="dev-cattle", project_dir="/x", wire=wire)

        def node(**changes: Any) -> ChannelNode:
            to = {**values, "login_answer_file": str(answers), **changes}
            raw = {"stack": "x", "destinations": {"test": to}}
            destination = settings.load({"spinstack": raw}, Path("/")).destination("test")
            found = transport_connect.login_node(destination)
            assert isinstance(found, ChannelNode)
            made.append(found)
            return found

        yield node
        for found in made:
            found.close()
    counted = lab.counted()
    assert (counted.logins, counted.by_key, counted.refused) == (1, 0, 0)
