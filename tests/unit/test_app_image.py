"""How the images of a stack are built: what their Dockerfiles and requirements promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.baking import bake


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(tmp_path_factory.mktemp("stack"))


def test_every_package_is_pinned_by_version_and_hash(stack: Path):
    pinned = (stack / "app/requirements.txt").read_text()
    packages = re.split(r"\n(?=\S)", pinned.strip())
    for package in packages:
        assert re.match(r"[\w.-]+==[\w.]+", package), package
        assert "--hash=sha256:" in package, package
        assert "    # via" in package, f"nobody asks for {package}"
    asked = re.findall(r"^[\w.-]+", (stack / "app/requirements.in").read_text(), re.MULTILINE)
    names = [package.split("==")[0] for package in packages]
    assert set(map(_normal, names)) >= set(map(_normal, asked))


def test_libraries_are_of_versions_that_nightwatch_works_with(stack: Path):
    pinned = (stack / "app/requirements.txt").read_text()
    versions = dict(re.findall(r"^([\w.-]+)==([\d.]+)", pinned, re.MULTILINE))
    assert versions["bokeh"].startswith("2."), "nightwatch uses what Bokeh 3 does not have"
    assert versions["numpy"].startswith("1."), "Bokeh 2 uses what numpy 2 does not have"
    # What nobody imports to make a page, and what is mounted.
    assert not {"numba", "llvmlite", "desiutil", "desimodel"} & set(versions)


def test_only_wheels_of_these_are_installed_in_a_stage_of_its_own(stack: Path):
    building, final = (stack / "app/Dockerfile").read_text().split("\nFROM ", 2)[1:]
    assert "RUN sh /tmp/install.sh" in building
    building = (stack / "app/image/install.sh").read_text()
    assert "--require-hashes" in building and "--only-binary :all: --no-deps" in building
    assert "/opt/venv/sbom.json" in building
    assert "pip" not in final and "COPY --from=build" in final


@pytest.mark.parametrize("service", ["app", "web"])
def test_the_user_is_not_root(stack: Path, service: str):
    users = re.findall(r"^USER (.+)$", (stack / service / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["65534:65534"]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
