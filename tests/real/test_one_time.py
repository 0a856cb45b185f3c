"""Logging in with one-time codes, over both wires: who is asked when, and how often.

The login node is a real sshd whose PAM accepts each code once; `rancher` there is a pretend
one without stacks.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import one_time
from .at_terminal import AtTerminal
from .stage import REPOSITORY, Typed

pytestmark = pytest.mark.real("root", "sshd", "one-time codes")

# It lists nothing; where there is a file `slow`, it takes its time for it.
RANCHER = """\
#!/bin/sh
echo $$ > "$HOME/asked"
while [ -e "$HOME/slow" ]; do sleep 0.1; done
"""
# In place of the centre's: makes a key that the node lets in for a day.
SSHPROXY = """\
#!/bin/sh
stty -echo
printf 'Enter your password+OTP: '
read -r answer
stty echo
mkdir -p "$HOME/.ssh"
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/nersc"
exec ssh-keygen -q -s '{authority}' -I me -n "$2" -V -1m:+24h "$HOME/.ssh/nersc.pub"
"""
# Names the window, moves the cursor, turns text around.
HOSTILE = "\x1b]0;taken\x07\x1b[2J\x1b[1;1H\u202eNOTICE\n"
WIRES = pytest.mark.parametrize("wire", ["openssh", "fabric"])
STATUS = ("status", "--json")


@dataclass
class Laptop:
    """A person's stack and home, with a destination behind the lab's login node."""

    directory: Path
    there: Path
    node: one_time.LoginNode
    wire: str = "auto"

    def environment(self) -> dict[str, str]:
        mine = ("INVOKE_", "RANCHER_", "SPINSTACK_", "SSH_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        path = [str(Path(sys.executable).parent), str(self.programs), os.environ["PATH"]]
        home = {"HOME": str(self.directory.parent), "PATH": os.pathsep.join(path)}
        return {**kept, **home, "INVOKE_SPINSTACK_WIRE": self.wire}

    @property
    def programs(self) -> Path:
        """Programs of the person's own."""
        return self.directory.parent / "bin"

    def invoke(self, *words: str) -> Typed:
        """Where nobody can be asked."""
        done = subprocess.run(
            ["invoke", *words], cwd=self.directory, env=self.environment(), text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, start_new_session=True,
        )  # fmt: skip
        return Typed(words, done.returncode, done.stdout, done.stderr)

    def asked(self, *words: str, answer: str, code: int = 0) -> str:
        """On a terminal, the prompt answered once; what was on the screen."""
        person = self.at_terminal(*words)
        person.wait_for(one_time.PROMPT.strip())
        person.type(answer + "\r")
        assert person.code() == code, person.shown
        assert answer not in person.shown
        return person.shown

    def at_terminal(self, *words: str) -> AtTerminal:
        return AtTerminal(["invoke", *words], self.environment(), self.directory, columns=300)

    def state(self) -> dict[str, Any]:
        """What `login --status` tells, whose exit code says the same."""
        told = self.invoke("login", "--status", "--json")
        found: dict[str, Any] = json.loads(told.out)
        assert told.code == (0 if found["logged_in"] else 1)
        return found

    def ssh_config(self, text: str) -> None:
        """The person's, in place of what the system knows as the tester's home."""
        config, program = self.directory.parent / "ssh_config", self.programs / "ssh"
        config.write_text(text)
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
        program.chmod(0o755)

    def write(self, **more: object) -> None:
        """The stack's files, of which only the settings count here."""
        way = self.node.settings(environment="dev-cattle", project_dir=str(self.there), **more)
        settings = {
            "stack": "small-desi", "destination": "lab", "destinations": {"lab": way},
            "centre": {"rancher": {"modules": []}},
        }  # fmt: skip
        service = "version: '2'\nservices:\n  web: {image: 'x/y:1'}\n"
        (self.directory / "invoke.yaml").write_text(yaml.safe_dump({"spinstack": settings}))
        (self.directory / "docker-compose.yml").write_text(service)
        (self.directory / "stack.env").write_text("")
        template = REPOSITORY / "<<cookiecutter.stack_name>>" / "tasks.py"
        (self.directory / "tasks.py").write_text(template.read_text())


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    """Its master, if it has one, ends with the test."""
    there, here = tmp_path / "there", tmp_path / "home"
    for path in (there / "bin", here / "bin", here / "stack", tmp_path / "server"):
        path.mkdir(parents=True)
    (there / ".bash_profile").write_text(f"PATH={there}/bin:$PATH\n")
    rancher = there / "bin" / "rancher"
    rancher.write_text(RANCHER)
    rancher.chmod(0o755)
    with one_time.login_node(tmp_path / "server", environment=f"HOME={there}") as node:
        made = Laptop(here / "stack", there, node)
        made.write()
        yield made
        made.invoke("logout")


def told_well(shown: str) -> None:
    """One error, what to do, no traceback."""
    assert shown.count("error: ") == 1, shown
    assert "fix:   " in shown, shown
    assert "Traceback" not in shown, shown


def test_the_lab_accepts_a_code_once_and_no_other(laptop: Laptop) -> None:
    """By plain ssh: the test of what the others rest on."""
    node = laptop.node
    options = ["-F", "none", "-o", "NumberOfPasswordPrompts=1", "-p", str(node.port)]
    options += ["-o", f"UserKnownHostsFile={node.known_hosts}", f"{node.user}@127.0.0.1"]

    def tried(answer: str) -> int:
        person = AtTerminal(["ssh", *options, "true"], os.environ, laptop.directory)
        person.wait_for(one_time.PROMPT)
        person.type(answer + "\r")
        return person.code()

    answer, other = node.person.answer(), node.person.answer()
    assert tried(answer) == 0
    bad = [answer, node.person.wrong(), node.person.outdated(), "x" + node.person.answer()]
    assert [tried(answer) for answer in bad] == [255] * 4
    assert tried(other) == 0
    counted = node.counted()
    assert counted == one_time.Counted(asked=6, logins=2, by_key=0, refused=4, sessions=2)


def test_a_day_on_the_openssh_wire_is_one_login(laptop: Laptop) -> None:
    laptop.wire = "openssh"
    assert not laptop.state()["logged_in"]
    laptop.asked("login", answer=laptop.node.person.answer())
    state = laptop.state()
    assert state["logged_in"] and state["master"]["seconds_left"] > 9 * 3600
    for _ in range(3):
        assert laptop.invoke(*STATUS).code == 0
    again = laptop.invoke("login")
    assert again.code == 0 and "logged in" in again.out
    counted = laptop.node.counted()
    assert (counted.asked, counted.logins, counted.refused) == (1, 1, 0)
    # One for each command at most.
    assert counted.sessions <= 3
    assert laptop.invoke("logout").code == 0
    assert not laptop.state()["logged_in"]


def test_on_the_fabric_wire_each_command_is_one_login(laptop: Laptop) -> None:
    laptop.wire = "fabric"
    told = laptop.invoke("login")
    assert told.code == 0 and "each command logs in separately" in told.out + told.err
    for _ in range(2):
        laptop.asked(*STATUS, answer=laptop.node.person.answer())
    counted = laptop.node.counted()
    assert (counted.asked, counted.logins, counted.refused) == (2, 2, 0)
    assert not laptop.state()["logged_in"]
    assert laptop.invoke("logout").code == 0


def test_the_first_command_of_the_day_asks_and_the_next_ones_do_not(laptop: Laptop) -> None:
    laptop.wire = "openssh"
    laptop.asked(*STATUS, answer=laptop.node.person.answer())
    assert laptop.invoke(*STATUS).code == 0
    assert laptop.node.counted().logins == 1


@pytest.mark.parametrize(
    ("wire", "words"), [("openssh", ("login",)), ("openssh", STATUS), ("fabric", STATUS)]
)
def test_a_wrong_code_is_refused_in_three_lines_and_asked_for_once(
    laptop: Laptop, wire: str, words: tuple[str, ...]
) -> None:
    laptop.wire = wire
    shown = laptop.asked(*words, answer=laptop.node.person.wrong(), code=1)
    told_well(shown)
    assert "refused the login" in shown
    counted = laptop.node.counted()
    assert (counted.asked, counted.logins, counted.refused) == (1, 0, 1)
    # The code that was not used is as good as before.
    laptop.asked(*STATUS, answer=laptop.node.person.answer())


@WIRES
def test_a_code_is_of_no_use_a_second_time(laptop: Laptop, wire: str) -> None:
    laptop.wire = wire
    answer = laptop.node.person.answer()
    laptop.asked(*STATUS, answer=answer)
    laptop.invoke("logout")
    told_well(laptop.asked(*STATUS, answer=answer, code=1))
    counted = laptop.node.counted()
    assert (counted.logins, counted.refused) == (1, 1)


@WIRES
def test_without_a_terminal_nobody_is_asked_and_the_remedy_is_told(
    laptop: Laptop, wire: str
) -> None:
    laptop.wire = wire
    told = laptop.invoke(*STATUS)
    assert told.code in (1, 2)
    told_well(told.err)
    assert ("invoke login" if wire == "openssh" else "sshproxy") in told.err
    counted = laptop.node.counted()
    assert (counted.logins, counted.refused) == (0, 0)


@pytest.mark.parametrize("terminal", [True, False], ids=["on a terminal", "without one"])
def test_a_master_that_is_gone_is_never_replaced_silently(laptop: Laptop, terminal: bool) -> None:
    laptop.wire = "openssh"
    laptop.asked("login", answer=laptop.node.person.answer())
    _kill_master(laptop)
    if terminal:
        shown = laptop.asked(*STATUS, answer=laptop.node.person.answer())
        assert laptop.node.counted().logins == 2
    else:
        told = laptop.invoke(*STATUS)
        assert told.code in (1, 2)
        shown = told.err
        told_well(shown)
        assert "invoke login" in shown
        assert laptop.node.counted().asked == 1
    assert "the previous login has ended" in shown


def test_a_master_that_dies_under_a_command_ends_it_with_the_remedy(laptop: Laptop) -> None:
    laptop.wire = "openssh"
    laptop.asked("login", answer=laptop.node.person.answer())
    (laptop.there / "slow").touch()
    person = laptop.at_terminal(*STATUS)
    _until((laptop.there / "asked").exists)
    _kill_master(laptop)
    assert person.code() == 1
    told_well(person.shown)
    assert "lost" in person.shown
    assert one_time.PROMPT.strip() not in person.shown
    assert laptop.node.counted().logins == 1


@WIRES
def test_a_key_for_a_day_spares_the_question(laptop: Laptop, wire: str) -> None:
    laptop.wire = wire
    program = laptop.programs / "sshproxy.sh"
    program.write_text(SSHPROXY.format(authority=laptop.node.authority))
    program.chmod(0o755)
    person = laptop.at_terminal("login", "--sshproxy")
    person.wait_for("password+OTP: ")
    person.type("secret123456\r")
    assert person.code() == 0, person.shown
    assert "valid for another 23 h 5" in person.shown and "secret" not in person.shown
    state = laptop.state()
    assert [found["valid"] for found in state["certificates"]] == [True]
    for _ in range(2):
        assert laptop.invoke(*STATUS).code == 0
    assert laptop.state()["logged_in"]
    counted = laptop.node.counted()
    assert (counted.asked, counted.by_key) == (0, 1 if wire == "openssh" else 2)


@WIRES
def test_what_is_said_at_a_login_moves_no_terminal_and_the_prompt_is_seen(
    laptop: Laptop, wire: str
) -> None:
    laptop.wire = wire
    (laptop.node.log.parent / "banner").write_text(HOSTILE)
    profile = laptop.there / ".bash_profile"
    profile.write_text(f"{profile.read_text()}printf '%s' {shlex.quote(HOSTILE)}\n")
    # Waits for the prompt, whose line does not end.
    shown = laptop.asked(*STATUS, answer=laptop.node.person.answer())
    for harmful in ("\x1b]", "\x1b[2J", "\x1b[1;1H", "\u202e"):
        assert harmful not in shown, ascii(shown)
    # What ssh itself lets through of a banner; the other wire shows none.
    assert shown.count("<U+202E>NOTICE") == (wire == "openssh"), shown
    assert "^M" not in shown


def test_an_ssh_config_that_keeps_ssh_from_asking_is_named_and_no_code_is_blamed(
    laptop: Laptop,
) -> None:
    """And what is advised then helps."""
    laptop.wire = "openssh"
    laptop.ssh_config("PreferredAuthentications publickey\n")
    person = laptop.at_terminal(*STATUS)
    assert person.code() == 2, person.shown
    told_well(person.shown)
    assert "asks for password and code, but your ssh config keeps ssh from" in person.shown
    assert "PreferredAuthentications publickey, for 127.0.0.1" in person.shown
    assert "one-time code" not in person.shown
    # ssh's own words, with the ends of lines that it gives a terminal.
    assert "Permission denied (publickey,keyboard-interactive)." in person.shown
    assert "^M" not in person.shown, ascii(person.shown)
    advised = "publickey,keyboard-interactive,password"
    assert f"fix:   remove it, or make it {advised}" in person.shown
    laptop.ssh_config(f"PreferredAuthentications {advised}\n")
    laptop.asked(*STATUS, answer=laptop.node.person.answer())
    counted = laptop.node.counted()
    assert (counted.asked, counted.logins, counted.refused) == (1, 1, 0)


def _kill_master(laptop: Laptop) -> None:
    pid = int(laptop.state()["master"]["pid"])
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not Path(f"/proc/{pid}").exists())


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
