"""Two rehearsals side by side: the same port, on two addresses of this machine."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .stage import PORT, Stage

pytestmark = pytest.mark.real("engine", "registry")

NAME = "second"
DESTINATION = {
    "include": "~/.local/state/spinstack/rehearsal/second/destination.yml",
    "probe_path": "/healthz",
}


@pytest.fixture
def second(stage: Stage) -> Iterator[None]:
    stage.done("rehearsal.start", "--name", NAME)
    yield
    stage.invoke("rehearsal.stop", "--name", NAME)


def _proxy_alone(stack: Path) -> None:
    """Leave the service `app` out: pushing its large image once more would prove nothing."""
    compose = stack / "docker-compose.yml"
    content = yaml.safe_load(compose.read_text())
    del content["services"]["app"]
    compose.write_text(yaml.safe_dump(content))
    start = stack / "web" / "start.sh"
    asked = start.read_text().replace("service=app", "service=web")
    start.write_text(re.sub(r"^port=\d+$", "port=8080", asked, flags=re.MULTILINE))
    settings = yaml.safe_load((stack / "invoke.yaml").read_text())
    for key in ("images", "services"):
        del settings["spinstack"][key]["app"]
    settings["spinstack"]["destinations"]["second"] = DESTINATION
    (stack / "invoke.yaml").write_text(yaml.safe_dump(settings))


def _status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return int(answer.status)


def test_each_has_its_own_site_and_leaves_the_other_alone(
    stage: Stage, site: str, second: None
) -> None:
    stack = stage.bake("nightwatch-second", PORT)
    _proxy_alone(stack)
    other = stage.done("deploy", "--to", "second", at=stack).last_line
    assert other != site
    assert other.endswith(f":{PORT}/")
    assert _status(other + "healthz") == _status(site) == 200

    stage.done("rehearsal.stop", "--name", NAME)
    assert _status(site) == 200
    assert "nightwatch-desi (active)" in stage.done("rehearsal.status").out
