"""Where the tests' own cluster keeps its files: in nobody else's directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import beside, place


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


@pytest.mark.parametrize("mounted", [False, True])
def test_of_the_names_of_this_machine_only_ones_own_line_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    hosts = tmp_path / "hosts"
    others = "110.0.0.1 site.localhost\n10.0.0.1 site.localhost"
    hosts.write_text(others)
    hosts.chmod(0o644)
    monkeypatch.setattr(beside, "HOSTS", hosts)

    def busy(*_: object) -> None:
        raise OSError("Device or resource busy")

    if mounted:
        monkeypatch.setattr(Path, "replace", busy)
    with beside.known_as("site.localhost", "10.0.0.1"):
        with beside.known_as("site.localhost", "10.0.0.1"):
            assert hosts.read_text().count("\n10.0.0.1 site.localhost #") == 2
        assert hosts.read_text().count("\n10.0.0.1 site.localhost #") == 1
    assert hosts.read_text() == others + "\n"
    assert hosts.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [hosts]
