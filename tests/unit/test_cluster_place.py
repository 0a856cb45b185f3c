"""Where the tests' own cluster keeps its files: in nobody else's directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import place


@pytest.mark.parametrize("how", ["link", "open"])
def test_a_directory_that_others_could_have_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    root, other = tmp_path / "clusters", tmp_path / "other"
    other.mkdir()
    if how == "link":
        root.symlink_to(other)
    else:
        root.mkdir()
        root.chmod(0o777)
    monkeypatch.setattr(place, "ROOT", root)
    with pytest.raises(PermissionError), place.numbering():
        pass
    assert not list(other.iterdir())


def test_one_of_our_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "ROOT", tmp_path / "clusters")
    for _ in range(2):
        with place.numbering():
            pass
