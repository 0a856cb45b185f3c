"""`invoke check` reads the compose file as Rancher's client does: what passes is what runs."""

# ruff: noqa: E501 - a table of faults reads best with one fault a line

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.checks import mend
from spinstack.rules.finding import errors
from tests.unit.older_stack import made_older
from tests.unit.test_check_laptop import COMPOSE, ENV, RANCHER, baked, check, directory, replaced

__all__ = ["baked", "directory"]

# A line of the service app that may be anything.
HERE = "    read_only: true"
HEAD = "services:\n"

FAULTS = [
    ("compose-template", "    labels: {log.tag: 'x {{.Name}}'}", "{{.Name}} itself, with <no value>", "write {{`{{.Name}}`}}, or make # notemplating the file's first line"),
    ("compose-template", "    {{- if .Values.DISK }}", "{{- if .Values.DISK }} is a template", "write what it stands for instead"),
    ("compose-template", "    hostname: '{{ .Values.HOST }}'", "{{ .Values.HOST }} is a template", "write ${HOST} instead"),
    ("compose-template", "    labels: {log.tag: '{{'}", "does not end", "write {{`{{`}}, or make # notemplating the file's first line"),
    ("variable-form", "    labels: {note: 'built $(date)'}", "$( can't be read", "write $$ for a dollar sign"),
    ("variable-form", "    labels: {note: 'cost $5'}", "$5 can't be read", "write $$ for a dollar sign"),
    ("variable-form", "    labels: {note: 'all of it in $'}", "$ can't be read", "write $$ for a dollar sign"),
    ("variable-form", "    labels: {note: '${ '}", "${ can't be read", "write $$ for a dollar sign"),
    ("variable-form", "    labels: {note: '${GROUP_ID-1}'}", "${GROUP_ID-1} can't be read", "write ${GROUP_ID}, and set GROUP_ID in the env file"),
    ("compose-key", "    environment: {ON: 1}", "the key ON is read as true, and Rancher takes only text", "quote it: 'ON'"),
    ("compose-key", "    labels: {08: x}", "the key 08 is read as the number 8.0, and Rancher takes only text", "quote it: '08'"),
    ("compose-type", "    environment: 5", "environment of app has a value of the wrong type", "environment must be a list of text values (quote them) or a mapping of single values"),
    ("compose-type", "    environment: {A: [1]}", "environment of app has a value of the wrong type", None),
    ("compose-type", "    hostname: 680841e1", "hostname of app has a value of the wrong type: 6808410.0", None),
    ("compose-type", "    hostname: yes", "hostname of app has a value of the wrong type: True", None),
    ("compose-type", "    environment:", "environment of app has no value", None),
    ("compose-type", "    dns_opt: a", "dns_opt of app has a value of the wrong type: 'a'", "dns_opt must be a list of text values (quote them) or a mapping of single values"),
    ("compose-key", "    log_driver: syslog", "Rancher does not know the key 'log_driver'", None),
    ("compose-repeated", "    dns: [10.0.0.1, 10.0.0.2, 10.0.0.1]", "dns of app has 10.0.0.1 twice (first in docker-compose.yml:", "remove one of the two"),
    ("compose-repeated", "    volumes_from: ['${GROUP_ID}', '58102']", "volumes_from of app has 58102 twice", "remove one of the two"),
    ("yaml", "    labels: {A: !!int x}", "cannot decode !!str `x` as a !!int", None),
    ("yaml", "    <<: 1", "map merge requires map", None),
    ("yaml-twice", "    labels: {A: 1, A: 2}", "duplicate key A", None),
    ("compose-value", "    ports: [{target: 5000, published: 60038}]", "an item of ports in the long form", "write '60038:5000'"),
    ("compose-value", "    ports: [{target: 5000, published: 60038, protocol: udp}]", "long form", "write '60038:5000/udp'"),
    ("compose-value", "    ports: [[5000]]", "an item of ports that is no text", "write OUTSIDE:INSIDE, such as '${WEB_PORT}:8080'"),
    ("compose-value", "    ports: [5000]", "'5000' is not OUTSIDE:INSIDE", "write OUTSIDE:INSIDE, such as '${WEB_PORT}:8080'"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "line", "problem", "remedy"), FAULTS)
def test_what_the_client_would_refuse_or_change_is_told_once_and_where_it_is(
    directory: Path, rule: str, line: str, problem: str | None, remedy: str | None
) -> None:
    number = replaced(directory / COMPOSE, HERE, line)
    (found,) = errors(check(directory))
    assert (found.rule, found.where) == (rule, f"{COMPOSE}:{number}")
    assert (problem or "") in found.problem
    assert remedy in (None, found.remedy)


@pytest.mark.parametrize(
    "line",
    [
        "    labels: {log.tag: 'x {{`{{.Name}}`}} {{\"{{\"}}'}",
        "    labels: {A: 'b}}', B: $GROUP_IDé}\n    # {{.Name}} in a comment",
        "    {{/* a comment\n    of two lines */}}",
        "    labels: {note: 'built $$(date), cost $$5, in $$'}",
        "    environment: {OPENING_TIME: 12:30, DAY: 2020-99-99, COMMIT: '680841e1', A: 5, 'ON': 1}",
        "    environment: {A: 1.5, B: true, C: , D: 60037}",
        "    expose: [5000, '5000']",
        "    labels: !odd {A: !odd b, C: !!timestamp 2020-99-99}",
    ],
)
def test_what_the_client_reads_well_has_no_finding(directory: Path, line: str) -> None:
    if "expose" in line:
        replaced(directory / COMPOSE, "    expose:\n      - '5000'\n      - '5001'\n", "")
    replaced(directory / COMPOSE, HERE, line)
    assert check(directory) == []


@pytest.mark.parametrize("written", ["680841e1", "08", "yes", "1.50", "1_000", "0x1F", "1e3"])
def test_a_variable_that_reaches_the_container_otherwise_is_a_warning(
    directory: Path, written: str
) -> None:
    number = replaced(directory / COMPOSE, HERE, f"    environment: {{COMMIT: {written}}}")
    (found,) = check(directory)
    assert (found.rule, found.where, found.severity) == (
        "compose-text",
        f"{COMPOSE}:{number}",
        "warning",
    )
    assert written not in found.line(), "it may be a password"
    replaced(directory / COMPOSE, f"COMMIT: {written}", f"COMMIT: '{written}'")
    assert check(directory) == []


@pytest.mark.parametrize("first", ["# notemplating\n", "\n  #notemplating at all\n"])
def test_a_file_may_have_braces_if_it_says_so(directory: Path, first: str) -> None:
    path = directory / COMPOSE
    replaced(path, HERE, "    labels: {log.tag: 'x {{.Name}} {{if'}")
    path.write_text(first + path.read_text())
    assert check(directory) == []


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("    labels: {note: 'built $(date) for $5'}", ["$( can't be read", "$5 can't be read"]),
        ("    labels: {a: '${GID-1}', b: '${UID:?}'}", ["${GID-1} can't", "${UID:?} can't"]),
        ("    ports: [5000, '1:2:x']", ["'5000' is not OUTSIDE", "'1:2:x' is not OUTSIDE"]),
    ],
)
def test_every_fault_of_a_line_is_told(directory: Path, line: str, problems: list[str]) -> None:
    number = replaced(directory / COMPOSE, HERE, line)
    found = errors(check(directory))
    assert {one.where for one in found} == {f"{COMPOSE}:{number}"}
    told = [one.problem for one in found]
    assert [text[: len(start)] for text, start in zip(told, problems, strict=True)] == problems


def test_a_port_is_told_as_it_stands_in_the_file(directory: Path) -> None:
    replaced(directory / COMPOSE, HERE, "    ports: [60022:22]")
    problems = [one.problem for one in check(directory)]
    assert "'22' can't be a port inside a container" in problems
    assert all("22" in problem for problem in problems)


def test_a_mount_and_an_env_file_in_the_long_form(directory: Path) -> None:
    long = "      - type: bind\n        source: ${DATA_DIR}\n        target: /app/data\n        read_only: true"
    mount = replaced(directory / COMPOSE, "      - ${DATA_DIR}:/app/data:ro", long)
    env = replaced(directory / COMPOSE, "env_file: ./stack.env", "env_file: [{path: ./stack.env}]")
    assert [(one.where, one.remedy) for one in errors(check(directory))] == [
        (f"{COMPOSE}:{env}", "write './stack.env'"),
        (f"{COMPOSE}:{mount}", "write '${DATA_DIR}:/app/data:ro'"),
    ]


BLOCKS = """\
x-careful: &careful
  cap_drop: [ALL]
  read_only: true
x-me: &me
  user: '${UID}:${GROUP_ID}'
"""


@pytest.mark.parametrize("merges", ["<<: *careful\n    <<: *me", "<<: [*careful, *me]"])
def test_several_merge_keys_are_all_merged(directory: Path, merges: str) -> None:
    path = directory / COMPOSE
    replaced(path, HEAD, f"{BLOCKS}{HEAD}")
    own = "    user: '${UID}:${GROUP_ID}'\n    cap_drop:\n      - ALL\n    read_only: true\n"
    before, found, after = path.read_text().rpartition(own)
    assert found
    path.write_text(f"{before}    {merges}\n{after}")
    assert check(directory) == []


@pytest.mark.parametrize(("order", "rules"), [("{own}{merge}", ["cap-drop"]), ("{merge}{own}", [])])
def test_a_merge_key_wins_over_what_stands_above_it(
    directory: Path, order: str, rules: list[str]
) -> None:
    path = directory / COMPOSE
    replaced(path, HEAD, f"x-lax: &lax\n  cap_drop: [CHOWN]\n{HEAD}")
    own = "    cap_drop:\n      - ALL\n"
    replaced(path, own, order.format(own=own, merge="    <<: *lax\n"))
    found = check(directory)
    assert [one.rule for one in found] == rules
    text = path.read_text()
    assert not mend.mend(directory, found), "what is put above a merge key has no effect"
    assert path.read_text() == text


OLD = """\
x-last-year: &old
  hostname: ${OLD_NAME}
  working_dir: '${OLD_PLACE:-/app}'
  privileged: true
  comand: serve
"""


def test_a_block_that_nobody_reads_is_not_looked_at(directory: Path) -> None:
    replaced(directory / COMPOSE, HEAD, f"{OLD}{HEAD}")
    assert check(directory) == []


def test_a_repeated_variable_is_told_without_its_value(directory: Path) -> None:
    replaced(directory / COMPOSE, HERE, "    environment: [TOKEN=hidden, A=1, TOKEN=hidden]")
    (found,) = errors(check(directory))
    assert found.rule == "compose-repeated"
    assert "TOKEN twice" in found.problem and "hidden" not in found.line()


def test_a_default_with_a_blank_is_told_as_a_default(directory: Path) -> None:
    replaced(directory / COMPOSE, "    read_only: true", "    labels: {a: '${NAME:-hello world}'}")
    (found,) = errors(check(directory))
    assert found.rule == "variable-form"
    assert found.remedy == "write ${NAME}, and set NAME in the env file"


def test_a_block_has_one_finding_for_each_fault_however_often_it_is_merged(directory: Path) -> None:
    path = directory / COMPOSE
    for service in ("app", "web"):
        replaced(path, f"  {service}:\n", f"  {service}:\n    <<: *old\n")
    first = replaced(path, HEAD, f"{OLD}{HEAD}")
    assert [(one.rule, one.where) for one in check(directory)] == [
        ("variable-unset", f"{COMPOSE}:{first + 1}"),
        ("variable-form", f"{COMPOSE}:{first + 2}"),
        ("compose-forbidden", f"{COMPOSE}:{first + 3}"),
        ("compose-key", f"{COMPOSE}:{first + 4}"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "version: '2'\ncatalog: {name: site, version: v1}\n",
        "# later\n",
        "",
        "version: '2'\nservices:\n",
    ],
)
def test_the_second_file_needs_no_services(directory: Path, text: str) -> None:
    made_older(directory)
    (directory / RANCHER).write_text(text)
    found = check(directory)
    assert not errors(found)
    assert {one.rule for one in found} == {"health-check"}


@pytest.mark.parametrize("text", ["services:\n", "services: {}\n", "- a\n", "a\n", ""])
def test_the_compose_file_itself_needs_them(directory: Path, text: str) -> None:
    (directory / COMPOSE).write_text(text and f"version: '2'\n{text}" if ":" in text else text)
    assert [one.rule for one in errors(check(directory))] == ["compose-services"]


NESTED = "[" * 50_000


@pytest.mark.parametrize(
    "text",
    [
        'services: {web: {image: "\\Uffffffff"}}',
        'services: {web: {image: "\\U00110000"}}',
        "%YAML 1." + "9" * 6000 + "\n---\nservices: {web: {image: x}}",
        'services: {web: {image: !!binary "é"}}',
        "services: {web: {image: !!binary abc}}",
        'services: {web: {image: x, env_file: "a\\0b"}}',
        f"services: {NESTED}",
        f"services: {{web: {{image: x}}}}\n---\n{NESTED}",
    ],
)
def test_no_text_is_a_bug_of_ours(directory: Path, text: str) -> None:
    (directory / COMPOSE).write_text(f"{text}\n" if text[0] == "%" else f"version: '2'\n{text}\n")
    assert "yaml" in {one.rule.partition("-")[0] for one in errors(check(directory))}


def test_a_name_that_no_file_can_have_is_a_file_that_is_missing(directory: Path) -> None:
    name = "x" * 300
    replaced(directory / COMPOSE, "./stack.env", f"./{name}")
    dockerfile = directory / "web" / "Dockerfile"
    dockerfile.write_text(f"{dockerfile.read_text()}COPY {name} /x\n")
    assert {"env-file-missing", "image-copy"} <= {one.rule for one in errors(check(directory))}


def test_two_services_on_one_line_are_both_looked_at(directory: Path) -> None:
    text = "version: '2'\nservices: {app: {image: x:1}, web: {image: 5}}\n"
    (directory / COMPOSE).write_text(text)
    assert "compose-type" in {one.rule for one in errors(check(directory))}


def test_a_second_document_is_not_read(directory: Path) -> None:
    path = directory / COMPOSE
    lines = path.read_text().count("\n")
    path.write_text(path.read_text() + "---\nservices: {}\n")
    (found,) = check(directory)
    assert (found.rule, found.where) == ("yaml", f"{COMPOSE}:{lines + 2}")


def test_a_byte_order_mark_is_no_part_of_any_file(directory: Path) -> None:
    made_older(directory)
    for name in (COMPOSE, RANCHER, ENV):
        path = directory / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert check(directory) == []


@pytest.mark.parametrize(
    ("value", "rule", "remedy"),
    [
        (
            "60037 # the port",
            "env-quotes",
            "write WEB_PORT=60037, and the comment on a line of its own",
        ),
        (
            '"60037"  # the port',
            "env-quotes",
            "write WEB_PORT=60037, and the comment on a line of its own",
        ),
        ('"60037"', "env-quotes", "write WEB_PORT=60037"),
        (" '60037' ", "env-quotes", "write WEB_PORT=60037"),
    ],
)
def test_quotes_and_comments_in_the_env_file_are_told_as_such(
    directory: Path, value: str, rule: str, remedy: str
) -> None:
    number = replaced(directory / ENV, "WEB_PORT=60037", f"WEB_PORT={value}")
    found = check(directory)
    assert [(one.rule, one.where, one.remedy) for one in found] == [
        (rule, f"{ENV}:{number}", remedy)
    ]
    assert mend.mend(directory, found) == found
    assert check(directory) == []
    assert ("\n# the port\n" in (directory / ENV).read_text()) == ("#" in value)


@pytest.mark.parametrize("title", ["Night # 1", "a #b c", "#1"])
def test_a_title_may_have_a_number_sign(directory: Path, title: str) -> None:
    replaced(directory / ENV, "WEB_PORT=60037\n", f"WEB_PORT=60037\nTITLE={title}\n")
    replaced(directory / COMPOSE, HERE, "    labels: {title: '${TITLE}'}")
    assert check(directory) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "shift"),
    [
        (ENV, "GROUP_ID=58102", "GROUP_ID=0", "numeric-id", "GROUP_ID"),
        (ENV, "WEB_PORT=60037", "WEB_PORT=61000", "port-range", "WEB_PORT"),
        (ENV, "DATA_DIR=", "DATA_DIR=/global/homes/a/alice/", "path-mountable", "DATA_DIR"),
        (ENV, "DATA_DIR=", "DATA_DIR=/global/cfs/cdirs/desi\n# ", "mount-depth", "DATA_DIR"),
    ],
)
def test_a_value_is_wrong_where_it_is_set(
    directory: Path, file: str, old: str, new: str, rule: str, shift: str
) -> None:
    number = replaced(directory / file, old, new)
    assert [(one.rule, one.where) for one in check(directory)] == [
        (rule, f"{file}:{number} ({shift})")
    ]


def test_a_value_of_a_destination_is_wrong_in_the_settings(directory: Path) -> None:
    replaced(
        directory / "invoke.yaml",
        "{environment: dev-cattle",
        "{env: {WEB_PORT: '61000'}, environment: dev-cattle",
    )
    (found,) = check(directory)
    assert found.where == "invoke.yaml, destination dev, env.WEB_PORT"


@pytest.mark.parametrize(
    "user", ["root", "0:58102", "root:root", "'1000'", "'1000:'", "'${UID}:desi'"]
)
def test_one_line_to_write_for_a_wrong_user(directory: Path, user: str) -> None:
    path = directory / COMPOSE
    line = "    user: '${UID}:${GROUP_ID}'\n"
    number = replaced(path, line, f"    user: {user}\n")
    (found,) = check(directory)
    assert (found.where, found.remedy) == (f"{COMPOSE}:{number}", f"write `{line.strip()}`")
