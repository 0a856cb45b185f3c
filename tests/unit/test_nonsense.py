"""Nonsense from the other end is never an error of ours.

Every reader of what other programs print gets every kind of it. `NONSENSE=1000` makes it a
thousand times as much as usual.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import struct
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinstack import text, times
from spinstack.checks import survey, trees, walk
from spinstack.config.settings import Checkout
from spinstack.console import known_errors, live_lines
from spinstack.console.console import Console
from spinstack.console.progress import StepDisplay
from spinstack.deploy import journal as deploy_journal
from spinstack.errors import SpinstackError
from spinstack.images import compose_program, dockerignore, engine, lookup, tag
from spinstack.images import errors as image_errors
from spinstack.images.engine import Engine
from spinstack.images.progress import BuildProgress, PushProgress
from spinstack.local import containers as local_containers
from spinstack.local import images as local_images
from spinstack.operate import logs, snapshot, stats, status
from spinstack.platforms import health, rows
from spinstack.platforms.base import Garbled
from spinstack.platforms.client import garbled
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import (
    access,
    answers,
    differences,
    events,
    gap,
    lease,
    quota,
    records,
    tree,
)
from spinstack.platforms.kubernetes.cluster import (
    owners as kube_owners,
)
from spinstack.platforms.kubernetes.platform import Kubernetes
from spinstack.platforms.logs import in_order, last_lines
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.remote import changes, errors, notes, owner
from spinstack.remote.history import citation, read, record
from spinstack.remote.history.checkouts import Source
from spinstack.remote.history.checkouts import parse as parse_code
from spinstack.remote.journal import Journal
from spinstack.setup import facts, plan
from spinstack.transport.command import Command
from spinstack.transport.openssh import errors as openssh_errors
from spinstack.transport.openssh import mux
from spinstack.transport.runner import RecordingRunner, Result
from spinstack.transport.script import (
    Script,
    ScriptResult,
    Step,
    StepResult,
    Transcript,
    json_object,
)
from tests.unit.kubernetes_fake import CLUSTER

MUCH = int(os.environ.get("NONSENSE", "1"))
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
ROOT = PurePosixPath("/project/s")
RANCHER = Rancher1()
KUBERNETES = Kubernetes(CLUSTER)

# Programs' words, with what trips readers up: for Python they are lines, digits, blanks.
SIGNS = [*"-'\"\\\n\r\t\0\x0b\x0c\x85\u2028\u202e\udc80é😀²٣{}[]|:,/#%$ ", "\r\n", "\x1b[31m", "--"]
WORDS = shlex.split("""
    M begin end done over alive made spinstack-J row s/app s/web active healthy yes round release
    @spinstack stats app containers s-app-1 s-app-² unhealthy upgraded 1.2.3.4:80 place real access
    empty head origin changed ahead known drwxr-xr-x 755 1.2.3 99.5% 2026-01-02T03:04:05Z
    2026-13-45 0001-01-01T00:00:00+14:00 9999-12-31T23:59:59-14:00 12d 2w '#1' STEP '[web' '2/3]'
    Pushing 0123456789ab: 12.3MB/1.2kB level=error msg= ERRO[0001] time= debug1: Permission denied
""")
KEYS = shlex.split("""
    who host pid when doing nonce images dirty outcome release detail stack commit destination
    Name Service Container State Status Secret Volume id name state created startCount driver scale
    currentScale launchConfig publicEndpoints port ipAddress ports imageUuid environment dataVolumes
    capDrop fqdn healthState transitioning transitioningMessage summary tree first directories
    closed unreadable fs space_perc inode_perc Client Os Architecture Config Labels RepoTags Size
    RepoDigests Id Created ExitCode Image NetworkSettings Ports HostPort StartedAt ExposedPorts
    items kind metadata labels app.kubernetes.io/name app.kubernetes.io/part-of spec status reason
    conditions type message replicas containers containerStatuses waiting restartCount template
    lastTransitionTime startTime deletionTimestamp ownerReferences rules tls hosts backend service
    http paths hard used limits default involvedObject renewTime holderIdentity annotations data exp
""")
digits = st.one_of(
    st.text("0123456789-²٣５", max_size=6), st.integers().map(str), st.just("1" * 4400)
)
words = st.one_of(
    st.sampled_from(SIGNS), st.sampled_from(WORDS), digits, st.text(max_size=4).map(str)
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 300),
    st.floats(),
    words,
    st.just(10**300),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
DEEP = ['{"a":' + "[" * 1500, "[" * 1500, '{"a":' * 1500, '{"pid": %s}' % ("1" * 4400)]


def as_json(value: Any) -> str:
    import json

    return json.dumps(value)


lines = st.one_of(
    st.lists(words, max_size=8).map(" ".join),
    st.lists(words, max_size=9).map(lambda found: "row|" + "|".join(found)),
    st.lists(words, max_size=5).map("\t".join),
    st.one_of(objects, values, st.lists(objects, max_size=2)).map(as_json),
    st.lists(words, max_size=6).map("".join),
    st.sampled_from(["M begin 0", "M end 0 0", "M begin 7", "spinstack-J 5 begin x", "M", *DEEP]),
)
nonsense = st.lists(lines, max_size=7).map("\n".join)


def told(words: str) -> RecordingRunner:
    """Programs that print this, whatever they are."""
    return RecordingRunner({"": Result(words)})


def shown(found: Iterable[Any]) -> None:
    """In a table and to a script, as a person and a program get it."""
    for one in found:
        Console().table(["a"], [[str(one)]])


def states(words: str) -> None:
    services = RANCHER.read_states(words, "s")
    health.shown(services)
    containers = RANCHER.read_containers(words, "s")
    note = json_object(words) or {}
    found = snapshot.Overview("s", "dev", "cattle", services, containers, "r", note, note)
    Console().table(status.HEADINGS, status.rows(found, NOW))
    status.lines(found, NOW)
    Console().json(status.as_json(found))


def the_history(words: str) -> None:
    records = read.filled(record.parse(words))
    Console().table(["a", "b", "c", "d", "e"], read.rows(records))
    read.newest(records, NOW, 0)
    for one in records:
        record.line(one)
        text.encoded(one.who + one.detail)
    if records:
        citation.cite(records, NOW, "here")


def journal(words: str) -> None:
    found = Journal("J")
    for line in words.split("\n"):
        found.take(line)
    Console().json(deploy_journal.as_value("J", found))
    shown(deploy_journal.lines(step) for step in found.steps)
    rows.last_round(words.split("\n"))


def transcript(words: str) -> None:
    steps = (Step("a", (Command("true"),)), Step("b", (Command("true"),)))
    found = Transcript(Script(steps), "M", on_line=lambda step, line: None)
    found.feed(words + "\n")
    assert found.unfinished in ("", "a", "b")


def owners(words: str) -> None:
    found = owner.parse_owner(words)
    if found:
        shown([found.told()])
        text.encoded(found.text() + found.nonce + found.who)
    errors.not_locked(words, ROOT)
    for note, _ in notes.parse_releases("release a yes\n" + words):
        text.encoded(note.text())


def progress(words: str) -> None:
    step = StepDisplay("x")
    step.began -= 100
    for reader in (BuildProgress(step), PushProgress(step)):
        for line in words.split("\n"):
            reader.line(line)
            live_lines.lines([step], "utf-8", 80)
            step.sign()


def rounds(words: str) -> None:
    watched, seen = snapshot._Rounds(), health.Rounds(RANCHER, "s", "there", lambda found: False)
    for line in words.split("\n"):
        watched.take(line)
        seen.take(line)


def prepared(words: str) -> None:
    checkout = Source("code", "/code", False, Checkout("CODE", "https://there/code"))
    names = ("account", "directories", "look at code", "code of code", RANCHER.states().name)
    result = ScriptResult([StepResult(name, words, 0) for name in names])
    facts.parse(result, "/project", [checkout], RANCHER)
    parse_code(result, [checkout])
    plan.why(words)


def ssh(words: str) -> None:
    attempt = openssh_errors.Attempt(
        name="n", host="h", port=0, asked=True, outdated="", unreachable=""
    )
    openssh_errors.explained(words, attempt)


# What a person types or writes, with the further errors that say so.
TYPED: dict[Callable[[str], object], tuple[type[Exception], ...]] = {
    lambda word: times.moment(word, NOW): (),
    lambda word: times.moment(word, NOW, end_of_day=True): (),
    lambda word: logs.lines_wanted(word, word): (),
    logs.moment: (),
    lambda word: status.ago(word, NOW): (),
    lambda word: dockerignore.Ignore.parse(word).ignores("x/y"): (ValueError,),
}


def typed(words: str) -> None:
    for word in words.split("\n"):
        for reads, refused in TYPED.items():
            with contextlib.suppress(SpinstackError, *refused):
                reads(word)


def reported(words: str) -> None:
    told = f"@spinstack stats app {words}"
    for one in stats.read(told, ["app"], [], RANCHER).values():
        Console().json(one.as_json())


def kubernetes(words: str) -> None:
    """As it is, and as the list that `get` prints, the row of a template, the status of a pod."""
    listed = f'{{"items": [{words}]}}'
    whole = f'{{"items": [{{"kind": "Deployment", "metadata": {labelled()}, "status": {words}}}]}}'
    row = f"kept\tlock\tn\t1\tu\t{words}\t{words}\t{words}\nend"
    pod = f"pod\ts\tapp\tn\tTrue\t\t\tRunning\ti\t{words}\nend"
    for one in (words, listed, whole, row, pod):
        for reads in KUBERNETES_READERS:
            with contextlib.suppress(Garbled, ValueError if reads is _manifests else Garbled):
                reads(one)


def labelled() -> str:
    return as_json({"name": "app", "labels": {labels.PART_OF: "s", labels.NAME: "app"}})


def _manifests(words: str) -> None:
    records.read_manifests(words)


def _lease(words: str) -> None:
    for one in answers.read(words).objects:
        lease.read(one)
        records.read_record(one)
        differences.differences([one], [differences.cleaned(one)])
        shown(
            [
                *kube_owners.shared([one]),
                *kube_owners.scaled([one]),
                *kube_owners.conflicts(one, words),
            ]
        )
        wanted = {**one, "metadata": {**tree.mapping(one, "metadata"), "labels": WANTED}}
        shown([found.remedy(CLUSTER) for found in kube_owners.in_the_way([one], [wanted])])
        gap.gap([one], gap.starts(words), 60)


WANTED = {"app.kubernetes.io/part-of": "s", "app.kubernetes.io/managed-by": "spinstack"}
KUBERNETES_READERS: tuple[Callable[[str], object], ...] = (
    lambda words: shown(KUBERNETES.read_states(words, "s")),
    lambda words: shown(KUBERNETES.read_containers(words, "s").values()),
    lambda words: KUBERNETES.running(KUBERNETES.read_inspect(words) or {}, "/r/1"),
    lambda words: in_order(KUBERNETES.read_log(words, "s", "app"), 3),
    lambda words: shown(KUBERNETES.read_kept("volume", words)),
    lambda words: (KUBERNETES.complaints(words), KUBERNETES.known(words)),
    lambda words: events.explain(words, words, "s", "app"),
    lambda words: events.explain('{"items": []}', words, "s", "app"),
    lambda words: list(map(str, quota.shortages(quota.parse(words), [{}]))),
    lambda words: records.read(words, "s"),
    lambda words: (access.missing_rights(CLUSTER, words), access.read_token(words)),
    *(_manifests, _lease),
)
DOCKER = Engine("docker")
READERS: dict[str, Callable[[str], object]] = {
    "states": states,
    "rows": lambda words: rows.parse(words, "s", RANCHER.words),
    "containers": lambda words: shown(RANCHER.read_containers(words, "s").values()),
    "ports": lambda words: shown(RANCHER.taken_ports(words)),
    "inspect": lambda words: RANCHER.running(RANCHER.read_inspect(words) or {}, "/r/1"),
    "log": lambda words: in_order(RANCHER.read_log(words, "s", "app"), 3),
    "last lines": lambda words: last_lines("app", RANCHER.read_log(words, "s", "app"), 3),
    "kept": lambda words: shown(RANCHER.read_kept("secret", words)),
    "complaints": lambda words: (RANCHER.complaints(words), RANCHER.known(words)),
    "garbled": lambda words: garbled(words, RANCHER, "there"),
    "kubernetes": kubernetes,
    "stats": reported,
    "age": lambda words: changes.age(ScriptResult([StepResult("change under way", words, 0)])),
    "rounds": rounds,
    "history": the_history,
    "journal": journal,
    "transcript": transcript,
    "owners": owners,
    "not written": lambda words: errors.not_written(words, "there", "it"),
    "prepared": prepared,
    "ways": lambda words: walk.parse(words, ["/a"]),
    "trees": lambda words: trees.parse(words, ["/a"]),
    "quotas": lambda words: (list(survey.quotas(words)), survey._space(words)),
    "ssh": ssh,
    "typed": typed,
    "progress": progress,
    "podman": lambda words: engine._is_podman("docker", words),
    "image": lambda words: lookup.locals_of(told(words), DOCKER, ["image"]),
    "images": lambda words: lookup.locals_of(told(words), DOCKER, ["image", "other"]),
    "local containers": lambda words: local_containers.of_project(told(words), DOCKER, "p"),
    "local images": lambda words: local_images._inspected(told(words), DOCKER),
    "build": lambda words: (image_errors.tail(words), tag.declared_args(words)),
    "compose": compose_program.without_chatter,
    "known": lambda words: known_errors.notes(words.split("\n")),
    "address": citation.public_url,
}  # fmt: skip


@settings(max_examples=30 * MUCH, deadline=None, suppress_health_check=list(HealthCheck))
@given(nonsense)
def test_whatever_is_printed_is_read_or_refused(words: str) -> None:
    for name, reads in READERS.items():
        try:
            reads(words)
        except (SpinstackError, Garbled):
            continue
        except Exception as error:
            raise AssertionError(f"{name}: {error!r}") from error


message = st.builds(
    lambda kind, body: struct.pack(">II", len(body) + 4, kind) + body,
    st.sampled_from([mux.HELLO, mux.OK, mux.FAILURE, mux.ALIVE, mux.SESSION_OPENED]),
    st.binary(max_size=12),
)
HELLO = struct.pack(">III", 8, mux.HELLO, mux.VERSION)


@settings(max_examples=60 * MUCH, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), message, st.just(HELLO)), max_size=4))
def test_whatever_a_master_answers_is_understood_or_an_error_of_the_connection(
    parts: list[bytes],
) -> None:
    ours, its = socket.socketpair(socket.AF_UNIX)
    client = mux.Client.__new__(mux.Client)
    client.socket = ours
    with ours, its:
        ours.settimeout(0.2)
        its.sendall(b"".join(parts))
        its.shutdown(socket.SHUT_WR)
        for ask in (client._greet, client.pid, client.terminate):
            with contextlib.suppress(OSError):
                ask()


@pytest.mark.parametrize("where", ["socket", "lock"])
def test_something_else_where_the_login_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from spinstack.transport.openssh.master import Master

    monkeypatch.setenv("HOME", str(tmp_path))
    master = Master(SimpleNamespace(user=where, host="there", port=None))  # type: ignore[arg-type]
    master.socket.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    path = master.socket if where == "socket" else master.socket.with_suffix(".lock")
    path.mkdir()
    with pytest.raises(SpinstackError, match="can't be kept open: Is a directory") as error:
        master.open()
    assert error.value.remedy == f"rm -r {path}"
    path.rmdir()
