"""The parts of the benchmarks that touch files and sockets, without an engine."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving import tree, web
from benchmarks.serving.images import HERE
from benchmarks.serving.stage import Variant, services

OWNER = (os.getuid(), os.getgid())


def test_the_tree_is_the_same_each_time_and_loses_what_was_added(tmp_path: Path):
    first = tree.make(tmp_path / "a", 2, 11, OWNER)
    other = tree.make(tmp_path / "b", 2, 11, OWNER)
    names = [path.relative_to(first.static) for path in first.static.rglob("*") if path.is_file()]
    assert len(names) == 2 + 2 * (1 + 11 * 4 + 2)
    assert all((first.static / n).read_bytes() == (other.static / n).read_bytes() for n in names)
    added = first.static / "20260101" / "exposures.html.gz"
    added.write_bytes(b"x")
    again = tree.make(tmp_path / "a", 2, 11, OWNER)
    assert not added.exists()
    assert set(again.paths) == {"2 kB", "50 kB", "1 MB", "PNG", "JSON"}
    assert all((again.static / path[1:]).is_file() for path in again.paths.values())
    assert (again.data / "20260102" / "00300001").is_dir()


def test_the_stacks_to_compare_with_run_as_the_stack_does():
    values = {"APP_IMAGE": "a", "WEB_IMAGE": "w", "UID": "41037", "GROUP_ID": "58102"}
    values |= {f"{name}_DIR": f"/{name}" for name in ("STATIC", "DATA", "NIGHTWATCH")}
    values |= {"DESIMODEL_DIR": "/m", "DESIUTIL_DIR": "/u"}
    for name, expected in (("tutorial", {"app", "web"}), ("raw", {"web"})):
        found = services(Variant(name, HERE / name, values))
        assert set(found) == expected
        for launch in found.values():
            assert launch.user == "41037:58102"
            assert launch.cap_drop == ("ALL",)


@contextmanager
def server(*answers: bytes) -> Iterator[web.Address]:
    """Gives each connection the next answer, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[:2]
        thread.join(5)


def test_an_answer_that_is_cut_short_is_no_good_answer():
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    broken = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    with server(whole, whole[:-1], chunked, chunked + b"0\r\n\r\n", broken, b"") as address:
        replies = [web.fetch(address, "/") for _ in range(6)]
    assert [reply.good for reply in replies] == [True, False, False, True, False, False]
    assert replies[0].wire == len(whole)
    assert replies[4].status == 502


def test_an_answer_ends_where_its_headers_say_and_not_when_the_server_closes():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                connection.recv(1)  # until the client closes

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        reply = web.fetch(listening.getsockname()[:2], "/", timeout=5)
        thread.join(5)
    assert reply.good
    assert not thread.is_alive()


def test_a_server_that_is_not_there_is_a_failed_probe_and_no_exception():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()[:2]
    replies = web.probe(address, "/", rate=50, seconds=0.1)
    assert [reply.problem for reply in replies] == ["ConnectionRefusedError"] * 5


def test_held_connections_that_the_server_closes_are_not_counted_as_open():
    with server(b"") as address, web.held(address, 1, b"GET / HT") as still_open:
        deadline = time.monotonic() + 5
        while still_open() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert still_open() == 0
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        web.held(listening.getsockname()[:2], 3, b"GET / HT") as still_open,
    ):
        assert still_open() == 3
