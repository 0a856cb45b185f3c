"""What is read from a command line that may say anything, or nothing."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.console.console import Console
from spinstack.deploy import journal as deploy_journal
from spinstack.errors import SpinstackError
from spinstack.platforms import client, health, rows
from spinstack.platforms.base import Container, Garbled, ServiceState
from spinstack.platforms.client import StackClient
from spinstack.platforms.health import Rounds
from spinstack.platforms.rancher1 import states as rancher_states
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.remote import changes
from spinstack.remote.errors import LockLost, must_not_fail, refused
from spinstack.remote.journal import Journal
from spinstack.transport.login_node import RecordingLoginNode
from spinstack.transport.script import ScriptResult, StepResult

GOOD = json.dumps({"Service": {"state": "active"}, "Name": "demo/web"})
WARNING = 'time="2025-11-03T04:05:06Z" level=warning msg="something is old"'


@pytest.mark.parametrize(
    ("text", "garbled"),
    [
        ("", False),
        ("\n \n", False),
        (GOOD, False),
        (f"{WARNING}\n{GOOD}\n", False),
        (WARNING, False),
        ("<html>502 Bad Gateway</html>", True),
        (f"{GOOD}\n" + '{"Service": ', True),
        ("{}{}", True),
        ('panic: runtime error\n{"a": 1}', False),
    ],
)
def test_an_answer_is_told_from_garbage(text: str, garbled: bool) -> None:
    assert rancher_states.is_garbled(text) is garbled


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_what_is_no_line_feed_ends_no_line(sign: str) -> None:
    """Go's JSON leaves most of them as they are."""
    label = {"labels": {"note": f"caf{sign} bar"}}
    service = {"state": "active", "launchConfig": label}
    text = json.dumps({"Service": service, "Name": "demo/web"}, ensure_ascii=False)
    [state] = rancher_states.parse(f"{WARNING}\n{text}\r\n", "demo")
    assert state.name == "web"


@pytest.mark.parametrize("cut", [0, 30, 60])
def test_an_answer_that_cannot_be_understood_is_shown_short_and_without_values(cut: int) -> None:
    variables = {"DB_PASSWORD": "moose-and-elk", "MORE": "x" * 25_000}
    service = {"state": "active", "launchConfig": {"environment": variables}}
    text = json.dumps({"Name": "other/db", "Service": service})[cut:] + "}"
    error = client.garbled(f"Killed\n{text}", Rancher1(), "there")
    assert error.details == f"Killed\n({len(text)} characters of data)"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Garbled):
        rancher_states.parse(text, "demo")


@pytest.mark.parametrize("odd", ["²", "--5", "9" * 5000, "9" * 20, "٣", "-", "1e9"])
def test_what_is_no_number_is_taken_for_none(odd: str) -> None:
    assert Container("1i1", f"demo-web-{odd}", "running").number in (0, 5)
    words = Rancher1().words
    (state,) = rows.parse(f"row|demo/web|active||no|10.0.0.1:{odd}|f|m", "demo", words)
    assert not state.endpoints
    told = Journal("J")
    for line in (f"begin render {odd}", f"end {odd}"):
        told.take(f"spinstack-J {odd} {line}")
    assert told.steps[0].code == 1
    assert deploy_journal.as_value("J", told)
    assert changes.age(ScriptResult([StepResult("change under way", odd, 0)])) in (None, 5)


def rounds(*texts: str) -> list[list[ServiceState]]:
    """The states told, round by round."""
    seen: list[list[ServiceState]] = []

    def take(states: list[ServiceState]) -> bool:
        seen.append(states)
        return False

    reader = Rounds(Rancher1(), "demo", "there", take)
    for text in texts:
        for line in text.splitlines():
            reader.take(line)
    return seen


def test_a_round_that_is_no_answer_is_passed_over() -> None:
    seen = rounds(f"{GOOD}\nround 0", "<html>\nround 0", "round 124", f"{GOOD}\nround 0")
    assert [[state.name for state in states] for states in seen] == [["web"], ["web"]]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<html>\nround 0", "unexpected output from rancher"),
        ("Killed\nround 137", "unexpected output from rancher for 0 s"),
        ("round 124", "no answer from rancher for 0 s"),
    ],
)
def test_silence_has_a_limit(monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    monkeypatch.setattr(health, "SILENT_SECONDS", 0)
    with pytest.raises(SpinstackError) as error:
        rounds(f"{GOOD}\nround 0", text)
    assert error.value.what == what
    assert "rancher ps" in error.value.remedy


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (124, "Rancher did not answer: states (no answer within 60 s)"),
        (137, "Rancher did not answer: states (exit code 137: killed)"),
        (1, "Rancher did not answer: states"),
    ],
)
def test_a_time_limit_is_told_as_one(code: int, what: str) -> None:
    to = SimpleNamespace(name="dev", environment="dev-cattle", modules=())
    there = StackClient(RecordingLoginNode(), to, Rancher1(), "demo")  # type: ignore[arg-type]
    assert there.failure(StepResult("states", "", code)).what == what


def test_a_lost_lock_is_no_ordinary_failure() -> None:
    assert isinstance(must_not_fail(StepResult("lock still ours", "", 1), "there"), LockLost)


def test_what_the_command_line_complains_of_is_a_failure_whatever_its_exit_code() -> None:
    told = 'time="x" level=error msg="no such service"\n'
    assert refused(StepResult("up", "1s1\n", 0), Rancher1(), "not done", "there", 60) is None
    failure = refused(StepResult("up", told, 0), Rancher1(), "not done", "there", 60)
    assert failure
    assert (failure.what, failure.details) == ("not done", "no such service")
    late = refused(StepResult("up", "", 124), Rancher1(), "not done", "there", 900)
    assert late
    assert late.what == "not done: rancher did not finish within 900 s"


@pytest.mark.parametrize("code", [124, 137])
def test_a_client_that_was_killed_is_no_fault_of_the_stack(
    code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    to = SimpleNamespace(name="dev", environment="dev-cattle", modules=())
    there = StackClient(RecordingLoginNode(), to, Rancher1(), "demo")  # type: ignore[arg-type]
    Console().error(there.failure(StepResult("states", "", code)))
    said = capsys.readouterr().err
    assert "cause:" not in said
    assert "fix:   see `invoke status`" in said
