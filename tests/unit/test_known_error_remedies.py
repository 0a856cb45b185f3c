"""Known errors, made by the programs themselves: what is printed is known, and what the remedy
says, done, makes the program succeed. Where that needs more than a unit test has, the test that
does it is named, or why there is none."""

# ruff: noqa: E501 - a table of remedies reads best with one remedy a line

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spinstack.console import known_errors
from spinstack.console.error_table import packaged
from tests.conftest import REPOSITORY
from tests.unit.rancher_fake import FakeRancher
from tests.unit.rancher_up import COMPOSE, Up, directory_for_up, write

WEB = "  web:\n    image: x:${TAG}\n"
HEAD = "version: '2'\nservices:\n"


@pytest.fixture
def up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Up]:
    with directory_for_up(FakeRancher(), monkeypatch, capsys, tmp_path) as call:
        yield call


# Id; the compose file with the fault; words of the remedy; what is replaced, and by what.
FILES = [
    ("interpolation", HEAD + WEB.replace("TAG", "TAG:-1.0"), "Write ${NAME} without a default (:-)", ":-1.0", ""),
    ("interpolation", HEAD + WEB + "    command: echo $(date)\n", "$$ for a dollar sign", "$(", "$$("),
    ("unknown-key", HEAD + WEB + "    healthcheck: {test: 'true'}\n", "Remove it", "    healthcheck: {test: 'true'}\n", ""),
    ("unknown-key", HEAD + WEB + "    retain-ip: true\n", "or fix its spelling", "retain-ip", "retain_ip"),
    ("repeated-item", HEAD + WEB + "    dns: [10.0.0.1, 10.0.0.1]\n", "Remove one of the two", ", 10.0.0.1]", "]"),
    ("wrong-type", HEAD + WEB + "    user: 1000\n", "Put quotes around numbers that should be text", "1000", "'1000'"),
    ("no-size", HEAD + WEB + "    mem_limit: much\n", "or one with a unit, such as 512m", "much", "512m"),
    ("no-size", HEAD + WEB + "    mem_limit: much\n", "Write a number of bytes", "much", "536870912"),
    ("compose-version", (HEAD + WEB).replace("'2'", "'3'"), "Write version: '2'", "'3'", "'2'"),
    ("not-yaml", HEAD + "\t" + WEB, "tabs are not allowed", "\t", ""),
    ("not-yaml", HEAD + WEB + "    user: a: b\n", "Check indentation, colons and quotes there", "a: b", "'a: b'"),
    ("not-yaml.first-line", "{version: '2'", "Check brackets", "{version: '2'", HEAD + WEB),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "text", "words", "old", "new"), FILES)
def test_what_the_client_refuses_in_a_file_is_put_right(
    up: Up, wanted: str, text: str, words: str, old: str, new: str
) -> None:
    write(text)
    refused = up()
    known = known_errors.explain("\n".join(refused.messages))
    assert known and known.id == wanted, refused
    assert words in known.remedy
    write(text.replace(old, new))
    done = up()
    assert done.code == 0 and known_errors.explain("\n".join(done.messages)) is None, done


Set = Callable[[str, str], None]
# Id, and that on the occasion of a step; the variable, its wrong value, words of the remedy.
VARIABLES = [
    ("variable-not-set", "", "TAG", "", "Set TAG in stack.env"),
    ("no-environment", "step-no-environment", "RANCHER_ENVIRONMENT", "devel-cattle", "Set environment in invoke.yaml to one that"),
    ("no-key", "step-no-key", "RANCHER_URL", "", "Run `invoke setup`, which creates one"),
    ("rancher-401", "step-401", "RANCHER_SECRET_KEY", "wrong", "then create a new key with `invoke setup`"),
    ("rancher-refused", "step-refused", "RANCHER_URL", "http://127.0.0.1:1/v2-beta", "centre's status page; for a rehearsal, run `invoke rehearsal.start`"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "step", "variable", "wrong", "words"), VARIABLES)
def test_what_the_client_misses_is_given_to_it(
    up: Up, monkeypatch: pytest.MonkeyPatch, wanted: str, step: str, variable: str, wrong: str, words: str
) -> None:  # fmt: skip
    right = os.environ[variable]
    monkeypatch.setenv(variable, wrong)
    said = "\n".join(up().messages)
    known = known_errors.explain(said)
    assert known and known.id == wanted, said
    assert words in known.remedy
    at_step = known_errors.find(said, "rancher-step")
    assert (at_step.id if at_step else "") == step, said
    monkeypatch.setenv(variable, right)
    done = up()
    assert done.code == 0 and known_errors.explain("\n".join(done.messages)) is None, done


def test_an_env_file_that_is_missing_is_put_in_the_directory(up: Up) -> None:
    write(COMPOSE.replace('    command: ["serve"]\n', "    env_file: prod.env\n"))
    known = known_errors.explain(up().out)
    assert known and known.id == "no-env-file"
    assert "prod.env, which was not uploaded" in known.cause
    assert known.remedy.startswith("Put it in the stack's directory under that name")
    write("A=1\n", "prod.env")
    assert up().code == 0


def sh(command: str, at: Path, **more: str) -> str:
    """What a shell prints for a command that fails; empty if it succeeds."""
    mine = {"HOME": str(at), "PATH": os.environ["PATH"], "LC_ALL": "C", **more}
    words = ["bash", "-l", "-c", command]
    done = subprocess.run(words, cwd=at, env=mine, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def repositories(at: Path) -> None:
    """`theirs`, of which `mine` is a clone; both have a commit that the other has not."""
    make = (
        "git config --global user.name me && git config --global user.email me@example.org && "
        "git init -q -b main theirs && cd theirs && echo 1 > a && git add a && git commit -qm 1 && "
        "git config receive.denyCurrentBranch updateInstead && cd .. && git clone -q theirs mine && "
        "cd theirs && echo 2 > a && git commit -qam 2"
    )
    assert sh(make, at) == ""


UPDATE = "cd mine && git fetch -q && git switch -q main && git merge -q --ff-only origin/main"
# Id; what makes the fault; the command that fails; words of the remedy; what is done.
COMMANDS = [
    ("git-missing", "true", "git clone -q nowhere x", "Check url of the checkout", "mv theirs nowhere"),
    ("git-ref", "true", "cd theirs && git checkout -q 9.9.9", "Set ref of the checkout in invoke.yaml to one that exists", "cd theirs && git tag 9.9.9"),
    ("git-diverged", "cd mine && echo 3 > b && git add b && git commit -qm 3", UPDATE, "Commit and push them", "cd mine && git pull -q --rebase && git push -q"),
    ("git-diverged", "echo 3 > mine/a", UPDATE, "or stash them", "cd mine && git stash -q"),
    ("no-modules", "printf 'return\\nmodule() { :; }\\n' > .bash_profile", "module load spin", "whether ~/.bash_profile on the login node ends early, and fix it", "sed -i /return/d .bash_profile"),
    ("no-rancher", "true", "rancher ps", "Add the module that has it", "echo 'rancher() { :; }' > .bash_profile"),
    ("write-no-directory", "true", "mkdir above/lock", "which creates project_dir", "mkdir -p above"),
    ("no-module", "echo import nosuch > m.py", f"{sys.executable} m.py", "Add it to app/requirements.in", "touch nosuch.py"),
    ("no-module.part", "touch numpy.py; echo import numpy._core > m.py", f"{sys.executable} -P m.py; PYTHONPATH=. {sys.executable} m.py", "Set the version of numpy", "rm numpy.py; mkdir -p numpy; touch numpy/__init__.py numpy/_core.py"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "fault", "command", "words", "remedy"), COMMANDS)
def test_what_a_program_fails_at_succeeds_once_the_remedy_is_done(
    tmp_path: Path, wanted: str, fault: str, command: str, words: str, remedy: str
) -> None:
    repositories(tmp_path)
    assert sh(fault, tmp_path) == ""
    said = sh(command, tmp_path)
    known = known_errors.explain(said) or known_errors.find(said, "remote-write")
    assert known and known.id == wanted, said
    assert words in known.remedy, known.remedy
    assert sh(remedy, tmp_path) == ""
    assert sh(command, tmp_path) == ""


# Tried with real parts: a test that makes the fault and shows the remedy; it, or the test after it
# on the same stage, succeeds without the fault.
REAL = {
    "mount-denied": "real/test_setup.py::test_a_deploy_that_meets_a_closed_directory_says_why",
    "no-space": "real/test_bad_days_files.py::test_a_disk_that_is_full_and_one_that_is_read_only",
    "write-no-space": "real/test_bad_days_files.py::test_a_disk_that_is_full_and_one_that_is_read_only",
    "write-read-only": "real/test_bad_days_files.py::test_a_disk_that_is_full_and_one_that_is_read_only",
    "write-denied": "real/test_bad_days_files.py::test_a_project_directory_that_is_somebody_elses",
    "no-manifest": "real/test_bad_days_stack.py::test_an_image_that_the_nodes_cannot_pull",
    "pull-denied": "real/test_bad_days_stack.py::test_an_image_that_the_nodes_cannot_pull",
    "registry-unreachable": "real/test_bad_days_stack.py::test_a_registry_that_is_down",
    "registry-refused": "real/test_registry_images.py::test_a_guarded_registry_wants_a_login_and_then_lets_in",
    "push-not-logged-in": "real/test_registry_images.py::test_a_guarded_registry_wants_a_login_and_then_lets_in",
    "build-dockerfile": "real/test_registry_images.py::test_a_build_that_fails_says_why",
    "build-no-file": "real/test_registry_images.py::test_a_build_that_fails_says_why",
    "build-base-pull": "real/test_registry_images.py::test_a_build_that_fails_says_why",
    "build-no-hash": "real/test_packages.py::test_what_is_added_is_pinned_and_the_rest_stays",
    "up-port-taken": "real/test_local.py::test_a_taken_port_is_told_with_a_remedy",
    "address-in-use": "real/test_local.py::test_a_taken_port_is_told_with_a_remedy",
    "no-such-module": "real/test_check_rehearsal.py::test_modules_and_key_of_the_login_node_are_put_right_as_advised",
    "no-terminal": "unit/test_rancher_program.py::test_exec_without_a_terminal",
    "host-key-changed": "unit/test_advice.py::test_a_changed_host_key_is_forgotten_by_the_command_that_is_advised",
    "ssh-host-changed": "unit/test_advice.py::test_a_changed_host_key_is_forgotten_by_the_command_that_is_advised",
    "ssh-host-unknown": "real/test_login_node.py::test_ssh_itself_asks_about_an_unknown_host_and_remembers",
    "ssh-denied": "real/test_one_time.py::test_a_wrong_code_is_refused_in_three_lines_and_asked_for_once",
    "too-many-keys": "real/test_wires_waits.py::test_an_agent_with_too_many_keys_is_told_as_such",
}  # fmt: skip

# Shown to be known by their message only (test_translator.py, test_known_errors.py): what keeps
# them from being tried.
ONLY_BY_HAND = "made by hand with an image of the stack, and put right; too slow for its own test"
NOT_OURS = "the remedy is somebody else's to do, or to wait"
SPIN = "only the real Rancher or its nodes do this"
CLUSTER = "only a cluster does this; what it prints was recorded from one (test_known_errors.py)"
SYSTEM = "needs a change of the system: its groups, its disks, its emulation or its network"
NOT_TRIED = {
    **dict.fromkeys(
        (
            *("no-group", "no-program", "exec-format", "mount-missing", "static-not-writable"),
            "volume-not-writable",
            *("read-only", "read-only.nginx", "nginx-paths", "nginx-conf", "no-upstream-host"),
            *("no-ini", "no-app", "setgid", "bind-denied", "no-module.mounted"),
        ),
        ONLY_BY_HAND,
    ),
    **dict.fromkeys(
        (
            *("rancher-slow", "step-slow", "step-page", "rancher-403", "step-403", "pull-limit"),
            *("registry-timeout", "registry-fault", "push-too-large", "push-no-namespace"),
            *("push-forbidden", "build-other-hash", "certificate-expired", "ssh-closed"),
            *("ssh-no-name", "ssh-timeout", "ssh-no-connection", "ssh-silent", "ssh-no-greeting"),
            *("ssh-dropped", "ssh-sent-away", "no-name", "refused", "bad-credentials"),
            *("git-ownership", "write-quota", "quota"),
        ),
        NOT_OURS,
    ),
    **dict.fromkeys(
        (
            *("not-upgradable", "upgrade-pending", "no-rollback", "not-your-volume", "no-port"),
            *("no-port.unknown", "audit", "must-stop", "no-docker-there"),
        ),
        SPIN,
    ),
    **dict.fromkeys(
        (
            *("no-engine", "engine-stopped", "engine-forbidden", "engine-disk-full", "build-no-buildx"),
            *("build-platform", "no-platform", "build-no-network", "build-certificate"),
            *("registry-certificate", "certificate-unknown", "registry-http", "up-not-shared"),
            *("registry-not-stored", "out-of-memory", "worker-died"),
        ),
        SYSTEM,
    ),
    **dict.fromkeys(
        ("build-no-base", "build-no-wheel", "push-no-image", "up-no-image", "up-unknown-key"),
        "`check` or the order of steps in `deploy` and `local.up` comes before it",
    ),
    **dict.fromkeys(
        (entry.id for entry in packaged() if entry.id.startswith("kube-")),
        CLUSTER,
    ),
    "up-bad-mount": "`local.up` makes what is missing before it",
    "chown": "nginx as root without capabilities, which `check` refuses",
    "harakiri": "real/test_serving_limit.py makes it; the remedy is a longer limit",
    "request-size": "`check` compares the protocols; a buffer is only a number",
    "upstream-refused": "`check` compares the ports; else the log says why",
    "upstream-slow": "a longer limit, or a faster page",
    "ssh-host-refused": "for a person to compare",
    "ssh-config": "whatever stands in the line that is named",
}  # fmt: skip


def test_every_known_error_is_tried_or_it_is_said_why_not() -> None:
    here = {row[0] for row in FILES} | {row[0] for row in COMMANDS} | {"no-env-file"}
    here |= {row[0] for row in VARIABLES} | {row[1] for row in VARIABLES} - {""}
    groups = [here, set(REAL), set(NOT_TRIED)]
    assert sorted(set.union(*groups)) == sorted({entry.id for entry in packaged()})
    assert sum(map(len, groups)) == len(set.union(*groups)), "one of them is in two"


@pytest.mark.parametrize("named", sorted(set(REAL.values())))
def test_the_tests_that_are_named_exist(named: str) -> None:
    file, _, test = named.partition("::")
    text = (REPOSITORY / "tests" / file).read_text()
    assert re.search(rf"^def {test}\b", text, re.MULTILINE), named
