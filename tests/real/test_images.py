"""Both images of a stack, built and run the way Spin runs them: any user, no capabilities,
a read-only root, and only what docker-compose.yml mounts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.baking import REPOSITORY
from tests.real.lab import GID, UID, Lab, laboratory
from tests.real.serving import eventually

pytestmark = pytest.mark.real("engine")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def web_alone(lab: Lab) -> dict[str, int]:
    """web, started when there is no app yet; the status that it answers."""
    lab.start("web")
    pages = ("/healthz", "/", "/nights.html", "/timeseries/")
    return {page: lab.get(page).status for page in pages}


@pytest.fixture(scope="module")
def site(lab: Lab, web_alone: dict[str, int]) -> Lab:
    """Both services, on the sample data."""
    lab.start("app")
    lab.wait_for("/readyz", 200)
    return lab


def an_image(lab: Lab) -> str:
    """The address of an image page that is not there yet but can be made."""
    for image in sorted(lab.data.glob("*/*/preproc-*.fits")):
        page = f"{image.parent.relative_to(lab.data)}/{image.stem}-9x.html"
        if not (lab.static / page).exists():
            return f"/{page}"
    raise AssertionError("no image among the sample data")


def test_web_starts_without_app_and_sends_the_pages_that_are_there(web_alone: dict[str, int]):
    expected = {"/healthz": 200, "/": 302, "/nights.html": 200, "/timeseries/": 502}
    assert web_alone == expected


def test_the_calendar_is_served(site: Lab):
    start = site.get("/")
    assert (start.status, start.headers["Location"]) == (302, "nights.html")
    assert b"<html" in site.get("/nights.html").read()


def test_redirects_lead_to_the_outside_port(site: Lab):
    outside = site.docker("port", f"{site.name}-web", "8080")
    night = an_image(site).split("/")[1]
    location = site.get(f"/{night}").headers["Location"]
    assert location in (f"http://{outside}/{night}/", f"/{night}/")


def test_a_page_is_made_on_demand_as_the_owner_of_the_files(site: Lab):
    address = an_image(site)
    assert b"<html" in site.get(address).read()
    made = site.static / address[1:]
    assert (made.stat().st_uid, made.stat().st_gid) == (UID, GID)


def test_the_containers_hold_no_privilege(site: Lab):
    for service in ("app", "web"):
        status = site.docker("exec", f"{site.name}-{service}", "cat", "/proc/1/status")
        assert re.search(rf"^Uid:\s+{UID}\s", status, re.MULTILINE)
        assert re.search(rf"^Gid:\s+{GID}\s", status, re.MULTILINE)
        assert not re.search(r"^Cap(Prm|Eff|Bnd):\s*0*[1-9a-f]", status, re.MULTILINE)


# Names of modules, and of what is in them, on standard output: those that are missing.
MISSING = """
import importlib, json, operator, sys
from importlib.util import find_spec

for module, names in json.loads(sys.argv[1]).items():
    for name in names:
        try:
            operator.attrgetter(name)(importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            print(f"{module} {name}: {error!r}")
# desitarget itself imports desiutil, which is mounted and here only a stand-in.
for module in ("desitarget.targets", "healpy"):
    find_spec(module) or print(module)
"""


def test_all_that_nightwatch_imports_is_there(site: Lab):
    names = yaml.safe_load((REPOSITORY / "tests/nightwatch_names.yaml").read_text())
    app, wanted = f"{site.name}-app", json.dumps(names)
    assert site.docker("exec", app, "python3", "-c", MISSING, wanted) == ""


def test_nightwatch_was_imported_ahead_of_time(site: Lab):
    assert eventually(lambda: site.get("/readyz").read() == b"ok\n")


def test_the_bill_of_materials_names_what_is_installed(site: Lab):
    bill = json.loads(site.docker("exec", f"{site.name}-app", "cat", "/opt/venv/sbom.json"))
    named = {package["name"].lower(): package["version"] for package in bill["components"]}
    pinned = (site.stack / "app/requirements.txt").read_text()
    named = {re.sub("[-_.]+", "-", name): version for name, version in named.items()}
    assert named == dict(re.findall(r"^([\w.-]+)==([\w.]+)", pinned, re.MULTILINE))


def test_nothing_of_the_build_is_left(site: Lab):
    look = "find /opt/venv /app -name __pycache__ -o -name pip -o -name 'pip-*' -o -name setuptools"
    assert site.docker("exec", f"{site.name}-app", "sh", "-c", look) == ""


def test_web_finds_app_at_a_new_address(site: Lab):
    site.start("app", container=f"{site.name}-other", static="ro")
    site.docker("rm", "--force", f"{site.name}-app")
    site.wait_for("/readyz", 200)
    # This app may not write: what is there is served, what is not is told.
    answer = site.get(an_image(site))
    assert answer.status == 503
    assert b"can&#x27;t be written to" in answer.read()


def test_both_stop_when_they_are_told(site: Lab):
    for container in (f"{site.name}-other", f"{site.name}-web"):
        before = time.monotonic()
        site.docker("stop", "--time", "20", container)
        assert time.monotonic() - before < 10
