"""The table of rules and the code agree; rules can be explained."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import spinstack
from spinstack.checks import catalogue, mend
from spinstack.errors import UsageError

PACKAGE = Path(spinstack.__file__).parent


def emitted() -> Iterator[tuple[str, str]]:
    """Every rule id in the package's code: the first argument of every `Finding(…)`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                named = [word.value for word in node.keywords if word.arg == "rule"]
                rule = (node.args[:1] or named)[0]
                where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                assert isinstance(rule, ast.Constant), f"{where}: the id must be written out"
                assert isinstance(rule.value, str)
                yield rule.value, where


def test_every_rule_is_in_the_table_and_the_other_way_round() -> None:
    code = dict(emitted())
    table = set(catalogue.rules())
    assert not {id: where for id, where in code.items() if id not in table}
    assert not table - set(code)


def test_every_rule_has_a_reason_and_a_source() -> None:
    for rule in catalogue.rules().values():
        assert len(rule.reason) > 20 and rule.source, rule
        assert rule.about and not rule.about.endswith("."), rule
        assert len(rule.lines()) == 3 + bool(rule.fix)


def test_what_can_be_mended_says_how() -> None:
    told = {rule.id for rule in catalogue.rules().values() if rule.fix}
    assert told == {*mend.MENDERS, "mount-walk"}


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.explain("mont-walk")
    assert "mount-walk" in caught.value.remedy
