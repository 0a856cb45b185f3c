"""Imports the libraries of this image that nightwatch imports, before it does so itself.

Importing them takes a second of processor time, and three times that where Python has to
compile them. So this is run when the image is built, which leaves them compiled in the image
(PYTHONPYCACHEPREFIX), and imported by uWSGI before its workers are: they share the memory,
and a worker that is replaced has the libraries from its first moment on.

Nothing of nightwatch is imported here: its code is mounted, and new workers read it anew.
"""

from __future__ import annotations

import gc
import importlib
import py_compile
import sys

NAMES = (
    "astropy.io.fits",
    "astropy.table",
    "astropy.time",
    "astropy.visualization",
    "bokeh.embed",
    "bokeh.layouts",
    "bokeh.models",
    "bokeh.palettes",
    "bokeh.plotting",
    "bokeh.transform",
    "fitsio",
    "flask",
    "healpy",
    "importlib_resources",
    "jinja2",
    "matplotlib",
    "numpy.lib.recfunctions",
    "pandas",
    "scipy.ndimage",
)


def load(names: tuple[str, ...] = NAMES) -> list[str]:
    """Imports them. The answer has a line for each that can't be imported: pages that need
    it will say so, the others can be made."""
    failed = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a library raises: the static pages need none
            failed.append(f"{name} is not imported ahead of time: {type(error).__name__}: {error}")
    # The garbage collector of a worker would write to what it looks through, and what is
    # written to is not shared any more. Source: docs.python.org, gc.freeze.
    gc.collect()
    gc.freeze()
    return failed


def compile_loaded() -> None:
    """Compiles what is imported now, for good: Python does not look whether the source is
    another one. (It would look at the times of the files, which Docker does not keep.)"""
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if spec and spec.cached and spec.origin:
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(spec.origin, spec.cached, doraise=True, invalidation_mode=mode)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    failed = load()
    compile_loaded()
    sys.exit("\n".join(failed) or None)
