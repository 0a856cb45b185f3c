"""`nights.html`: a calendar of the nights."""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from spinstack.sample.pages.frame import beads, counted, css_class, document, pill, tiles, word
from spinstack.sample.quality import Status, measure
from spinstack.sample.survey import MONTHS, Night

# A new moon and the mean length of a lunation; good to half a day (Meeus, Astronomical
# Algorithms, chapter 49).
_NEW_MOON = datetime(2000, 1, 6, 18, 14, tzinfo=timezone.utc)
_LUNATION = 29.530588861  # days
# The date stands for the evening; the middle of the night at Kitt Peak is 07:30 UTC.
_MIDNIGHT = timedelta(days=1, hours=7, minutes=30)


def calendar_page(nights: Sequence[Night]) -> str:
    """The calendar, two months side by side, newest night linked at the top."""
    by_name = {night.name: night for night in nights}
    months = "".join(f'<section class="card">{_month(name, by_name)}</section>' for name in MONTHS)
    content = (
        "<h1>Nights</h1>"
        '<p class="lead">Quality of the survey night by night. '
        "Choose a night to see its exposures.</p>"
        f'{_summary(nights)}<div class="two">{months}</div>{_legend()}'
    )
    return document("Nights", content, root="")


def night_status(night: Night) -> Status:
    """A problem if half of the exposures have one; a warning if any is not good."""
    statuses = [measure(exposure).status for exposure in night.exposures]
    if statuses.count(Status.ERROR) * 2 >= len(statuses):
        return Status.ERROR
    return Status.WARNING if any(statuses) else Status.OK


def _summary(nights: Sequence[Night]) -> str:
    exposures = [exposure for night in nights for exposure in night.exposures]
    good = sum(measure(exposure).status is Status.OK for exposure in exposures)
    newest = nights[-1]
    link = f'<a href="{newest.name}/exposures.html">{newest.date:%-d %B %Y}</a>'
    hours = sum(exposure.seconds for exposure in exposures) / 3600
    return tiles(
        [
            (str(len(nights)), "nights"),
            (str(len(exposures)), "exposures"),
            (f"{hours:.1f} h", "open shutter"),
            (f"{100 * good / len(exposures):.0f} %", "of exposures good"),
            (link, "newest night"),
        ]
    )


def _month(name: str, nights: Mapping[str, Night]) -> str:
    year, month = int(name[:4]), int(name[4:])
    heads = "".join(f'<th scope="col">{day}</th>' for day in calendar.day_abbr)
    weeks = "".join(
        f"<tr>{''.join(_cell(name, day, nights) for day in week)}</tr>"
        for week in calendar.monthcalendar(year, month)
    )
    return (
        f'<table class="month"><caption>{calendar.month_name[month]} {year}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{weeks}</tbody></table>"
    )


def _cell(month: str, day: int, nights: Mapping[str, Night]) -> str:
    if not day:
        return "<td></td>"
    name = f"{month}{day:02d}"
    if name not in nights:
        return f'<td><span class="day">{day}</span></td>'
    night = nights[name]
    statuses = [measure(exposure).status for exposure in night.exposures]
    marks = beads("beads", statuses, f"{sum(map(bool, statuses))} of them not good")
    status = night_status(night)
    label = f"{night.date:%-d %B %Y}: {counted(len(statuses), 'exposure')}, {word(status)}"
    return (
        f'<td><a class="day {css_class(status)}" href="{name}/exposures.html" '
        f'aria-label="{label}"><b>{day}</b>{_moon(night.date + _MIDNIGHT)}'
        f"<small>{len(statuses)} exp.</small>{marks}</a></td>"
    )


def _moon(time: datetime) -> str:
    """A drawing of the moon as it looks at that time from the northern hemisphere."""
    age = ((time - _NEW_MOON) / timedelta(days=1)) % _LUNATION
    phase = 2 * math.pi * age / _LUNATION
    lit = (1 - math.cos(phase)) / 2
    # The lit part is bounded by half the rim and half an ellipse, the terminator.
    right, bulge = phase < math.pi, 6 * abs(math.cos(phase))
    terminator = int((lit > 0.5) == right)
    path = f"M7 1A6 6 0 0 {int(right)} 7 13A{bulge:.2f} 6 0 0 {terminator} 7 1z"
    return (
        f'<svg class="moon" width="13" height="13" viewBox="0 0 14 14" role="img" '
        f'aria-label="moon {100 * lit:.0f} % lit"><title>Moon {100 * lit:.0f} % lit</title>'
        f'<circle cx="7" cy="7" r="6.2" fill="#5b6b80"/><path d="{path}" fill="#fff3cf"/></svg>'
    )


def _legend() -> str:
    return (
        f'<p class="legend">{pill(Status.OK, "all good")} {pill(Status.WARNING, "look at it")} '
        f"{pill(Status.ERROR, 'half the night or more has a problem')} "
        "<span>One small mark for each exposure. Days without a colour: not observed.</span></p>"
    )
