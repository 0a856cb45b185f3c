"""Serves as the application of the tutorial does: every file through Flask, with a line of
output for each, each dynamic page made anew; packages imported where it imports them."""

import argparse
import re
import sys
from pathlib import Path

import bokeh.embed  # noqa: F401  imported by the original as it starts
from flask import Flask, redirect, send_from_directory

options = argparse.ArgumentParser()
options.add_argument("-i", "--indir", required=True)
options.add_argument("-d", "--datadir")
given = options.parse_args()
STATIC = Path(given.indir.strip()).absolute()
DATA = Path((given.datadir or given.indir).strip()).absolute()
IMAGE_PAGE = re.compile(r"(20\d{6})/(\d{8})/preproc-([brz]\d)-\2-(\d+)x\.html")

app = Flask("tutorial")
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0


def send(path):
    print("sending", path, file=sys.stderr)
    return send_from_directory(STATIC, path)


@app.route("/")
def calendar():
    return redirect("nights.html")


@app.route("/<int:night>/")
def of_night(night):
    return send(f"{night}/exposures.html")


@app.route("/<int:night>/<int:expid>/")
def of_exposure(night, expid):
    return send(f"{night}/{expid:08d}/qa-summary-{expid:08d}.html")


@app.route("/<int:night>/<int:expid>/spectra/<view>/<frame>/<downsample>/")
def spectra(night, expid, view, frame, downsample):
    from nightwatch.webpages import spectra as pages

    return pages.get_spectra_html(str(DATA / str(night)), night, expid, view, frame, downsample)


@app.route("/<path:path>")
def file(path):
    if (STATIC / path).is_file():
        return send(path)
    wanted = IMAGE_PAGE.fullmatch(path)
    if wanted:
        night, expid, camera, factor = wanted.groups()
        image = DATA / night / expid / f"preproc-{camera}-{expid}.fits"
        if image.is_file():
            from nightwatch.webpages import plotimage

            plotimage.write_image_html(str(image), str(STATIC / path), int(factor), night)
            return send(path)
    # With status 200, as the original does.
    return "ERROR: there is no such page"
