"""The client's ways with text: env files, variables, Go templates, Go's YAML, log lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spin_rehearsal.rancher import goyaml, log
from spin_rehearsal.rancher.envfile import parse_lines, read_env_file, read_service_env_file
from spin_rehearsal.rancher.failure import Failure
from spin_rehearsal.rancher.gotemplate import TemplateError, render
from spin_rehearsal.rancher.govalue import float_shown
from spin_rehearsal.rancher.interpolate import InvalidFormat, interpolate_text
from spin_rehearsal.rancher.variables import Variables

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
LINES = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))


@given(st.dictionaries(LINES.filter(lambda name: name and "=" not in name), LINES))
def test_an_env_file_is_taken_literally(found: dict[str, str]) -> None:
    text = "\n".join(f"{name}={value}" for name, value in found.items())
    assert parse_lines(text) == found
    assert parse_lines(text.replace("\n", "\r\n") + "\r\n") == found


def test_an_env_file_knows_neither_comments_nor_quotes() -> None:
    assert parse_lines("# x\nA='b c' # d\nexport B=1\nC\n") == {
        "# x": "",
        "A": "'b c' # d",
        "export B": "1",
        "C": "",
    }


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.yml", "A: 1.10\nB: text\nC: true\n", {"A": "1.1", "B": "text", "C": "true"}),
        ("a.yaml", "A: [\n", {}),
        ("a.json", '{"A": "x"}', {"A": "x"}),
        ("a.json", "{", {}),
    ],
)
def test_a_structured_env_file(tmp_path: Path, name: str, text: str, found: Any) -> None:
    (tmp_path / name).write_text(text)
    assert read_env_file(str(tmp_path / name)) == found


def test_a_list_in_a_structured_env_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("A: [1]\n")
    with pytest.raises(Failure, match="invalid environment variable A"):
        read_env_file(str(tmp_path / "a.yml"))


def test_the_env_file_of_a_service_has_comments(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("# x\nA='b'\nHERE\n\n")
    found = read_service_env_file(tmp_path / "a", {"HERE": "outside"})
    assert found == {"A": "'b'", "HERE": "outside"}


@given(LINES, NAMES, LINES, LINES)
def test_a_variable_is_replaced_by_its_value(
    before: str, name: str, value: str, after: str
) -> None:
    before, after = before.replace("$", "$$"), after.replace("$", "$$")
    variables = Variables({name: value}, {})
    expected = before.replace("$$", "$") + value + after.replace("$$", "$")
    assert interpolate_text(f"{before}${{{name}}}{after}", variables) == expected


@given(LINES)
def test_doubled_dollars_protect_any_text(text: str) -> None:
    assert interpolate_text(text.replace("$", "$$"), Variables({}, {})) == text


@given(LINES)
def test_any_text_is_interpolated_or_refused(text: str) -> None:
    try:
        found = interpolate_text(text, Variables({}, {}))
    except InvalidFormat:
        assert "$" in text
    else:
        assert found == text or "$" in text


@pytest.mark.parametrize("text", ["${A:-b}", "${A-b}", "${A?b}", "$", "a$ b", "${}", "${A", "$1"])
def test_other_forms_of_a_variable_are_refused(text: str) -> None:
    with pytest.raises(InvalidFormat):
        interpolate_text(text, Variables({"A": "x"}, {}))


def test_the_env_file_wins_except_in_templates() -> None:
    variables = Variables({"A": "file", "B": ""}, {"A": "process", "B": "process", "C": ""})
    assert [variables.get(name) for name in "ABC"] == ["file", "", None]
    assert variables.for_templates()["A"] == "process"


DATA = {"Name": "web", "Ports": [{"N": 1}, {"N": 2}], "Empty": "", "Map": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{.Name}} {{.Nosuch}}", "web <no value>"),
        ("{{range .Ports}} {{.N}}:{{$.Name}}{{end}}", " 1:web 2:web"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{if .Empty}}a{{else if eq .Name `web`}}b{{else}}c{{end}}", "b"),
        ("{{with .Map}}{{.a}}{{end}}", "1"),
        ("a {{- .Name -}} b", "awebb"),
        ("{{/* nothing */}}{{.Map}} {{.Ports}}", "map[a:1] [map[N:1] map[N:2]]"),
        ("{{index .Ports 1 | json}}", '{\n  "N": 2\n}'),
        ('{{printf "%s-%d" .Name (len .Ports)}}', "web-2"),
        ("{{if and .Name (not .Empty)}}yes{{end}}", "yes"),
    ],
)
def test_a_go_template(text: str, shown: str) -> None:
    assert render(text, DATA) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n{{foo}}", 'template: t:2: function "foo" not defined'),
        ("{{.Name.Inner}}", "can't evaluate field Inner in type string"),
        ("{{if .Name}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{.Name", "unclosed action"),
        ("{{}}", "missing value for command"),
        ("{{.Name ! }}", 'unexpected "!"'),
    ],
)
def test_what_is_no_template(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as failure:
        render(text, DATA, name="t")
    assert message in str(failure.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (60037.0, "60037"), (1e6, "1e+06"), (1.5, "1.5"), (1.25e-7, "1.25e-07")],
)  # fmt: skip
def test_floats_look_as_in_go(value: float, shown: str) -> None:
    assert float_shown(value) == shown


def test_yaml_is_yaml_1_1_as_go_reads_it() -> None:
    text = "[y, No, on, 22:22, 2020-01-01, 010, 1.10, '1.10', ~, 0x10]"
    found = [True, False, True, "22:22", "2020-01-01", 8, 1.1, "1.10", None, 16]
    assert goyaml.load(text) == found


def test_log_lines_with_and_without_a_terminal() -> None:
    plain = log.plain_line("info", 'say "hi"', 0)
    assert plain.endswith(' level=info msg="say \\"hi\\"" ')
    assert log.plain_line("fatal", "Timeout", 0).endswith(" level=fatal msg=Timeout ")
    shown = log.coloured_line("warning", "Creating stack demo", 1.5)
    assert shown.startswith("\x1b[33mWARN\x1b[0m[0001] Creating stack demo ")
