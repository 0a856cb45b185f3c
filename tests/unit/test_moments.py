"""Times as a person types them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack import times
from spinstack.errors import UsageError

NOW = datetime(2026, 7, 14, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True, scope="module")
def at_berkeley() -> Iterator[None]:
    """A machine whose zone is not UTC and changes in summer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/Los_Angeles")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2w", "2026-06-30 12:00"),
        ("1d12h", "2026-07-13 00:00"),
        ("90s", "2026-07-14 11:58"),
        ("2026-07-01", "2026-07-01 07:00"),
        ("2026-01-01 04:05", "2026-01-01 12:05"),
        ("2026-07-01T04:05", "2026-07-01 11:05"),
        ("2026-07-01T04:05:06.789Z", "2026-07-01 04:05"),
        ("2026-07-01 04:05 UTC", "2026-07-01 04:05"),
        ("2026-07-01 04:05+02:00", "2026-07-01 02:05"),
        ("2026-07-01T04:05-0330", "2026-07-01 07:35"),
    ],
)
def test_what_is_meant(text: str, utc: str) -> None:
    assert times.told(times.moment(text, NOW)) == f"{utc} UTC"


def test_a_day_has_an_end_too() -> None:
    found = times.moment("2026-07-01", NOW, end_of_day=True)
    assert times.told(found) == "2026-07-02 07:00 UTC"


@pytest.mark.parametrize(
    "text",
    ["", "now", "2", "w", "2 w", "-2w", "9" * 30 + "w", "2026-13-01", "2026-02-30", "26-1-1",
     "2026-01-01 25:00", "2026-01-01T04:05+99:00", "0001-01-01", "9999-12-31T23:59-12:00",
     "٢w", "٢٠٢٦-01-01", "2026-01-01\n"],
)  # fmt: skip
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError) as error:
        times.moment(text, NOW)
    assert "2w, 3d" in error.value.remedy


@given(st.text(max_size=30) | st.from_regex(r"[0-9TZ:+\- wdhms]{0,30}", fullmatch=True))
def test_no_text_does_worse(text: str) -> None:
    with suppress(UsageError):
        assert times.moment(text, NOW).tzinfo is timezone.utc


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(
        lambda d: d.replace(microsecond=0)
    ),
    st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)
def test_iso_with_a_zone_is_that_moment(local: datetime, zone: timezone) -> None:
    exact = local.replace(tzinfo=zone)
    assert times.moment(exact.isoformat(), NOW) == exact
