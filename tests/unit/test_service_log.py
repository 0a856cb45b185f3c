"""One log out of those of several containers."""

from __future__ import annotations

from spinstack.platforms.logs import last_lines
from spinstack.platforms.rancher1 import logs


def end(output: str, count: int) -> str:
    """The last lines of a service, without the heading."""
    text = last_lines("app", logs.parse(output, "demo", "app"), count)
    assert text.startswith("--- app, last lines ---\n")
    return text.partition("\n")[2]


def test_the_last_words_are_those_of_the_newest_container() -> None:
    """During an upgrade old and new container have the same name."""
    output = """\
demo-app-1 | 2026-11-22T16:52:42.000000002Z SyntaxError: invalid syntax
demo-app-1 | 2026-11-22T16:52:42.5Z *** no app loaded. GAME OVER ***
demo-app-1 | 2026-11-22T16:52:30.1Z spawned uWSGI worker 1
demo-app-1 | 2026-11-22T16:52:40.1Z goodbye to uWSGI.
"""
    assert end(output, 3) == (
        "goodbye to uWSGI.\nSyntaxError: invalid syntax\n*** no app loaded. GAME OVER ***"
    )


def test_containers_that_run_side_by_side_are_told_apart() -> None:
    output = "demo-app-1 | 2026-11-22T10:00:02Z b\ndemo-app-2 | 2026-11-22T10:00:01Z a\n"
    assert end(output, 10) == "app-2 | a\napp-1 | b"


def test_a_single_container_has_no_name_in_front() -> None:
    assert end("2026-11-22T10:00:02.123456789Z GET /\n", 10) == "GET /"
    assert end("2026-11-22T10:00:02Z\n", 10) == "(no output)"


def test_what_comes_without_times_stays_as_it_is() -> None:
    assert end("Not found: web\nmore\n", 2) == "Not found: web\nmore"
