"""Times as people type them: `2w`, `1d12h`, `2025-11-03`, `2025-11-03 04:05`, with a zone or
without (then this machine's). Pure, except for the machine's zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

from spinstack.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAY = r"(\d{4})-(\d\d)-(\d\d)"
_CLOCK = r"(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?"
# The end of 9999.
_LAST = 253402300799
_MOMENT = re.compile(rf"{_DAY}(?:[T ]{_CLOCK} ?(Z|UTC|[+-]\d\d:?\d\d)?)?")


def seconds(text: str) -> int | None:
    """`10m`, `2h30m`, `1d`, `2w` in seconds; None for anything else."""
    parts = re.findall(r"(\d{1,9})([smhdw])", text, re.ASCII)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def moment(text: str, now: datetime, *, end_of_day: bool = False) -> datetime:
    """The moment that is meant, in UTC: so long before `now`, or a date with or without time.

    A day without a time means its first moment, or with `end_of_day` the first one after it.
    Raises UsageError.
    """
    try:
        before = seconds(text)
        found = now - timedelta(seconds=before) if before is not None else _read(text, end_of_day)
        return found.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{text!r} is not a time",
            remedy="write 2w, 3d, 12h, 2026-01-31, '2026-01-31 04:05' or 2026-01-31T04:05:00Z",
        ) from None


def is_day(text: str) -> bool:
    """Whether it is a day without a time."""
    return re.fullmatch(_DAY, text, re.ASCII) is not None


def _read(text: str, end_of_day: bool) -> datetime:
    """Raises ValueError if it is not a time. Without a zone it is this machine's."""
    match = re.fullmatch(_MOMENT, text)
    if not match or not text.isascii():
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if match[4] is None:
        first = date(year, month, day) + timedelta(days=end_of_day)
        return datetime(first.year, first.month, first.day).astimezone()
    return datetime(year, month, day, hour, minute, second, tzinfo=_zone(match[7])).astimezone()


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text in ("Z", "UTC"):
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def after_1970(seconds: float) -> datetime:
    """The moment so many seconds after the beginning of 1970, in UTC; the last that there is for
    more of them."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST), timezone.utc)


def told(found: datetime) -> str:
    """For people: `2025-11-03 04:05 UTC`."""
    return f"{found.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
