"""Addresses of repositories as others may see them, and text that TeX takes as it is."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.remote.history import citation, citation_text
from spinstack.remote.history.citation import Citation
from spinstack.remote.history.record import Record


@pytest.mark.parametrize(
    ("remote", "public"),
    [
        ("https://git.example/a/b.git\n", "https://git.example/a/b.git"),
        ("https://alice:hush@git.example:8443/b", "https://git.example:8443/b"),
        ("https://ghp_token@git.example/b?token=hush#x", "https://git.example/b"),
        ("git@git.example:a/b.git", "ssh://git.example/a/b.git"),
        ("git.example:a/b.git", "ssh://git.example/a/b.git"),
        ("ssh://git@git.example:2222/a/b.git", "ssh://git.example:2222/a/b.git"),
        ("/home/alice/b.git", ""),
        ("file:///home/alice/b.git", ""),
        ("../b", ""),
        ("https://git.example:port/b", ""),
        ("", ""),
    ],
)
def test_a_repository_as_others_may_see_it(remote: str, public: str) -> None:
    assert citation.public_url(remote) == public


words = st.text(st.characters(exclude_characters="/@?#[]\\", exclude_categories=("C", "Z")))


@given(st.sampled_from(["https", "http", "ssh", "git", "ftp"]), words, words.map("hush{}".format))
def test_no_password_is_ever_shown(scheme: str, name: str, password: str) -> None:
    assert "hush" not in citation.public_url(f"{scheme}://{name}:{password}@git.example/b.git")


@given(st.text())
def test_any_remote_gives_an_address_or_nothing(remote: str) -> None:
    assert re.match(r"(https?|ssh|git)://|$", citation.public_url(remote))


@given(st.text(st.characters(exclude_categories=("C",))))
def test_bibtex_keeps_its_braces_whatever_is_in_the_names(text: str) -> None:
    made = Record(
        when="2025-11-03T04:05:06Z", doing="deploy", stack=text, release="r", images={"A": text}
    )
    entry = citation_text.bibtex(Citation(datetime(2025, 11, 4, tzinfo=timezone.utc), made))
    bare = re.sub(r"\\[{}]", "", entry)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[%#&$]", bare)
