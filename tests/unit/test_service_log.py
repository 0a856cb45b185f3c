"""One log out of those of several containers."""

from __future__ import annotations

from spinstack.platforms.rancher1.logs import in_order


def test_the_last_words_are_those_of_the_newest_container() -> None:
    """During an upgrade old and new container have the same name."""
    output = """\
demo-app-1 | 2026-11-22T16:52:42.000000002Z SyntaxError: invalid syntax
demo-app-1 | 2026-11-22T16:52:42.5Z *** no app loaded. GAME OVER ***
demo-app-1 | 2026-11-22T16:52:30.1Z spawned uWSGI worker 1
demo-app-1 | 2026-11-22T16:52:40.1Z goodbye to uWSGI.
"""
    assert in_order(output, 3) == (
        "goodbye to uWSGI.\nSyntaxError: invalid syntax\n*** no app loaded. GAME OVER ***\n"
    )


def test_containers_that_run_side_by_side_are_told_apart() -> None:
    output = "web-1 | 2026-11-22T10:00:02Z b\nweb-2 | 2026-11-22T10:00:01Z a\n"
    assert in_order(output, 10) == "web-2 | a\nweb-1 | b\n"


def test_a_single_container_has_no_name_in_front() -> None:
    assert in_order("2026-11-22T10:00:02.123456789Z GET /\n", 10) == "GET /\n"
    assert in_order("2026-11-22T10:00:02Z\n", 10) == "\n"


def test_what_comes_without_times_stays_as_it_is() -> None:
    assert in_order("Not found: web\nmore\n", 1) == "Not found: web\nmore\n"
