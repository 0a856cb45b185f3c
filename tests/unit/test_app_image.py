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
    asked = re.findall(r"^[\w.-]+", (stack / "app/requirements.in").read_text(), re.MULTILINE)
    names = [package.split("==")[0] for package in packages]
    assert sorted(map(_normal, names)) == sorted(map(_normal, asked))


def test_only_wheels_of_these_are_installed_in_a_stage_of_its_own(stack: Path):
    building, final = (stack / "app/Dockerfile").read_text().split("\nFROM ", 2)[1:]
    assert "--require-hashes" in building and "--only-binary :all: --no-deps" in building
    assert "/opt/venv/sbom.json" in building
    assert "pip" not in final and "COPY --from=build" in final


@pytest.mark.parametrize("service", ["app", "web"])
def test_the_user_is_not_root(stack: Path, service: str):
    users = re.findall(r"^USER (.+)$", (stack / service / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["65534:65534"]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
