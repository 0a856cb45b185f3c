"""Settings with their origin, and changes of the env file that the check agrees to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.config import env_file
from spinstack.errors import SpinstackError
from spinstack.setup import env_change, settings
from spinstack.setup.settings import Setting
from spinstack.tasks.env import env
from tests.unit.stack_session import StackSession, baked, run


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return baked(tmp_path)


def settings_of(stack: Path, to: str = "dev") -> dict[str, Setting]:
    session = StackSession(stack, to=to)
    layers = settings.layers(session.config)
    found = settings.settings(layers, session.settings, session.destination)
    found += settings.variables(layers, session, settings.stack_of(session))
    return {setting.name: setting for setting in found}


def line_of(file: Path, text: str) -> int:
    lines = file.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_each_setting_tells_the_layer_that_won(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stack)
    personal = Path.home() / ".invoke.yaml"
    personal.write_text("spinstack:\n  user: alice-at-home\n  identity_file: ~/.ssh/nersc\n")
    monkeypatch.setenv("INVOKE_SPINSTACK_PROBE_PATH", "/nights.html")
    found = settings_of(stack)
    line = line_of(stack / "invoke.yaml", "  user: alice")
    assert found["user"] == Setting("user", "alice", f"invoke.yaml:{line}")
    assert found["identity_file"] == Setting("identity_file", "~/.ssh/nersc", "~/.invoke.yaml:3")
    assert found["probe_path"].origin == "INVOKE_SPINSTACK_PROBE_PATH"
    assert found["platform"] == Setting("platform", "cattle", "package default")
    own = line_of(stack / "invoke.yaml", "dev: {environment")
    assert found["environment"] == Setting("environment", "dev-cattle", f"invoke.yaml:{own}")
    assert found["modules"] == Setting("modules", ["spin"], "spin.yaml")
    assert found["engine"] == Setting("engine", None, "not set")


def test_an_included_file_lies_between_the_stack_and_the_destination(
    stack: Path, tmp_path: Path
) -> None:
    included = tmp_path / "destination.yml"
    included.write_text("host: 127.0.0.1\nproject_dir: /storage/demo\nenvironment: sandbox\n")
    text = (stack / "invoke.yaml").read_text()
    there = f"dev: {{include: {included}, environment: dev-cattle}}"
    lines = [f"    {there}" if "dev: {env" in line else line for line in text.splitlines()]
    (stack / "invoke.yaml").write_text("\n".join(lines))
    found = settings_of(stack)
    assert found["host"] == Setting("host", "127.0.0.1", f"{included}:1")
    assert found["environment"].value == "dev-cattle"


def test_variables_tell_whether_they_were_written_or_computed(stack: Path) -> None:
    file = stack / "invoke.yaml"
    text = file.read_text().replace("dev: {", "dev: {env: {WEB_PORT: 60001}, ")
    file.write_text(text)
    found = settings_of(stack)
    line = line_of(stack / "stack.env", "GROUP_ID=")
    assert found["GROUP_ID"] == Setting("GROUP_ID", "58102", f"stack.env:{line}")
    assert found["WEB_PORT"].value == "60001"
    assert "invoke.yaml:" in found["WEB_PORT"].origin
    assert found["STATIC_DIR"].origin.endswith("below project_dir")
    assert found["APP_IMAGE"].origin == "computed from the image's files"
    assert found["UID"] == Setting("UID", None, "looked up on the login node")


def test_the_table_and_the_json_agree_and_show_no_password(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path.home() / ".invoke.yaml").write_text(
        "spinstack:\n  build_args: {HTTP_PROXY: 'http://me:hid@den@proxy:3128'}\n"
    )
    run(env, StackSession(stack))
    shown = capsys.readouterr().out
    run(env, StackSession(stack), json=True)
    told = json.loads(capsys.readouterr().out)
    values = {row["name"]: row["value"] for row in told["settings"] + told["variables"]}
    assert values["build_args.HTTP_PROXY"] == "http://me:********@proxy:3128"
    assert "http://me:********@proxy:3128" in shown
    assert "hid" not in shown and "den@" not in shown
    assert values["WEB_PORT"] == "60037"
    assert told["destination"] == "dev"


def test_a_value_is_changed_in_its_line_and_the_rest_stays(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stack / "stack.env"
    before = file.read_text()
    file.chmod(0o640)
    run(env, StackSession(stack), set=["WEB_PORT=60021"])
    assert file.read_text() == before.replace("WEB_PORT=60037", "WEB_PORT=60021")
    assert file.stat().st_mode & 0o777 == 0o640
    assert capsys.readouterr().out == "WEB_PORT: 60037 → 60021\n"
    assert [path.name for path in stack.glob("*env*")] == ["stack.env"]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"set": ["WEB_PORT=443"]}, "port-reserved"),
        ({"set": ["GROUP_ID=desi"]}, "numeric-id"),
        ({"set": ["STATIC_DIR=/global/homes/a/alice"]}, "path-mountable"),
        ({"set": ["WEB_PORT='60021'"]}, "env-quotes"),
        ({"unset": ["DATA_DIR"]}, "variable-unset"),
    ],
)
def test_what_the_check_refuses_is_not_written(
    stack: Path, change: dict[str, list[str]], rule: str
) -> None:
    before = (stack / "stack.env").read_bytes()
    with pytest.raises(SpinstackError) as error:
        run(env, StackSession(stack), **change)
    assert f"[{rule}]" in error.value.details
    assert (stack / "stack.env").read_bytes() == before


def test_a_fault_that_is_there_already_does_not_forbid_to_mend_another(stack: Path) -> None:
    file = stack / "stack.env"
    file.write_text(file.read_text().replace("60037", "443").replace("=58102", "=0"))
    run(env, StackSession(stack), set=["WEB_PORT=60021"])
    assert "WEB_PORT=60021" in file.read_text()


def test_a_byte_order_mark_is_not_part_of_the_first_name(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stack / "stack.env"
    text = "".join(line for line in file.read_text().splitlines(True) if line[:1].isalpha())
    assert text.startswith("GROUP_ID=58102\n")
    marked = b"\xef\xbb\xbf" + text.encode()
    file.write_bytes(marked)
    with pytest.raises(SpinstackError, match="GROUP_ID"):
        run(env, StackSession(stack), unset=["GROUP_ID"])
    Editor(monkeypatch, "", "")
    run(env, StackSession(stack), edit=True)
    assert file.read_bytes() == marked
    capsys.readouterr()
    run(env, StackSession(stack), set=["GROUP_ID=58103"])
    assert capsys.readouterr().out == "GROUP_ID: 58102 → 58103\n"
    assert file.read_bytes().decode("utf-8-sig") == text.replace("58102", "58103")


def test_dry_tells_the_change_and_writes_nothing(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (stack / "stack.env").read_bytes()
    run(env, StackSession(stack, dry=True), set=["WEB_PORT=60021"])
    assert "60037 → 60021" in capsys.readouterr().out
    assert (stack / "stack.env").read_bytes() == before


class Editor:
    """Stands in for the person: replaces a text in the file that it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, old: str, new: str, code: int = 0) -> None:
        self.copy = Path()

        def edit(runner: Any, command: Any, **_: Any) -> int:
            self.copy = Path(command.argv()[-1])
            self.copy.write_text(self.copy.read_text().replace(old, new))
            return code

        monkeypatch.setenv("EDITOR", "ed -s")
        monkeypatch.setattr("spinstack.transport.runner.run_in_foreground", edit)


def test_what_was_edited_is_taken_if_the_check_allows_it(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = Editor(monkeypatch, "60037", "60021")
    run(env, StackSession(stack), edit=True)
    assert "WEB_PORT=60021" in (stack / "stack.env").read_text()
    assert not editor.copy.parent.exists()


def test_a_broken_edit_leaves_the_file_and_keeps_the_work(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (stack / "stack.env").read_text()
    editor = Editor(monkeypatch, "WEB_PORT=", "WEB_PORT = ")
    with pytest.raises(SpinstackError) as error:
        run(env, StackSession(stack), edit=True)
    assert "[env-line]" in error.value.details
    assert str(editor.copy) in error.value.remedy
    assert "WEB_PORT = " in editor.copy.read_text()
    assert (stack / "stack.env").read_text() == before
    failing = Editor(monkeypatch, "60037", "60021", code=1)
    with pytest.raises(SpinstackError, match="exit code 1"):
        run(env, StackSession(stack), edit=True)
    assert (stack / "stack.env").read_text() == before
    assert failing.copy.exists()


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,6}", fullmatch=True)
VALUES = st.text(st.characters(codec="ascii", exclude_characters="\r\n\0 '\""), max_size=9).filter(
    lambda text: text == text.strip() and len(text.splitlines()) < 2
)


@given(st.dictionaries(NAMES, VALUES, max_size=5), NAMES, VALUES, st.sampled_from(["\n", "\r\n"]))
def test_setting_a_name_changes_that_name_only(
    values: dict[str, str], name: str, value: str, end: str
) -> None:
    lines = [f"# about {key}{end}{key}={item}{end}" for key, item in values.items()]
    text = "".join([f"# all{end}", *lines])
    after = env_change.edited(text, {name: value}, [])
    found = {key: variable.value for key, variable in env_file.parse(after, "")[0].items()}
    assert found == {**values, name: value}
    assert after.count("#") - text.count("#") == value.count("#") - values.get(name, "").count("#")
    assert after.count(end) == text.count(end) + (name not in values)
    assert {end} >= {"\r\n" if line.endswith("\r\n") else "\n" for line in after.splitlines(True)}
    if name not in values:
        assert env_change.edited(after, {}, [name]) == text
