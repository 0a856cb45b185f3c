"""The harness of the benchmarks: what it reckons from its figures, and what it writes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks.common import outcome, tables
from benchmarks.common.figures import Spread, percentile
from benchmarks.serving import goals, report
from benchmarks.serving.figures import GENERATED, NGINX, TUTORIAL, Cell, Results
from benchmarks.serving.images import requirements
from benchmarks.serving.load import parse
from benchmarks.serving.traffic import MIX
from spinstack.errors import SpinstackError


def met(results: Results, words: str) -> bool:
    """Whether the goal is met whose name holds these words."""
    (goal,) = [goal for goal in goals.goals(results) if words in goal.name]
    return goal.met


def rounds(results: Results, cell: Cell, metric: str, *values: float) -> None:
    for value in values:
        results.add(cell, **{metric: value})


def test_a_ratio_is_taken_within_each_round():
    results = Results()
    ours, theirs = (Cell("static", "50 kB", 16, name) for name in (GENERATED, TUTORIAL))
    # The second round was slow for both.
    rounds(results, ours, "rate", 3000, 300, 2500)
    rounds(results, theirs, "rate", 100, 10, 100)
    assert results.ratio(ours, theirs, "rate") == Spread(30, 25, 30, 3)
    assert met(results, "static 50 kB, 16 connections, requests/s against the tutorial")


def test_percentiles_are_values_that_occurred():
    assert [percentile(range(1, 101), part) for part in (0.5, 0.99, 1)] == [50, 99, 100]
    assert percentile([7.0], 0.99) == 7.0


def test_goals_that_were_not_measured_are_not_met():
    nothing = goals.goals(Results())
    assert len(nothing) == 19
    assert not any(goal.met for goal in nothing)
    assert all(goal.as_json()["measured"] is None for goal in nothing)


def test_a_failed_static_page_in_any_scenario_misses_the_goal():
    results = Results()
    for scenario in ("busy", "gone", "worker"):
        results.add(Cell(scenario, "static", 0, GENERATED), failed=0)
    results.add(Cell("gone", "dynamic", 0, GENERATED), failed=3)
    results.add(Cell("gone", "static", 0, TUTORIAL), failed=40)
    assert met(results, "failed answers of static pages")
    results.add(Cell("worker", "static", 0, GENERATED), failed=1)
    assert not met(results, "failed answers of static pages")
    assert not met(results, "application gone")


def test_the_limit_of_a_busy_site_follows_its_idle_latency_above_a_floor():
    for idle, busy, expected in ((5, 49, True), (5, 51, False), (40, 79, True)):
        results = Results()
        results.add(Cell("busy", "idle application", 0, GENERATED), p99=idle)
        results.add(Cell("busy", "all workers busy", 0, GENERATED), p99=busy)
        assert met(results, "twice its own idle") is expected


def test_answers_that_are_not_compressed_do_not_count_as_compressed_once():
    results = Results()
    results.add(Cell("gzip", "50 kB, plain", 16, GENERATED), rate=100, bytes=50_500)
    results.add(Cell("gzip", "50 kB, gzip", 16, GENERATED), rate=100, bytes=50_500)
    assert not met(results, "compressed once")


def test_less_than_means_less():
    results = Results()
    results.add(Cell("push", "app", 0, GENERATED), kb=100)
    assert not met(results, "pushed")


def test_what_wrk_reports_is_understood():
    told = {"requests": 1010, "microseconds": 2_000_000, "bytes": 5050, "p50": 1500, "p99": 2500}
    told |= {"connect": 0, "read": 4, "write": 0, "timeout": 1, "status": 5}
    load = parse(f"Running 2s test\n{json.dumps(told, separators=(',', ':'))}\n")
    assert (load.rate, load.p50, load.p99, load.failed) == (500, 1.5, 2.5, 10)
    with pytest.raises(SpinstackError, match="wrk has reported nothing"):
        parse("unable to connect to 10.0.0.1:8080 Connection refused\n")


def test_the_tutorial_gets_the_same_packages_with_uwsgi_from_source():
    pins = (
        "# a comment\nFlask==3.1.3 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
        "pyuwsgi==2.0.30.post1\nnumpy==2.3.5 ; python_version > '3'\n"
    )
    assert requirements(pins).split() == ["Flask==3.1.3", "numpy==2.3.5", "uWSGI==2.0.31"]


def filled() -> Results:
    results = Results()
    for item in ("50 kB", "1 MB", MIX):
        for name, rate in ((TUTORIAL, 900.0), (GENERATED, 20_000.0), (NGINX, 21_000.0)):
            for factor in (0.9, 1.0, 1.2):
                figures = {"rate": rate * factor, "p50": 1.0, "p99": 9.0, "bytes": 100, "failed": 0}
                results.add(Cell("static", item, 16, name), **figures)
    return results


def test_the_report_replaces_what_is_between_the_marks_and_nothing_else():
    text = report.report(filled(), goals.goals(filled()), {"cores": 2}, "images/serving.svg")
    assert "| random mix | 16 | 900 [810–1 080] | 20 000 [18 000–24 000] |" in text
    assert "| cores | 2 |" in text
    start, end = tables.marks(report.NAME)
    document = f"before\n{start}\nformer\n{end}\nafter\n"
    once = tables.put_between_marks(document, text, report.NAME)
    assert once.startswith("before\n") and once.endswith("\nafter\n") and "former" not in once
    assert tables.put_between_marks(once, text, report.NAME) == once


def test_the_document_has_the_place_for_the_results():
    document = outcome.DOCUMENT.read_text(encoding="utf-8")
    for name in ("serving", "remote", "cli"):
        assert "new" in tables.put_between_marks(document, "new", name)


def test_the_chart_is_well_formed_and_shows_each_variant():
    root = ElementTree.fromstring(report.picture(filled(), "a <machine>"))
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert {"50 kB", "1 MB", MIX, "a <machine>"} <= set(texts)
    assert {name for name, _ in report.SERIES.values()} <= set(texts)
    assert "22.2 × tutorial" in texts


def test_a_wrong_scenario_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]):
    from benchmarks.serving.__main__ import main

    assert main(["--only", "statik"]) == 2
    told = capsys.readouterr().err
    assert "there is no scenario statik" in told and "static, idle" in told


def test_results_hold_what_others_read(tmp_path: Path):
    listed = [goal.as_json() for goal in goals.goals(filled())]
    wanted = {"name", "goal", "measured", "unit", "met"}
    assert all(wanted <= set(entry) for entry in listed)
    json.dumps(listed)
