"""The benchmark on a Kubernetes: what it reckons from its figures, and what it writes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from benchmarks.cluster import goals, place, report, ways
from benchmarks.cluster.place import Site
from benchmarks.common import tables
from benchmarks.common.figures import Rounds
from tests.cluster.cluster import Kubectl
from tests.cluster.people import Namespace


def met(results: Rounds, words: str) -> bool:
    (goal,) = [goal for goal in goals.goals(results) if words in goal.name]
    return goal.met


def test_calls_are_judged_by_the_worst_round():
    results = Rounds()
    for number, calls in enumerate((2, 2, 3)):
        results.add(ways.STATUS, number, seconds=1, calls=calls)
    assert not met(results, "calls of kubectl, invoke status")


def test_a_change_is_judged_by_its_end_and_by_what_visitors_see():
    results = Rounds()
    results.add(ways.CHANGE, 0, seconds=5, serves=2)
    results.add(ways.CHANGE_KUBECTL, 0, seconds=4, serves=2)
    results.add(ways.CHANGE_HELM, 0, seconds=5, serves=1)
    assert not met(results, "end of the command, against kubectl")
    assert met(results, "first new answer, against kubectl")
    assert met(results, "end of the command, against helm")
    assert not met(results, "first new answer, against helm")


def test_the_report_fits_between_its_marks_and_the_chart_is_well_formed():
    results = Rounds()
    results.add(ways.NOTHING, 0, seconds=1, calls=4)
    results.add(ways.NOTHING_KUBECTL, 0, seconds=0.5)
    text = report.report(results, goals.goals(results), {"cores": 2}, "x.svg")
    start, end = tables.marks(report.NAME)
    whole = tables.put_between_marks(f"a\n{start}\n{end}\nb", text, report.NAME)
    assert whole.count("| invoke deploy, nothing to do | 1 000 | – | 4 |") == 1
    ElementTree.fromstring(report.picture(results, "2 × processor"))


def test_a_change_is_one_line_more_than_the_file_as_made(tmp_path: Path):
    stack = tmp_path / "stack"
    conf = stack / "web" / "site.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("server {\n    location = / { return 302 nights.html; }\n}\n")
    nobody = Kubectl(Path("kubectl"), Path("kubeconfig"))
    namespace = Namespace(nobody, "test", Path("kubeconfig"))  # type: ignore[arg-type]
    site = Site(namespace, "host", stack, tmp_path)
    site.change(1)
    site.change(2)
    assert conf.read_text().count(place.PAGE) == 1
    assert [path.name for path in conf.parent.iterdir()] == ["site.conf"]
    assert 'return 200 "2";' in conf.read_text()
