#!/bin/sh
# Installs what requirements.txt lists into /opt/venv when the image is built, and writes down what
# that is.
set -eu

# --no-deps: the list is complete, and nothing else gets in, neither another package nor another
# version or file.
python3 -m venv /opt/venv
/opt/venv/bin/pip install --no-cache-dir --no-compile --only-binary :all: --no-deps \
    --require-hashes --requirement /tmp/requirements.txt
/opt/venv/bin/python3 /tmp/sbom.py > /opt/venv/sbom.json

# pip and setuptools go, since nothing is installed in the final image; so does what ensurepip
# has compiled.
cd /opt/venv/lib/python3*/site-packages
rm -rf pip pip-*.dist-info setuptools setuptools-*.dist-info pkg_resources _distutils_hack \
    distutils-precedence.pth /opt/venv/bin/pip* /opt/venv/include
find /opt/venv -name __pycache__ -prune -exec rm -rf {} +
