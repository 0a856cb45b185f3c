"""`invoke add`: a further service in the files of a stack, of which nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from spinstack.config import yaml_edit
from spinstack.config.yaml_edit import Unclear
from spinstack.errors import SpinstackError, UsageError
from spinstack.tasks.prepare import add
from tests.unit import kubernetes_stack
from tests.unit.stack_session import StackSession, baked, run
from tests.unit.test_check_laptop import check

COMPOSE, SETTINGS = "docker-compose.yml", "invoke.yaml"
SHAPES = Path(__file__).parent / "compose_shapes"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return baked(tmp_path, kind="wsgi", stack_name="book")


def texts(stack: Path) -> dict[str, str]:
    return {name: (stack / name).read_text() for name in (COMPOSE, SETTINGS)}


def still_there(before: str, after: str) -> bool:
    """Whether lines were only added."""
    left = iter(after.split("\n"))
    return all(line in left for line in before.split("\n"))


@pytest.mark.parametrize("kind", ["wsgi", "static", "nightwatch"])
def test_a_stack_with_a_database_and_a_cache_has_nothing_against_it(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = baked(tmp_path, kind=kind, stack_name="book")
    before = texts(stack)
    for what in ("postgres", "redis"):
        run(add, StackSession(stack, to=None), what=what)
    assert check(stack, "dev") == check(stack, "prod") == []
    assert kubernetes_stack.check(stack) == []
    assert all(still_there(before[name], text) for name, text in texts(stack).items())
    said = capsys.readouterr().out
    assert "added db (PostgreSQL) to docker-compose.yml and invoke.yaml" in said
    assert "invoke volume.create db" in said
    assert "invoke secret.create password --service db" in said
    assert "host kv, port 6379, password in /run/secrets/kv.book.password" in said


def test_what_runs_keeps_its_data_as_its_own_user_and_hides_its_password(stack: Path) -> None:
    for what in ("postgres", "redis"):
        run(add, StackSession(stack), what=what)
    made = kubernetes_stack.objects(stack)
    for name, port in (("db", 5432), ("kv", 6379)):
        container = kubernetes_stack.container(made, name)
        pod = kubernetes_stack.pod(made, name)
        claims = [it["persistentVolumeClaim"]["claimName"] for it in pod["volumes"][:1]]
        assert claims == [f"{name}.book"] and pod["securityContext"]["fsGroup"] == 999
        assert container["securityContext"]["runAsNonRoot"]
        assert container["readinessProbe"]["tcpSocket"]["port"] == port
        deployment = kubernetes_stack.of(made, "Deployment", name)
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("secret", "told"),
    [(b'it\'s "a b"\n', rb"\x69\x74\x27\x73\x20\x22\x61\x20\x62\x22"), (b"", b""), (None, b"")],
)
def test_redis_runs_with_its_password_or_not_at_all(
    stack: Path, tmp_path: Path, secret: bytes | None, told: bytes
) -> None:
    run(add, StackSession(stack), what="redis")
    container = kubernetes_stack.container(kubernetes_stack.objects(stack), "kv")
    # As the shell of the container gets it, after Kubernetes has made one dollar sign of two.
    script = container["args"][2].replace("$$", "$")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    if secret is not None:
        (secrets / "kv.book.password").write_bytes(secret)
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\ncat\n")
    server.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script.replace("/run/secrets", str(secrets))],
        env={"PATH": path},
        capture_output=True,
    )
    assert done.returncode == (0 if told else 1)
    if told:
        assert done.stdout == b'requirepass "' + told + b'"\nappendonly yes\ndir /data\n'
    else:
        assert b"no password in " in done.stderr and not done.stdout


def test_a_dry_run_shows_the_change_and_makes_none(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = texts(stack)
    run(add, StackSession(stack, dry=True), what="postgres")
    said = capsys.readouterr().out
    assert "\n+  db:\n+    image: postgres:" in said and "would add db" in said
    assert texts(stack) == before


def test_a_worker_of_ones_own(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"image": "${APP_IMAGE}", "command": "python -m mail 'a b'", "directory": "/queue"}
    run(add, StackSession(stack), what="util-mail", json=True, **options)
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["volume"], told["secret"]) == ("util-mail", "util-mail.book", "")
    assert yaml.safe_load((stack / COMPOSE).read_text())["services"]["util-mail"] == {
        "image": "${APP_IMAGE}",
        "env_file": "./stack.env",
        "command": ["python", "-m", "mail", "a b"],
        "user": "${UID}:${GROUP_ID}",
        "cap_drop": ["ALL"],
        "volumes": ["util-mail.book:/queue"],
    }
    assert [it.rule for it in check(stack)] == ["health-check"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"what": "db"}, "there is no recipe for 'db'"),
        ({"what": "mailer", "image": "redis:7.4.1"}, "'mailer' can't be a service name"),
        ({"what": "postgres", "name": "app"}, "the stack has a service app already"),
        ({"what": "postgres", "name": "d'b"}, "can't be the name of a service"),
        ({"what": "postgres", "image": "postgres:latest"}, "latest"),
        ({"what": "postgres", "user": "1'0"}, "1'0"),
        ({"what": "postgres", "user": "0:0"}, "user"),
        ({"what": "redis", "directory": "data"}, "can't be mounted"),
        ({"what": "redis", "command": "sh"}, "redis has a command of its own"),
        ({"what": "util", "image": "a:1", "command": "echo 'x"}, "can't parse the command"),
        ({"what": "util", "image": "a:1", "port": 80}, "80"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(
    stack: Path, options: dict[str, str], said: str
) -> None:
    before = texts(stack)
    with pytest.raises(SpinstackError) as error:
        run(add, StackSession(stack), **options)
    assert said in error.value.what
    # Not again for each destination.
    lines = error.value.details.split("\n")
    assert len(lines) == len(set(lines))
    assert texts(stack) == before


def test_a_second_one_needs_another_name(stack: Path) -> None:
    run(add, StackSession(stack), what="postgres")
    with pytest.raises(UsageError) as error:
        run(add, StackSession(stack), what="postgres")
    assert error.value.where.startswith(f"{COMPOSE}:") and "--name db-2" in error.value.remedy
    run(add, StackSession(stack), what="postgres", name="db-2")
    assert check(stack) == kubernetes_stack.check(stack) == []


ENTRY = "# new\nnew: {a: 1}\n"


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        # Comments below the last entry stay with it, those of the next section with that.
        (
            "s:\n  a:\n    - 1\n    # - 2\n\n# next\nt: 1\n",
            ["s"],
            "s:\n  a:\n    - 1\n    # - 2\n  # new\n  new: {a: 1}\n\n# next\nt: 1\n",
        ),
        ("s: {}\n", ["s"], "s: {new: {a: 1}}\n"),
        ("s: {b: 2} # why\n", ["s"], "s: {new: {a: 1}, b: 2} # why\n"),
        ("s:\nt: 1\n", ["s"], "s:\n  # new\n  new: {a: 1}\nt: 1\n"),
        ("t: 1", ["s"], "t: 1\n\ns:\n  # new\n  new: {a: 1}\n"),
        ("r:\n    x: 1\n", ["r", "s"], "r:\n    x: 1\n    s:\n      # new\n      new: {a: 1}\n"),
        ("s:\r\n  a: 1\r\n", ["s"], "s:\r\n  a: 1\r\n  # new\r\n  new: {a: 1}\r\n"),
        ("s:\n  a: |\n    x\n\n\n", ["s"], "s:\n  a: |\n    x\n  # new\n  new: {a: 1}\n\n\n"),
    ],
)
def test_an_entry_goes_where_a_person_would_write_it(
    text: str, path: Sequence[str], expected: str
) -> None:
    assert yaml_edit.with_entry(text, path, "new", ENTRY) == expected


@pytest.mark.parametrize(
    "text",
    ["s:\n  new: 1\n", "s: 5\n", "s: [1]\n", "a: &a {x: 1}\ns: *a\n", "", "- 1\n", "s: [\n"],
)
def test_where_there_is_no_safe_place_nothing_is_put(text: str) -> None:
    with pytest.raises(Unclear):
        yaml_edit.with_entry(text, ["s"], "new", ENTRY)


@pytest.mark.parametrize(
    "file", sorted(SHAPES.glob("*/*compose*.y*ml")), ids=lambda it: it.parent.name
)
def test_the_files_that_people_have(file: Path) -> None:
    text = file.read_text()
    made = yaml_edit.with_entry(text, ["services"], "new", ENTRY)
    assert still_there(text, made)
