"""`<night>/exposures.html`: the table of a night's exposures."""

from __future__ import annotations

from spinstack.sample.pages import plots
from spinstack.sample.pages.frame import beads, counted, document, pill, tiles
from spinstack.sample.quality import measure
from spinstack.sample.survey import Exposure, Night

_COLUMNS = ("Exposure", "UTC", "Program", "Tile", "Time (s)", "Airmass", "Seeing (″)",
            "Throughput", "Spectrographs 0 to 9", "Status")  # fmt: skip
_NUMBERS = frozenset({"Tile", "Time (s)", "Airmass", "Seeing (″)", "Throughput"})


def night_page(night: Night, before: Night | None, after: Night | None) -> str:
    """The night's table, with links to the nights before and after it, where there are."""
    content = (
        f'<p class="crumbs"><a href="../nights.html">Calendar</a> / {night.date:%B %Y}</p>'
        f"<h1>Night of {night.date:%A, %-d %B %Y}</h1>"
        f'<p class="lead">{_neighbours(before, after)}</p>'
        f'{_summary(night)}<section class="card"><h2>The night at a glance</h2>'
        f"<figure>{plots.timeline('Exposures and seeing through the night', night.exposures)}"
        f"<figcaption>{_key()}</figcaption></figure></section>"
        f'<section class="card">{_table(night)}</section>'
    )
    return document(f"Night {night.name}", content, root="../")


def _neighbours(before: Night | None, after: Night | None) -> str:
    links = []
    if before:
        links.append(f'<a href="../{before.name}/exposures.html" rel="prev">← {before.name}</a>')
    if after:
        links.append(f'<a href="../{after.name}/exposures.html" rel="next">{after.name} →</a>')
    return " &nbsp; ".join(links)


def _summary(night: Night) -> str:
    number = len(night.exposures)
    mean_seeing = sum(exposure.seeing for exposure in night.exposures) / number
    minutes = sum(exposure.seconds for exposure in night.exposures) / 60
    good = sum(not measure(exposure).status for exposure in night.exposures)
    return tiles(
        [
            (f"{good} of {number}", "exposures good"),
            (f"{minutes:.0f} min", "open shutter"),
            (f"{mean_seeing:.2f}″", "mean seeing"),
            (f"{night.exposures[0].start:%H:%M} to {night.exposures[-1].end:%H:%M}", "UTC"),
        ]
    )


def _key() -> str:
    programs = " · ".join(
        f'<span style="color:{colour}" aria-hidden="true">■</span> {program.lower()}'
        for program, colour in plots.PROGRAM_COLOURS.items()
    )
    return f'{programs} · <span style="color:#b3572b" aria-hidden="true">●</span> seeing, UTC'


def _table(night: Night) -> str:
    heads = "".join(
        f'<th scope="col"{_align(name)}>{name}</th>' for name in _COLUMNS
    )  # numbers stand right
    rows = "".join(_row(exposure) for exposure in night.exposures)
    caption = f"{counted(len(night.exposures), 'exposure')}, in the order they were taken"
    return (
        f'<table class="rows"><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _align(column: str) -> str:
    return ' class="n"' if column in _NUMBERS else ""


def _row(exposure: Exposure) -> str:
    quality = measure(exposure)
    statuses = [quality.spectrograph(number) for number in range(10)]
    bad = [str(number) for number, status in enumerate(statuses) if status]
    label = f"not good: {', '.join(bad)}" if bad else "all ten good"
    cells = {
        "UTC": f"{exposure.start:%H:%M}",
        "Program": exposure.program.lower(),
        "Tile": str(exposure.tile),
        "Time (s)": f"{exposure.seconds:.0f}",
        "Airmass": f"{exposure.airmass:.2f}",
        "Seeing (″)": f"{exposure.seeing:.2f}",
        "Throughput": f"{quality.throughput:.2f}",
        "Spectrographs 0 to 9": beads("strip", statuses, label),
        "Status": pill(quality.status),
    }
    link = f"{exposure.name}/qa-summary-{exposure.name}.html"
    first = f'<th scope="row"><a href="{link}">{exposure.expid}</a></th>'
    rest = "".join(f"<td{_align(name)}>{cells[name]}</td>" for name in _COLUMNS[1:])
    return f"<tr>{first}{rest}</tr>"
