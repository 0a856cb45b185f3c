"""How bash is started where scripts run, and how it is given them."""

from __future__ import annotations

import base64
import gzip
from typing import Protocol

from spinstack.text import encoded


class Bash(Protocol):
    """What is run in a session so that there is a bash, and what this bash then reads."""

    def loop(self, first: bytes = b"") -> str:
        """A command that runs script after script from its input; `first`: one of `packed`, which
        is run before those."""
        ...

    def packed(self, script: bytes) -> bytes:
        """A script in a form that may be part of the command; empty if that is not worth it, or
        the script is too long."""
        ...

    def framed(self, script: bytes) -> bytes:
        """A script as the loop reads it."""
        ...

    def for_person(self, text: str) -> str:
        """A command that runs the text for somebody at a terminal."""
        ...

    def unasked(self, text: str) -> str:
        """The same without a person: nothing but the text reads its input."""
        ...

    def lost(self, name: str) -> str:
        """What has happened if its output ends too early; a phrase that "during …" may follow."""
        ...


# Each script comes as a line with its size in bytes, then the script. It is read completely
# before any of it runs, and by nothing else: start-up files that read their input find it
# empty. The line is first read by the person's own login shell, even if that is csh: no quotes
# within quotes, no exclamation mark, no line break. A script that bash can't read ends the shell.
_LOOP = (
    "exec <&4 4<&-; {first}while read -r spinstack_size; do "
    r"LC_ALL=C IFS= read -r -N \$spinstack_size spinstack_text && "
    r"eval \"\$spinstack_text\" || break; done"
)
_START = "exec sh -c 'exec 4<&0 </dev/null; exec bash -l -c \"{loop}\"'"
# Nothing can be sent to a command before it has started, which takes a round trip; a script that
# is part of the command itself does not wait for that.
_FIRST = (
    r"spinstack_text=\$(printf %s {packed} | base64 -d | gzip -dc); "
    r"eval \"\$spinstack_text\" || exit; "
)
# Characters of such a script when it is packed. Some csh accept no words longer than 4096.
LARGEST_FIRST = 3500


class LoginBash:
    """On a login node: a login shell, for its start-up files define `module`. The command line is
    first read by the person's own login shell, which may be csh."""

    def loop(self, first: bytes = b"") -> str:
        before = _FIRST.replace("{packed}", first.decode("ascii")) if first else ""
        return _START.replace("{loop}", _LOOP.replace("{first}", before))

    def packed(self, script: bytes) -> bytes:
        packed = base64.b64encode(gzip.compress(script, mtime=0))
        return packed if len(packed) <= LARGEST_FIRST else b""

    def framed(self, script: bytes) -> bytes:
        return f"{len(script)}\n".encode() + script

    def for_person(self, text: str) -> str:
        """Start-up files may ask the person questions too."""
        return f"exec bash -l -c '{_evaluated(text)}'"

    def unasked(self, text: str) -> str:
        """Start-up files that read their input find it empty, and neither wait forever nor get what
        is meant for the text."""
        inner = _evaluated(text).replace('"', r"\"").replace("$", r"\$")
        return f"exec sh -c 'exec 4<&0 </dev/null; exec bash -l -c \"exec <&4 4<&-; {inner}\"'"

    def lost(self, name: str) -> str:
        return f"the connection to {name} was lost"


def _evaluated(text: str) -> str:
    """In base64: the login shell that reads it first may be csh, which interprets exclamation
    marks and newlines even in quotes."""
    return f'eval "$(printf %s {base64.b64encode(encoded(text)).decode()} | base64 -d)"'


class PlainBash:
    """On this machine: no login shell and no start-up files. Works with bash 3.2, that of macOS,
    whose `read` has no -N. `head` may read further than asked, but before a script is over
    there is no other; one that was cut off does not end with the `#`."""

    def loop(self, first: bytes = b"") -> str:
        return (
            'while read -r spinstack_size; do spinstack_text=$(head -c "$spinstack_size"); case '
            '$spinstack_text in *"#") eval "$spinstack_text" ;; *) false ;; esac || break; done'
        )

    def packed(self, script: bytes) -> bytes:
        """No script: nothing is far away, and what is in a command can be seen by others."""
        return b""

    def framed(self, script: bytes) -> bytes:
        return f"{len(script) + 1}\n".encode() + script + b"#"

    def for_person(self, text: str) -> str:
        return text

    def unasked(self, text: str) -> str:
        return text

    def lost(self, name: str) -> str:
        return f"bash on {name} ended"
