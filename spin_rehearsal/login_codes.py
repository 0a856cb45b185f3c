"""The password and the one-time codes of a rehearsal's account.

The `login` file holds the one answer to `Password + OTP: ` that is valid now: the password
with six digits appended. What stands there has not been used yet, so the file is all the
state there is.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from spinstack.directories import write_private
from spinstack.errors import SpinstackError

DIGITS = 6
# Without characters that are mistaken for others (0 O, 1 l I): a person may have to type it.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH = 12


class LoginCodes:
    """Accepts each code once and writes the next one."""

    def __init__(self, file: Path) -> None:
        """Continue with the file's answer, or begin with a new password if there is none.

        Raises SpinstackError for a file that holds something else.
        """
        self._file = file
        self._used: set[str] = set()
        if file.exists():
            self._password, self._code = _split(file)
        else:
            self._password = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
            self._renew()

    @property
    def password(self) -> str:
        return self._password

    def accept(self, answer: str) -> bool:
        """Whether the answer is the valid one; if so, it is none any more."""
        if not hmac.compare_digest(answer.encode(), (self._password + self._code).encode()):
            return False
        self._used.add(self._code)
        self._renew()
        return True

    def password_is(self, text: str) -> bool:
        """Whether this is the password alone, as `spin-keygen.sh` asks for it."""
        return hmac.compare_digest(text.encode(), self._password.encode())

    def _renew(self) -> None:
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        if code in self._used:
            return self._renew()
        self._code = code
        return write_private(self._file, self._password + code + "\n")


def _split(file: Path) -> tuple[str, str]:
    answer = file.read_text(encoding="utf-8").strip()
    password, code = answer[:-DIGITS], answer[-DIGITS:]
    if not password or not code.isdecimal():
        raise SpinstackError(
            "the file with the rehearsal's valid login was changed by hand",
            where=str(file),
            remedy="delete it, then restart the rehearsal: invoke rehearsal.stop rehearsal.start",
        )
    return password, code
