"""Templates in a compose file: Rancher's client fills in what stands between double braces before
it reads anything else (rancher 0.6.7, `template.go`), comments included.

Filled in here are constants (which is how braces are written that shall stay) and names that the
client does not know either: it puts `<no value>`. Other templates are refused.
"""

from __future__ import annotations

import re

from spinstack.rules.finding import Finding

NO_VALUE = "<no value>"
# What the client has values for.
_KNOWN = ("Values", "Stack", "Release", "Environment")

_ACTION = re.compile(
    r"""\{\{(?P<inside>/\*.*?\*/|(?:"(?:\\.|[^"\\\n])*"|`[^`]*`|[^"`])*?)\}\}""", re.DOTALL
)
_COMMENT = re.compile(r"/\*.*\*/", re.DOTALL)
_IN_COMMENT = re.compile(r"\s*#")
_CONSTANT = re.compile(r"""\s*(?:`(?P<raw>[^`]*)`|"(?P<quoted>[^"\\\n]*)")\s*""")
_FIELD = re.compile(r"\s*\.(?P<name>[A-Za-z_]\w*)\s*", re.ASCII)
_VARIABLE = re.compile(r"\s*\.Values\.(?P<name>[A-Za-z_]\w*)\s*", re.ASCII)


def filled(text: str, source: str) -> tuple[str | None, list[Finding]]:
    """The text of a compose file with its templates filled in, line by line as before, and what
    is wrong with them. None if it has templates that are not filled in here."""
    if "{{" not in text or text.strip().startswith(("# notemplating", "#notemplating")):
        return text, []
    parts: list[str] = []
    found: list[Finding] = []
    end = 0
    # Of the action: the number of its line, and where that begins.
    line, begins = 1, 0
    while (at := text.find("{{", end)) >= 0:
        line += text.count("\n", end, at)
        begins = max(begins, text.rfind("\n", end, at) + 1)
        # Each is looked at once: the first that does not end is the last that is read.
        match = _ACTION.match(text, at)
        if match is None:
            return None, [*found, _unclosed(f"{source}:{line}")]
        value = _value(match["inside"])
        in_comment = bool(_IN_COMMENT.match(text, begins, at))
        finding = _finding(match[0], value, f"{source}:{line}", in_comment)
        if finding:
            found.append(finding)
        if value is None:
            return None, found
        parts += [text[end:at], value]
        line += match[0].count("\n")
        begins = max(begins, text.rfind("\n", at, match.end()) + 1)
        end = match.end()
    return "".join([*parts, text[end:]]), found


def _value(inside: str) -> str | None:
    """What the client puts for an action; None if only the client knows."""
    if _COMMENT.fullmatch(inside):
        # The lines stay, for the numbers of those below.
        return "\n" * inside.count("\n")
    constant = _CONSTANT.fullmatch(inside)
    if constant:
        return constant["raw"] if constant["raw"] is not None else constant["quoted"]
    name = _FIELD.fullmatch(inside)
    return NO_VALUE if name and name["name"] not in _KNOWN else None


def _finding(action: str, value: str | None, where: str, in_comment: bool) -> Finding | None:
    if value is None:
        variable = _VARIABLE.fullmatch(action[2:-2])
        problem = f"{_short(action)} is a template, which spinstack does not fill in"
        remedy = "write what it stands for instead"
        if variable:
            remedy = f"write ${{{variable['name']}}} instead"
        return Finding("compose-template", where, problem, remedy)
    if value != NO_VALUE or in_comment:
        return None
    problem = f"Rancher's client fills in {action} itself, with {NO_VALUE}"
    remedy = f"write {_kept(action)}, or make # notemplating the file's first line"
    return Finding("compose-template", where, problem, remedy)


def _unclosed(where: str) -> Finding:
    problem = "Rancher's client takes {{ for the beginning of a template, which does not end"
    remedy = f"write {_kept('{{')}, or make # notemplating the file's first line"
    return Finding("compose-template", where, problem, remedy)


def _kept(text: str) -> str:
    return f"{{{{`{text}`}}}}"


def _short(action: str) -> str:
    first = action.split("\n")[0]
    return first if len(first) <= 60 else f"{first[:57]}..."
