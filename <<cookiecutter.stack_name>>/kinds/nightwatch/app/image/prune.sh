#!/bin/sh
# Removes from /opt/venv, when the image is built, what no page needs.
set -eu
cd /opt/venv/lib/python3*/site-packages

# The libraries' own tests (but astropy.tests and numpy's, parts of which are imported).
find . -type d \( -name tests -o -name test \) \
    ! -path ./astropy/tests ! -path './numpy/*' -prune -exec rm -rf {} +
# Of BokehJS all but the .min.js, which pages may contain.
find bokeh/server/static -type f \
    \( ! -name '*.min.js' -o -name '*.legacy.min.js' -o -name '*.esm.min.js' \) -delete
# The models with which desitarget selects targets, 50 MB of which no page shows anything.
rm -f desitarget/data/*.npz
