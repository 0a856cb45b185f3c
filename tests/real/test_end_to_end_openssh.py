"""The main job through a real OpenSSH server, which leads into the rehearsal's login node."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import openssh
from .browser import visit
from .stage import ARTEFACTS, PORT, Stage

pytestmark = pytest.mark.real("root", "engine", "registry", "sshd", "chromium")

STACK = "nightwatch-openssh"

# The rehearsal's settings but for the way in.
DESTINATION = """\
    openssh:
      include: ~/.local/state/spinstack/rehearsal/default/destination.yml
      port: {port}
      user: {user}
      identity_file: {identity}
      known_hosts_file: {known_hosts}
"""


@pytest.fixture
def server(stage: Stage, tmp_path: Path) -> Iterator[openssh.Sshd]:
    running = openssh.start(tmp_path, command=openssh.as_demo(stage.login_home))
    yield running
    running.stop()


@pytest.fixture
def stack(stage: Stage, server: openssh.Sshd) -> Iterator[Path]:
    """A second stack, which has a destination behind that server."""
    directory = stage.bake(STACK, PORT + 1)
    values = {"port": server.port, "user": server.user, "identity": server.identity}
    with (directory / "invoke.yaml").open("a") as file:
        file.write(DESTINATION.format(**values, known_hosts=server.known_hosts))
    yield directory
    stage.invoke("rm", "--yes", "--to", "openssh", at=directory)


def test_a_deploy_through_openssh_logs_in_once_and_shows_the_calendar(
    stage: Stage, site: str, stack: Path, tmp_path: Path
) -> None:
    # Without a key, so that the program that asks for a password is run over OpenSSH too.
    (stage.login_home / ".rancher" / "cli.json").unlink()
    done = stage.done("deploy", "--to", "openssh", at=stack)
    assert done.last_line == site.replace(str(PORT), str(PORT + 1))
    assert "✓ log in             root@127.0.0.1" in done.err
    assert "✓ Rancher key" in done.err
    assert (tmp_path / "sshd.log").read_text().count("Accepted publickey") == 1
    # Its images are those of the other stack: the same content, the same namespace.
    assert done.err.count("(already there)") == 4

    calendar = visit(done.last_line, ARTEFACTS / "calendar-openssh.png", height=860)
    assert "<h1>Nights</h1>" in calendar.dom
    assert not calendar.complaints

    status = stage.done("status", "--to", "openssh", at=stack)
    assert status.out.count("  healthy  ") == 2
    # The stack beside it is as it was.
    with urllib.request.urlopen(site, timeout=20) as answer:
        assert answer.status == 200
