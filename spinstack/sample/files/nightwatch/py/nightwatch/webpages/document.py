"""The document around a plot, in the looks of the static pages."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Any

from bokeh.embed import components
from bokeh.resources import Resources


def document(title: str, content: str, *, root: str, head: str = "") -> str:
    """A complete page. `root` is the relative way to the site's root, ending in a slash."""
    style = files("nightwatch.webpages").joinpath("templates/style.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · Nightwatch sample</title>\n"
        f'<link rel="icon" type="image/png" href="{root}static/icon.png">\n'
        f"<style>\n{style}</style>\n{head}</head>\n<body>\n"
        '<a class="skip" href="#content">Skip to the content</a>\n'
        f'<header><div class="in"><a class="brand" href="{root}nights.html">Nightwatch</a>\n'
        f'<nav aria-label="Site"><a href="{root}nights.html">Calendar</a>'
        f'<a href="{root}timeseries/">Time series</a></nav>'
        '<span class="sample">Sample data</span></div></header>\n'
        f'<main id="content">\n{content}\n</main>\n</body>\n</html>\n'
    )


def plot_document(title: str, before: str, plot: Any, *, root: str) -> str:
    """A page with a Bokeh plot in it, its scripts inlined: no other server is asked."""
    script, place = components(plot)
    # Plots need neither Bokeh's widgets nor its formulas: a quarter of the page's size.
    scripts = Resources(mode="inline", components=["bokeh"]).render()
    content = f'{before}<section class="card">{place}</section>{script}'
    return document(title, content, root=root, head=scripts + "\n")
