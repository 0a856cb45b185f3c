"""Bad days with files: disks, permissions, names, and files that are not what they should be."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from spinstack.sample.owner import GID, UID

from .small_site import SmallSite, assert_told_well

pytestmark = pytest.mark.real("engine", "registry")

ODD = 'it\'s a "name" with $(id) in it'


@pytest.fixture
def disk(small: SmallSite) -> Iterator[Path]:
    """A project directory on a disk of its own, with room for next to nothing."""
    path = small.root.parent.with_name("small disk")
    path.mkdir()
    options = f"size=16k,uid={UID},gid={GID},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], check=True)
    yield path
    # Containers of the test may still have files of it open.
    small.deployed("off the disk")
    subprocess.run(["umount", str(path)], check=True)
    path.rmdir()


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


@pytest.mark.real("root")
def test_a_disk_that_is_full_and_one_that_is_read_only(small: SmallSite, disk: Path) -> None:
    small.deployed("good")
    before = small.generations()
    small.write("next", project_dir=str(disk))
    for options, what, remedy in (
        ("rw", "error: the release could not be written", "the file system is full"),
        ("ro", "error: the lock could not be written", "the file system is read-only"),
    ):
        remount(disk, options)
        failed = small.invoke("deploy")
        assert_told_well(failed)
        assert what in failed.err
        assert f"fix:   {remedy}" in failed.err
        assert f"  where: {disk}/small-desi" in failed.err
        small.assert_whole("good")
        assert small.generations() == before
    left = {path.name for path in (disk / "small-desi").iterdir()}
    assert left - {"history.jsonl"} == {"releases"}
    assert list((disk / "small-desi" / "releases").iterdir()) == []
    remount(disk, "rw,size=1m")
    assert small.invoke("deploy").code == 0
    small.assert_whole("next", disk / "small-desi")


def test_a_project_directory_that_is_somebody_elses(small: SmallSite) -> None:
    theirs = small.root.parent.with_name("theirs")
    theirs.mkdir()
    small.write("next", project_dir=str(theirs))
    failed = small.invoke("deploy")
    theirs.rmdir()
    assert_told_well(failed)
    assert "error: the lock could not be written" in failed.err
    assert (
        "fix:   you may not write there: set project_dir to a directory of your own" in failed.err
    )


def test_odd_names_of_directories_and_files(small: SmallSite, tmp_path: Path) -> None:
    """Also a line break, in the laptop's own directories and in the names of files."""
    there = small.root.parent / ODD
    here = SmallSite(small.stage, tmp_path / f"{ODD}\nand more" / small.name, small.image)
    here.write("odd", project_dir=str(there))
    for name in (f"{ODD}.html", "two\nlines.html"):
        (here.directory / "site" / name).write_text(f"this is {name}\n")
    done = here.invoke("deploy")
    assert done.code == 0, done
    here.assert_whole("odd", there / small.name)
    for name in (f"{ODD}.html", "two\nlines.html"):
        with urllib.request.urlopen(here.address + quote(name), timeout=10) as answer:
            assert answer.read().decode() == f"this is {name}\n"


@pytest.mark.parametrize("name", ["a\nb", "a:b"], ids=["line break", "colon"])
def test_a_project_directory_that_cannot_work_is_refused(small: SmallSite, name: str) -> None:
    small.write("next", project_dir=str(small.root.parent / name))
    for words in (("check",), ("deploy",), ("status",)):
        failed = small.invoke(*words)
        assert failed.code in (1, 2), failed
        assert "project_dir" in failed.err + failed.out
        assert "Traceback" not in failed.err
    assert not (small.root.parent / name).exists()


def test_files_that_are_not_what_they_should_be(small: SmallSite) -> None:
    before = small.generations()
    small.write("next")
    compose = small.directory / "docker-compose.yml"
    text = compose.read_text()
    for broken, line in (
        (text.replace("    image:", "   image:", 1), 5),
        (text + "\t- tab\n", text.count("\n") + 1),
        ("not: [closed\n", 2),
        ("just a text\n", 0),
        ("", 0),
    ):
        compose.write_text(broken)
        failed = small.invoke("deploy")
        assert_told_well(failed)
        where = f":{line}: not valid YAML" if line else ": no services"
        assert f"docker-compose.yml{where}" in failed.err, failed
    compose.write_bytes(b"\xff\xfe\x00binary")
    failed = small.invoke("deploy")
    assert_told_well(failed)
    assert "docker-compose.yml is not UTF-8 text (byte 1)" in failed.err
    assert small.generations() == before


def test_files_from_windows(small: SmallSite) -> None:
    """With CRLF at the ends of lines, and a byte order mark before the first."""
    small.write("windows")
    for path in (small.directory / "stack.env", small.directory / "docker-compose.yml"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    done = small.invoke("deploy")
    assert done.code == 0, done
    small.assert_whole("windows")
    (sent,) = (small.root / "current").glob("stack.env")
    assert b"\r" not in sent.read_bytes()
    assert os.fsencode("GENERATION=windows\n") in sent.read_bytes()
