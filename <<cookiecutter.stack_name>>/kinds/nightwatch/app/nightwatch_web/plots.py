"""Everything that is asked of the mounted package nightwatch, imported only when needed.

Importing it takes seconds, and the static pages must be served even when it is missing.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nightwatch_web.addresses import ImagePage, Spectra
from nightwatch_web.failures import Broken, Failure, Missing, Unavailable


def write_image(page: ImagePage, image: Path, output: Path) -> None:
    """Writes the page of a camera's image. Raises Unavailable and Broken."""
    plotimage = _nightwatch("webpages.plotimage")
    with _running("the image"):
        plotimage.write_image_html(str(image), str(output), page.downsample, page.night)


def spectra(data: Path, night: str, exposure: int, wanted: Spectra) -> str:
    """The page of an exposure's spectra, as HTML. Raises Missing, Unavailable and Broken."""
    module = _nightwatch("webpages.spectra")
    arguments = [str(data / night), night, exposure, wanted.view, wanted.frame, wanted.downsample]
    if wanted.selection is not None:
        arguments.append(wanted.selection)
    with _running("the spectra"):
        return _html(module.get_spectra_html(*arguments))


def timeseries_form(dropdown: dict[str, Any]) -> str:
    """The form where a time series is chosen, as HTML. Raises Unavailable and Broken."""
    import jinja2

    _nightwatch("webpages")
    with _running("the form"):
        loader = jinja2.PackageLoader("nightwatch.webpages", "templates")
        environment = jinja2.Environment(loader=loader, autoescape=True)
        return environment.get_template("timeseries_input.html").render(dropdown_hdu=dropdown)


def timeseries(
    data: Path, start: str, end: str, hdu: str, attribute: str, dropdown: dict[str, Any]
) -> str:
    """The page of a time series, as HTML. Raises Missing, Unavailable and Broken."""
    module = _nightwatch("webpages.timeseries")
    _mark_plots(module)
    with _running("the time series"):
        return _html(
            module.generate_timeseries_html(str(data), start, end, hdu, attribute, dropdown)
        )


def read_dropdown(path: Path) -> dict[str, Any]:
    """The columns that time series can be made of: table -> columns. Raises Broken."""
    try:
        dropdown = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Broken(f"The list of time series, {path.name}, can't be read.") from error
    if not isinstance(dropdown, dict):
        raise Broken(f"The list of time series, {path.name}, is not a table of columns.")
    return dropdown


def load() -> None:
    """Imports all that is asked of nightwatch. Raises Unavailable."""
    for module in ("webpages.plotimage", "webpages.spectra", "webpages.timeseries"):
        _nightwatch(module)


def _nightwatch(module: str) -> Any:
    """A module of nightwatch. Raises Unavailable whatever is wrong with it: the code is
    mounted, and may be missing or be changed at any time."""
    importlib.invalidate_caches()
    try:
        return importlib.import_module(f"nightwatch.{module}")
    except (Exception, SystemExit) as error:
        raise Unavailable(
            f"Nightwatch's code can't be used at present ({type(error).__name__}: {error}). "
            "The pages that are there already are not affected."
        ) from error


@contextmanager
def _running(what: str) -> Iterator[None]:
    """Around code of nightwatch's, which may raise anything when data are incomplete."""
    try:
        yield
    except Failure:
        raise
    except ImportError as error:
        raise Unavailable(f"Nightwatch's code is incomplete ({error}).") from error
    except (Exception, SystemExit) as error:
        raise Broken(
            f"Nightwatch could not make {what} ({type(error).__name__}: {error})."
        ) from error


def _mark_plots(module: Any) -> None:
    """Has the plots that a module puts into its page taken for markup, unless that was done.

    The template of the time series prints them like any text, which Jinja escapes: visitors
    would see their source (nightwatch 1.0.1). What is marked is not escaped.
    """
    made = getattr(module, "components", None)
    if made is None or isinstance(made, _Marked):
        return
    module.components = _Marked(made)


@dataclass(frozen=True)
class _Marked:
    """Bokeh's `components`, with a script and a place for it that are markup."""

    components: Callable[..., tuple[Any, Any]]

    def __call__(self, *arguments: Any, **more: Any) -> tuple[Any, Any]:
        script, place = self.components(*arguments, **more)
        return Markup(script), Markup(place) if isinstance(place, str) else place


def _html(answer: Any) -> str:
    """The page, if it is one: nightwatch answers with a sentence when there are no data."""
    text = str(answer)
    if "<" not in text:
        raise Missing(f"Nightwatch says: {text}")
    return text
