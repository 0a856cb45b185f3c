"""The page of an exposure's spectra."""

from nightwatch.webpages.prices import page


def get_spectra_html(data, night, expid, view, frame, downsample, select_string=None):
    """HTML; `data` is a directory, the others are parts of the address."""
    return page(f"Spectra {night} {expid} {view} {frame} {downsample}", int(expid))
