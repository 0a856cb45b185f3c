"""The page of a time series."""

from nightwatch.webpages.prices import page


def generate_timeseries_html(data, start, end, hdu, attribute, dropdown):
    """HTML of one column of a table over some nights."""
    return page(f"{hdu} {attribute} {start} {end}", 0)
