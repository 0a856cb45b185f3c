"""The history: what stands in the file after appending, what is read back."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path, PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from spinstack.remote.history import record
from spinstack.remote.history.record import Record
from spinstack.transport.command import Command
from spinstack.transport.script import Script, Step

ID = "20251103-040506-0123abcd"
FULL = Record(
    when="2025-11-03T04:05:06Z",
    who="alice",
    host="laptop",
    stack="nightwatch-desi",
    destination="dev",
    doing="deploy",
    release=ID,
    commit="1a2b3c",
    dirty=True,
    images={"APP_IMAGE": "registry.example/alice/app:c-1@sha256:" + "0" * 64},
    detail='what\'s "new": $(touch x) `y` é',
)


def bash(*steps: Step) -> subprocess.CompletedProcess[str]:
    """The steps as a login node runs them."""
    script = Script(steps).text("mark")
    return subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)


def append(root: Path, one: Record) -> str:
    """What bash printed of it."""
    return bash(record.append_step(PurePosixPath(root), one)).stdout


def history(root: Path) -> list[Record]:
    return record.parse((root / record.FILE).read_text())


def test_a_line_is_read_back_as_it_was_written_and_the_group_can_read_it(tmp_path: Path) -> None:
    root = tmp_path / "it's" / "there"
    append(root, FULL)
    append(root, replace(FULL, doing="stop"))
    assert history(root) == [FULL, replace(FULL, doing="stop")]
    assert (root / record.FILE).stat().st_mode & 0o777 == 0o640
    assert (root / record.FILE).read_text().isascii()
    assert not (root / "x").exists()


def test_the_login_node_fills_in_time_account_and_release(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(f"releases/{ID}")
    told = Record(doing="stop", release=record.RELEASE, detail='"when": "@WHEN@" & \\"')
    append(tmp_path, told)
    (found,) = history(tmp_path)
    who = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert (found.who, found.release, found.detail) == (who, ID, told.detail)
    assert abs(found.moment - datetime.now(timezone.utc)) < timedelta(seconds=60)

    (tmp_path / "current").unlink()
    append(tmp_path, told)
    assert history(tmp_path)[1].release == ""


def test_a_template_is_a_line_without_its_time() -> None:
    template = record.line_template(FULL)
    assert template.count("@WHEN@") == 1
    assert record.parse(template.replace("@WHEN@", FULL.when)) == [FULL]


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / record.FILE
    append(tmp_path, FULL)
    file.write_text(file.read_text() + record.line(FULL)[:50])
    append(tmp_path, replace(FULL, doing="stop"))
    append(tmp_path, replace(FULL, doing="start"))
    assert [one.doing for one in history(tmp_path)] == ["deploy", "stop", "start"]
    assert len(file.read_text().splitlines()) == 4


def test_twenty_at_once_do_not_mix(tmp_path: Path) -> None:
    many = [replace(FULL, detail=f"{number} " + "x" * 3000) for number in range(20)]
    scripts = [Script((record.append_step(PurePosixPath(tmp_path), one),)) for one in many]
    running = [
        subprocess.Popen(["bash", "-c", script.text("mark")], stdout=subprocess.DEVNULL)
        for script in scripts
    ]
    assert [process.wait() for process in running] == [0] * 20
    assert sorted(one.detail for one in history(tmp_path)) == sorted(one.detail for one in many)


def test_a_failure_to_append_is_told_and_ends_no_script(tmp_path: Path) -> None:
    (tmp_path / record.FILE).symlink_to("/dev/full")
    after = Step("after", (Command("echo", "went", "on"),))
    told = bash(record.append_step(PurePosixPath(tmp_path), FULL), after).stdout
    assert "No space left on device" in told
    assert "mark end 0 1" in told
    assert "went on" in told


def test_what_failed_makes_no_project_directory(tmp_path: Path) -> None:
    failed = replace(FULL, outcome=record.FAILED)
    assert "mark end 0 0" in append(tmp_path / "none" / "stack", failed)
    assert not (tmp_path / "none").exists()
    append(tmp_path / "stack", failed)
    assert history(tmp_path / "stack") == [failed]


def test_reading_where_nothing_was_written_yet(tmp_path: Path) -> None:
    told = bash(record.read_step(PurePosixPath(tmp_path))).stdout
    assert "mark end 0 0" in told
    assert record.parse(told) == []


def test_a_long_error_is_cut_so_that_the_line_is_one_write() -> None:
    long = record.line(replace(FULL, detail="é" * 5000))
    assert len(long) < 4096
    assert json.loads(long)["detail"].startswith("é" * 100)


# Short enough for one write, or the detail is cut: that is another test's.
texts = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)


@given(st.lists(st.builds(Record, detail=texts, who=texts, when=st.just(FULL.when),
                          doing=st.just("stop"), commit=texts, dirty=st.booleans(),
                          images=st.dictionaries(texts, texts, max_size=4))))  # fmt: skip
def test_any_values_survive(records: list[Record]) -> None:
    assert record.parse("\n".join(map(record.line, records))) == records


@given(st.text())
def test_any_other_text_is_passed_over(text: str) -> None:
    lines = [line for line in text.split("\n") if not re.match(r"[\0 \r]*\{", line)]
    assert record.parse("\n".join([*lines, record.line(FULL), *lines])) == [FULL]
