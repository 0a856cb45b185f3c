"""The reference of the site says all that there is to say, and nothing that is not so."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from spinstack.checks import catalogue
from spinstack.config import schema, settings
from spinstack.console import error_table
from spinstack.errors import UsageError
from spinstack.rules import centre
from spinstack.tasks import TOPICS
from spinstack.tasks import ns as collection
from tests.baking import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs" / "_ext"))

import reference
from reference import centre_rules, errors, links, markdown
from reference import settings as reference_settings

PAGES = {page.rpartition("/")[2]: reference.filled(page, "") for page in reference.PAGES}


def headings(page: str, level: int = 3) -> list[str]:
    return re.findall(rf"(?m)^{'#' * level} (.+)$", PAGES[page])


def sections(page: str) -> dict[str, str]:
    """The texts below the headings, by their targets."""
    parts = re.split(r"(?m)^\((.+)\)=$", PAGES[page])
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_task_has_its_options_and_exit_codes() -> None:
    assert sorted(headings("tasks")) == sorted(collection.task_names)
    told = sections("tasks")
    for topic in TOPICS:
        for name, task in zip(topic.names(), topic.tasks, strict=True):
            text = told[f"task-{name.replace('.', '-')}"]
            for argument in task.get_arguments():
                flag = f"--{argument.name.strip('_').replace('_', '-')}"
                assert re.search(rf"`{flag}( [A-Z]+)?`", text), (name, flag)
                assert markdown.prose(argument.help) in text, (name, flag)
            assert re.findall(r"(?m)^\| (\d) \| .+ \|$", text) == ["0", "1", "2"]
            first = task.body.__doc__.strip().partition("\n")[0]
            assert markdown.prose(first).rstrip(".") in text


def test_every_setting_has_its_type_default_and_origin() -> None:
    known = {keys for name, keys in vars(schema).items() if name.endswith("_KEYS")}
    assert {keys for *_, keys in reference_settings.SECTIONS} == known
    told = sections("settings")
    for name in reference_settings.names():
        text = told[f"setting-{name}".replace(".", "-")]
        for field in ("Type", "Default", "Set in"):
            assert re.search(rf"(?m)^:{field}: .", text), (name, field)
    named = {*reference_settings.NEEDED, *reference_settings.OTHERWISE}
    assert named | {*reference_settings.FROM_CENTRE} <= {*reference_settings.names()}


def test_every_rule_of_the_centre_has_its_values_and_source() -> None:
    def keys(data: Mapping[str, Any], above: str = "") -> Iterator[str]:
        for key, value in data.items():
            yield f"{above}{key}"
            if isinstance(value, Mapping):
                yield from keys(value, f"{above}{key}.")

    told = sections("settings")
    shown = set(centre_rules.paths())
    for path in keys(centre.packaged()):
        whole = any(path.startswith(f"{it}.") for it in centre_rules.WHOLE)
        assert path in shown or whole or any(it.startswith(f"{path}.") for it in shown)
    for path in shown:
        text = told[f"centre-{path.replace('.', '-').replace('_', '-')}"]
        assert re.search(r"(?m)^:(Value|Spin, Kubernetes): .", text), path
        assert re.search(r"(?m)^:Source: .", text), path


def test_every_rule_has_its_reason_and_source() -> None:
    assert headings("rules") == list(catalogue.rules())
    told = sections("rules")
    for rule in catalogue.rules().values():
        text = told[f"rule-{rule.id}"]
        assert f":Why: {markdown.prose(rule.reason)}" in text
        assert f":Source: {markdown.prose(rule.source)}" in text
        assert (":--fix: " in text) == bool(rule.fix)


def test_every_known_error_has_its_cause_and_remedy() -> None:
    entries = error_table.packaged()
    assert headings("known-errors") == [entry.id for entry in entries]
    told = sections("known-errors")
    for entry in entries:
        text = told[f"error-{entry.id.replace('.', '-')}"]
        assert f"```text\n{entry.pattern.pattern.rstrip()}\n```" in text
        assert f":Cause: {markdown.sentence(entry.cause)}" in text
        assert f":Fix: {markdown.sentence(entry.remedy)}" in text
        assert (":When: " in text) == bool(entry.when)
    assert {*errors.occasions()} == {it for entry in entries for it in entry.when}


def test_headings_are_those_of_the_files() -> None:
    assert headings("rules", 2)[0] == "Files" and len(headings("rules", 2)) == 9
    assert len(headings("known-errors", 2)) == len({it.group for it in error_table.packaged()})


@pytest.mark.parametrize("name", sorted(set(reference_settings.NEEDED)))
def test_what_is_said_to_be_needed_is(name: str) -> None:
    whole: dict[str, Any] = {
        "stack": "demo",
        "images": {"KEY": {"context": "web", "name": "nginx"}},
        "services": {"NAME": {"health": {"port": 80}, "stop": {"command": "true"}}},
        "destinations": {
            "NAME": {
                **{"environment": "dev-cattle", "project_dir": "/p"},
                "checkouts": {"VARIABLE": {"url": "u"}},
            }
        },
    }
    if name.startswith("destinations.NAME.kubernetes."):
        there = {"platform": "kubernetes", "kubernetes": {"context": "c", "namespace": "n"}}
        whole["destinations"]["NAME"] = there
    assert settings.load({"spinstack": whole}, REPOSITORY).destination("NAME")
    *above, last = name.split(".")
    holder = whole
    for key in above:
        holder = holder[key]
    del holder[last]
    with pytest.raises(UsageError, match=r"missing|not a stack"):
        settings.load({"spinstack": whole}, REPOSITORY).destination("NAME")


def test_texts_of_the_code_are_shown_to_the_letter() -> None:
    assert markdown.prose("a <path>,\n  *_temp and `<x>_y`") == r"a \<path\>, \*\_temp and `<x>_y`"
    assert markdown.code("a`b") == "``a`b``"


def test_links_into_the_repository_lead_to_pages_of_the_site() -> None:
    text = "[a](../CONTRIBUTING.md) [b](../LICENSE) [c](performance.md)"
    assert links.inside("architecture", text) == (
        "[a](contributing.md) [b](../LICENSE) [c](performance.md)"
    )
    assert links.inside("how-to/ci", "[a](../../CHANGELOG.md)") == "[a](../changelog.md)"
