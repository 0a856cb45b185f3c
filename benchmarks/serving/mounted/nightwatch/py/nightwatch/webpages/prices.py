"""Pages that cost processor time or mere waiting, as much as the exposure's number says."""

import time

# The scientific stack that the real pages import.
import astropy.table  # noqa: F401
import bokeh.embed
import bokeh.plotting  # noqa: F401
import fitsio  # noqa: F401
import numpy  # noqa: F401
import scipy.ndimage  # noqa: F401

# Exposures from this number on wait (for a file system, say); the others compute.
FIRST_SLOW = 900_000
SLOW_SECONDS = 10.0
BUSY_SECONDS = 0.008
PAGE_BYTES = 78_000


def page(title: str, expid: int) -> str:
    """A page of 78 kB after 10 s of waiting or 8 ms of work."""
    if expid >= FIRST_SLOW:
        time.sleep(SLOW_SECONDS)
    else:
        end = time.thread_time() + BUSY_SECONDS
        while time.thread_time() < end:
            sum(range(500))
    head = f"<!doctype html><html><title>{title}</title><body data-made='{time.time()}'>"
    line = "<p>flux 0.1234 wavelength 5432.1 fibre 321</p>\n"
    return head + line * (PAGE_BYTES // len(line)) + "</body></html>\n"
