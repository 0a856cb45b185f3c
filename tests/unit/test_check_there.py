"""`invoke check --to`: one script for everything, and what its answers mean."""

# ruff: noqa: E501 - a table of faults reads best with one fault a line

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from spinstack.checks import run as check_run
from spinstack.checks import walk
from spinstack.checks.run import Visit
from spinstack.config import settings, stack
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.rules.finding import Finding
from spinstack.transport import probe
from spinstack.transport.login_node import ConnectionLost, PrintingLoginNode, RecordingLoginNode
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult
from tests.unit.stack_session import StackSession, baked

PROJECT = "/global/cfs/cdirs/desi/users/alice"
ME, GROUP, OTHER = 41037, 58102, 500
SITE = [
    "nightwatchtest/output",
    "nightwatchtest/data/output",
    "nightwatch",
    "desimodel",
    "desiutil",
]
Answer = tuple[str, int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Destination, Stack]:
    directory = baked(tmp_path_factory.mktemp("baked"))
    loaded = settings.load(yaml.safe_load((directory / "invoke.yaml").read_text()), directory)
    images = {"APP_IMAGE": "registry.nersc.gov/a/app:1", "WEB_IMAGE": "registry.nersc.gov/a/web:1"}
    return loaded.destination("dev"), stack.read(loaded, images, Rancher1.beside)


def tree() -> dict[str, tuple[int, int, int]]:
    """Every directory on the ways: mode, owner, group. All is well."""
    paths = {part for place in SITE for part in walk.parts(f"{PROJECT}/{place}")}
    mine = {path: (0o751, ME, GROUP) for path in paths if path.startswith(PROJECT)}
    return {**dict.fromkeys(paths, (0o755, 0, 0)), **mine}


def printed(there: dict[str, Any]) -> str:
    """What `stat` prints of them."""
    names = {0: "root", ME: "alice", OTHER: "bob", GROUP: "desi"}
    lines = []
    for path, (mode, uid, gid, *target) in there.items():
        kind = 0o120000 if target else 0o040000
        words = f"{kind | mode:x} {uid} {gid} {names.get(uid, uid)} {names.get(gid, gid)}"
        lines.append(f'{words} "{path}"' + "".join(f' -> "{where}"' for where in target))
    return "\n".join(lines) + "\nstat: cannot statx '/x': No such file or directory\n"


def node(there: dict[str, Any] | None = None, **more: Answer | list[Answer]) -> RecordingLoginNode:
    answers: dict[str, Any] = {
        "account": (f"{ME}\n{GROUP} 1000\n", 0),
        "ways": (printed(there or tree()), 1),
        "project directory": ("", 0),
        "disk space": (
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 100 50 9000000 50% /global\n",
            0,
        ),
        "quota": ("", 1),
        "rancher environment": ("/usr/bin/rancher\n", 0),
        "exported UID": (f"{ME}\n", 0),
        "rancher key": ("", 0),
        "states": ("", 0),
    }
    return RecordingLoginNode(
        {**answers, **{name.replace("_", " "): value for name, value in more.items()}}
    )


def look(
    made: tuple[Destination, Stack], there: RecordingLoginNode, **options: bool
) -> list[Finding]:
    return Visit(there, *made, Rancher1()).findings(**options)


def test_where_all_is_well_one_script_is_enough(made: tuple[Destination, Stack]) -> None:
    there = node()
    assert look(made, there) == []
    assert len(there.sent) == 1
    script = there.sent[0]
    assert script.count(" stat ") == 1, "one command however many mounts there are"
    asked = script[script.index(" stat ") :].split("\n")[0]
    assert asked.count(f"{PROJECT}/desiutil") == 1
    assert asked.count(" /global/cfs ") == 1, "one stat a part, not one a mount"


def changed(path: str, *values: Any) -> dict[str, Any]:
    return {**tree(), path: values}


def without(path: str) -> dict[str, Any]:
    return {at: values for at, values in tree().items() if not at.startswith(path)}


def running(name: str, port: str) -> Answer:
    return json.dumps({"Name": name, "Service": {"launchConfig": {"ports": [port]}}}) + "\n", 0


# The one rule, words of what is told, and what the login node answered.
SEEN: list[tuple[str, str, dict[str, Any]]] = [
    ("mount-walk", f"chmod o+x {PROJECT}", {"there": changed(PROJECT, 0o750, ME, GROUP)}),
    ("mount-walk", f"{PROJECT}/nightwatchtest/data: lacks o+x (drwxr-x---", {"there": changed(f"{PROJECT}/nightwatchtest/data", 0o750, ME, GROUP)}),
    ("mount-walk", "ask bob to run: chmod o+x /global/cfs/cdirs/desi", {"there": changed("/global/cfs/cdirs/desi", 0o750, OTHER, GROUP)}),
    ("mount-source", "desiutil does not exist", {"there": without(f"{PROJECT}/desiutil")}),
    ("mount-source", "data is missing", {"there": without(f"{PROJECT}/nightwatchtest/data")}),
    ("mount-source", "leads back to itself", {"there": changed(f"{PROJECT}/desiutil", 0o777, ME, GROUP, "desiutil")}),
    ("mount-access", "can't read", {"there": changed(f"{PROJECT}/desimodel", 0o711, OTHER, OTHER)}),
    ("mount-access", f"chmod u+r {PROJECT}/desimodel", {"there": changed(f"{PROJECT}/desimodel", 0o111, ME, OTHER)}),
    ("mount-access", "can't write", {"there": changed(f"{PROJECT}/nightwatchtest/output", 0o755, OTHER, GROUP)}),
    ("mount-access", "ask bob to run: chmod g+w /", {"there": changed(f"{PROJECT}/nightwatchtest/output", 0o755, OTHER, GROUP)}),
    ("project-dir", "can't write", {"project_directory": ("", 1)}),
    ("disk-space", "500 MB are free", {"disk_space": ("/dev/x 1 1 500000 93% /global\n", 0)}),
    ("disk-quota", "Over block quota", {"quota": ("\tOver block quota on /dev/x\n", 1)}),
    ("disk-quota", "97.5 % of the inode quota of desi", {"quota": ('[{"fs": "desi", "space_perc": "0.9%", "inode_perc": "97.5%"}]', 0)}),
    ("rancher-command", "modules spin", {"rancher_environment": ("no such module", 1), "rancher_key": ("", 0), "states": ("", 127), "exported_UID": ("", 1)}),
    ("rancher-key", "no Rancher key", {"rancher_key": ("", 1), "states": ("", 1)}),
    ("rancher-states", "not checked", {"states": ('time="x" level=fatal msg="401"\n', 1)}),
    ("rancher-states", "no environment dev-catle", {"states": ('time="x" level=fatal msg="Not found: dev-catle"\n', 1)}),
    ("rancher-states", "or there is none", {"states": ('time="x" level=fatal msg="Bad response statusCode [401]."\n', 1)}),
    ("port-taken", "port 60037 is in use by other/web", {"states": running("other/web", "60037:8080/tcp")}),
    ("uid-unset", "${UID} is not set", {"exported_UID": ("", 1)}),
    ("uid-unset", "you are root", {"account": ("0\n0\n", 0)}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "words", "answers"), SEEN, ids=[f"{row[0]}-{n}" for n, row in enumerate(SEEN)]
)
def test_a_fault_there_is_named_and_no_other(
    made: tuple[Destination, Stack], rule: str, words: str, answers: dict[str, Any]
) -> None:
    found = look(made, node(**answers))
    assert {finding.rule for finding in found} == {rule}, found
    assert any(words in finding.line() for finding in found), found


def test_our_own_stack_may_use_its_port(made: tuple[Destination, Stack]) -> None:
    there = node(states=running(f"{made[1].name}/web", "60037:8080/tcp"))
    assert look(made, there) == []


NO_PANDAS = "no page can be made on demand: ModuleNotFoundError: No module named 'pandas'"


def served(name: str, state: str = "active") -> Answer:
    """A service that publishes a port."""
    points = [{"ipAddress": "192.0.2.7", "port": 60037}]
    service = {"state": state, "healthState": "healthy", "publicEndpoints": points}
    return json.dumps({"Name": name, "Service": service}) + "\n", 0


@pytest.mark.parametrize(
    ("state", "answer", "warned"),
    [
        ("active", probe.Answer(200, "OK", f"ok\nwarning: {NO_PANDAS}\n"), True),
        ("active", probe.Answer(200, "OK", "ok\n"), False),
        ("active", probe.Answer(0, "timed out"), False),
        ("inactive", probe.Answer(200, "OK", f"ok\nwarning: {NO_PANDAS}\n"), False),
    ],
)
def test_what_the_running_site_warns_of_is_told_with_the_fix(
    made: tuple[Destination, Stack],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    answer: probe.Answer,
    warned: bool,
) -> None:
    asked: list[str] = []

    def ask(url: str) -> probe.Answer:
        asked.append(url)
        return answer if url.endswith("/readyz") else probe.Answer(answer.status, "", "<h1>")

    monkeypatch.setattr(probe, "ask", ask)
    found = look(made, node(states=served(f"{made[1].name}/web", state)))
    assert [(one.where, one.problem, one.severity) for one in found] == (
        [("http://192.0.2.7:60037/readyz", NO_PANDAS, "warning")] if warned else []
    )
    assert all("Add it to app/requirements.in" in one.remedy for one in found)
    # One that is stopped is not asked; of one that does not respond, only the first page.
    assert len(asked) == (0 if state != "active" else 2 if answer.reached else 1)


def test_one_closed_directory_is_one_finding_that_names_all_behind_it(
    made: tuple[Destination, Stack],
) -> None:
    (found,) = look(made, node(changed("/global/cfs/cdirs/desi/users", 0o750, OTHER, GROUP)))
    assert found.where == "/global/cfs/cdirs/desi/users"
    assert f"{PROJECT}/{SITE[0]}, {PROJECT}/{SITE[1]} and 4 more" in found.problem


def test_a_project_directory_that_is_missing_is_told_with_its_mounts(
    made: tuple[Destination, Stack],
) -> None:
    found = look(made, node(without(PROJECT), project_directory=("", 1)))
    assert {finding.rule for finding in found} == {"project-dir", "mount-source"}


def test_links_are_followed_in_a_further_round(made: tuple[Destination, Stack]) -> None:
    elsewhere = {"/global/cfs/cdirs/desi/code": (0o700, OTHER, OTHER), "/global/cfs/cdirs/desi/code/u": (0o755, OTHER, OTHER)}  # fmt: skip
    link = changed(f"{PROJECT}/desiutil", 0o777, ME, GROUP, "/global/cfs/cdirs/desi/code/u")
    there = node(ways=[(printed(link), 1), (printed(elsewhere), 0)])
    (found,) = look(made, there)
    assert found.where == "/global/cfs/cdirs/desi/code"
    assert len(there.sent) == 2
    asked = there.sent[1][there.sent[1].index(" -- ") :].split("\n")[0]
    assert "/global/cfs/cdirs/desi/code/u" in asked and "desimodel" not in asked


def test_what_is_ours_is_mended_when_asked_for(made: tuple[Destination, Stack]) -> None:
    closed = {**tree(), PROJECT: (0o750, ME, GROUP), "/global/cfs": (0o750, OTHER, GROUP)}
    opened = {**closed, PROJECT: (0o751, ME, GROUP)}
    # Only the first closed directory of a way can be known to matter.
    closed["/global/cfs"] = opened["/global/cfs"] = (0o755, 0, 0)
    there = node(ways=[(printed(closed), 0), (printed(opened), 0)], **{f"mend {PROJECT}": ("", 0)})
    visit = Visit(there, *made, Rancher1())
    assert visit.findings(fix=True) == []
    assert visit.mended == [f"{there.name}: chmod o+x {PROJECT}"]
    assert f"chmod o+x -- {PROJECT}" in there.sent[1]


def test_what_belongs_to_others_is_not_touched(made: tuple[Destination, Stack]) -> None:
    there = node(changed("/global/cfs", 0o750, OTHER, GROUP))
    (found,) = look(made, there, fix=True)
    assert found.rule == "mount-walk"
    assert not [step for step in there.steps if step.startswith("mend")]


def test_deep_names_the_directories_that_visitors_would_miss(
    made: tuple[Destination, Stack],
) -> None:
    static = f"{PROJECT}/nightwatchtest/output"
    lines = [
        {"tree": static, "directories": 9, "closed": 2, "unreadable": 1,
         "first": [[0o750, ME, GROUP, f"{static}/mine"], [0o700, OTHER, OTHER, f"{static}/bobs"]]},
        {"tree": f"{PROJECT}/desiutil", "directories": 3, "closed": 0, "first": [], "unreadable": 0},
    ]  # fmt: skip
    there = node(trees=("\n".join(map(json.dumps, lines)), 0))
    found = {finding.rule: finding for finding in look(made, there, deep=True)}
    assert set(found) == {"tree-walk", "tree-unreadable"}
    assert found["tree-walk"].severity == "error"
    assert "2 of 9 directories" in found["tree-walk"].problem
    assert f"can't enter 1 of them: {static}/bobs" in found["tree-walk"].problem


def test_without_a_python_there_find_does_it(made: tuple[Destination, Stack]) -> None:
    static = f"{PROJECT}/nightwatchtest/output"
    said = f"750 {ME} {GROUP} {static}/a b\nfind: '{static}/c': Permission denied\n"
    found = {f.rule: f for f in look(made, node(trees=(said, 1)), deep=True)}
    assert found["tree-walk"].severity == "warning"
    assert f"{static}/a b" in found["tree-walk"].problem
    assert "tree-unreadable" in found


def test_a_dry_run_shows_the_script_and_finds_nothing(made: tuple[Destination, Stack]) -> None:
    shown: list[str] = []
    assert (
        Visit(PrintingLoginNode("dev", shown.append), *made, Rancher1()).findings(
            fix=True, deep=True
        )
        == []
    )
    assert any(" stat " in line for line in shown)
    assert any("rancher ps" in line for line in shown)


def test_what_was_mended_is_told_even_if_the_second_look_fails(tmp_path: Path) -> None:
    closed = {**tree(), PROJECT: (0o750, ME, GROUP)}
    session = StackSession(baked(tmp_path), {"": Result()})

    class Lost(RecordingLoginNode):
        def run(self, script: Script, **more: Any) -> ScriptResult:
            if len(self.sent) == 2:
                raise ConnectionLost("the connection was lost")
            return super().run(script, **more)

    there = Lost(node(closed, **{f"mend {PROJECT}": ("", 0)}).answers)
    session.login_node = lambda: contextlib.nullcontext(there)  # type: ignore[assignment, method-assign, return-value]
    report = check_run.run(session, fix=True)
    assert [line.partition(": ")[2] for line in report.mended] == [f"chmod o+x {PROJECT}"]
    assert isinstance(report.unseen, ConnectionLost)
