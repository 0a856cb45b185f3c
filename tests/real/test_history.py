"""The history in the rehearsal: what tasks write into it, what `history` and `cite` print."""

from __future__ import annotations

import json
import subprocess

import pytest

from spinstack.remote.history import record

from .at_terminal import AtTerminal
from .small_site import SmallSite
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry")


def done(site: SmallSite, *words: str) -> Typed:
    """`invoke …` that has to succeed."""
    typed = site.invoke(*words)
    assert typed.code == 0, typed
    return typed


@pytest.fixture(scope="module")
def worked_on(small: SmallSite, tmp_path_factory: pytest.TempPathFactory) -> SmallSite:
    """A site with changes of many kinds, one of which fails."""
    value = tmp_path_factory.mktemp("value") / "value"
    value.write_text("hush")
    value.chmod(0o600)
    done(small, "scale", "--service", "app", "--count", "2")
    done(small, "scale", "--service", "app", "--count", "1", "--yes")
    done(small, "restart", "--service", "app", "--yes")
    done(small, "secret.create", "password", "--service", "app", "--file", str(value))
    done(small, "secret.rm", "password", "--service", "app", "--yes")
    done(small, "volume.rm", "app", "--yes")  # there is none
    # There is one node, and a port can be published once.
    assert small.invoke("scale", "--service", "web", "--count", "2").code == 1
    done(small, "scale", "--service", "web", "--count", "1", "--yes")
    done(small, "stop", "--yes")
    return small


def changes(site: SmallSite) -> list[str]:
    """What was done by other tasks than those that bring releases up."""
    told = json.loads(done(site, "history", "--json", "--limit", "100").out)
    own = ("scale", "restart", "secret.", "volume.", "stop")
    shown = (f"{one['doing']} {one['outcome']} {one['detail']}" for one in told)
    return [line.strip() for line in shown if line.startswith(own)]


def test_every_change_is_in_the_file_which_the_group_can_read(worked_on: SmallSite) -> None:
    file = worked_on.root / record.FILE
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.stat().st_gid == worked_on.root.stat().st_gid
    assert "hush" not in file.read_text()
    *before, failed, scaled, stopped = changes(worked_on)
    secret = f"app.{worked_on.name}.password"
    assert before == [
        *("scale done app=2", "scale done app=1", "restart done app"),
        *(f"secret.create done {secret}", f"secret.rm done {secret}"),
    ]
    assert failed.startswith("scale failed web=2: web did not reach 2 containers")
    assert (scaled, stopped) == ("scale done web=1", "stop done")
    known = record.parse(file.read_text())
    current = (worked_on.root / "current").readlink().name
    assert {one.release for one in known if one.doing == "scale"} == {current}
    assert {(one.who, one.destination, one.stack) for one in known} == {
        ("demo", "rehearsal", worked_on.name)
    }


def test_the_table_ends_with_the_newest(worked_on: SmallSite) -> None:
    head, *lines = done(worked_on, "history", "--since", "1h").out.splitlines()
    assert head.split() == ["WHEN", "(UTC)", "WHO", "WHAT", "HAPPENED", "RELEASE", "COMMIT"]
    host = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
    assert f"  demo@{host}  " in lines[0]
    assert " stop " in lines[-1]


def test_a_line_that_was_cut_off_costs_no_other(worked_on: SmallSite) -> None:
    file = worked_on.root / record.FILE
    with file.open("a") as stream:
        stream.write('{"when": "2026-')
    done(worked_on, "start")
    assert file.read_text().splitlines()[-2] == '{"when": "2026-'
    assert "start" in done(worked_on, "history", "--limit", "1").out
    # A repeated start changes nothing, and writes nothing.
    size = file.stat().st_size
    done(worked_on, "start")
    assert file.stat().st_size == size


def test_a_history_that_can_not_be_written_is_a_warning(worked_on: SmallSite) -> None:
    file = worked_on.root / record.FILE
    kept = file.rename(file.with_suffix(".kept"))
    file.symlink_to("/dev/full")
    try:
        restarted = done(worked_on, "restart", "--service", "app", "--yes")
    finally:
        kept.rename(file)
    assert "warning: could not record restart in the history" in restarted.err
    assert "No space left on device" in " ".join(restarted.err.split())


def test_cite_before_the_history_begins(worked_on: SmallSite) -> None:
    typed = worked_on.invoke("cite", "--at", "2020-01-01")
    assert typed.code == 1, typed
    assert "error: the history does not go back to 2020-01-0" in typed.err
    assert "fix:   " in typed.err


def test_cite_names_release_commit_and_images(worked_on: SmallSite) -> None:
    """The records of a deploy, as a deploy writes them."""
    file = worked_on.root / record.FILE
    current = (worked_on.root / "current").readlink().name
    image = worked_on.image + "@sha256:" + "0" * 64
    deploy = record.Record(
        when="2026-01-02T03:04:05Z", who="bob", host="desk", stack=worked_on.name,
        destination="rehearsal", doing="deploy", release=current, commit="1a" * 20, dirty=True,
        images={"TINY_IMAGE": image},
    )  # fmt: skip
    file.write_text(f"{record.line(deploy)}\n{file.read_text()}")
    subprocess.run(["git", "init", "--quiet", str(worked_on.directory)], check=True)
    remote = ["remote", "add", "origin", "https://bob:hush@git.example/small.git"]
    subprocess.run(["git", "-C", str(worked_on.directory), *remote], check=True)

    told = done(worked_on, "cite", "--at", "2026-01-03").out
    assert f"release {current}, brought up by bob on 2026-01-02 03:04 UTC (deploy)" in told
    assert f"commit:     {'1a' * 20} +changes\n" in told
    assert f"image:      TINY_IMAGE {image}\n" in told
    assert f"address:    {worked_on.address}\n" in told
    assert "repository: https://git.example/small.git\n" in told
    cff = json.loads(done(worked_on, "cite", "--at", "2026-01-03", "--json").out)
    assert (cff["version"], cff["spinstack"]["dirty"]) == (current, True)
    assert done(worked_on, "cite", "--at", "2026-01-03", "--bibtex").out.startswith("@software{")


def test_what_ctrl_c_left_is_told(worked_on: SmallSite) -> None:
    environment = worked_on.stage.environment(TERM="xterm")
    typing = AtTerminal(["invoke", "restart", "--yes"], environment, worked_on.directory)
    typing.wait_for("restart")
    typing.type("\x03")
    assert typing.code() == 1
    (newest,) = json.loads(done(worked_on, "history", "--json", "--limit", "1").out)
    told = (newest["doing"], newest["outcome"], newest["detail"])
    assert told == ("restart", "left open", "stopped by Ctrl-C")
