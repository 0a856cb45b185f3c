"""YAML as the client's Go library (go-yaml 2) reads it, by way of PyYAML.

No dates and no base-60 numbers (`22:22`), `y` and `on` are true, `680841e1` is a number and `08`
is 8; a merge key counts by its place, and two are both merged; of several documents, the first
is read. Errors carry libyaml's words and line numbers.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
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


# A plain scalar is one of these words, a number, or text.
_STR, _BINARY = "tag:yaml.org,2002:str", "tag:yaml.org,2002:binary"
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_RESOLVED = (_NULL, _BOOL, _INT, _FLOAT)
_NOTHING = re.compile("~|null|Null|NULL|")
_TRUE = re.compile("y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON")
_FALSE = re.compile("n|N|no|No|NO|false|False|FALSE|off|Off|OFF")
_WHOLE = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)|-?0b[01]{1,63}")
_BROKEN = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:nan|NaN|NAN)|[-+]?\.(?:inf|Inf|INF)|[-+](?i:inf|infinity)"
)
# Section, name and key of a service are text to the client, whatever they look like.
_TEXT_KEYS = 3
_SECTIONS = ("services", "containers", "volumes", "networks")


def _plain(text: str) -> tuple[str, Any]:
    """The tag and the value of a scalar without quotes."""
    if _NOTHING.fullmatch(text):
        return _NULL, None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return _BOOL, bool(_TRUE.fullmatch(text))
    # Only in a number are underscores passed over.
    bare = text.replace("_", "") if text[0] in "+-0123456789" else text
    # None of 64 bits has more signs; Python reads no more than 4,300.
    if _WHOLE.fullmatch(bare) and len(bare.lstrip("+-0")) <= 64:
        value = _whole(bare)
        if -(2**63) <= value < 2 ** (63 if bare[0] in "+-" else 64):
            return _INT, value
    if _BROKEN.fullmatch(bare):
        number = float(bare.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if "inf" in bare.lower() or abs(number) != float("inf"):
            return _FLOAT, number
    return _STR, text


def _whole(text: str) -> int:
    digits = text.lstrip("+-")
    base = {"0x": 16, "0X": 16, "0b": 2}.get(digits[:2], 8 if digits[0] == "0" else 10)
    return int(text, base)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with Go's idea of plain words, merge keys and tags."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is ScalarNode:
            return _plain(value)[0] if implicit[0] else _STR
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def flatten_mapping(self, node: MappingNode) -> None:
        """Put what merge keys bring in their place; of two equal keys the later counts."""
        node.value = [pair for key, value in node.value for pair in _merged(key, value)]


def _merged(key: Node, value: Node) -> list[tuple[Node, Node]]:
    if not isinstance(key, ScalarNode) or key.value != "<<" or key.style is not None:
        return [(key, value)]
    parts = value.value if isinstance(value, SequenceNode) else [value]
    if not all(isinstance(part, MappingNode) for part in parts):
        problem = "map merge requires map or sequence of maps as the value"
        raise ConstructorError(None, None, problem, value.start_mark)
    inner = [pair for part in reversed(parts) for pair in part.value]
    return [pair for name, item in inner for pair in _merged(name, item)]


def _value(loader: Any, node: Node) -> Any:
    """The value of a node; tags other than those of plain scalars mean nothing to the client."""
    if isinstance(node, SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, MappingNode):
        return loader.construct_mapping(node, deep=True)
    if node.tag == _BINARY:
        try:
            return base64.b64decode(node.value).decode("utf-8", "replace")
        except ValueError:
            problem = "!!binary value contains invalid base64 data"
            raise ConstructorError(None, None, problem, node.start_mark) from None
    if node.tag not in _RESOLVED:
        return node.value
    tag, value = _plain(node.value)
    if tag != node.tag:
        short = (name.replace("tag:yaml.org,2002:", "!!") for name in (tag, node.tag))
        problem = f"cannot decode {next(short)} `{node.value}` as a {next(short)}"
        raise ConstructorError(None, None, problem, node.start_mark)
    return value


_Loader.yaml_constructors = {None: _value}


def _document(text: str) -> tuple[_Loader, Node | None]:
    """The first document, with text for keys where the client knows no others."""
    loader = _Loader(text)
    root = loader.get_node() if loader.check_node() else None
    if isinstance(root, MappingNode):
        _text_keys(loader, root, 1)
        for key, value in root.value:
            if key.value in _SECTIONS:
                _text_keys(loader, value, _TEXT_KEYS - 1)
            elif key.value == "version" and isinstance(value, ScalarNode):
                value.tag = _STR
    return loader, root


def _text_keys(loader: _Loader, node: Node, levels: int) -> None:
    if not isinstance(node, MappingNode) or not levels:
        return
    loader.flatten_mapping(node)
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            key.value = "" if key.tag == _NULL else key.value
            key.tag = _STR
        _text_keys(loader, value, levels - 1)


def load(text: str) -> Any:
    """The first document as Python values. Raises YamlError with libyaml's message."""
    try:
        loader, root = _document(text)
        return None if root is None else loader.construct_document(root)
    except yaml.YAMLError as problem:
        raise YamlError(_message(problem)) from None
    except RecursionError:
        raise YamlError("yaml: anchor value contains itself") from None


def not_a_mapping(text: str, path: tuple[str, ...]) -> YamlError:
    """The error for a value at `path` that should have been a service's mapping."""
    _, node = _document(text)
    for key in path:
        if isinstance(node, MappingNode):
            node = next(value for name, value in reversed(node.value) if name.value == key)
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
    return f"yaml: {str(problem).split(chr(10))[0]}"


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
