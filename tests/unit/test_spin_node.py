"""The pretend node of the rehearsal: command lines, the walk to mounts, health, logs."""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spin_rehearsal.spin import containers, health, logs, mounts, ports
from spin_rehearsal.spin.engine import Engine, said
from spin_rehearsal.spin.errors import ApiError, StartFailure
from spin_rehearsal.spin.launch import HealthCheck, parse
from spin_rehearsal.spin.order import Order
from spin_rehearsal.spin.resources import Container, Json, Service, Stack
from spin_rehearsal.spin.store import Store
from spin_rehearsal.spin.transitions import Transitions
from spinstack.rules.service import Mount, Port
from spinstack.transport.command import Command
from spinstack.transport.runner import RecordingRunner, Result

PLACE = containers.Place(
    prefix="rehearsal-demo",
    engine_name="rehearsal-demo-desi-web-1-1i1",
    api_name="desi-web-1",
    network="rehearsal-demo-1a5-desi",
    aliases=("web",),
    node_address="127.0.0.2",
    labels=(("org.spinstack.rehearsal", "rehearsal-demo"),),
)


def test_a_container_is_made_as_the_launch_config_says() -> None:
    launch = parse(
        {
            "imageUuid": "docker:registry/x:1",
            "entryPoint": ["/bin/sh", "-c"],
            "command": ["exec app"],
            "user": "1000:58102",
            "groupAdd": ["1234"],
            "capDrop": ["ALL"],
            "capAdd": ["NET_BIND_SERVICE"],
            "environment": {"PASSWORD": "secret"},
            "ports": ["60037:8080/tcp"],
            "dataVolumes": ["/a b:/data:ro", "cache:/cache"],
            "readOnly": True,
            "tmpfs": {"/tmp": "mode=1777", "/run": ""},
            "labels": {"a": "b"},
            "workingDir": "/app",
        }
    )
    assert containers.create("docker", launch, PLACE, Path("/env")).argv() == [
        *("docker", "create", "--name=rehearsal-demo-desi-web-1-1i1", "--hostname=desi-web-1"),
        *("--pull=never", "--env-file=/env", "--network=rehearsal-demo-1a5-desi"),
        *("--network-alias=web", "--label=a=b", "--label=org.spinstack.rehearsal=rehearsal-demo"),
        *("--user=1000:58102", "--group-add=1234"),
        *("--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE"),
        *("--read-only", "--tmpfs=/tmp:mode=1777", "--tmpfs=/run"),
        *("--volume=/a b:/data:ro", "--volume=rehearsal-demo-cache:/cache:rw"),
        *("--publish=127.0.0.2:60037:8080/tcp", "--workdir=/app", "--entrypoint=/bin/sh"),
        *("registry/x:1", "-c", "exec app"),
    ]
    assert containers.env_text(launch) == "PASSWORD=secret\n"


def test_only_what_carries_the_rehearsals_label_is_purged() -> None:
    owner = "--filter=label=org.spinstack.rehearsal=rehearsal-demo"
    runner = RecordingRunner(
        {
            f"docker ps --all --quiet --no-trunc {owner}": Result("a1\nb2\n"),
            f"docker network ls --quiet {owner}": Result("n1\n"),
            f"docker volume ls --quiet {owner}": Result(""),
            "docker rm --force --volumes a1 b2": Result(),
            "docker network rm n1": Result(),
        }
    )
    Engine("docker", "rehearsal-demo", 10, runner).purge()
    assert len(runner.calls) == 5


def test_an_engine_that_does_not_answer_says_nothing_of_its_containers() -> None:
    gone = Result("", "Error: No such container: a1\n", 1)
    away = Result("", "Cannot connect to the Docker daemon\n", 1)
    runner = RecordingRunner({"docker container inspect": [gone, away]})
    engine = Engine("docker", "p", 10, runner)
    assert engine.look(["a1"]) == {}
    with pytest.raises(StartFailure, match="Cannot connect"):
        engine.look(["a1"])


def test_of_a_failure_the_daemons_own_line_is_told() -> None:
    told = "Error response from daemon: exec: no such file\nError: failed to start containers: a1\n"
    assert said(Result("", told, 1)) == "Error response from daemon: exec: no such file"
    assert said(Result("", "", 125)) == "the engine failed with exit code 125"


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that others can enter all the way; pytest's own can't be."""
    path = Path(tempfile.mkdtemp(prefix="spin-walk-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_path_is_passable_when_others_can_enter_every_part_of_it(open_directory: Path) -> None:
    deep = open_directory / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").touch(0o600)
    assert mounts.unreachable(deep) is None
    assert mounts.unreachable(deep / "file") is None
    assert mounts.unreachable(deep / "missing") == deep / "missing"
    deep.chmod(0o700)
    assert mounts.unreachable(deep) == deep
    (open_directory / "a").chmod(0o741)
    deep.chmod(0o711)
    assert mounts.unreachable(deep) is None
    (open_directory / "a").chmod(0o750)
    assert mounts.problem([Mount("cache", "/x"), Mount(f"{deep}/file", "/y")]) == (
        f"error while creating mount source path '{deep}/file': mkdir {deep}: permission denied"
    )


def test_the_way_behind_a_link_counts_too(open_directory: Path) -> None:
    target = open_directory / "closed" / "data"
    target.mkdir(parents=True)
    link = open_directory / "link"
    link.symlink_to(target)
    assert mounts.unreachable(link) is None
    (open_directory / "closed").chmod(0o750)
    assert mounts.unreachable(link) is not None


@given(modes=st.lists(st.sampled_from([0o700, 0o711, 0o741, 0o750, 0o755, 0o770]), max_size=5))
def test_the_walk_stops_where_the_first_bit_is_missing(modes: list[int]) -> None:
    with tempfile.TemporaryDirectory(prefix="spin-walk-", dir="/var/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        for mode in modes:
            path = path / "d"
            path.mkdir(mode)
            path.chmod(mode)
        reachable = all(mode & 0o001 for mode in modes)
        assert (mounts.unreachable(path) is None) == reachable


def test_a_port_that_something_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = Port(str(listener.getsockname()[1]), "8080")
        assert not ports.free("127.0.0.1", taken)
    assert ports.free("127.0.0.1", taken)
    assert f"[{taken.outside}:8080/tcp portReservation, 1 inst" in ports.refusal([taken])


def tracker(**fields: float) -> health.Tracker:
    check = HealthCheck(8080, healthy_threshold=2, unhealthy_threshold=3, initializing_timeout=60)
    return health.Tracker(check, "initializing", since=0.0, **fields)  # type: ignore[arg-type]


def test_a_container_may_fail_while_it_comes_up_and_not_for_ever() -> None:
    coming = tracker()
    assert [coming.observe(False, now) for now in (10, 20, 60)] == ["initializing"] * 3
    assert coming.observe(False, 61) == "unhealthy"
    assert coming.observe(True, 62) == "unhealthy"
    assert coming.observe(True, 63) == "healthy"


@given(st.lists(st.booleans(), max_size=40))
def test_health_changes_only_after_as_many_answers_as_the_thresholds_say(
    answers: list[bool],
) -> None:
    watched = tracker()
    watched.state = "healthy"
    states = [watched.observe(answer, float(now)) for now, answer in enumerate(answers)]
    for now, (before, after) in enumerate(zip(["healthy", *states], states, strict=False)):
        if (before, after) == ("healthy", "unhealthy"):
            assert answers[now - 2 : now + 1] == [False] * 3
        if (before, after) == ("unhealthy", "healthy"):
            assert answers[now - 1 : now + 1] == [True] * 2


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", ""),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "GET / HTTP/1.0: answered HTTP/1.0 502 Bad Gateway"),
        (b"", "GET / HTTP/1.0: answered nothing"),
    ],
)
def test_an_http_check_wants_a_good_status(answer: bytes, trouble: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        check = HealthCheck(listener.getsockname()[1], 'GET "/" "HTTP/1.0"')
        assert health.probe("127.0.0.1", check) == trouble
        thread.join()
    assert "refused" in health.probe("127.0.0.1", check)


def test_a_whole_log_is_in_the_order_of_time_and_a_followed_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "QUIET", 0.1)
    stamps = [f"2026-01-31T12:00:0{second}.000000000Z" for second in range(3)]
    script = f"echo {stamps[2]} c; echo {stamps[0]} a; echo {stamps[1]} b >&2"
    lines = list(logs.merged(Command("sh", "-c", script)))
    assert [logs.without_moment(line) for line in lines] == [
        ("stdout", "a\n"),
        ("stderr", "b\n"),
        ("stdout", "c\n"),
    ]
    endless = Command("sh", "-c", "echo first; exec sleep 100")
    assert list(logs.followed(endless, lambda: True)) == [("stdout", "first\n")]


@pytest.mark.parametrize("query", [{"tail": "ten"}, {"since": "now; rm"}])
def test_a_log_is_asked_for_properly(query: dict[str, str]) -> None:
    with pytest.raises(ApiError):
        logs.LogRequest.parse(query)
    assert logs.LogRequest.parse({"tail": "-1"}).tail == "all"


LAUNCH: Json = {"imageUuid": "docker:registry/x:1"}


def test_the_current_scale_stays_when_a_service_stops(tmp_path: Path) -> None:
    """Rancher counts containers that are stopped, and writes the number when it starts them."""
    store = Store(tmp_path / "state.json")
    with store.transaction() as state:
        state.stacks["1st1"] = Stack("1st1", "1a5", "demo", 0.0)
        state.services["1s1"] = Service("1s1", "1a5", "1st1", "web", 0.0, LAUNCH, scale=2)

    def ensure(order: Order, index: int) -> None:
        with store.transaction() as state:
            id = f"1i{index}"
            made = Container(id, "1a5", "1st1", "1s1", f"demo-web-{index}", index, 1, "x", 0.0)
            state.containers[id] = replace(made, state="running")

    def stop(containers: Iterable[Container]) -> None:
        with store.transaction() as state:
            for one in containers:
                state.containers[one.id].state = "stopped"

    crew = SimpleNamespace(ensure=ensure, stop=stop, remove=list, restart=lambda *_: None)
    config = SimpleNamespace(transition=0.0)
    moves = Transitions(config, store, crew, logging.getLogger(__name__))  # type: ignore[arg-type]
    seen = []
    for begun in ("activating", "deactivating"):
        with store.transaction() as state:
            state.services["1s1"].state = begun
        moves.advance(Order.take(store, threading.Event(), "1s1"))
        with store.look() as state:
            service = state.services["1s1"]
            seen.append((service.state, service.current_scale))
    assert seen == [("active", 2), ("inactive", 2)]
