"""The laptop's reader of compose files and that of the rehearsal's client read every file alike, as
rancher 0.6.7 does. They share no code: the client goes to the login node alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spin_rehearsal.rancher import composefile, goyaml, schema
from spin_rehearsal.rancher.failure import Failure
from spin_rehearsal.rancher.interpolate import InvalidFormat, interpolate_text
from spin_rehearsal.rancher.variables import Variables
from spinstack.config import compose, compose_keys, interpolation, settings, templates
from spinstack.config import goyaml as laptop_goyaml
from spinstack.config.env_file import Variable
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.deploy import diff
from spinstack.local.compose_file import derive
from spinstack.platforms.base import RunningService
from spinstack.platforms.rancher1 import files

# Some block of a service that is neither environment nor labels.
BLOCK = "version: '2'\nservices:\n  web:\n    metadata:\n"


def laptop(text: str) -> Any:
    file = compose.parse(text, "docker-compose.yml")
    if file.findings:
        raise ValueError(file.findings[0].problem)
    return file.data


def client(text: str) -> Any:
    return goyaml.load(text)


BOTH = pytest.mark.parametrize("read", [laptop, client])


@BOTH
@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[(word, True) for word in ("y", "Y", "yes", "on", "On", "TRUE")],
        *[(word, False) for word in ("n", "No", "off", "false")],
        *[(word, None) for word in ("~", "null", "NULL", "")],
        *[(text, text) for text in ("12:30", "60022:22", "1:2:3.5", "2020-99-99", "2020-01-01")],
        *[(text, text) for text in ("nO", "tRue", "inf", "_1", "0o17", "0x", "1e999", "1e", "-_")],
        *[(text, text) for text in ("0xffffffffffffffffff", "1.2.3", "<", "._5", "٣")],
        ("680841e1", 6808410.0),
        ("08", 8.0),
        ("010", 8),
        ("0x1F", 31),
        ("-0x10", -16),
        ("0b11", 3),
        ("-0b11", -3),
        ("1_000", 1000),
        ("+12", 12),
        ("1.10", 1.1),
        ("1_0.5", 10.5),
        (".5", 0.5),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("-.inf", -math.inf),
        ("+Infinity", math.inf),
        ("!!str 12", "12"),
        ("!!float 1.5", 1.5),
        ("!!timestamp 2020-99-99", "2020-99-99"),
        ("!odd 12", "12"),
        ("! 12", 12),
        ("!!binary aGk=", "hi"),
        ("!!set {a, b}", {"a": None, "b": None}),
        ("'12'", "12"),
        ("{a: 1, a: 2}", {"a": 2}),
        ("{on: 1, 08: 2, ~: 3}", {True: 1, 8.0: 2, None: 3}),
    ],
)  # fmt: skip
def test_a_value(read: Callable[[str], Any], written: str, value: Any) -> None:
    found = read(f"{BLOCK}      A: {written}\n")["services"]["web"]["metadata"]["A"]
    assert (found, type(found)) == (value, type(value))


@BOTH
@pytest.mark.parametrize(
    ("block", "value"),
    [
        ("A: 1\n<<: {A: 2}", {"A": 2}),
        ("<<: {A: 2}\nA: 1", {"A": 1}),
        ("<<: {A: 1, B: 1}\n<<: {B: 2}", {"A": 1, "B": 2}),
        ("<<: [{A: 1}, {A: 2, B: 2}]", {"A": 1, "B": 2}),
        ("<<: {A: 1, <<: {A: 2}}", {"A": 2}),
        ("'<<': {A: 1}", {"<<": {"A": 1}}),
        ("A: &it {B: 1}\nC: {<<: *it, D: 2}", {"A": {"B": 1}, "C": {"B": 1, "D": 2}}),
    ],
)
def test_merge_keys(read: Callable[[str], Any], block: str, value: Any) -> None:
    indented = "".join(f"      {line}\n" for line in block.split("\n"))
    assert read(BLOCK + indented)["services"]["web"]["metadata"] == value


@BOTH
@pytest.mark.parametrize(
    "block",
    ["<<: 1", "<<: [1]", "A: !!int x", "A: !!float 5", "[a]: b", "A: &x {B: *x}", "A: !!bool 1"],
)
def test_what_is_refused(read: Callable[[str], Any], block: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(f"{BLOCK}      {block}\n")


@BOTH
def test_names_are_text_and_only_the_first_document_counts(read: Callable[[str], Any]) -> None:
    text = "version: 2\non: 1\nservices:\n  08:\n    on: 1\n    ~: 2\nvolumes: {no: {}}\n---\nx: ["
    data = read(text)
    assert data["version"] == "2"
    assert (set(data), set(data["volumes"])) == ({"version", "on", "services", "volumes"}, {"no"})
    assert data["services"] == {"08": {"on": 1, "": 2}}


def on_the_laptop(text: str) -> dict[str, Any]:
    file = compose.parse(text, "docker-compose.yml")
    found = interpolation.findings(file, {"A": "x"})
    if file.findings or [one for one in found if one.rule == "variable-form"]:
        raise ValueError(file.findings or found)
    services: dict[str, Any] = interpolation.filled(file, {"A": "x"})["services"]
    return services


def on_the_login_node(text: str) -> dict[str, Any]:
    variables = Variables({"A": "x"}, {})
    source = composefile.evaluate(composefile.Source("f", text), "demo", variables)
    try:
        return composefile.read([source], variables).services
    except Failure as failure:
        raise ValueError(str(failure)) from None


READERS = pytest.mark.parametrize("read", [on_the_laptop, on_the_login_node])


@READERS
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12:30", "12:30"),
        ("680841e1", "6.80841e+06"),
        ("08", "8"),
        ("yes", "true"),
        ("", None),
        ("1.50", "1.5"),
        ("'$A ${A} $$A $Aé'", "x x $A xé"),
        ("'{{.Name}}'", "<no value>"),
        ("'{{`{{.Name}}`}}'", "{{.Name}}"),
        ("'{{\"{{\"}}'", "{{"),
        ("'a{{/* }} \" */}}b'", "ab"),
        ("'}}'", "}}"),
    ],
)
def test_a_variable_of_a_service(read: Callable[[str], Any], written: str, value: Any) -> None:
    text = f"version: '2'\nservices:\n  web:\n    image: x\n    environment:\n      V: {written}\n"
    assert read(text)["web"]["environment"]["V"] == value


# What PyYAML, or a reader that fills in nothing, would make something else of.
SERVICES = {
    "base 60": "environment: {V: 12:30}\nhostname: 12:30\ncommand: [sleep, 12:30]",
    "numbers and words": "environment: {A1: 680841e1, A2: 08, A3: yes, A4: 1.50}\nmem_limit: 010",
    "quoted": "environment: {V: '0o17'}\nhostname: '680841e1'\ncommand: ['08', 'yes', '1e1']",
    "a date": "environment: {V: 2020-01-01}\nhostname: 2020-01-01",
    "a template": "environment: {V: '{{.Name}}'}\nlabels: {l: 'a{{`{{.Name}}`}}b'}",
    "two merge keys": (
        "environment: {<<: {V: 1, W: 1}, <<: {W: 2}, X: $A}\n"
        "<<: {hostname: one, command: a}\n<<: {hostname: two}"
    ),
    "a merge key last": "hostname: one\n<<: {hostname: two}",
    "dollar signs": "environment: {V: '$A ${A} $$A'}\ncommand: echo $$A $A",
}


@pytest.mark.parametrize("written", SERVICES.values(), ids=SERVICES)
def test_render_diff_and_a_local_run_have_what_the_client_reads(
    tmp_path: Path, written: str
) -> None:
    lines = "".join(f"    {line}\n" for line in written.split("\n"))
    text = f"version: '2'\nservices:\n  web:\n    image: x\n{lines}"
    theirs = on_the_login_node(text)["web"]
    file, to = compose.parse(text, "docker-compose.yml"), destination(tmp_path)
    ours = Stack("demo", tmp_path, file, {}, {"A": Variable("x", 1)}, "stack.env", {})

    rendered = files.rendered(ours, to).partition("# docker-compose.yml\n")[2]
    assert client(rendered)["services"]["web"] == theirs

    running = RunningService(
        command=theirs.get("command"),
        environment={name: value or "" for name, value in theirs.get("environment", {}).items()},
    )
    values = ours.variables(to)
    assert diff.started_with(ours, "web", running, values) == []

    # Compose fills in what has one dollar sign.
    derived = Template(derive(ours, values, uid=1).text()).safe_substitute(A="filled in again")
    local = yaml.safe_load(derived)["services"]["web"]
    assert local == {key: value for key, value in theirs.items() if value != {}}


def destination(directory: Path) -> Destination:
    way = {"host": "login", "environment": "dev-cattle", "project_dir": "/x"}
    raw = {"stack": "demo", "destinations": {"dev": way}}
    return settings.load({"spinstack": raw}, directory).destination("dev")


@READERS
@pytest.mark.parametrize("line", ["# notemplating", "#notemplating", "\n # notemplating more"])
def test_a_file_without_templates(read: Callable[[str], Any], line: str) -> None:
    text = f"{line}\nversion: '2'\nservices:\n  web: {{image: x, hostname: '{{{{if'}}\n"
    assert read(text)["web"]["hostname"] == "{{if"


@READERS
def test_comments_in_an_action_that_does_not_end_take_no_time(read: Callable[[str], Any]) -> None:
    """Each could be read in two ways: 2^60 of them would never end."""
    with pytest.raises((ValueError, Failure)):
        read("version: '2'\nservices: {web: {image: x, hostname: '{{ " + "/* */ " * 60 + "'}}\n")


@READERS
def test_actions_that_do_not_end_take_no_time_however_many_there_are(
    read: Callable[[str], Any],
) -> None:
    with pytest.raises((ValueError, Failure), match=r"unclosed|does not end"):
        read("version: '2'\nservices:\n  web:\n    image: '" + "{{ " * 100_000 + "'\n")


def test_a_line_of_many_actions_takes_no_time() -> None:
    line = "# " + "{{.Name}}{{/* x */}}" * 50_000
    for start in ("\n", "a: b # "):
        text = f"version: '2'\n{start}{line}"
        found = templates.filled(text, "f")
        assert found == (text.replace("{{.Name}}{{/* x */}}", templates.NO_VALUE), found[1])
        assert [one.where for one in found[1]] == ["f:2"] * (0 if start == "\n" else 50_000)


@READERS
def test_what_is_no_binary_data_is_refused(read: Callable[[str], Any]) -> None:
    with pytest.raises((ValueError, Failure), match="invalid base64"):
        read("version: '2'\nservices: {web: {image: !!binary abc}}\n")


def test_a_service_that_is_no_mapping_is_found_where_the_client_finds_it() -> None:
    for text in ("x: &x {web: 5}\nservices: {<<: *x}", "services: {web: {image: x}, web: 5}"):
        told = goyaml.not_a_mapping(f"version: '2'\n{text}\n", ("services", "web"))
        assert "cannot unmarshal !!int `5` into" in str(told)


@READERS
def test_a_number_may_have_any_length(read: Callable[[str], Any]) -> None:
    read(f"version: '2'\nservices: {{web: {{image: x, metadata: {{a: {'1' * 5000}}}}}}}\n")


@READERS
def test_a_block_that_is_not_read_may_hold_anything(read: Callable[[str], Any]) -> None:
    text = "version: '2'\nx-old: {a: '${B:-c}', d: $(e)}\nservices: {web: {image: x}}\n"
    assert read(text)["web"] == {"image": "x"}


@given(st.text(st.sampled_from("${}AB5é_-:() x")))
def test_the_same_dollar_signs_are_refused(text: str) -> None:
    file = compose.ComposeFile("f", {"services": {"web": {"command": text}}})
    refused = any(not one.name for one in interpolation.references(file))
    try:
        theirs = interpolate_text(text, Variables({"A": "x"}, {}))
    except InvalidFormat:
        assert refused
    else:
        assert not refused
        assert interpolation.interpolate(text, {"A": "x"}) == theirs


@given(st.text(st.sampled_from("0123456789abefxXo_+-.:yYnNtT~ ")))
def test_the_same_words_are_no_text_and_stay_what_they_are_when_written(text: str) -> None:
    tag, value = laptop_goyaml.plain(text)
    theirs = goyaml._plain(text)
    assert (tag, repr(value)) == (theirs[0], repr(theirs[1]))
    shown = laptop_goyaml.dump({"V": text}, width=80)
    node = next(laptop_goyaml.documents(shown)).value[0][1]
    assert laptop_goyaml.scalar(node) == text
    assert yaml.safe_load(shown) == {"V": text}


def test_a_failed_template_ends_the_file_without_a_word(tmp_path: Path) -> None:
    source = composefile.Source("f", "a: 1\nb: {{.Stack.Nosuch}}\nc: 3\n")
    assert composefile.evaluate(source, "demo", Variables({}, {})).text == "a: 1\nb: "


# What rancher 0.6.7 itself says of a key of the service web; empty if it takes it.
KEY = "Service 'web' configuration key"
TYPE = "contains an invalid type, it should be"
TEXT = "is an invalid type, it should be a string"
TWICE = "contains non unique items, please remove duplicates from"
JUDGED = [
    ("cap_add: [A, B, A]", f"{KEY} 'cap_add' value [A B A] has non-unique elements"),
    ("ports: ['1:2', '1:2']", f"{KEY} 'ports' value [1:2 1:2] has non-unique elements"),
    ("ports: [5000, '5000']", ""),
    ("expose: [5000.0, 5000]", f"{KEY} 'expose' value [5000 5000] has non-unique elements"),
    ("volumes: ['$A:/b', 'x:/b']", f"{KEY} 'volumes' value [x:/b x:/b] has non-unique elements"),
    ("depends_on: [a, a]", f"{KEY} 'depends_on' value [a a] has non-unique elements"),
    ("dns: [a, a]", f"{KEY} 'dns' {TWICE} [a a]"),
    ("env_file: [a, a]", f"{KEY} 'env_file' {TWICE} [a a]"),
    ("environment: [1, '1']", f"{KEY} 'environment' {TWICE} [1 1]"),
    ("environment: [A=1, A=2]", ""),
    ("networks: [a, a]", f"{KEY} 'networks' {TWICE} [a a]"),
    ("command: [a, a]", ""),
    ("entrypoint: [a, a]", ""),
    ("secrets: [a, a]", ""),
    ("hostname:", f"{KEY} 'hostname' {TYPE} a string."),
    ("environment:", f"{KEY} 'environment' {TYPE} an array or object"),
    ("cap_add:", f"{KEY} 'cap_add' {TYPE} an array."),
    ("pid:", ""),
    ("pid: 5", f"{KEY} 'pid' {TYPE} a string or null."),
    ("scale: '2'", ""),
    ("mem_limit: [1]", f"{KEY} 'mem_limit' {TYPE} a number or string."),
    ("mem_swappiness: '5'", f"{KEY} 'mem_swappiness' {TYPE} an integer."),
    ("tty: 5", f"{KEY} 'tty' {TYPE} a boolean."),
    ("cap_add: [A, 5]", f"{KEY} '1' {TYPE} a string."),
    ("group_add: [true]", f"{KEY} '0' {TYPE} a string or number."),
    ("dns: [a, 5]", f"{KEY} 'dns' contains 5, which {TEXT}"),
    ("dns_opt: a", f"{KEY} 'dns_opt' {TYPE} an array or object"),
    ("command: 5", f"{KEY} 'command' {TYPE} a string or array"),
    ("command: [5]", f"{KEY} 'command' contains 5, which {TEXT}"),
    ("build: [a]", f"{KEY} 'build' {TYPE} a string or object"),
    ("networks: 5", f"{KEY} 'networks' {TYPE} an object"),
    ("secrets: 5", f"{KEY} 'secrets' {TYPE} an array."),
    ("secrets: [[a]]", f"{KEY} '0' contains [a], which {TEXT}"),
    ("metadata: 5", f"{KEY} 'metadata' {TYPE} an object."),
    ("extra_hosts: {a: [b]}", f"{KEY} 'extra_hosts' {TYPE} an array or object"),
    ("port_rules: 5", f"{KEY} 'port_rules' {TYPE} an array."),
    ("cpu_count: 1", "Unsupported config option for web service: 'cpu_count'"),
    ("log_driver: x", "Unsupported config option for web service: 'log_driver'"),
    ("port: x", "Unsupported config option for web service: 'port' (did you mean 'ports'?)"),
    ("vcpu: 1", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), JUDGED)
def test_what_the_client_says_of_a_key(line: str, said: str) -> None:
    text = f"version: '2'\nservices:\n  web:\n    image: x\n    {line}\n"
    if said:
        with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
            on_the_login_node(text)
    else:
        on_the_login_node(text)
    assert bool(found_on_the_laptop(*on_the_laptop(text)["web"].popitem())) is bool(said)


def found_on_the_laptop(key: str, value: Any) -> object:
    known = compose_keys.TYPES.get(key)
    return not known or compose_keys.wanted(key, value) or compose_keys.repeated(key, value)


SAMPLES: list[Any] = [
    *(5, 1.5, True, None, "512m", {}, {"a": 1}, {"a": [1]}, {"a": None}, []),
    *(["a"], ["a", "b"], ["a", "a"], [5], [5, 5], [5, "5"], [1.0, 1], [True], [None], ["a", 5]),
]  # fmt: skip


@pytest.mark.parametrize("key", sorted({*compose_keys.TYPES, *schema._TYPES}))
def test_a_key_may_have_the_same_values(key: str) -> None:
    for value in SAMPLES:
        if key in compose_keys._SHORT_FORMS and value == [None]:
            continue  # a finding of its own, beside that of the key
        try:
            schema.check_service("web", {key: value})
        except Failure as failure:
            assert found_on_the_laptop(key, value), (value, str(failure))
        else:
            assert not found_on_the_laptop(key, value), value
