"""The script of a change: whatever its values are, whatever the shell is that it runs in.

Through real bash (see `there.py`).
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinstack.deploy import deploy
from spinstack.platforms.rancher1 import commands
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.remote import job
from spinstack.remote.job import Job
from spinstack.remote.owner import Owner, make_owner
from spinstack.transport.script import PLAIN_SHELL
from tests.unit.left_there import at, change, journal
from tests.unit.test_deploy import TestSession, directory, past, session, site, there
from tests.unit.there import PROFILE, There, running

__all__ = ["directory", "session", "site", "there"]


def test_what_others_run_is_not_in_the_journal(session: TestSession, there: There) -> None:
    there.has(web=running())
    others = "\n".join(f"row|other-{n}/web|active||no|||" for n in range(500))
    at(there, "render", lambda: there.odd(ps=others))
    deploy.deploy(session)
    said = journal(there)
    assert "other-" not in said
    assert "row|demo/web|" in said


PROFILES = {
    "noclobber": "set -o noclobber",
    "errors": "set -eu -o pipefail",
    "patterns": "set -f; shopt -s nullglob failglob",
    "separators": "IFS=,",
    "talks": "echo welcome; cd /; umask 077",
    "trap": "shopt -s extdebug; trap 'echo debug' DEBUG",
    "alias": "shopt -s expand_aliases; alias cd='echo no' cat='cat -n' test=false",
}


@pytest.mark.parametrize("name", PROFILES)
def test_odd_start_up_files_do_not_disturb(session: TestSession, there: There, name: str) -> None:
    there.has(web=running())
    (there.home / ".bash_profile").write_text(f"{PROFILE}{PROFILES[name]}\n")
    deploy.deploy(session)
    assert past(there) == [("deploy", "done")]
    assert there.services["web"]["state"] == "active"


def test_a_laptop_whose_clock_is_slow_keeps_its_own_script(
    session: TestSession, there: There
) -> None:
    for number in range(25):
        (there.root / "changes" / f"20991231-0000{number:02}-00").mkdir(parents=True)
    deploy.deploy(session)
    assert past(there) == [("deploy", "done")]
    assert len(list((there.root / "changes").iterdir())) == job.KEPT


def test_no_secret_is_in_what_a_change_leaves(
    session: TestSession, directory: Path, there: There
) -> None:
    (directory / "stack.env").write_text("PASSWORD=hunter2-hunter2\n")
    deploy.deploy(session)
    for path in change(there).iterdir():
        assert "hunter2" not in path.read_text()
        assert path.stat().st_mode & 0o027 == 0, "the group may read it, and no more"


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=6, max_size=6), st.lists(WORDS, max_size=3))
def test_every_value_arrives_as_it_is(words: list[str], pages: list[str]) -> None:
    root = PurePosixPath("/project", words[0].replace("/", "_") or "x")
    owner = make_owner(words[1], words[2], "deploy")
    made = Job(
        id="20251103-040506-12",
        root=root,
        release=words[3].replace("/", "_"),
        stack=words[4],
        env_file=words[5],
        platform=Rancher1(),
        ready=commands.ready_step(words[:1], words[1]),
        services=tuple(words[2:4]),
        pages=tuple(pages),
        healthy_within=1,
        answer_within=1,
        refused_within=1,
        address="fqdn",
        owner=owner,
        begun=Owner(words[1], words[2]),
        records={"done": json.dumps(words)},
    )
    script = made.script()
    assert script.startswith(PLAIN_SHELL)
    asked = 'printf "%s\\0" "$stack" "$place" "${services[@]}" "${pages[@]}"\n'
    orders = "".join(
        f'timeout() {{ printf \'%s\\0\' "$@"; }}; exec() {{ "$@"; }}; {name} demo\n'
        for name in made.orders()
    )
    text = script.removesuffix("change\n") + asked + orders
    done = subprocess.run(["bash"], input=text.encode(), capture_output=True, check=True)
    assert not done.stderr
    told = done.stdout.decode().split("\0")[:-1]
    values = [words[4], str(made.place), *words[2:4], *pages]
    assert told[: len(values)] == values
    calls = [
        word
        for name, call in made.orders().items()
        for word in shlex.split(call.script().replace('"$1"', "demo"))[1:]
    ]
    assert told[len(values) :] == calls


def test_a_full_project_file_system_ends_no_command(session: TestSession, there: There) -> None:
    """What a command prints goes elsewhere: it would fail in the middle of what it does."""
    there.has(web=running())
    seen: list[str] = []
    at(there, "bring up", lambda: seen.extend(path.name for path in change(there).iterdir()))
    deploy.deploy(session)
    assert sorted(seen) == ["journal", "script"]
