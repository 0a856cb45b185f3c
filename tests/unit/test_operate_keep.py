"""Secrets and volumes: names by Spin's rules, and values that nobody sees on the way."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import secrets as operate_secrets
from spinstack.platforms.rancher1 import secrets
from spinstack.tasks import secrets as tasks_secrets
from spinstack.transport.script import Script
from tests.unit.operating import STACK, Answers, Operator
from tests.unit.stack_session import run


def secret(id: str, name: str) -> str:
    told = {"id": id, "name": name, "created": "2026-11-22T16:00:00Z"}
    return json.dumps({"ID": id, "Secret": told}) + "\n"


def volume(id: str, name: str, state: str = "active") -> str:
    told = {"id": id, "name": name, "state": state, "driver": "rancher-nfs"}
    return json.dumps({"ID": id, "Volume": told}) + "\n"


OURS = secret("1se1", f"app.{STACK}.password") + secret("1se2", f"{STACK}.tls.key")
REFUSED = 'time="x" level=fatal msg="Bad response statusCode [422]"\n'
OTHERS = secret("1se3", "app.other.password")


@pytest.mark.parametrize(
    ("name", "service", "whole"),
    [
        ("password", "app", f"app.{STACK}.password"),
        ("tls.key", "", f"{STACK}.tls.key"),
        (f"web.{STACK}.password", "", f"web.{STACK}.password"),
        (f"{STACK}.x", "", f"{STACK}.x"),
    ],
)
def test_names_say_whose_a_secret_is(name: str, service: str, whole: str) -> None:
    assert operate_secrets.secret_name(name, STACK, service, ["app", "web"]) == whole


@pytest.mark.parametrize("name", ["a/b", "", "with blank", "-x", "ü"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as error:
        operate_secrets.secret_name(name, STACK, "app", ["app"])
    assert f"app.{STACK}.password" in error.value.remedy


def test_list_shows_the_stack_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers: Answers = {"secrets": (OURS + OTHERS, 0)}
    run(tasks_secrets.secret_list, Operator(tmp_path, answers))
    shown = capsys.readouterr().out
    assert shown.splitlines()[1].startswith(f"app.{STACK}.password")
    assert "other" not in shown
    run(tasks_secrets.secret_list, Operator(tmp_path / "all", answers), all=True, json=True)
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == ["1se1", "1se3", "1se2"]


def test_create_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hush\n")))
    answers: Answers = {"secrets": [("", 0), (OURS, 0)], "create the secret": ("", 0)}
    session = Operator(tmp_path, answers)
    run(tasks_secrets.secret_create, session, name="password", service="app")
    seen = capsys.readouterr()
    assert f"created app.{STACK}.password (5 bytes)" in seen.out
    assert "ends with a newline" in seen.err
    assert not any("hush" in text for text in [*session.node.sent, seen.out, seen.err])


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"secrets": (OURS, 0)}, "already"),
        ({"secrets": ("", 0), "create the secret": (REFUSED, 0)}, "not created"),
        ({"secrets": ("", 0), "create the secret": ("", 0)}, "does not list it"),
    ],
)  # fmt: skip
def test_create_that_fails(tmp_path: Path, answers: Answers, said: str) -> None:
    file = tmp_path / "value"
    file.write_text("hush")
    with pytest.raises(SpinstackError, match=said):
        run(
            tasks_secrets.secret_create,
            Operator(tmp_path, answers),
            name="password",
            service="app",
            file=str(file),
        )


@pytest.mark.parametrize("value", [b"", b"x" * (operate_secrets.LARGEST_VALUE + 1)])
def test_values_that_can_not_be_meant(tmp_path: Path, value: bytes) -> None:
    file = tmp_path / "value"
    file.write_bytes(value)
    session = Operator(tmp_path, {})
    with pytest.raises(UsageError):
        run(tasks_secrets.secret_create, session, name="password", file=str(file))
    assert not session.steps


def test_a_dry_run_shows_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(
        tasks_secrets.secret_create,
        Operator(tmp_path, {}, dry=True),
        name="password",
        file="/no/such",
    )
    shown = capsys.readouterr().out
    assert "printf %s ******** | base64 -d" in shown
    assert f'rancher secrets create {STACK}.password "$dir/value"' in shown


VALUE = b"p\xc3\xa4ss'word\n\x00\xff"
SPY = """\
#!/bin/sh
tr '\\0' '\\n' < /proc/$PPID/cmdline > "$SPY/parent"
stat -c %a "$4" > "$SPY/mode"; cp "$4" "$SPY/value"; echo "$4" > "$SPY/path"; echo "$@"
"""


def test_the_value_reaches_rancher_through_a_private_file_that_is_gone_then(
    tmp_path: Path,
) -> None:
    """The real script in a real bash, with a `rancher` that looks at what it is given."""
    program = tmp_path / "rancher"
    program.write_text(SPY)
    program.chmod(0o755)
    step = secrets.create_secret_step("nw.password", VALUE)
    text = Script((step,)).text("mark")
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SPY": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["bash"], input=text, text=True, capture_output=True, env=environment, check=True
    )
    assert "mark end 0 0" in done.stdout, done
    assert (tmp_path / "value").read_bytes() == VALUE
    assert (tmp_path / "mode").read_text().strip() == "600"
    assert not Path((tmp_path / "path").read_text().strip()).parent.exists()
    assert not any(word in step.commands[4].shown() for word in ("cMOk", "word"))


def test_rm_removes_by_id_and_sees_that_it_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: Answers = {"secrets": [(OURS, 0), (OTHERS, 0)], "remove the secret": ("1se1\n", 0)}
    session = Operator(tmp_path, answers)
    run(tasks_secrets.secret_rm, session, name="password", service="app", yes=True)
    assert "rancher rm --type secret 1se1\n" in session.node.sent[1]
    assert "removed" in capsys.readouterr().out
    stays: Answers = {"secrets": (OURS, 0), "remove the secret": ("1se1\n", 0)}
    with pytest.raises(SpinstackError, match="was not removed"):
        run(
            tasks_secrets.secret_rm,
            Operator(tmp_path / "stays", stays),
            name="password",
            service="app",
            yes=True,
        )


@pytest.mark.parametrize(
    ("task", "options", "answers"),
    [
        (tasks_secrets.secret_rm, {"name": "password", "service": "app"}, {"secrets": (OURS, 0)}),
        (
            tasks_secrets.volume_rm,
            {"name": "app"},
            {"volumes": (volume("1v1", f"app.{STACK}"), 0)},
        ),
    ],
)
def test_removal_asks_and_says_what_is_lost(
    tmp_path: Path, task: Any, options: dict[str, Any], answers: Answers
) -> None:
    session = Operator(tmp_path, answers)
    with pytest.raises(UsageError, match="Lost: "):
        run(task, session, **options)
    assert len(session.steps) == 1


def test_what_stands_in_the_compose_file_need_not_be_added_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, declared in enumerate((False, True)):
        listed = [("", 0), (volume("1v1", f"app.{STACK}"), 0)]
        answers: Answers = {"volumes": listed, "create the volume": ("1v1\n", 0)}
        session = Operator(tmp_path / str(number), answers)
        if declared:
            compose = session.directory / "docker-compose.yml"
            with compose.open("a") as file:
                file.write(f"volumes: {{app.{STACK}: {{external: true}}}}\n")
        run(tasks_secrets.volume_create, session, name="app")
        assert ("to use it, add to" in capsys.readouterr().err) != declared


def test_volumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = volume("1v1", f"app.{STACK}")
    answers: Answers = {"volumes": [("", 0), (made, 0)], "create the volume": ("1v1\n", 0)}
    session = Operator(tmp_path, answers)
    run(tasks_secrets.volume_create, session, name="app")
    assert f"rancher volumes create --driver rancher-nfs app.{STACK}\n" in session.node.sent[1]
    run(tasks_secrets.volume_list, Operator(tmp_path / "list", {"volumes": (made, 0)}))
    assert "rancher-nfs" in capsys.readouterr().out
    with pytest.raises(UsageError, match="'data' is not a valid name") as error:
        run(tasks_secrets.volume_create, Operator(tmp_path / "none", {}), name="data")
    assert f"app.{STACK}" in error.value.remedy


def test_the_volume_of_a_service_that_is_gone_can_be_removed(tmp_path: Path) -> None:
    gone = volume("1v1", f"old.{STACK}")
    answers: Answers = {"volumes": [(gone, 0), ("", 0)], "remove the volume": ("", 0)}
    session = Operator(tmp_path, answers)
    run(tasks_secrets.volume_rm, session, name=f"old.{STACK}", yes=True)
    assert " rm " in session.node.sent[1] and "1v1" in session.node.sent[1]


def test_a_volume_of_another_stack_is_not_removed(tmp_path: Path) -> None:
    session = Operator(tmp_path, {"volumes": (volume("1v1", "app.theirs"), 0)})
    with pytest.raises(UsageError, match="does not belong to"):
        run(tasks_secrets.volume_rm, session, name="app.theirs", yes=True)
    assert len(session.steps) == 1


def test_a_volume_that_nothing_has_mounted_yet_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rancher lists it with `--all` only; what was removed a while ago is listed then, too."""
    step = secrets.list_step("volume")
    assert "rancher volumes ls --all " in step.commands[0].shown()
    assert "--all" not in secrets.list_step("secret").commands[0].shown()
    two = volume("1v1", f"app.{STACK}", "inactive") + volume("1v2", f"app.{STACK}", "inactive")
    gone = volume("1v0", f"app.{STACK}", "purged")
    run(tasks_secrets.volume_list, Operator(tmp_path, {"volumes": (two + gone, 0)}))
    assert capsys.readouterr().out.count("inactive") == 2
    answers: Answers = {
        "volumes": [(two + gone, 0), (gone, 0)],
        "remove the volume": ("", 0),
    }
    session = Operator(tmp_path / "rm", answers)
    run(tasks_secrets.volume_rm, session, name="app", yes=True)
    removed = [line for text in session.node.sent for line in text.splitlines() if " rm " in line]
    assert [line.split()[-1] for line in removed if "volume" in line] == ["1v1", "1v2"]


def test_a_volume_is_created_once_even_if_nothing_has_mounted_it(tmp_path: Path) -> None:
    """Rancher itself would make a second one of the name."""
    waiting = volume("1v1", f"app.{STACK}", "inactive")
    session = Operator(tmp_path, {"volumes": (waiting, 0)})
    with pytest.raises(SpinstackError, match=f"the volume app.{STACK} already exists"):
        run(tasks_secrets.volume_create, session, name="app")
    assert not any("volumes create" in text for text in session.node.sent)


@pytest.mark.parametrize("task", [tasks_secrets.secret_list, tasks_secrets.volume_list])
def test_a_list_that_is_none_is_an_error(tmp_path: Path, task: Any) -> None:
    html = ("<html>maintenance</html>\n", 0)
    with pytest.raises(SpinstackError, match="unexpected output from rancher"):
        run(task, Operator(tmp_path, {"secrets": html, "volumes": html}))


def test_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "value"
    file.write_text("hush")
    file.chmod(0o644)
    answers: Answers = {"secrets": [("", 0), (OURS, 0)], "create the secret": ("", 0)}
    run(
        tasks_secrets.secret_create,
        Operator(tmp_path, answers),
        name="password",
        service="app",
        file=str(file),
    )
    assert "others can read" in capsys.readouterr().err
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
