"""The application of a stack: what each address answers, with and without nightwatch."""

from __future__ import annotations

import html
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import baking, fake_nightwatch

baking.application()
from nightwatch_web import preload, routes, turns  # noqa: E402
from nightwatch_web.options import Options, parse  # noqa: E402
from nightwatch_web.routes import create_app  # noqa: E402

NIGHT, EXPOSURE = "20240102", "00000123"
SECRET = "nobody may read this"
IMAGE_PAGE = f"/{NIGHT}/{EXPOSURE}/preproc-b0-{EXPOSURE}-4x.html"


@pytest.fixture
def places(tmp_path: Path) -> Options:
    """A static tree with a night and an exposure, and data with some images."""
    static, data = tmp_path / "static", tmp_path / "data"
    for root in (static, data):
        (root / NIGHT / EXPOSURE).mkdir(parents=True)
    for camera in ("b0", "b9", "r9"):
        (data / NIGHT / EXPOSURE / f"preproc-{camera}-{EXPOSURE}.fits").write_text("SIMPLE")
    (static / "static").mkdir()
    (static / "static" / "timeseries_dropdown.json").write_text(
        json.dumps({"PER_AMP": ["READNOISE"]})
    )
    (static / "nights.html").write_text("the calendar")
    (static / NIGHT / "exposures.html").write_text("the exposures")
    (static / NIGHT / EXPOSURE / f"qa-summary-{EXPOSURE}.html").write_text("the summary")
    (tmp_path / "secret.txt").write_text(SECRET)
    return Options(static, data)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the workers leave for each other there is the test's own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


@pytest.fixture
def client(places: Options) -> FlaskClient:
    return create_app(places).test_client()


@pytest.fixture
def nightwatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The stand-in for nightwatch is importable; the file lists the pages it has made."""
    log = tmp_path / "made.log"
    log.touch()
    monkeypatch.setenv("FAKE_NIGHTWATCH_LOG", str(log))
    monkeypatch.syspath_prepend(str(fake_nightwatch.write(tmp_path / "checkout")))
    yield log
    forget_nightwatch()


def forget_nightwatch() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "nightwatch"]:
        del sys.modules[name]


def test_the_static_pages_need_no_nightwatch(client: FlaskClient):
    start = client.get("/")
    assert (start.status_code, start.headers["Location"]) == (302, "nights.html")
    assert client.get("/nights.html").text == "the calendar"
    assert client.get(f"/{NIGHT}/").text == "the exposures"
    assert client.get(f"/{NIGHT}/123/").text == "the summary"
    assert client.get(f"/{NIGHT}/{EXPOSURE}/").text == "the summary"
    assert client.get("/healthz").text == "ok\n"


def test_pages_are_asked_for_again_and_sent_only_when_changed(client: FlaskClient):
    first = client.get("/nights.html")
    assert first.cache_control.max_age == 1
    again = client.get("/nights.html", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/missing.html", 404),
        ("/favicon.ico", 404),
        ("/static/", 404),
        ("/20240103/", 404),
        (f"/{NIGHT}/124/", 404),
        (f"/{NIGHT}/{EXPOSURE}/preproc-z0-{EXPOSURE}-4x.html", 404),
        (f"/{NIGHT}/124/spectra/objtype/qframe/4x/", 404),
        ("/2024/", 400),
        ("/20241301/", 400),
        ("/lastnight/", 400),
        (f"/{NIGHT}/123456789/", 400),
        (f"/{NIGHT}/abc/", 400),
        (f"/{NIGHT}/{EXPOSURE}/preproc-x0-{EXPOSURE}-4x.html", 400),
        (f"/{NIGHT}/{EXPOSURE}/preproc-b0-{EXPOSURE}-0x.html", 400),
        (f"/{NIGHT}/{EXPOSURE}/preproc-b0-{EXPOSURE}-..x.html", 400),
        (f"/{NIGHT}/{EXPOSURE}/preproc-b0-{EXPOSURE}-4.html", 400),
        (f"/{NIGHT}/{EXPOSURE}/preproc-b0-00000124-4x.html", 400),
        (f"/2024010x/{EXPOSURE}/preproc-b0-{EXPOSURE}-4x.html", 400),
        (f"/{NIGHT}/123/spectra/sideways/", 400),
        (f"/{NIGHT}/123/spectra/objtype/qframe/fast/", 400),
        (f"/{NIGHT}/123/spectra/objtype/qframe/0x/", 400),
        (f"/{NIGHT}/123/spectra/input/;ls/qframe/4x/", 400),
        ("/timeseries/2024/20240103/PER_AMP/READNOISE", 400),
        ("/timeseries/20240103/20240102/PER_AMP/READNOISE", 400),
        ("/timeseries/20240101/20240102/PER-AMP/READNOISE", 400),
        # Nightwatch is not there: what has to be made can't be made now.
        (IMAGE_PAGE, 503),
        (f"/{NIGHT}/123/spectra/objtype/qframe/4x/", 503),
        ("/timeseries/", 503),
        ("/timeseries/20240101/20240102/PER_AMP/READNOISE", 503),
    ],
)
def test_an_address_without_a_page(client: FlaskClient, path: str, status: int):
    answer = client.get(path)
    assert answer.status_code == status
    assert f"Status {status}." in answer.text
    assert "Traceback" not in answer.text
    assert ("Retry-After" in answer.headers) is (status == 503)


def test_an_error_page_shows_an_address_as_text(client: FlaskClient):
    answer = client.get("/<script>alert(1)</script>/")
    assert "<script>" not in answer.text


def test_a_broken_nightwatch_is_told_and_may_be_mended(
    client: FlaskClient, nightwatch: Path, tmp_path: Path
):
    module = tmp_path / "checkout/py/nightwatch/webpages/plotimage.py"
    good = module.read_text()
    module.write_text("import something_that_is_not_installed")
    answer = client.get(IMAGE_PAGE)
    assert answer.status_code == 503
    assert "something_that_is_not_installed" in answer.text
    module.write_text(good + "\n# mended\n")
    assert client.get(IMAGE_PAGE).status_code == 200


@pytest.mark.parametrize("factor", [1, 100, 9999])
def test_as_many_pixels_as_an_image_has_may_become_one(
    client: FlaskClient, nightwatch: Path, factor: int
):
    answer = client.get(IMAGE_PAGE.replace("4x", f"{factor}x"))
    assert answer.text == f"<h1>preproc-b0-{EXPOSURE}.fits {factor} {NIGHT}</h1>"


def test_more_pixels_than_an_image_has_leave_no_file_in_the_tree(
    client: FlaskClient, nightwatch: Path, places: Options
):
    for factor in ("10000x", "100000000x"):
        path = IMAGE_PAGE.replace("4x", factor)
        answer = client.get(path)
        assert answer.status_code == 400
        assert "from 1x to 9999x" in answer.text
        assert not (places.static / path[1:]).exists()


def test_an_image_is_made_once_and_then_served(
    client: FlaskClient, nightwatch: Path, places: Options
):
    for _ in range(2):
        answer = client.get(IMAGE_PAGE)
        assert answer.status_code == 200
        assert answer.text == f"<h1>preproc-b0-{EXPOSURE}.fits 4 {NIGHT}</h1>"
    assert len(nightwatch.read_text().splitlines()) == 1
    made = places.static / IMAGE_PAGE[1:]
    assert made.stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("camera", ["b9", "r9"])
def test_a_page_that_fails_leaves_nothing(
    client: FlaskClient, nightwatch: Path, places: Options, camera: str
):
    answer = client.get(IMAGE_PAGE.replace("b0", camera))
    assert answer.status_code == 502
    directory = places.static / NIGHT / EXPOSURE
    assert [file.name for file in directory.iterdir()] == [f"qa-summary-{EXPOSURE}.html"]


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/spectra/", "spectrograph/qframe/4x/"),
        ("/spectra", ""),
        ("/spectra/objtype/", "objtype/qframe/4x/"),
        ("/spectra/objtype/qcframe/", "objtype/qcframe/4x/"),
        ("/spectra/objtype/zframe/", "objtype/qframe/4x/"),
        ("/spectra/input/1,3-5/", "input/1,3-5/qframe/4x/"),
        ("/spectra/input/1, 3/qcframe/", "input/1,3/qcframe/4x/"),
    ],
)
def test_spectra_fill_in_what_is_not_said(client: FlaskClient, path: str, leads_to: str):
    answer = client.get(f"/{NIGHT}/123{path}")
    assert answer.status_code in (302, 308)
    assert answer.headers["Location"].endswith(f"/{NIGHT}/123/spectra/{leads_to}")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("spectrograph/qframe/4x/", "spectrograph|qframe|4x|None"),
        ("input/", "input|qframe|4x|None"),
        ("input/qcframe/8x/", "input|qcframe|8x|None"),
        ("input/1,3-5/qcframe/2x/", "input|qcframe|2x|1,3-5"),
        ("spectrograph/qframe/128x/", "spectrograph|qframe|128x|None"),
        # A frame of another name is the usual one, as in nightwatch's own application.
        ("spectrograph/..zframe/4x/", "spectrograph|qframe|4x|None"),
        ("input/zframe/4x/", "input|qframe|4x|None"),
        ("input/1/zframe/4x/", "input|qframe|4x|1"),
    ],
)
def test_spectra(client: FlaskClient, nightwatch: Path, places: Options, path: str, asked: str):
    answer = client.get(f"/{NIGHT}/123/spectra/{path}")
    assert answer.text == f"<p>{places.data / NIGHT}|{NIGHT}|{EXPOSURE}|{asked}</p>"


def test_a_sentence_of_nightwatch_is_no_page(client: FlaskClient, nightwatch: Path):
    answer = client.get(f"/{NIGHT}/123/spectra/objtype/qframe/4x/")
    assert answer.status_code == 404
    assert "no qframe-*-00000123.fits files found" in answer.text


def test_time_series(client: FlaskClient, nightwatch: Path, places: Options):
    assert client.get("/timeseries/").text == "<form><b>PER_AMP</b></form>"
    address = "/timeseries/20240101/20240102/PER_AMP/"
    # The plot is markup, though nightwatch's template does not say so.
    expected = "<p>20240101-20240102 PER_AMP READNOISE</p><script>plot</script> <div></div>"
    for _ in range(2):
        assert client.get(address + "READNOISE").text == expected
    assert client.get(address + "NOTHING").status_code == 404
    (places.static / "static/timeseries_dropdown.json").write_text("{")
    assert client.get("/timeseries/").status_code == 502
    (places.static / "static/timeseries_dropdown.json").unlink()
    assert client.get("/timeseries/").status_code == 404


def test_a_page_that_took_long_is_good_for_longer(
    client: FlaskClient, nightwatch: Path, monkeypatch: pytest.MonkeyPatch
):
    address = f"/{NIGHT}/123/spectra/spectrograph/qframe/4x/"
    clock = iter([0.0, 0.1, 0.0, 10.0, 0.0, 400.0])
    monkeypatch.setattr(routes, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    quick, slow, slowest = (client.get(address) for _ in range(3))
    assert quick.headers["Cache-Control"] == "max-age=1, stale-while-revalidate=30"
    assert (slow.cache_control.max_age, slowest.cache_control.max_age) == (29, 60)
    assert slow.headers["ETag"] == quick.headers["ETag"]


def test_one_makes_a_page_and_no_more_than_so_many_at_a_time(
    places: Options, nightwatch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    client = create_app(places, slots=1).test_client()
    busy = f"/{NIGHT}/123/spectra/input/"
    with turns.held(busy):
        same = client.get(busy)
        other = client.get(f"/{NIGHT}/123/spectra/spectrograph/qframe/4x/")
    assert (same.status_code, other.status_code) == (503, 200)
    with turns.slot(1):
        full = [client.get(path) for path in (busy, IMAGE_PAGE)]
        assert client.get(f"/{NIGHT}/").status_code == 200
    for answer in (same, *full):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert [client.get(path).status_code for path in (busy, IMAGE_PAGE)] == [200, 200]


def test_ready_when_pages_and_data_can_be_read(client: FlaskClient, places: Options):
    assert client.get("/readyz").text == "ok\n"
    places.data.rename(places.data.with_name("gone"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "The directory of the data can't be read (No such file" in html.unescape(answer.text)
    places.data.mkdir()
    assert "The directory of the data is empty" in client.get("/readyz").text
    assert client.get("/healthz").status_code == 200


def test_nightwatch_is_imported_ahead_of_time_if_it_can_be(
    nightwatch: Path, capsys: pytest.CaptureFixture[str]
):
    assert preload.load()
    assert "nightwatch.webpages.timeseries" in sys.modules
    forget_nightwatch()
    sys.path.remove(str(nightwatch.parent / "checkout" / "py"))
    assert not preload.load()
    told = capsys.readouterr().err
    assert told.startswith("Nothing is imported ahead of time: Nightwatch's code can't be used")
    assert len(told.splitlines()) == 1
    preload.load()
    assert not capsys.readouterr().err, "once for all workers"


def test_code_that_can_not_be_imported_is_a_warning(
    client: FlaskClient, nightwatch: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))
    preload.in_background()
    assert client.get("/readyz").text == "ok\npending: nightwatch's code is being imported\n"
    module = nightwatch.parent / "checkout/py/nightwatch/webpages/spectra.py"
    good = module.read_text()
    module.write_text("import something_that_is_not_installed")
    preload.load()
    preload.in_background()
    answer = client.get("/readyz")
    assert answer.status_code == 200, "the pages that are there need none of it"
    assert answer.text == (
        "ok\nwarning: no page can be made on demand: "
        "ModuleNotFoundError: No module named 'something_that_is_not_installed'\n"
    )
    module.write_text(good + "\n# mended\n")
    monkeypatch.setattr(preload, "time", SimpleNamespace(sleep=lambda seconds: None))
    started[-1].run()
    assert client.get("/readyz").text == "ok\n"


def test_links_stay_inside(client: FlaskClient, places: Options):
    (places.static / "inside.html").symlink_to("nights.html")
    (places.static / "outside.html").symlink_to("../secret.txt")
    (places.static / "away").symlink_to("..", target_is_directory=True)
    (places.static / "loop").symlink_to("loop")
    assert client.get("/inside.html").text == "the calendar"
    for path in ("/outside.html", "/away/secret.txt", "/loop", "/loop/x"):
        assert client.get(path).status_code == 404


def test_a_page_is_not_made_through_a_link(client: FlaskClient, places: Options, nightwatch: Path):
    outside = places.data.parent / "outside"
    outside.mkdir()
    (places.data / NIGHT / "00000200").mkdir()
    (places.data / NIGHT / "00000200" / "preproc-b0-00000200.fits").touch()
    (places.static / NIGHT / "00000200").symlink_to(outside, target_is_directory=True)
    answer = client.get(f"/{NIGHT}/00000200/preproc-b0-00000200-4x.html")
    assert answer.status_code == 404
    assert list(outside.iterdir()) == []


def test_what_is_hidden_stays_hidden(client: FlaskClient, places: Options):
    (places.static / NIGHT / ".half-a-page.html").write_text("half")
    assert client.get(f"/{NIGHT}/.half-a-page.html").status_code == 404


ODD = ["..", ".", "", "secret.txt", "static", NIGHT, "%2e%2e", "..%2f", "\0", "\\..", "~", "/etc"]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(parts=st.lists(st.sampled_from(ODD).map(str.encode) | st.binary(max_size=3), max_size=6))
def test_no_address_leaves_the_tree(client: FlaskClient, parts: list[bytes]):
    # As a server hands it over, percent signs decoded once: bytes in a latin-1 string.
    path = (b"/" + b"/".join(parts)).decode("latin-1")
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert answer.status_code in (200, 302, 308, 400, 404)
    assert SECRET not in answer.text


def test_a_very_long_address_is_just_missing(client: FlaskClient):
    for path in ("/" + "x" * 300, "/" + "x/" * 3000 + "y"):
        assert client.get(path).status_code == 404


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    here = Path.cwd()
    assert parse(["-s", "./static", "-d", "./data"]) == Options(here / "static", here / "data")
    assert parse(["-i", "static"]) == Options(here / "static", here / "static")
    with pytest.raises(SystemExit):
        parse([])
