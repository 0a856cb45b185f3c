"""Operations in the rehearsal, as they are typed: what a person sees, what runs afterwards."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import pytest

from .at_terminal import AtTerminal
from .small_site import NAME, SERVE, SmallSite, assert_told_well
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry")

TALKS = f"echo web begins; {SERVE}"


@pytest.fixture(scope="module")
def running(small: SmallSite) -> SmallSite:
    """A small site whose web tells when it begins."""
    small.deployed("talking", command=TALKS)
    return small


def done(site: SmallSite, *words: str) -> Typed:
    """`invoke …` that has to succeed."""
    typed = site.invoke(*words)
    assert typed.code == 0, str(typed)
    return typed


def person(site: SmallSite, *words: str) -> AtTerminal:
    environment = site.stage.environment(TERM="xterm")
    return AtTerminal(["invoke", *words], environment, site.directory)


def test_look(running: SmallSite) -> None:
    status = done(running, "status").out
    assert "app      healthy" in status
    assert f"address: {running.address}\n" in status
    told = json.loads(done(running, "status", "--json").out)
    assert told["release"] == told["deployed"]["id"]
    assert f"by {told['deployed']['who']} on " in status
    assert told["services"][0]["since"].startswith("20")

    assert done(running, "url").out == f"{running.address}\n"
    inspected = json.loads(done(running, "inspect", "--service", "web").out)
    assert inspected["launchConfig"]["capDrop"] == ["ALL"]
    assert "web | web begins\n" in done(running, "logs", "--since", "1h").out
    assert done(running, "logs", "--service", "web", "--tail", "1").out == "web begins\n"

    wrong = running.invoke("logs", "--service", "wbe")
    assert wrong.code == 2
    assert "did you mean web? The services are app, web" in wrong.err


def test_watch_and_follow_until_ctrl_c_through_a_restart(running: SmallSite) -> None:
    following = person(running, "logs", "--follow", "--tail", "1")
    following.wait_for("web begins")
    watching = person(running, "status", "--watch")
    watching.wait_for("web      healthy")
    done(running, "restart", "--service", "web", "--yes")
    following.wait_for("web begins")
    watching.wait_for("web      healthy")
    for one in (watching, following):
        one.type("\x03")
        assert one.code() == 0
    assert following.shown.count("web begins") == 2
    assert "\x1b[" in following.shown  # names have a colour each on a terminal
    assert running.seen() == "generation talking"


def test_inside(running: SmallSite) -> None:
    command = "sh -c 'id -u; echo err >&2; exit 7'"
    typed = running.invoke("exec", "--service", "app", "--command", command)
    assert (typed.code, typed.err) == (7, "err\n")
    assert typed.out.strip().isdecimal()
    shell = person(running, "shell", "--service", "app")
    shell.wait_for("$ ")
    # The size comes after the shell has begun.
    shell.insist("busybox stty size\r", "33 101")
    shell.resize(20, 60)
    shell.insist("busybox stty size\r", "20 60")
    shell.type("sleep 100\r", "sleep 100")
    time.sleep(0.5)
    shell.type("\x03", "$ ")
    shell.type("exit 5\r")
    assert shell.code() == 5


def test_what_a_container_prints_moves_no_terminal(running: SmallSite) -> None:
    says = r"printf '\033]0;TITLE\007\033[2J boo\n' >/proc/1/fd/1"
    done(running, "exec", "--service", "app", "--command", shlex.join(["sh", "-c", says]))
    looking = person(running, "logs", "--service", "app", "--tail", "3")
    looking.wait_for("^[]0;TITLE^G^[[2J boo")
    assert looking.code() == 0
    assert "TITLE\x07" not in looking.shown
    into_a_file = done(running, "logs", "--service", "app", "--tail", "3").out
    assert "\x1b]0;TITLE\x07\x1b[2J boo\n" in into_a_file


def test_stop_start_scale(running: SmallSite) -> None:
    unasked = running.invoke("stop", "--service", "app")
    assert unasked.code == 2
    assert "Nothing is lost" in unasked.err
    done(running, "stop", "--service", "app", "--yes")
    assert "app      inactive" in done(running, "status").out
    assert "already stopped" in done(running, "stop", "--service", "app").out
    done(running, "start")
    told = json.loads(done(running, "scale", "--service", "app", "--count", "2", "--json").out)
    assert told["services"][0]["current"] == 2
    second = ("--number", "2", "--command", "cat /etc/hostname")
    assert done(running, "exec", "--service", "app", *second).out == f"{NAME}-app-2\n"
    done(running, "scale", "--service", "app", "--count", "1", "--yes")
    assert len(running.generations()) == 2


def test_an_unfinished_upgrade_is_left_alone(running: SmallSite) -> None:
    running.write("next", command=TALKS)
    done(running, "upgrade")
    for words in (("stop",), ("scale", "--service", "app", "--count", "2")):
        refused = running.invoke(*words, "--yes")
        assert_told_well(refused)
        assert "`invoke confirm` or `invoke rollback`" in " ".join(refused.err.split())
    # Of two containers with one name it is the new one that is meant.
    generation = ("--command", "sh -c 'echo $GENERATION'")
    assert done(running, "exec", "--service", "app", *generation).out == "next\n"
    assert "is waiting for `invoke confirm`" in " ".join(done(running, "status").err.split())
    done(running, "confirm", "--yes")


def test_secrets_and_volumes_reach_the_containers(running: SmallSite, tmp_path: Path) -> None:
    value = tmp_path / "value"
    value.write_bytes(b"hush\n\xff")
    value.chmod(0o600)
    secret, volume = f"app.{NAME}.password", f"app.{NAME}"
    create = ("secret.create", "password", "--service", "app", "--file", str(value))
    assert f"created {secret} (6 bytes)" in done(running, *create).out
    assert "already" in running.invoke(*create).err
    assert done(running, "volume.create", "app").out == f"created {volume}\n"

    running.write("keeping", command=TALKS)
    compose = running.directory / "docker-compose.yml"
    mounts = "['./site:/site:ro'"
    text = compose.read_text().replace(mounts, f"{mounts}, '{volume}:/kept'", 1)
    text = text.replace("  app:\n", f"  app:\n    secrets: [{secret}]\n")
    text += f"secrets: {{{secret}: {{external: true}}}}\n"
    compose.write_text(text + f"volumes: {{{volume}: {{external: true}}}}\n")
    done(running, "deploy")
    read = f"busybox od -An -c /run/secrets/{secret}"
    seen = done(running, "exec", "--service", "app", "--command", read).out
    assert seen.split() == ["h", "u", "s", "h", "\\n", "377"]
    done(running, "exec", "--service", "app", "--command", "sh -c 'cd /kept'")
    # Nobody else on this machine can read the files that the containers are given.
    assert (running.stage.private / "secrets").stat().st_mode & 0o777 == 0o700
    assert_told_well(running.invoke("volume.rm", "app", "--yes"))

    # Removed, as a service has to be for its volume to go.
    done(running, "rm", "--service", "app", "--yes")
    assert "nothing to remove" in done(running, "rm", "--service", "app", "--yes").out
    assert "app " not in done(running, "status").out
    done(running, "volume.rm", "app", "--yes")
    done(running, "secret.rm", "password", "--service", "app", "--yes")
    assert done(running, "secret.list", "--json").out == "[]\n"


def test_a_label_with_a_line_end_of_unicode_s_disturbs_no_command(running: SmallSite) -> None:
    """U+0085: some programs split lines there; Rancher's client and the API hand it on."""
    running.write("labelled", command=TALKS)
    compose = running.directory / "docker-compose.yml"
    text = compose.read_text()
    compose.write_text(
        text.replace("    cap_drop:", '    labels: {note: "one\\Ntwo"}\n    cap_drop:')
    )
    done(running, "deploy")
    config = json.loads(done(running, "inspect", "--service", "web").out)["launchConfig"]
    assert config["labels"]["note"] == "one\x85two"
    assert "app      healthy" in done(running, "status").out
    assert "web | web begins\n" in done(running, "logs").out
    assert done(running, "url").out == f"{running.address}\n"
    done(running, "stop", "--yes")
    done(running, "start")
    assert running.seen() == "generation labelled"
    done(running, "rm", "--yes")
    assert running.generations() == {}
    assert done(running, "deploy").last_line == running.address
    running.assert_whole("labelled")


def test_a_host_that_is_down(running: SmallSite) -> None:
    running.write("down", host="127.0.0.1", port=1)
    for task in ("status", "logs", "secret.list"):
        typed = running.invoke(task)
        assert_told_well(typed)
        assert "can't be reached" in typed.err
