"""nginx's configuration language as `invoke check` reads it, and what nginx does not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.checks import nginx_conf


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("server {\n  listen 80;\n", "the { of server is never closed", 1),
        ("server {\n}\n}\n", "one } too many", 3),
        ("listen 80;\nserver {}\n}", "one } too many", 3),
        ("server { listen 80 }", "listen does not end with ;", 1),
        ("a;\nb", "b does not end with ;", 2),
        ("listen 80\nserver_name x;", "listen does not end with ;", 1),
        ("\n;", "unexpected ;", 2),
        ("a 'b;\n", "the ' is never closed", 1),
    ],
)
def test_what_nginx_could_not_read_is_told_with_its_line(
    text: str, problem: str, line: int
) -> None:
    with pytest.raises(nginx_conf.Unreadable) as caught:
        nginx_conf.parse(text)
    assert (str(caught.value), caught.value.line) == (problem, line)


def test_nginx_words() -> None:
    parsed = nginx_conf.parse(
        """# a comment { ;
        location ~ "^/a{2}" { return 200 'x;y # }'; }  # }
        set $a ${b}c; if ($x ~ a\\;b) { }
        """
    )
    assert [directive.words for directive in nginx_conf.everywhere(parsed)] == [
        ["location", "~", "^/a{2}"],
        ["return", "200", "x;y # }"],
        ["set", "$a", "${b}c"],
        ["if", "($x", "~", "a\\;b)"],
    ]


def test_directives_that_nginx_lacks() -> None:
    text = """map $a $b { default 1; nonsense 2; }
        types { text/html html; }
        http { serverr { } server { listen 1; } upstream a { server b; } if_not x; }
        location / ;"""
    parsed = nginx_conf.parse(text)
    assert [(found.line, found.name, near) for found, near in nginx_conf.unknown(parsed)] == [
        (3, "serverr", "server"),
        (3, "if_not", ""),
    ]
    assert [found.name for found, _ in nginx_conf.wrong_braces(parsed)] == ["location"]


def test_blocks_in_blocks_without_end_are_refused() -> None:
    with pytest.raises(nginx_conf.Unreadable, match="nested too deeply"):
        nginx_conf.parse("a {" * 3000 + "}" * 3000)


@given(st.text(st.sampled_from("{};#\"'\\ \n$ab")) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = nginx_conf.parse(text)
    except nginx_conf.Unreadable as error:
        assert 1 <= error.line <= text.count("\n") + 1
    else:
        assert all(directive.words for directive in nginx_conf.everywhere(parsed))
