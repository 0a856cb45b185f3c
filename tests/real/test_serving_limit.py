"""A request that takes too long is ended, whatever else is asked meanwhile, and the visitor is
told: in real nginx and uWSGI."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.real.serving import NIGHT, Site, eventually, meanwhile, site, spectra

__all__ = ["site"]
pytestmark = pytest.mark.real("engine")

LIMIT = 8
# A selection of fibers that never ends: in Python, and in C code that lets no other thread run.
ASLEEP, STUCK = 777, 666
NEVER = f"""
import time

def make(data, what):
    while " {ASLEEP} " in what:
        time.sleep(0.1)
    if " {STUCK} " in what:
        sum(range(10**14))
    return "<html>" + what * 1000 + "</html>"
"""


@pytest.fixture
def limited(site: Site) -> Site:
    """With a shorter limit."""
    webpages = site.lab.project / "nightwatch/py/nightwatch/webpages"
    (webpages / "make.py").write_text(NEVER)
    (webpages / "spectra.py").write_text(
        (webpages / "spectra.py")
        .read_text()
        .replace(f'make("/app/data/{NIGHT}", ', "make(data, ")
        .replace(", size)", ")")
    )
    site.docker("rm", "--force", site.app)
    site.lab.start("app", more=("--harakiri", str(LIMIT)))
    assert eventually(lambda: site.get("/readyz").status == 200)
    assert eventually(lambda: len(site.workers()) == 2)
    # Each of nginx's workers knows that it is there again.
    missing = [f"/20240103/{number}/" for number in range(16)]
    assert eventually(lambda: {answer.status for answer in site.get_all(missing)} == {404})
    return site


def test_a_request_that_takes_too_long_is_ended_and_told(limited: Site):
    statuses: list[int] = []
    # Beyond the exposure that there is.
    numbers = iter(range(1000, 10**6))

    def others() -> None:
        """Such as health checks; they are asked of all workers."""
        statuses.extend(
            answer.status
            for answer in limited.get_all([f"/{NIGHT}/{next(numbers)}/" for _ in range(4)])
        )
        time.sleep(0.3)

    for number, encoding in ((ASLEEP, "identity"), (STUCK, "gzip")):
        address = spectra(number)
        with meanwhile(others):
            answer = limited.get(address, within=120, Accept_Encoding=encoding)
            assert (answer.status, answer.headers["Retry-After"]) == (504, "60")
            assert "takes too long" in answer.text and "refresh" not in answer.text
            # Asked again, it is not begun again.
            again = limited.get(address, within=LIMIT, Accept_Encoding=encoding)
            assert again.status == 504
        log = limited.lab.logs(limited.app)
        (line,) = re.findall(rf"HARAKIRI: GET {address} was ended .*", log)
        assert f"before the {LIMIT} s" in line
        assert limited.get(spectra(number + 1)).status == 200
    # Those that were asked of the same worker were asked of another then.
    assert set(statuses) == {404}
    told = json.loads(limited.in_app("python3 -m nightwatch_web.workers --json"))
    # Others that began in the worker before it was stuck were as late.
    assert told["cut_off"] >= 2
