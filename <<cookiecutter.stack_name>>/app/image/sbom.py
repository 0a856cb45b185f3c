"""Prints what is installed in this Python environment, as a CycloneDX bill of materials.

Run once, when the image is built. Source of the form: CycloneDX 1.5, JSON.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, distributions


def component(package: Distribution) -> dict[str, object]:
    name, version = package.metadata["Name"], package.version
    # As the specification of package URLs wants names of PyPI.
    identifier = re.sub(r"[-_.]+", "-", name).lower()
    made: dict[str, object] = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{identifier}@{version}",
    }
    licence = package.metadata.get("License-Expression")
    if licence:
        made["licenses"] = [{"expression": licence}]
    return made


def bill() -> dict[str, object]:
    # Without pip and its like, which are removed after this.
    found = [package for package in distributions() if package.metadata["Name"] not in BUILDERS]
    found.sort(key=lambda package: package.metadata["Name"].lower())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [component(package) for package in found],
    }


BUILDERS = ("pip", "setuptools")

if __name__ == "__main__":
    print(json.dumps(bill(), indent=1))
