"""Text from elsewhere: its lines, and what of it may reach a terminal.

Whatever containers, programs, other people's files or settings say is split and shown by these
functions.
"""

from __future__ import annotations

import json
import re
from typing import Any

# What moves the cursor, changes the terminal or turns text around: C0 but TAB and newline, DEL, C1,
# and the bidirectional embeddings, overrides and isolates.
# Source: ECMA-48; Unicode Standard Annex #9, section 2.
HARMFUL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_HARMFUL = re.compile(f"[{HARMFUL}]")
# Colours say nothing that would be missed.
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# One may have an @ in it.
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/\s]+@")


def split_lines(text: str, *, ends: bool = False) -> list[str]:
    """The lines, without their ends (`\\n`, `\\r\\n`), or with them (`ends`).

    `str.splitlines` also splits at ten more characters, such as U+0085 and U+2028, which JSON and
    YAML leave as they are.
    """
    found = re.findall(r".*\n|.+", text)
    return found if ends else [line.removesuffix("\n").removesuffix("\r") for line in found]


def harmless(text: str) -> str:
    """The text for a terminal: colours are left out, other control characters written as `^[`
    (in two characters, as `cat -v` does) or `<U+202E>`."""
    if not _HARMFUL.search(text):
        return text
    return _HARMFUL.sub(_written, _COLOUR.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """The text on one line."""
    return re.sub(r"[\r\n]+", " ", text.strip())


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code > 0xFF:
        return f"<U+{code:04X}>"
    # A C1 character is ESC and a letter to every terminal.
    return f"^[{chr(code - 0x40)}" if code >= 0x80 else f"^{chr(code ^ 0x40)}"


def without_password(text: str) -> str:
    """The text with passwords in addresses (`http://user:password@host`) masked."""
    return _PASSWORD.sub(r"\1:********@", text)


def encoded(text: str) -> bytes:
    """In UTF-8, and what was never text (in the name of a file, or in a word that was typed) as the
    bytes that it was."""
    return text.encode("utf-8", "surrogateescape")


def whole_number(text: str) -> int | None:
    """The number that the text is, in digits of ASCII; None for any other text, and for more digits
    than anything that is counted has. (`str.isdigit` is true for ², which `int` refuses.)"""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


# What is no text in any encoding, or moves a terminal.
NO_TEXT = re.compile(f"[{HARMFUL}\ud800-\udfff]")


def read_json(text: str | bytes) -> Any:
    """A JSON value. Raises ValueError for everything else, however deep or long."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_yaml(data: bytes) -> Any:
    """What a YAML file holds. Raises ValueError, which says what is wrong with it, and in which
    line if that is known."""
    import yaml

    # Libyaml's reader takes a tenth of the time, if PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(data, loader)
    except yaml.reader.ReaderError as error:
        line = data[: error.position].count(b"\n") + 1
        raise ValueError(f"not valid YAML (line {line}): {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"not valid YAML (line {line}): {error.problem}") from None
    except RecursionError:
        raise ValueError("not valid YAML: nested too deeply") from None
    # A date that there is not, a number of more digits than Python reads.
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"not valid YAML: {error}") from None
    # PyYAML's constructors, for a value that does not fit its tag.
    except (LookupError, AttributeError, TypeError, OverflowError):
        raise ValueError("not valid YAML: a value does not fit its tag (!!…)") from None
