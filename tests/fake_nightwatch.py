"""A stand-in for the package nightwatch: the functions that the application calls."""

from __future__ import annotations

from pathlib import Path

PLOTIMAGE = """
import os

def write_image_html(input, output, downsample, night):
    log = os.environ["FAKE_NIGHTWATCH_LOG"]
    with open(log, "a") as file:
        file.write(f"{os.path.basename(output)}\\n")
    if "b9" in input:
        raise KeyError("IMAGE")
    if "r9" in input:
        return
    assert output.endswith(".html") and isinstance(downsample, int)
    with open(output, "w") as file:
        file.write(f"<h1>{os.path.basename(input)} {downsample} {night}</h1>")
"""

SPECTRA = """
def get_spectra_html(data, night, expid, view, frame, downsample_str, select_string=None):
    zexpid = "{:08d}".format(expid)
    if view == "objtype":
        return f"no {frame}-*-{zexpid}.fits files found"
    return f"<p>{data}|{night}|{zexpid}|{view}|{frame}|{downsample_str}|{select_string}</p>"
"""

# Its template prints the plot without saying that it is markup, and Jinja escapes.
TIMESERIES = """
import jinja2

def components(figure):
    return f"<script>{figure}</script>", "<div></div>"

def generate_timeseries_html(data, start_date, end_date, hdu, attribute, dropdown):
    if attribute == "NOTHING":
        return "No data between {} and {}".format(start_date, end_date)
    template = jinja2.Environment(autoescape=True).from_string(
        "<p>{{ what }}</p>{{ script }} {{ div }}"
    )
    assert list(dropdown) == ["PER_AMP"]
    script, div = components("plot")
    what = f"{start_date}-{end_date} {hdu} {attribute}"
    return template.render(what=what, script=script, div=div)
"""

FORM = "<form>{% for hdu in dropdown_hdu %}<b>{{ hdu }}</b>{% endfor %}</form>"


def write(checkout: Path) -> Path:
    """Writes it the way a checkout has it; returns the directory for the Python path."""
    webpages = checkout / "py" / "nightwatch" / "webpages"
    (webpages / "templates").mkdir(parents=True)
    for package in (webpages.parent, webpages):
        (package / "__init__.py").touch()
    (webpages / "plotimage.py").write_text(PLOTIMAGE)
    (webpages / "spectra.py").write_text(SPECTRA)
    (webpages / "timeseries.py").write_text(TIMESERIES)
    (webpages / "templates" / "timeseries_input.html").write_text(FORM)
    return checkout / "py"
