"""The benchmarks of deploys and of the command line: what they count, reckon and write."""

from __future__ import annotations

import json
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from benchmarks.common import tables
from benchmarks.common.figures import Rounds, Spread, in_turn
from benchmarks.far import goals, place, report, ways
from benchmarks.far.driver import Commands
from benchmarks.far.namespaces import Server
from benchmarks.far.turns import Turns, speaks
from benchmarks.typed import goals as typed_goals
from benchmarks.typed import report as typed_report
from benchmarks.typed import ways as typed_ways

SYN, ACK, FIN = 0x02, 0x10, 0x01


def packet(data: bytes = b"", flags: int = ACK, protocol: int = 6) -> bytes:
    """Headers of IPv4 and TCP without addresses that mean anything, TCP's with an option."""
    tcp = struct.pack("!HHIIBBHHH", 50000, 22, 3, 4, 8 << 4, flags, 100, 0, 0) + bytes(12)
    ip = struct.pack("!BBHHHBBH8x", 0x45, 0, 20 + len(tcp) + len(data), 0, 0, 64, protocol, 0)
    return ip + tcp + data


def test_only_data_and_the_wish_for_a_connection_say_something() -> None:
    assert speaks(packet(b"x"), 22)
    assert speaks(packet(flags=SYN), 22)
    assert not speaks(packet(b"x"), 80)
    assert not speaks(packet(), 22)
    assert not speaks(packet(flags=FIN | ACK), 22)
    assert not speaks(packet(b"x", protocol=17), 22)
    assert not speaks(b"\x60" + bytes(60), 22)  # IPv6
    assert not any(speaks(packet(b"x")[:length], 22) for length in range(34))


def test_a_round_trip_is_what_waited_for_an_answer() -> None:
    turns = Turns(hold=20)
    for now in (0, 1, 2):
        turns.sent(now)
    turns.answered(10)  # sent before anything of ours was heard there
    turns.sent(35)
    assert turns.count == 1
    turns.answered(36)
    turns.answered(37)
    turns.sent(50)  # the answer is not here yet
    assert turns.count == 1
    turns.sent(56)
    turns.sent(57)
    assert turns.count == 2


def test_without_a_word_there_is_no_round_trip() -> None:
    turns = Turns(hold=20)
    turns.answered(0)
    assert turns.count == 0


def filled(**seconds: tuple[float, ...]) -> Rounds:
    """Rounds by the names of the constants in `ways`."""
    results = Rounds()
    for name, values in seconds.items():
        for number, value in enumerate(values):
            counted = {"logins": 1, "sessions": 1 + number, "round_trips": 12}
            results.add(getattr(ways, name), number, seconds=value, **counted)
    return results


def met(results: Rounds, words: str) -> bool:
    (goal,) = [goal for goal in goals.goals(results) if words in goal.name]
    return goal.met


def test_a_ratio_needs_both_sides_in_the_same_round() -> None:
    results = Rounds()
    for number, seconds in ((0, 2.0), (3, 9.0)):
        results.add("slow", number, seconds=seconds)
    for number, seconds in ((0, 1.0), (1, 100.0), (3, 3.0)):
        results.add("fast", number, seconds=seconds)
    assert results.ratio("slow", "fast", "seconds") == Spread(2.5, 2, 3, 2)
    assert results.ratio("slow", "missing", "seconds") is None


def test_a_deploy_is_judged_by_its_own_wire() -> None:
    results = filled(TRUE=(1.0, 2.0), OURS_COLD=(1.2, 2.4), OURS_FABRIC=(1.4, 2.8))
    for number, seconds in enumerate((1.0, 2.0)):
        results.add(ways.FABRIC_TRUE, number, seconds=seconds)
    assert met(results, "OpenSSH wire, against `ssh host true`")
    assert not met(results, "Fabric wire, against Fabric's open()")


def test_sessions_are_judged_by_the_worst_round() -> None:
    assert met(filled(OURS_COLD=(1, 1)), "sessions of a deploy, OpenSSH wire, no master yet")
    assert not met(filled(OURS_COLD=(1, 1, 1)), "sessions of a deploy, OpenSSH wire, no master")


def test_what_was_not_measured_is_not_met() -> None:
    for judged in (goals.goals(Rounds()), typed_goals.goals(Rounds())):
        assert judged and not any(goal.met for goal in judged)
        wanted = {"name", "goal", "measured", "unit", "met"}
        assert all(wanted <= set(goal.as_json()) for goal in judged)
        json.dumps([goal.as_json() for goal in judged])


def test_a_list_must_be_near_the_trivial_one_and_far_from_fabric() -> None:
    results = Rounds()
    for way, seconds in (
        (typed_ways.LIST, 0.2),
        (typed_ways.LIST_TRIVIAL, 0.19),
        (typed_ways.LIST_FABRIC, 0.27),
    ):
        results.add(way, 0, seconds=seconds)
    near, far, _ = typed_goals.goals(results)
    assert near.met and not far.met


@pytest.mark.parametrize("module", [report, typed_report])
def test_the_report_fits_between_its_marks_and_the_chart_is_well_formed(module: object) -> None:
    results = filled(TRUE=(0.8, 0.9), OURS_COLD=(1.0, 1.1)) if module is report else Rounds()
    if module is typed_report:
        for number, seconds in enumerate((0.2, 0.3)):
            results.add(typed_ways.LIST, number, seconds=seconds)
            results.add(typed_ways.LIST_TRIVIAL, number, seconds=seconds)
    name = module.NAME  # type: ignore[attr-defined]
    judged = goals.goals(results)
    text = module.report(results, judged, {"cores": 2}, f"images/{name}.svg")  # type: ignore[attr-defined]
    assert ("| cores | 2 |" in text and "250 [200–300]" in text) or "850 [800–900]" in text
    start, end = tables.marks(name)
    document = tables.put_between_marks(f"before\n{start}\n{end}\nafter\n", text, name)
    assert document.startswith("before\n") and document.endswith("after\n")
    root = ElementTree.fromstring(module.picture(results, "a <machine>"))  # type: ignore[attr-defined]
    assert "a <machine>" in "".join(root.itertext())


def test_the_ways_take_turns() -> None:
    assert [in_turn(number, "abc") for number in range(2)] == [list("abc"), list("cba")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> place.Place:
    work = tmp_path_factory.mktemp("far")
    found = place.make(work)
    server = Server(22, "root", work / "identity", work / "known_hosts", work / "log")
    place.add_destinations(found, server)
    place.settle(found)
    return found


def test_the_stack_has_the_size_that_goals_were_set_for(made: place.Place) -> None:
    uploaded = made.uploads()
    assert len(uploaded) == 12
    assert 25_000 < sum(path.stat().st_size for path in uploaded) < 45_000


def test_there_are_fifteen_steps_besides_the_upload_each_standing_for_itself(
    made: place.Place, tmp_path: Path
) -> None:
    given = {"destination": place.DESTINATIONS["fabric"], "script": str(tmp_path / "script")}
    commands = Commands({"stack": str(made.stack), **given})
    commands.go()
    assert len(commands.told["commands"]) == 15
    for command in commands.told["commands"]:
        assert command.startswith("export UID RANCHER_ENVIRONMENT=dev-cattle; cd ")
        assert commands.told["release"] in command


class Ran:
    """What `bench` started, in order; `codes`: how it ended, by benchmark."""

    def __init__(self, codes: Mapping[str, int] = {}) -> None:
        self.words: list[tuple[str, ...]] = []
        self._codes = codes

    def __call__(self, context: Context, *words: str) -> None:
        self.words.append(words[2:])
        code = self._codes.get(words[2], 0)
        if code:
            raise Exit(code=code)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], [f"benchmarks.{name}" for name in ("serving", "remote", "cli", "kubernetes")]),
        (["cli"], ["benchmarks.cli"]),
        (["busy", "gone"], ["benchmarks.serving --only busy --only gone"]),
        (["remote", "busy"], ["benchmarks.serving --only busy", "benchmarks.remote"]),
    ],
)
def test_bench_runs_what_is_asked_for(
    only: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = Ran()
    monkeypatch.setattr(tasks, "_live", ran)
    tasks.bench(Context(), only=only)
    assert [" ".join(words) for words in ran.words] == expected


def test_a_benchmark_that_can_not_run_keeps_no_other_from_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = Ran({"benchmarks.remote": 1})
    monkeypatch.setattr(tasks, "_live", ran)
    with pytest.raises(Exit) as ended:
        tasks.bench(Context(), quick=True)
    assert ended.value.code == 1
    assert ran.words[-1] == ("benchmarks.kubernetes", "--quick")
