"""What is in a volume goes to a file and back, through a real bash, with a kubectl that runs what
it is given in place of a container."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import exec as operate_exec
from spinstack.operate import volume_files
from spinstack.platforms.base import Container
from spinstack.tasks.secrets import volume_load, volume_save
from spinstack.transport.laptop.node import LaptopNode
from spinstack.transport.login_node import LoginNode
from tests.unit.kube_desk import KubeSession
from tests.unit.kube_node import KubeNode
from tests.unit.operating import Operator
from tests.unit.stack_session import run

# What comes before -- is kubectl's own. CUT: so many bytes of its output arrive.
KUBECTL = """#!/bin/bash
case "$*" in
*' exec '*)
  while [ "$1" != -- ]; do shift; done; shift
  if [ -n "$CUT" ]; then "$@" | head -c "$CUT"; exit 0; fi
  exec "$@" ;;
esac
"""
COMPOSE = """\
version: '2'
services:
  db:
    image: postgres:17.2-bookworm
    user: '999:999'
    volumes: ['db.demo:{volume}']
  web: {{image: 'registry.nersc.gov/alice/web:1.0'}}
"""


class Session(KubeSession):
    """Its scripts run on this machine."""

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        if self.dry:
            with super().login_node() as printing:
                yield printing
            return
        node = LaptopNode()
        try:
            yield node
        finally:
            node.close()


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the volume is."""
    for name in ("bin", "stack", "volume"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    found = Container("db-1", "db-1", "running")
    monkeypatch.setattr(operate_exec, "find", lambda *_: found)
    (tmp_path / "stack" / "stack.env").write_text("")
    text = COMPOSE.format(volume=tmp_path / "volume")
    (tmp_path / "stack" / "docker-compose.yml").write_text(text)
    return tmp_path / "volume"


def session(volume: Path, *, dry: bool = False) -> Session:
    return Session(volume.parent / "stack", KubeNode(), dry=dry)


def fill(volume: Path) -> bytes:
    """Files of every kind; the content of the large one."""
    data = os.urandom(3_000_000)
    (volume / "large").write_bytes(data)
    (volume / ".hidden").write_text("h")
    (volume / "..odd").write_text("o")
    (volume / "two words").mkdir(mode=0o700)
    (volume / "two words" / "-x").write_text("x")
    (volume / "link").symlink_to("gone")
    return data


def listed(volume: Path) -> set[str]:
    return {path.relative_to(volume).as_posix() for path in volume.rglob("*")}


def test_what_is_saved_is_loaded_again_and_nothing_else_is_left(
    volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, file = fill(volume), tmp_path / "db.tar"
    before = listed(volume)
    run(volume_save, session(volume), name="db", file=str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"saved db.demo in {file}" in capsys.readouterr().out
    (volume / "large").write_bytes(b"spoilt")
    (volume / "new").mkdir()
    (volume / "new" / "er").write_text("")
    run(volume_load, session(volume), name="db", file=str(file), yes=True)
    assert listed(volume) == before
    assert (volume / "large").read_bytes() == data
    assert (volume / "two words").stat().st_mode & 0o777 == 0o700
    assert "invoke restart --service db" in capsys.readouterr().err


def test_through_pipes(
    volume: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fill(volume)
    run(volume_save, session(volume), name="db.demo", file="-")
    archive = capfdbinary.readouterr().out
    with tarfile.open(fileobj=io.BytesIO(archive)) as read:
        assert "./two words/-x" in read.getnames()
    (volume / "large").unlink()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(archive)))
    run(volume_load, session(volume), name="db", file="-", yes=True)
    assert (volume / "large").read_bytes() == data


@pytest.mark.parametrize("cut", [0, 512, 1_000_000])
def test_a_broken_stream_leaves_no_file_and_an_older_one_as_it_was(
    volume: Path, tmp_path: Path, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(volume)
    (tmp_path / "out").mkdir()
    file = tmp_path / "out" / "db.tar"
    file.write_text("older")
    monkeypatch.setenv("CUT", str(cut))
    with pytest.raises(SpinstackError, match=r"db\.demo was not saved: the archive is not whole"):
        run(volume_save, session(volume), name="db", file=str(file))
    assert file.read_text() == "older" and listed(file.parent) == {"db.tar"}


@pytest.mark.parametrize("size", [0, 1024, 1_000_000])
def test_an_archive_that_breaks_off_changes_nothing(
    volume: Path, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(volume)
    run(volume_save, session(volume), name="db", file=str(tmp_path / "db.tar"))
    (volume / "newer").write_text("")
    before = listed(volume)
    cut = (tmp_path / "db.tar").read_bytes()[:size]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(cut)))
    with pytest.raises(SpinstackError, match="not loaded, and is as it was"):
        run(volume_load, session(volume), name="db", file="-", yes=True)
    (tmp_path / "cut.tar").write_bytes(cut)
    with pytest.raises(UsageError, match="not all of one"):
        run(volume_load, session(volume), name="db", file=str(tmp_path / "cut.tar"), yes=True)
    assert listed(volume) == before


def test_it_is_asked_before_anything_is_replaced(volume: Path, tmp_path: Path) -> None:
    fill(volume)
    run(volume_save, session(volume), name="db", file=str(tmp_path / "db.tar"))
    (volume / "newer").write_text("")
    with pytest.raises(UsageError, match="Replace everything in db"):
        run(volume_load, session(volume), name="db", file=str(tmp_path / "db.tar"))
    assert (volume / "newer").exists()


def test_what_stands_in_the_way_is_named(volume: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="web does not mount db"):
        run(volume_save, session(volume), name="db", file="x.tar", service="web")
    with pytest.raises(SpinstackError, match="can't write db"):
        run(volume_save, session(volume), name="db", file=str(tmp_path / "none" / "db.tar"))
    (volume / "x").write_text("")
    volume.chmod(0o700)
    (volume.parent / "bin" / "tar").write_text("#!/bin/sh\necho no such program >&2\nexit 127\n")
    (volume.parent / "bin" / "tar").chmod(0o755)
    with pytest.raises(SpinstackError, match="tar ended with 127"):
        run(volume_save, session(volume), name="db", file=str(tmp_path / "db.tar"))


def test_a_dry_run_shows_what_would_run(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(volume_save, session(volume, dry=True), name="db", file="db.tar")
    run(volume_load, session(volume, dry=True), name="db", file="db.tar")
    said = capsys.readouterr().out
    assert "tar -cf -" in said and "tar -xpf -" in said and volume_files.NEW in said
    assert not Path("db.tar").exists()


def test_rancher_can_save_and_says_what_to_do_instead_of_loading(tmp_path: Path) -> None:
    answers = {"interact": ("\0" * 1024, 0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operate_exec, "find", lambda *_: Container("1i5", "app-1", "running"))
        desk = Operator(tmp_path, answers)  # type: ignore[arg-type]
        compose = desk.directory / "docker-compose.yml"
        section, kept = "    volumes:\n", "      - app.nightwatch-desi:/keep\n"
        compose.write_text(compose.read_text().replace(section, section + kept, 1))
        run(volume_save, desk, name="app", file=str(tmp_path / "app.tar"))
        assert "rancher exec 1i5 sh -c" in desk.node.sent[-1]
        with pytest.raises(UsageError) as error:
            run(volume_load, desk, name="app", file=str(tmp_path / "app.tar"), yes=True)
    assert "tar -xpf ARCHIVE -C /keep" in error.value.remedy
