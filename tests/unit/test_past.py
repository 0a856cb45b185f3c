"""`invoke history` and `invoke cite`: what they print of what was written down."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from spinstack.config.settings import Checkout
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote.history import checkouts, record
from spinstack.remote.history.checkouts import Source, git_step
from spinstack.remote.history.record import FAILED, LEFT_OPEN, TAKEN_BACK, Record
from spinstack.tasks import history as tasks_history
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult, Transcript
from tests.unit.operating import BOTH, STACK, Answers, Operator
from tests.unit.stack_session import run

FIRST, SECOND = "20251101-040506-0123abcd", "20251103-040506-89abcdef"
IMAGES = {"APP_IMAGE": "registry.example/alice/app:c-1@sha256:" + "a" * 64}
CHECKOUTS, CODE = ("NIGHTWATCH", "DESIMODEL", "DESIUTIL"), "c" * 40


def at(day: int, doing: str, **more: Any) -> Record:
    """A record of that day of November 2025."""
    when = f"2025-11-{day:02}T12:00:00Z"
    return Record(when=when, who="alice", host="laptop", stack=STACK, destination="dev",
                  doing=doing, **more)  # fmt: skip


DEPLOYS = [
    at(1, "deploy", release=FIRST, commit="1" * 40, images=IMAGES),
    at(2, "scale", release=FIRST, detail="web=3"),
    at(3, "deploy", release=SECOND, commit="2" * 40, dirty=True, images=IMAGES),
    at(4, "deploy", release="20251104-040506-00000000", previous=SECOND, outcome=TAKEN_BACK,
       detail="web failed the health check"),
    at(5, "rollback", release=FIRST, previous=SECOND),
    at(6, "stop", release=FIRST),
    at(7, "start", release=FIRST),
    at(8, "restart", release=FIRST, outcome=FAILED, detail="web: Rancher does not answer"),
    at(9, "upgrade", release=SECOND, outcome=LEFT_OPEN),
    at(10, "stop", release=FIRST, detail="web"),
    at(11, "rm", release=SECOND),
]  # fmt: skip


def session(tmp_path: Path, records: list[Record], **more: Any) -> Operator:
    text = "\n".join(map(record.line, records))
    answers: Answers = {"history": (text, 0), "git": ("", 0), "states": (BOTH, 0), **more}
    answers |= {f"code of {name}_DIR": (CODE + "\n", 0) for name in CHECKOUTS}
    made = Operator(tmp_path, answers)
    made.programs.answers["git -C"] = Result("https://alice:hush@git.example/nw.git\n")
    return made


def history(tmp_path: Path, records: list[Record], **options: Any) -> None:
    run(tasks_history.history, session(tmp_path, records), **options)


def cite(tmp_path: Path, records: list[Record], **options: Any) -> None:
    run(tasks_history.cite, session(tmp_path, records), **options)


def test_the_table_is_for_a_person_at_3_am(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history(tmp_path, DEPLOYS)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "WHEN (UTC)"
    assert lines[0].startswith("2025-11-01 12:00  alice@laptop  deploy")
    for line, told in [
        (1, f"scale web=3 {FIRST} 1111111111"),
        (2, f"deploy {SECOND} 2222222222+changes"),
        (3, "deploy, taken back: web failed the health check 20251104-040506-00000000 -"),
        (7, f"restart failed: web: Rancher does not answer {FIRST} 1111111111"),
        (8, f"upgrade, left open {SECOND} 2222222222+changes"),
    ]:
        assert " ".join(lines[line].split()[3:]) == told


def test_the_newest_are_shown_and_it_is_said_that_there_are_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [replace(DEPLOYS[1], detail=f"web={number}") for number in range(30)]
    history(tmp_path / "a", many)
    seen = capsys.readouterr()
    assert "web=10 " in seen.out and "web=9 " not in seen.out
    assert "20 of 30" in seen.err
    history(tmp_path / "b", many, limit=2)
    assert len(capsys.readouterr().out.splitlines()) == 3
    history(tmp_path / "c", DEPLOYS, since="2025-11-07T12:00:00Z", json=True)
    assert [one["doing"] for one in json.loads(capsys.readouterr().out)] == [
        *("start", "restart", "upgrade", "stop", "rm")
    ]


def test_where_nothing_was_written_yet_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history(tmp_path / "a", [])
    assert f"{STACK} at dev has no history yet" in " ".join(capsys.readouterr().err.split())
    history(tmp_path / "b", [], json=True)
    assert capsys.readouterr().out == "[]\n"
    history(tmp_path / "c", DEPLOYS, since="1d")
    assert "2025-11-11T12:00:00Z" in capsys.readouterr().err


def test_a_history_that_others_may_not_read_is_an_error(tmp_path: Path) -> None:
    made = session(tmp_path, [], history=("cat: history.jsonl: Permission denied\n", 1))
    with pytest.raises(SpinstackError) as error:
        run(tasks_history.history, made)
    assert "chmod g+r" in error.value.remedy
    assert "Permission denied" in error.value.details


@pytest.mark.parametrize("options", [{"since": "yesterday"}, {"limit": -1}])
def test_wrong_options_cost_no_login(tmp_path: Path, options: dict[str, Any]) -> None:
    made = session(tmp_path, [])
    with pytest.raises(UsageError):
        run(tasks_history.history, made, **options)
    assert not made.steps


@pytest.mark.parametrize(
    ("when", "release", "also"),
    [
        ("2025-11-01T12:00:00Z", FIRST, f"from git commit {'1' * 40}"),
        ("2025-11-03T00:00:00Z", FIRST, "(deploy)"),
        ("2025-11-04T13:00:00Z", SECOND, "with uncommitted changes"),
        ("2025-11-05T13:00:00Z", FIRST, f"from git commit {'1' * 40}"),
        ("2025-11-06T13:00:00Z", FIRST, "the site was stopped, by alice on 2025-11-06 12:00 UTC"),
        ("2025-11-09T13:00:00Z", SECOND, "(upgrade, not confirmed yet)"),
        ("2025-11-10T13:00:00Z", SECOND, "At that time web was stopped"),
        ("2025-11-12 13:00+01:00", SECOND, "the site was removed"),
    ],
)
def test_what_made_the_site_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], when: str, release: str, also: str
) -> None:
    cite(tmp_path, DEPLOYS, at=when)
    out = capsys.readouterr().out
    assert f"release {release}, brought up by alice" in out
    assert also in out
    assert f"image:      APP_IMAGE {IMAGES['APP_IMAGE']}" in out


def test_after_a_start_nothing_is_said_of_the_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cite(tmp_path, DEPLOYS, at="2025-11-07T13:00:00Z")
    seen = capsys.readouterr()
    assert "stopped" not in seen.out
    assert not seen.err


def test_now_is_what_is_cited_unless_told_otherwise_and_no_password_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Made by a login node whose clock is fast.
    ahead = f"{datetime.now(timezone.utc) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    cite(tmp_path, [*DEPLOYS[:1], replace(DEPLOYS[2], when=ahead)])
    seen = capsys.readouterr()
    assert f"release:    {SECOND}" in seen.out
    assert "repository: https://git.example/nw.git\n" in seen.out
    assert "address:    http://web.example.org:60037/\n" in seen.out
    assert f"code:       DESIUTIL_DIR {CODE} https://" in seen.out
    assert "hush" not in seen.out + seen.err


def test_a_day_is_meant_as_it_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cite(tmp_path, DEPLOYS, at="2025-11-03")
    seen = capsys.readouterr()
    assert SECOND in seen.out
    assert "changed on that day (2025-11-03 12:00 UTC)" in " ".join(seen.err.split())


def test_bibtex(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cite(tmp_path, DEPLOYS, at="2025-11-04T13:00:00Z", bibtex=True)
    out = capsys.readouterr().out
    assert out.startswith(f"@software{{{STACK}-2025-11-03,\n")
    assert out.endswith("}\n") and out.count("{") == out.count("}")
    assert f"  version = {{{SECOND}}},\n" in out
    assert "  url     = {https://git.example/nw.git},\n" in out
    assert f"image {IMAGES['APP_IMAGE']}" in out


def test_json_has_the_fields_of_a_citation_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cite(tmp_path, DEPLOYS, at="2025-11-04T13:00:00Z", json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["cff-version"] == "1.2.0"
    assert (told["title"], told["version"], told["commit"]) == (STACK, SECOND, "2" * 40)
    assert told["authors"] and told["date-released"] == "2025-11-03"
    more = told["spinstack"]
    assert (more["dirty"], more["images"], more["at"]) == (True, IMAGES, "2025-11-04T13:00:00Z")


@pytest.mark.parametrize(
    ("when", "records", "remedy"),
    [
        ("2025-10-31", DEPLOYS, "--at 2025-11-01T12:00:00Z or later"),
        ("", [], "invoke deploy"),
        ("", [at(1, "stop"), at(2, "deploy", outcome=FAILED)], "invoke deploy"),
    ],
)
def test_where_the_history_does_not_reach_back_it_says_how_far(
    tmp_path: Path, when: str, records: list[Record], remedy: str
) -> None:
    with pytest.raises(SpinstackError, match="does not go back") as error:
        cite(tmp_path, records, at=when)
    assert remedy in error.value.remedy
    assert error.value.where.endswith(f"/{STACK}/history.jsonl")


@pytest.mark.parametrize("options", [{"at": "2999-01-01"}, {"json": True, "bibtex": True}])
def test_what_can_not_be_cited_costs_no_login(tmp_path: Path, options: dict[str, Any]) -> None:
    made = session(tmp_path, DEPLOYS)
    with pytest.raises(UsageError):
        run(tasks_history.cite, made, **options)
    assert not made.steps


def git(checkout: Path, *words: str, when: str = "") -> str:
    dates = {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when} if when else {}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, "-C", str(checkout), *words], env={**os.environ, **dates},
                          check=True, capture_output=True, text=True)  # fmt: skip
    return done.stdout.strip()


def there(sources: list[Source], moment: datetime | None) -> ScriptResult:
    """What bash and git print of the checkouts."""
    script = Script((git_step(), *checkouts.look_steps(sources, moment)))
    transcript = Transcript(script, "mark")
    done = subprocess.run(["bash"], input=script.text("mark"), capture_output=True, text=True)
    transcript.feed(done.stdout)
    return transcript.result


def test_mounted_code_is_cited_as_it_lay_there_then(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for name, when in (("one", "2025-11-01T12:00:00Z"), ("two", "2025-11-03T12:00:00Z")):
        (tmp_path / "code.py").write_text(name)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", name, when=when)
    one, two = git(tmp_path, "rev-parse", "HEAD~1"), git(tmp_path, "rev-parse", "HEAD")
    checkout = Checkout("CODE_DIR", "https://git.example/code.git")
    sources = [
        Source("CODE_DIR", str(tmp_path), checkout=checkout),
        Source("GONE_DIR", str(tmp_path / "gone"), checkout=checkout),
        Source("DATA_DIR", "/data"),
    ]

    def commits(moment: datetime | None) -> list[tuple[str, str, bool]]:
        found = checkouts.parse(there(sources, moment), sources)
        return [(code.name, code.commit, code.dirty) for code in found]

    gone = ("GONE_DIR", "", False)
    day = datetime(2025, 11, 2, 12, tzinfo=timezone.utc)
    assert commits(day) == [("CODE_DIR", one, False), gone]
    assert commits(day - timedelta(days=5)) == [("CODE_DIR", "", False), gone]
    assert commits(None) == [("CODE_DIR", two, False), gone]
    (tmp_path / "code.py").write_text("mine")
    assert commits(None) == [("CODE_DIR", two, True), gone]
