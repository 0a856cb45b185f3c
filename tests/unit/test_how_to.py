"""The files that the how-to pages show make a stack with nothing against it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spinstack.checks import stack as checks
from spinstack.config import settings, stack
from spinstack.platforms import choose
from spinstack.tasks.prepare import add
from tests import pages
from tests.unit.stack_session import StackSession, run

DESTINATIONS = {
    "dev": {
        "environment": "dev-cattle",
        "user": "alice",
        "project_dir": "/global/cfs/cdirs/desi/a",
    },
    "spin": {
        **{"platform": "kubernetes", "registry": "registry.nersc.gov", "namespace": "desi/alice"},
        "kubernetes": {"cluster": "development", "namespace": "guestbook", "uid": 41037},
        "project_dir": "/global/cfs/cdirs/desi/a",
    },
}


def said_of_databases(printed: str) -> bool:
    """Whether the page has the commands that the task advises, and the name of the secret."""
    page = (pages.DOCS / "how-to" / "database.md").read_text(encoding="utf-8")
    advised = re.findall(r"`((?:invoke|openssl) [^`]*)`", printed)
    return len(advised) == 4 and all(line in page for line in advised)


@pytest.mark.parametrize("database", [False, True], ids=["guest book", "with a database"])
@pytest.mark.parametrize("name", list(DESTINATIONS))
def test_the_stack_of_the_pages_has_nothing_against_it(
    name: str, database: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "guestbook"
    shown = pages.files("how-to/application.md")
    assert {"app/app.py", "docker-compose.yml", "invoke.yaml", "stack.env", "tasks.py"} <= {*shown}
    pages.write(directory, shown)
    (directory / "app" / "requirements.txt").write_text("flask==3.1.3\n")
    if database:
        run(add, StackSession(directory, to=None), what="postgres")
        assert said_of_databases(capsys.readouterr().out)
    raw: dict[str, Any] = yaml.safe_load((directory / "invoke.yaml").read_text())
    raw["spinstack"]["destinations"] = DESTINATIONS
    loaded = settings.load(raw, directory)
    to = loaded.destination(name)
    platform = choose.platform(to.platform, to.kubernetes)
    images = {it.variable: f"{to.registry}/{to.namespace}/{it.name}:c-1" for it in loaded.images}
    made = stack.read(loaded, images, platform.beside)
    assert not checks.check(loaded, to, made, platform)
    assert "guestbook" in platform.rendered(made, to)
