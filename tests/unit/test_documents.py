"""What the documents tell people to type, to write and to look for exists."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import invoke
import pytest
import yaml
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.program import Program

from spinstack.config import misread, settings
from spinstack.config import stack as config_stack
from spinstack.console.error_table import packaged
from spinstack.platforms import choose
from spinstack.rules import finding
from spinstack.tasks import ns
from tests.baking import REPOSITORY, bake

# For people who run a stack; the others speak of this repository's own tasks.
DOCUMENTS = (
    REPOSITORY / "README.md",
    *(REPOSITORY / "docs" / f"{name}.md" for name in ("spin-today", "kubernetes", "tutorial-map")),
    *(REPOSITORY / "docs" / f"{name}.md" for name in ("tutorial", "where")),
    *sorted((REPOSITORY / "docs" / "how-to").glob("*.md")),
    *sorted((REPOSITORY / "docs" / "reference").glob("*.md")),
)
GUIDE = REPOSITORY / "docs" / "spin-today.md"
TROUBLES = REPOSITORY / "docs" / "how-to" / "troubleshooting.md"
DIRECTORY = "<<cookiecutter.stack_name>>"


def commands(text: str) -> Iterator[str]:
    """Those in backquotes, and those on lines of their own, without what is said about them."""
    prose = re.sub(r"(?m)^    .*$", "", text)
    yield from (" ".join(it.split()) for it in re.findall(r"`(invoke [^`]+)`", prose))
    # Also in a pipe, and as a step of a CI job.
    lines = re.findall(r"(?m)^ {4}(?:\w+=\$\(|.*\| |.*- (?:run: )?)?(invoke .*)$", text)
    yield from (re.split(r"\s+(?:#|\|\||>)|\)$", line)[0] for line in lines)


@pytest.mark.parametrize("kind", ["nightwatch", "wsgi", "static"])
def test_what_is_to_be_typed_in_a_stack_can_be_typed(kind: str, tmp_path: Path) -> None:
    test_what_is_to_be_typed_can_be_typed(bake(tmp_path, kind=kind) / "README.md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_what_is_to_be_typed_can_be_typed(path: Path) -> None:
    program = Program(namespace=ns)
    program.create_config()
    parser = Parser(contexts=ns.to_contexts(), initial=program.initial_context)
    for command in commands(path.read_text(encoding="utf-8")):
        words = shlex.split(command.replace("TASK", "status"))[1:]
        try:
            parser.parse_argv([word for word in words if word != "…"])
        except ParseError as error:
            # A task may be named without what it needs.
            named = "required positional" in str(error) and len(words) == 1
            assert named or words[0] == "--help", f"{path.name}: {command}: {error}"


def blocks(path: Path) -> list[str]:
    """The indented texts of a document."""
    found = re.findall(r"(?:^    .*\n)+", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [textwrap.dedent(text) for text in found]


def test_the_settings_in_the_documents_bring_a_new_stack_to_a_cluster(tmp_path: Path) -> None:
    """As they stand there, and with nothing else changed but the namespace."""
    stack = bake(tmp_path, nersc_user="alice", spin_namespace="nightwatch")
    written, mine = stack / "invoke.yaml", tmp_path / "mine.yaml"
    template = written.read_text()
    texts = blocks(GUIDE)
    (own,) = [text for text in texts if text.startswith("spinstack:")]
    mine.write_text(own)
    (secure,) = [text for text in texts if "platform: kubernetes" in text]
    for more in ("", textwrap.indent(secure, "    ")):
        # Those of the template are the last thing in its file; a later key replaces one.
        written.write_text(f"{template.rstrip()}\n{more}")
        for file in (mine, written):
            misread.check(file, "spinstack")
        raw = _merged(*(yaml.safe_load(file.read_text())["spinstack"] for file in (mine, written)))
        loaded = settings.load({"spinstack": raw}, stack)
        for name in ("development", "production"):
            to = loaded.destination(name)
            platform = choose.platform(to.platform, to.kubernetes)
            images = {image.variable: f"r/{image.name}:c-1" for image in loaded.images}
            made = config_stack.read(loaded, images, platform.beside)
            assert not finding.errors(platform.check(made, to)), name
            own_name = bool(more) and name == "production"
            host = f"nightwatch-desi.nightwatch.{to.cluster.context}.svc.spin.nersc.org"
            host = "nightwatch.desi.lbl.gov" if own_name else host
            text = platform.rendered(made, to)
            assert f"host: {host}\n" in text and ("secretName" in text) is own_name


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """As Invoke merges its layers: mappings key by key."""
    both = {
        key: _merged(below[key], it)
        for key, it in above.items()
        if isinstance(below.get(key), dict)
    }
    return {**below, **above, **both}


@pytest.mark.parametrize("page", [GUIDE, TROUBLES], ids=lambda page: page.name)
def test_the_messages_in_the_guides_are_printed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    table = text.partition("## When something is wrong")[2] or text.partition("## Before")[2]
    messages = re.findall(r"(?m)^\| `([^`]+)` ", table)
    known = [re.sub(r"\s+", " ", it.cause) for it in packaged()]
    sources = [
        *(it.read_text() for it in (REPOSITORY / "spinstack").rglob("*.py")),
        *(it.read_text() for it in Path(invoke.__file__).parent.rglob("*.py")),
        *(it.read_text() for it in (REPOSITORY / DIRECTORY).glob("*.py")),
        *(it.read_text() for it in (REPOSITORY / DIRECTORY / "kinds").rglob("*.py")),
    ]
    assert len(messages) > 5
    for message in messages:
        # What is filled in is left out on either side.
        parts = [re.escape(it.strip()) for it in message.split("…") if it.strip()]
        words = ".*".join(parts).replace("registry\\-nersc", r"<\w+>")
        assert any(re.search(words, text) for text in (*known, *sources)), message
