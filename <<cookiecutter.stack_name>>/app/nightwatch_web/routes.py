"""The addresses of the site, and what each of them answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, redirect, send_file
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as Answer

from nightwatch_web import addresses, plots
from nightwatch_web.addresses import ImagePage, Spectra
from nightwatch_web.building import build_once
from nightwatch_web.failures import Missing, show_failures
from nightwatch_web.options import Options
from nightwatch_web.tree import Tree


class Digits(BaseConverter):
    """A part of an address that is made of digits only, as nights and exposures are."""

    regex = "[0-9]+"
    part_isolating = True
    weight = 50


def create_app(options: Options) -> Flask:
    """The application for one static tree and one data directory."""
    # No static folder of Flask's: /static/ is a directory of the tree like others.
    app = Flask("nightwatch_web", static_folder=None)
    app.url_map.converters["digits"] = Digits
    show_failures(app)
    site = Site(options)
    rules: dict[str, Callable[..., Answer]] = {
        "/healthz": site.healthz,
        "/": site.calendar,
        "/<digits:night>/": site.night,
        "/<digits:night>/<digits:exposure>/": site.exposure,
        "/<digits:night>/<digits:exposure>/spectra/": site.spectra,
        "/<digits:night>/<digits:exposure>/spectra/<path:rest>/": site.spectra,
        "/timeseries/": site.timeseries_form,
        "/timeseries/<start>/<end>/<hdu>/<attribute>": site.timeseries,
        "/<path:path>": site.file,
    }
    for rule, view in rules.items():
        app.add_url_rule(rule, view.__name__, view)
    return app


class Site:
    """Answers for each kind of address. Raises BadAddress and Failure, which become pages."""

    def __init__(self, options: Options) -> None:
        self.tree = Tree(options.static)
        self.data = options.data

    def healthz(self) -> Answer:
        """The process lives. Says nothing about mounts: a restart would not mend them."""
        return Response("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})

    def calendar(self) -> Answer:
        return redirect("nights.html")

    def night(self, night: str) -> Answer:
        return self._send(f"{addresses.night(night)}/exposures.html")

    def exposure(self, night: str, exposure: str) -> Answer:
        number = f"{addresses.exposure(exposure):08d}"
        return self._send(f"{addresses.night(night)}/{number}/qa-summary-{number}.html")

    def file(self, path: str) -> Answer:
        """A file of the tree; the page of an image is made first if need be."""
        if path.endswith("/"):
            self._refuse_directory(path.removesuffix("/"))
        file = self.tree.file(path)
        if file:
            return _sent(file)
        page = ImagePage.parse(path)
        if page:
            self._build_image(page, path)
        return self._send(path)

    def spectra(self, night: str, exposure: str, rest: str = "") -> Answer:
        number = addresses.exposure(exposure)
        directory = f"{addresses.night(night)}/{number:08d}"
        wanted = Spectra.parse([part for part in rest.split("/") if part])
        if not wanted.complete:
            return redirect(f"/{night}/{exposure}/spectra/{wanted.path()}")
        if not (self.data / directory).is_dir():
            raise Missing(f"There are no data of exposure {number} of the night {night}.")
        return _made(plots.spectra(self.data, night, number, wanted))

    def timeseries_form(self) -> Answer:
        return _made(plots.timeseries_form(plots.read_dropdown(self._dropdown())))

    def timeseries(self, start: str, end: str, hdu: str, attribute: str) -> Answer:
        if addresses.night(start) > addresses.night(end):
            raise addresses.BadAddress(f"the first night, {start}, is later than the last, {end}")
        addresses.word(hdu, "table")
        addresses.word(attribute, "column")
        dropdown = plots.read_dropdown(self._dropdown())
        return _made(plots.timeseries(self.data, start, end, hdu, attribute, dropdown))

    def _send(self, path: str) -> Answer:
        file = self.tree.file(path)
        if file is None:
            raise Missing(f"{path} is not there (not yet, perhaps).")
        return _sent(file)

    def _refuse_directory(self, path: str) -> None:
        """There are no lists of files. Raises BadAddress where a night or an exposure was
        meant, Missing otherwise."""
        parts = path.split("/")
        if not self.tree.has_directory(path) and len(parts) <= 2:
            addresses.night(parts[0])
            for part in parts[1:]:
                addresses.exposure(part)
        raise Missing(f"{path}/ is not there.")

    def _build_image(self, page: ImagePage, path: str) -> None:
        image = self.data / page.input
        if not image.is_file():
            raise Missing(f"There is no image {page.input} among the data.")
        target = self.tree.inside(path)
        build_once(target, lambda unfinished: plots.write_image(page, image, unfinished))

    def _dropdown(self) -> Path:
        path = self.tree.file("static/timeseries_dropdown.json")
        if path is None:
            raise Missing("There is no list of time series (static/timeseries_dropdown.json).")
        return path


def _sent(file: Path) -> Answer:
    """A file. It is asked for again each time (max-age 0), since pages of the current night
    are rewritten while they are being looked at; unchanged ones are not sent again."""
    try:
        return send_file(os.fspath(file), max_age=0, conditional=True)
    except FileNotFoundError as error:
        raise Missing(f"{file.name} has just been removed.") from error


def _made(html: str) -> Answer:
    return Response(
        html, content_type="text/html; charset=utf-8", headers={"Cache-Control": "max-age=0"}
    )
