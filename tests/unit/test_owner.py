"""Marks of who does something, as they are written down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spinstack.remote import notes
from spinstack.remote.owner import Owner, make_owner, parse_owner


@given(st.text(), st.text(), st.text())
def test_a_mark_is_read_as_it_was_written(who: str, host: str, doing: str) -> None:
    made = make_owner(who, host, doing)
    assert parse_owner("noise\n" + made.text() + "\n") == made


@given(st.text())
def test_garbage_is_no_mark(text: str) -> None:
    assert parse_owner(text) is None or isinstance(parse_owner(text), Owner)
    notes.parse_releases(text)
