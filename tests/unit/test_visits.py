"""Visits in the log of web: readable for a person, untouched for a program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.operate import visits

VISIT = {
    **{"time": "2026-11-22T16:00:02+00:00", "address": "128.55.1.2"},
    **{"request": "GET /nights.html HTTP/1.1", "status": 200, "bytes": 2351, "seconds": 0.003},
    **{"app_seconds": "", "cache": "", "referer": "", "agent": "curl/8"},
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "16:00:02  128.55.1.2  200  GET /nights.html  2.4 kB  3 ms"),
        (
            {"status": 502, "seconds": 12.34, "bytes": 640, "app_seconds": "12.3"},
            "16:00:02  128.55.1.2  502  GET /nights.html  640 B  12.3 s  from app",
        ),
        (
            {"cache": "HIT", "bytes": 51_000_000},
            "16:00:02  128.55.1.2  200  GET /nights.html  51 MB  3 ms  kept",
        ),
        (
            {"request": "\u001b]0;x\u0007", "time": 7},
            "7  128.55.1.2  200  ^[]0;x^G  2.4 kB  3 ms",
        ),
    ],
)
def test_a_visit_is_a_line(change: dict[str, object], line: str) -> None:
    assert visits.readable(json.dumps({**VISIT, **change})) == line


@given(
    st.text()
    | st.dictionaries(st.sampled_from([*VISIT]), st.integers() | st.text()).map(json.dumps)
)
def test_everything_else_stays(text: str) -> None:
    try:
        found = json.loads(text)
        visit = isinstance(found, dict) and set(VISIT) - set(found) <= {
            *("app_seconds", "cache", "referer", "agent")
        }
    except ValueError:
        visit = False
    assert visit or visits.readable(text) == text


def test_a_pipe_gets_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps(VISIT)
    assert visits.shown(line) == line
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert visits.shown(line) == visits.readable(line) != line
