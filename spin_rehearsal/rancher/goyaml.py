"""YAML as the client's Go library reads it: YAML 1.1, by way of PyYAML with a few changes.

`y` and `n` are booleans; dates and base-60 numbers (`22:22`) stay text. Errors carry
libyaml's words and line numbers.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, ScalarNode
from yaml.parser import ParserError
from yaml.scanner import ScannerError

# PyYAML's words and libyaml's, where they differ.
_WORDS = {
    "mapping values are not allowed here": "mapping values are not allowed in this context",
    "sequence entries are not allowed here": (
        "block sequence entries are not allowed in this context"
    ),
}
_TAGS = {
    "tag:yaml.org,2002:str": "!!str",
    "tag:yaml.org,2002:int": "!!int",
    "tag:yaml.org,2002:float": "!!float",
    "tag:yaml.org,2002:bool": "!!bool",
    "tag:yaml.org,2002:seq": "!!seq",
}


class YamlError(ValueError):
    """The text is not YAML, or not of the shape asked for."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with Go's idea of which plain words are no text."""


def _resolvers() -> None:
    int_tag, bool_tag = "tag:yaml.org,2002:int", "tag:yaml.org,2002:bool"
    replaced = {int_tag, bool_tag, "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float"}
    _Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in pairs if tag not in replaced]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    whole = r"[-+]?(?:0b[0-1_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)"
    broken = r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    boolean = "y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"
    for tag, pattern, firsts in (
        (bool_tag, boolean, "yYnNtTfFoO"),
        (int_tag, whole, "-+0123456789"),
        ("tag:yaml.org,2002:float", broken + r"|\.(?:nan|NaN|NAN)", "-+0123456789."),
    ):
        _Loader.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), list(firsts))


def _boolean(loader: Any, node: ScalarNode) -> bool:
    return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")


_resolvers()
_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)


def load(text: str) -> Any:
    """The document as Python values. Raises YamlError with libyaml's message."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as problem:
        raise YamlError(_message(problem)) from None
    finally:
        loader.dispose()


def not_a_mapping(text: str, path: tuple[str, ...]) -> YamlError:
    """The error for a value at `path` that should have been a service's mapping."""
    node = yaml.compose(text, Loader=_Loader)
    for key in path:
        if isinstance(node, MappingNode):
            node = next(value for name, value in node.value if name.value == key)
    assert node is not None
    line = node.start_mark.line + 1
    shown = f" `{node.value}`" if isinstance(node, ScalarNode) else ""
    tag = _TAGS.get(node.tag, node.tag)
    return YamlError(
        f"yaml: unmarshal errors:\n  line {line}: cannot unmarshal {tag}{shown} "
        "into config.RawService"
    )


def _message(problem: yaml.YAMLError) -> str:
    if isinstance(problem, yaml.MarkedYAMLError) and problem.problem_mark is not None:
        # The Go library counts a scanner's lines from 1 and a parser's from 0.
        line = problem.problem_mark.line + (0 if isinstance(problem, ParserError) else 1)
        words = _words(problem)
        return f"yaml: line {line}: {words}" if line else f"yaml: {words}"
    return f"yaml: {str(problem).splitlines()[0]}"


def _words(problem: yaml.MarkedYAMLError) -> str:
    words = str(problem.problem)
    if isinstance(problem, ScannerError) and "cannot start any token" in words:
        return "found character that cannot start any token"
    if isinstance(problem, ParserError) and words.startswith("expected <block end>"):
        return f"did not find expected {'key' if 'mapping' in str(problem.context) else '-'}"
    if isinstance(problem, ParserError) and words.startswith("expected the node content"):
        return "did not find expected node content"
    if isinstance(problem, ConstructorError):
        return words
    return _WORDS.get(words, words)
