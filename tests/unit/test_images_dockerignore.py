"""What .dockerignore leaves out: Docker's rules, and a simple model of them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.images.dockerignore import Ignore

# Text of the file, paths that it leaves out, paths that stay.
TABLE = [
    ("", [], ["a", "a/b"]),
    ("# a\n\n  \n#b", [], ["a", "b", "# a"]),
    ("a", ["a", "a/b", "a/b/c"], ["b/a", "ab"]),
    ("/a/", ["a", "a/b"], ["b/a"]),
    ("./a//b/../c\r\n", ["a/c", "a/c/d"], ["a/b", "a"]),
    ("\ufeffa", ["a"], []),
    ("  a  ", ["a"], []),
    ("*.md\n!README.md", ["x.md", "CHANGES.md"], ["README.md", "docs/x.md"]),
    ("!README.md\n*.md", ["README.md"], []),
    ("*\n!app\n!app/**\napp/*.pyc", ["x", "app/x.pyc"], ["app", "app/x.py", "app/b/x.pyc"]),
    ("*/tmp", ["a/tmp", "a/tmp/x"], ["tmp", "a/b/tmp"]),
    ("**/tmp", ["tmp", "a/tmp", "a/b/tmp/c"], ["xtmp", "a/tmpx"]),
    ("**/*.pyc", ["a.pyc", "a/b.pyc"], ["a.py"]),
    # Engines differ about these two: whatever one of them keeps stays.
    ("**.pyc", [".pyc", "a/.pyc"], ["a.pyc", "a/b.pyc", "a.py"]),
    ("*\n!**.pyc", ["a.py"], [".pyc", "a.pyc", "a/b.pyc"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "ab"]),
    ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["z", "a/bz"]),
    ("**", ["a", "a/b"], []),
    ("te?t", ["test", "text/a"], ["te/t", "tet"]),
    ("[a-c]x\n[^x]y", ["ax", "cx", "ay"], ["dx", "xy"]),
    ("a\\*b", ["a*b"], ["axb"]),
    ("a.b+(c)", ["a.b+(c)"], ["axb+(c)"]),
    (".", [], ["a"]),
    ("..\n../a\n/", [], ["a"]),
]


@pytest.mark.parametrize(("text", "out", "stay"), TABLE)
def test_follows_dockers_rules(text: str, out: list[str], stay: list[str]) -> None:
    ignore = Ignore.parse(text)
    assert [path for path in out if not ignore.ignores(path)] == []
    assert [path for path in stay if ignore.ignores(path)] == []


@pytest.mark.parametrize("line", ["!", "[", "[]", "a\\", "[b-a]", "[-a]", "x[^]"])
def test_a_line_that_docker_refuses_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        Ignore.parse(f"# first\n{line}\n")


PARTS = st.sampled_from(["a", "b", "ab"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
LINES = st.lists(
    st.tuples(st.booleans(), st.lists(st.sampled_from(["a", "b", "ab", "*", "**"]), min_size=1)),
    max_size=5,
)


def _model(pattern: list[str], path: list[str]) -> bool:
    """Whether whole parts match, `*` standing for one and `**` for any number of them."""
    if not pattern:
        return not path
    head, rest = pattern[0], pattern[1:]
    if head == "**":
        # At the end it covers what is inside a directory, not the directory itself.
        least = 1 if not rest else 0
        return any(_model(rest, path[n:]) for n in range(least, len(path) + 1))
    return bool(path) and head in ("*", path[0]) and _model(rest, path[1:])


@given(LINES, PATHS)
def test_agrees_with_a_model_of_whole_parts(lines: list[tuple[bool, list[str]]], path: str) -> None:
    parts = path.split("/")
    expected = False
    for keeps, pattern in lines:
        if any(_model(pattern, parts[:n]) for n in range(1, len(parts) + 1)):
            expected = not keeps
    text = "\n".join(("!" if keeps else "") + "/".join(pattern) for keeps, pattern in lines)
    assert Ignore.parse(text).ignores(path) is expected


@given(LINES)
def test_a_skipped_directory_holds_nothing_that_stays(lines: list[tuple[bool, list[str]]]) -> None:
    text = "\n".join(("!" if keeps else "") + "/".join(pattern) for keeps, pattern in lines)
    ignore = Ignore.parse(text)
    for directory in ("a", "a/b"):
        if ignore.ignores(directory) and ignore.can_skip(directory):
            for below in product(["a", "b", "ab"], repeat=2):
                assert ignore.ignores("/".join([directory, *below]))
