"""Go templates, the part that people use: fields, if, range, with, pipelines, functions.

Used for `{{...}}` in compose files and for `--format`. What is outside this part is an
error that reads like Go's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .gofunctions import FUNCTIONS
from .govalue import NO_VALUE, NoField, field, shown, true

# What stands in quotes or in a comment does not end an action.
_ACTION = re.compile(
    r"""\{\{(- )?(/\*.*?\*/|(?:"(?:\\.|[^"\\\n])*"|`[^`]*`|[^"`])*?)( -)?\}\}""", re.DOTALL
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<chain>\$?(?:\.\w+)+|\.|\$)|(?P<word>\w+)|(?P<sign>[|()]))"""
)
_BLOCKS = ("if", "range", "with")


class TemplateError(Exception):
    """The text is no template, or it asks for what is not there. Reads like Go's error."""


class ExecutionError(TemplateError):
    """The template asks for what its data can't have; `shown` is what came before."""

    shown = ""


class _Piece(NamedTuple):
    """A stretch of text, or an action: its source and the line where it begins."""

    text: str
    action: bool
    line: int


class _Block(NamedTuple):
    """`if`, `range` or `with`, and what stands in it; kind "" is a plain action or text."""

    kind: str
    source: _Piece
    body: list[_Block]
    otherwise: list[_Block]


def render(text: str, data: Any, name: str = "") -> str:
    """The text with its actions evaluated on `data`. Raises TemplateError."""
    template = _Template(name, list(_pieces(text, name)))
    blocks = template.blocks()
    parts: list[str] = []
    try:
        for part in template.evaluated(blocks, data, data):
            parts.append(part)
    except ExecutionError as problem:
        problem.shown = "".join(parts)
        raise
    return "".join(parts)


def _pieces(text: str, name: str) -> Iterator[_Piece]:
    position = 0
    trim = False
    line = 1
    while (at := text.find("{{", position)) >= 0:
        line += text.count("\n", position, at)
        match = _ACTION.match(text, at)
        if match is None:
            break
        before = text[position:at]
        before = before.lstrip() if trim else before
        before = before.rstrip() if match[1] else before
        yield _Piece(before, False, 0)
        if not match[2].startswith("/*"):
            yield _Piece(match[2].strip(), True, line)
        line += match[0].count("\n")
        position, trim = match.end(), bool(match[3])
    rest = text[position:].lstrip() if trim else text[position:]
    if "{{" in rest:
        line = text.count("\n") + 1
        raise TemplateError(f"template: {name}:{line}: unclosed action")
    yield _Piece(rest, False, 0)


class _Template:
    def __init__(self, name: str, pieces: Sequence[_Piece]) -> None:
        self._name = name
        self._pieces = list(pieces)
        self._next = 0

    def blocks(self) -> list[_Block]:
        """The whole template as a tree. Raises TemplateError, also for an unknown function."""
        blocks, end = self._sequence()
        if end is not None:
            raise self._error(end, f"unexpected {{{{{end.text}}}}}")
        return blocks

    def evaluated(self, blocks: Sequence[_Block], dot: Any, root: Any) -> Iterator[str]:
        for block in blocks:
            if not block.source.action:
                yield block.source.text
            elif not block.kind:
                yield shown(self._value(block.source, block.source.text, dot, root))
            else:
                yield from self._evaluated_block(block, dot, root)

    def _evaluated_block(self, block: _Block, dot: Any, root: Any) -> Iterator[str]:
        condition = block.source.text[len(block.kind) :]
        value = self._value(block.source, condition, dot, root)
        if not true(value):
            yield from self.evaluated(block.otherwise, dot, root)
        elif block.kind == "range":
            for item in value.values() if isinstance(value, dict) else value:
                yield from self.evaluated(block.body, item, root)
        else:
            yield from self.evaluated(block.body, value if block.kind == "with" else dot, root)

    def _sequence(self) -> tuple[list[_Block], _Piece | None]:
        """Blocks up to the `end` or `else` that belongs to somebody further out."""
        blocks: list[_Block] = []
        while self._next < len(self._pieces):
            piece = self._pieces[self._next]
            self._next += 1
            word = piece.text.split(None, 1)[0] if piece.action and piece.text else ""
            if word in ("end", "else"):
                return blocks, piece
            if word in _BLOCKS:
                blocks.append(self._block(word, piece))
                continue
            if piece.action:
                self._check(piece, piece.text)
            blocks.append(_Block("", piece, [], []))
        return blocks, None

    def _block(self, kind: str, piece: _Piece) -> _Block:
        self._check(piece, piece.text[len(kind) :])
        body, end = self._sequence()
        otherwise: list[_Block] = []
        if end is not None and end.text.startswith("else"):
            chained = end.text[len("else") :].strip()
            if chained:
                # `else if` is an `if` inside the `else`, closed by the same `end`.
                inner = end._replace(text=chained)
                return _Block(kind, piece, body, [self._block(chained.split()[0], inner)])
            otherwise, end = self._sequence()
        if end is None or end.text != "end":
            raise self._error(piece, "unexpected EOF")
        return _Block(kind, piece, body, otherwise)

    def _check(self, piece: _Piece, expression: str) -> None:
        """Raise TemplateError for what is no expression, before anything is evaluated."""
        tokens = self._tokens(piece, expression)
        if not tokens:
            raise self._error(piece, "missing value for command")
        for kind, text in tokens:
            if kind == "word" and text not in FUNCTIONS and text not in ("true", "false", "nil"):
                raise self._error(piece, f'function "{text}" not defined')

    def _tokens(self, piece: _Piece, expression: str) -> list[tuple[str, str]]:
        tokens = []
        position = 0
        expression = expression.rstrip()
        while position < len(expression):
            match = _TOKEN.match(expression, position)
            if match is None or match.lastgroup is None:
                char = expression[position:].lstrip()[:1]
                raise self._error(piece, f'unexpected "{char}" in command')
            tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return tokens

    def _value(self, piece: _Piece, expression: str, dot: Any, root: Any) -> Any:
        evaluation = _Evaluation(self._tokens(piece, expression), dot, root)
        try:
            return evaluation.pipeline()
        except NoField as problem:
            raise ExecutionError(
                f'template: {self._name}:{piece.line}: executing "{self._name}" at '
                f"<{expression.strip()}>: {problem}"
            ) from None
        except (TypeError, ValueError, IndexError, KeyError) as problem:
            raise ExecutionError(
                f"template: {self._name}:{piece.line}: error calling <{expression.strip()}>: "
                f"{problem}"
            ) from None

    def _error(self, piece: _Piece, message: str) -> TemplateError:
        return TemplateError(f"template: {self._name}:{piece.line}: {message}")


class _Evaluation:
    """One pipeline, evaluated from left to right."""

    def __init__(self, tokens: list[tuple[str, str]], dot: Any, root: Any) -> None:
        self._tokens = tokens
        self._dot = dot
        self._root = root
        self._next = 0

    def pipeline(self) -> Any:
        value = self._command([])
        while self._peek() == ("sign", "|"):
            self._next += 1
            value = self._command([value])
        return value

    def _peek(self) -> tuple[str, str] | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _command(self, piped: list[Any]) -> Any:
        first = self._peek()
        if first is None:
            raise ValueError("missing value for command")
        if first[0] == "word" and first[1] in FUNCTIONS:
            self._next += 1
            return FUNCTIONS[first[1]](*self._operands(), *piped)
        operands = self._operands()
        if len(operands) != 1 or piped:
            raise ValueError("can't give argument to non-function")
        return operands[0]

    def _operands(self) -> list[Any]:
        operands = []
        while self._peek() not in (None, ("sign", "|"), ("sign", ")")):
            operands.append(self._operand())
        return operands

    def _operand(self) -> Any:
        kind, text = self._tokens[self._next]
        self._next += 1
        if kind == "string":
            return text[1:-1].encode().decode("unicode_escape") if text[0] == '"' else text[1:-1]
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "chain":
            return self._chain(text)
        if kind == "sign":
            return self._parenthesis()
        constants = {"true": True, "false": False, "nil": None}
        return constants[text] if text in constants else FUNCTIONS[text]()

    def _parenthesis(self) -> Any:
        value = self.pipeline()
        if self._peek() != ("sign", ")"):
            raise ValueError("unclosed left paren")
        self._next += 1
        return value

    def _chain(self, text: str) -> Any:
        value = self._root if text.startswith("$") else self._dot
        for name in text.lstrip("$").split("."):
            if name:
                value = field(value, name)
        return value


__all__ = ["NO_VALUE", "ExecutionError", "TemplateError", "render"]
