"""YAML as Rancher's client reads it, so that what is checked here is what runs there.

That is go-yaml 2 as rancher 0.6.7 has it (`resolve.go`, `decode.go`), which differs from PyYAML:
no dates and no base-60 numbers (`12:30` is text), `680841e1` is a number and `08` is 8, `y` and
`on` are true, unknown tags are ignored; a merge key counts by its place among the keys, and two
are both merged; of several documents, the first is read.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

_LONG = "tag:yaml.org,2002:"
_STR, _NULL, _BOOL = f"{_LONG}str", f"{_LONG}null", f"{_LONG}bool"
_INT, _FLOAT, _BINARY = f"{_LONG}int", f"{_LONG}float", f"{_LONG}binary"
_RESOLVED = (_STR, _NULL, _BOOL, _INT, _FLOAT)
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (_NULL, None)),
    **dict.fromkeys(_TRUE, (_BOOL, True)),
    **dict.fromkeys(_FALSE, (_BOOL, False)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (_FLOAT, float("nan"))),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (_FLOAT, float("inf"))),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (_FLOAT, float("-inf"))),
}
# What Go's strconv takes: ParseInt with base 0, and ParseFloat.
_WHOLE = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", re.ASCII)
_BINARY_NUMBER = re.compile(r"(-?)0b([01]+)")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+])inf(?:inity)?", re.IGNORECASE)


class Loader(yaml.SafeLoader):
    """PyYAML's loader, which gives each plain scalar the tag that go-yaml gives it."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """The tag of a node that has none: that of a plain scalar, else of text, list, mapping."""
        if kind is yaml.ScalarNode:
            return plain(value)[0] if implicit[0] else _STR
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]


def plain(text: str) -> tuple[str, Any]:
    """The tag and the value of a scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    number: float | None = None
    if text[0] in "+-0123456789":
        number = _number(text.replace("_", ""))
    elif text[0] == ".":
        number = _float(text)
    if number is None:
        return _STR, text
    return (_INT if isinstance(number, int) else _FLOAT), number


def _number(text: str) -> float | None:
    # None of 64 bits has more signs than in octal; Python reads no more than 4,300.
    if _WHOLE.fullmatch(text) and len(text.lstrip("+-0")) <= 22:
        digits = text.lstrip("+-")
        base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
        number = int(text, base)
        # An int64, or a uint64 without a sign.
        if -(2**63) <= number < 2 ** (64 if digits == text else 63):
            return number
    binary = _BINARY_NUMBER.fullmatch(text)
    if binary and len(binary[2].lstrip("0")) <= 63:
        return int(binary[1] + binary[2], 2)
    return _float(text)


def _float(text: str) -> float | None:
    infinite = _INFINITE.fullmatch(text)
    if infinite:
        return float(f"{infinite[1]}inf")
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    return None if number in (float("inf"), float("-inf")) else number


def documents(text: str) -> Iterator[yaml.Node]:
    """The nodes of each document; the client reads the first. Raises yaml.YAMLError."""
    try:
        loader = Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                assert node is not None
                yield node
        finally:
            loader.dispose()
    # PyYAML's scanner: an escape beyond Unicode, a version of thousands of digits.
    except (ValueError, OverflowError) as error:
        raise yaml.YAMLError(str(error)) from None


def root(text: str) -> yaml.MappingNode | None:
    """The node of the first document; None if it can't be read, or is no mapping."""
    try:
        node = next(documents(text), None)
    except (yaml.YAMLError, RecursionError):
        return None
    return node if isinstance(node, yaml.MappingNode) else None


def nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node from this one on, keys included; one that has aliases only once."""
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            todo += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value


def scalar(node: yaml.ScalarNode) -> Any:
    """The value of a scalar. Raises yaml.MarkedYAMLError if it has a tag that it does not fit."""
    text = str(node.value)
    if node.tag == _BINARY:
        try:
            return base64.b64decode(text, validate=False).decode("utf-8", "replace")
        except ValueError:
            problem = "!!binary value contains invalid base64 data"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None
    if node.tag == _STR or node.tag not in _RESOLVED:
        return text
    tag, value = plain(text)
    if tag != node.tag:
        problem = f"cannot decode {_short(tag)} `{text}` as a {_short(node.tag)}"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return value


def _short(tag: str) -> str:
    return tag.replace(_LONG, "!!")


def is_merge(key: yaml.Node) -> bool:
    """Whether a key is a merge key."""
    quoted = getattr(key, "style", None) is not None
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and not quoted


def pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a mapping and of what is merged into it, the later of two with the
    same key winning. Raises yaml.MarkedYAMLError for a merge of what is no mapping."""
    for key, value in node.value:
        if not is_merge(key):
            yield key, value
            continue
        merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
        # Of a list, the first wins.
        for part in reversed(merged):
            if not isinstance(part, yaml.MappingNode):
                problem = "map merge requires map or sequence of maps as the value"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=value.start_mark)
            yield from pairs(part)


def shown(value: Any) -> str:
    """A scalar as the client prints it (Go's `%v`), for instance in an environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float_shown(value) if isinstance(value, float) else str(value)


def _float_shown(value: float) -> str:
    """The shortest digits that give it back, with an exponent from a million on: 1e+06."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    number = Decimal(repr(value)).normalize()
    sign, digits, exponent = number.as_tuple()
    power = len(digits) - 1 + int(exponent)
    if value == 0 or -4 <= power < 6:
        return f"{number:f}"
    text = "".join(map(str, digits))
    fraction = f".{text[1:]}" if text[1:] else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{power:+03d}"


class _Dumper(yaml.SafeDumper):
    """Quotes every text that a reader of YAML could take for something else."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # 0o17 is a number in YAML 1.2, which docker compose reads.
    looks_like_text = plain(text)[0] == _STR and not re.match("[-+]?0o", text)
    return dumper.represent_scalar(_STR, text, style=None if looks_like_text else "'")


_Dumper.add_representer(str, _text)


class _BlockDumper(_Dumper):
    """Writes text of several lines as such, and everything where it is, without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if re.search("[\x85\u2028\u2029]", text):  # ends of lines to YAML, and to nobody else
        return dumper.represent_scalar(_STR, text, style='"')
    if "\n" not in text:
        return _text(dumper, text)
    return dumper.represent_scalar(_STR, text, style="|")


_BlockDumper.add_representer(str, _lines)


def dump(data: Any, *, width: int, blocks: bool = False) -> str:
    """The data as YAML, in its own order, that reads the same here, in Go and in docker compose.

    `blocks`: text of several lines as a block, and nothing by an alias, for people to read.
    """
    dumper = _BlockDumper if blocks else _Dumper
    return str(yaml.dump(data, Dumper=dumper, sort_keys=False, width=width, allow_unicode=blocks))


def in_braces(data: dict[str, Any] | list[Any]) -> str:
    """The same in one line: `{port: 5432}`."""
    written = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=10**6, default_flow_style=True)
    return written.strip()
