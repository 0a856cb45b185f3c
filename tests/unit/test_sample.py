"""The sample data of a rehearsal: whole, linked, readable, and written once."""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from spinstack.errors import SpinstackError
from spinstack.sample import layout
from spinstack.sample.layout import lay_out
from spinstack.sample.survey import nights

STATIC, DATA = "nightwatchtest/output", "nightwatchtest/data/output"

# What the application makes on demand, and the FITS files that each needs.
ON_DEMAND = {
    r"/(\d{8})/(\d{8})/preproc-([brz]\d)-\2-\d+x\.html": "{0}/{1}/preproc-{2}-{1}.fits",
    r"/(\d{8})/(\d+)/spectra/(?:spectrograph|objtype)/qframe/4x/": "{0}/{1}",
    r"/timeseries/": "",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "project"
    lay_out(path)
    return path


OWNER = (41037, 58102)


@pytest.fixture(scope="module")
def project_of_another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample once more, for somebody else."""
    path = tmp_path_factory.mktemp("sample") / "project"
    lay_out(path, owner=OWNER)
    return path


def everything(project: Path) -> dict[Path, int]:
    """Each file and when it was written."""
    return {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}


class Links(HTMLParser):
    """The addresses that a page leads to or is made of; not those within the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = [value for name, value in attrs if name in ("href", "src") and value]
        self.found += [value for value in values if not value.startswith("#")]


def addresses(path: str) -> Iterator[str]:
    """Under which the application serves a file of the static tree."""
    yield f"/{path}"
    if path.endswith("/exposures.html"):
        yield f"/{path.removesuffix('exposures.html')}"
    exposure = re.fullmatch(r"(\d{8})/(\d{8})/qa-summary-\2\.html", path)
    if exposure:
        yield f"/{exposure[1]}/{int(exposure[2])}/"


def leads_somewhere(project: Path, address: str) -> bool:
    if (project / STATIC / address.lstrip("/")).is_file():
        return True
    for pattern, needed in ON_DEMAND.items():
        found = re.fullmatch(pattern, address)
        if found:
            return (project / DATA / needed.format(*found.groups())).exists()
    return False


def test_every_link_leads_to_a_file_or_to_a_page_made_on_demand(project: Path) -> None:
    static = project / STATIC
    # Most pages lead to the same places: each target, and who leads there first.
    targets: dict[str, tuple[str, str]] = {}
    for page in static.rglob("*.html"):
        links = set(Links(page.read_text(encoding="utf-8")).found)
        for address in addresses(page.relative_to(static).as_posix()):
            for link in links:
                targets.setdefault(urljoin(f"http://site{address}", link), (address, link))
    broken = []
    for target, who in targets.items():
        parts = urlsplit(target)
        assert parts.netloc == "site", "no other server is asked for anything"
        if not leads_somewhere(project, unquote(parts.path)):
            broken.append(who)
    assert targets and not broken


def test_the_site_has_a_page_for_each_night_and_exposure_and_says_that_it_is_a_sample(
    project: Path,
) -> None:
    static = project / STATIC
    pages = {page.relative_to(static).as_posix() for page in static.rglob("*.html")}
    assert pages == {"nights.html"} | {f"{night.name}/exposures.html" for night in nights()} | {
        f"{night.name}/{exposure.name}/qa-summary-{exposure.name}.html"
        for night in nights()
        for exposure in night.exposures
    }
    assert all("Sample data" in (static / page).read_text(encoding="utf-8") for page in pages)


def test_laid_out_again_nothing_is_written(project: Path) -> None:
    before = everything(project)
    lay_out(project)
    assert everything(project) == before


def test_what_was_deleted_comes_back_and_other_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pages of the nights alone: it is not what they are that is to be seen.
    monkeypatch.setattr(layout, "_exposure_files", lambda night, exposure: iter(()))
    monkeypatch.setattr(layout, "DATA", layout.STATIC)
    lay_out(tmp_path)
    mine = tmp_path / "nightwatch" / "mine.txt"
    mine.write_text("kept")
    (tmp_path / STATIC / "nights.html").unlink()
    lay_out(tmp_path)
    assert (tmp_path / STATIC / "nights.html").is_file()
    assert mine.read_text() == "kept"


def test_two_people_see_the_same(project: Path, project_of_another: Path) -> None:
    stamp = project / "nightwatchtest" / ".spinstack-sample"
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in everything(root)}
        for root in (project, project_of_another)
    )
    # Whose it is stands in the stamp alone.
    del first[stamp.relative_to(project)], second[stamp.relative_to(project)]
    assert first == second


def test_directories_can_be_passed_and_files_read_by_all(project: Path) -> None:
    for path in (project, *project.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.real("root")
def test_as_root_everything_is_given_to_the_owner(project_of_another: Path) -> None:
    paths = (project_of_another, *project_of_another.rglob("*"))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in paths} == {OWNER}


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpinstackError, match="sample data can't be written"):
        lay_out(tmp_path / "file")


def test_fits_files_are_whole(project: Path) -> None:
    found = sorted((project / DATA).rglob("*.fits"))
    assert {path.name[:3] for path in found} == {"qa-", "pre"}
    for path in found:
        assert list(fits_sizes(path.read_bytes())), path


def fits_sizes(content: bytes) -> Iterator[int]:
    """Walks from header to header by the sizes that they tell; each must fit."""
    assert len(content) % 2880 == 0
    while content:
        header = {}
        for at in range(0, len(content), 80):
            card = content[at : at + 80].decode("ascii")
            if card.rstrip() == "END":
                break
            assert card[8:10] == "= "
            header[card[:8].rstrip()] = card[10:].strip()
        axes = [int(header[f"NAXIS{axis + 1}"]) for axis in range(int(header["NAXIS"]))]
        size = abs(int(header["BITPIX"])) // 8 if axes else 0
        for length in axes:
            size *= length
        used = (at // 2880 + 1) * 2880 + -(-size // 2880) * 2880
        assert used <= len(content)
        yield size
        content = content[used:]


def test_a_camera_image_shows_the_traces_that_its_header_tells_of(project: Path) -> None:
    path = next((project / DATA).rglob("preproc-b0-*.fits"))
    content = path.read_bytes()
    assert b"NAXIS1  =                  200" in content[:2880]
    row = struct.unpack_from(">200f", content, 2880 + 100 * 200 * 4)
    first, step = 10.0, 10.6  # TRACE0 and TRACESTP
    assert b"TRACE0  =                 10.0" in content[:2880]
    on = [max(row[round(first + at * step) + near] for near in (-1, 0, 1)) for at in range(18)]
    between = [row[round(first + (at + 0.5) * step)] for at in range(17)]
    assert sum(on) / 18 > 3 + sum(between) / 17


def test_png_images_can_be_decoded(project: Path) -> None:
    for path in (project / STATIC).rglob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        chunks = dict(png_chunks(content[8:]))
        width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
        assert len(zlib.decompress(chunks[b"IDAT"])) == height * (width + 1)
        assert chunks[b"IEND"] == b""


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    while content:
        (size,) = struct.unpack(">I", content[:4])
        kind, data = content[4:8], content[8 : 8 + size]
        assert struct.unpack(">I", content[8 + size : 12 + size])[0] == zlib.crc32(kind + data)
        yield kind, data
        content = content[12 + size :]


def test_the_form_for_time_series_offers_the_nights_of_the_sample(project: Path) -> None:
    form = project / "nightwatch/py/nightwatch/webpages/templates/timeseries_input.html"
    offered = re.findall(r'value="(\d{8})"', form.read_text(encoding="utf-8"))
    assert offered == [nights()[0].name, nights()[-1].name]
