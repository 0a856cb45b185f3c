"""Asking a site on this machine, whatever proxy the person has."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from spinstack.transport import probe


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"here")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_proxy_is_not_asked_about_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert probe.ask(f"http://127.0.0.1:{server.server_port}/").ok
    assert not probe.ask("http://elsewhere.invalid/").reached


def test_only_refusals_in_a_row_that_will_not_pass_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(probe.time, "monotonic", lambda: next(clock))
    refusals = probe.Refusals()
    statuses = [404, 404, 502, 404, 429, 403, 404, 404]
    told = [refusals.last(probe.Answer(status, ""), 2) for status in statuses]
    assert told == [False] * 7 + [True]


@pytest.mark.parametrize("url", ["http://[::1/", "http://a b/", "http://127.0.0.1:0x1/"])
def test_what_is_no_address_has_no_answer(url: str) -> None:
    assert not probe.ask(url).reached


def test_a_page_may_have_any_characters_in_its_name() -> None:
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert probe.ask(f"http://127.0.0.1:{server.server_port}/Nächte?a=1%20b").ok


def test_a_name_that_is_not_known_is_told_from_a_site_that_does_not_answer() -> None:
    assert probe.ask("http://nightwatch.invalid/").no_name
    assert not probe.ask("http://127.0.0.1:1/").no_name
