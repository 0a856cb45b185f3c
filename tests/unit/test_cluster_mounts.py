"""Directories that pods mount, looked at through the login node before a deploy on Kubernetes."""

from __future__ import annotations

import pytest
from invoke.exceptions import Exit

from spinstack.checks import walk
from spinstack.tasks import prepare, ship
from spinstack.transport.login_node import ConnectionLost, RecordingLoginNode
from tests.unit.kube_desk import ADDRESS, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode
from tests.unit.test_check_there import printed

__all__ = ["desk", "directory", "node"]

DATA = "/global/cfs/cdirs/desi/attic/data"
POD, GROUP, OTHER = 41037, 58102, 500


def mounts_data(desk: Desk, mode: int, *, above: int = 0o755, uid: int = OTHER) -> None:
    """The service web mounts a directory that has this mode."""
    compose = desk.directory / "docker-compose.yml"
    own = '"./web/nginx.conf:/etc/nginx/nginx.conf:ro"'
    if DATA not in compose.read_text():
        compose.write_text(compose.read_text().replace(own, f'{own}, "{DATA}:/data:ro"'))
    there = dict.fromkeys(walk.parts(DATA), (493, 0, 0))
    there |= {"/global/cfs/cdirs/desi/attic": (above, OTHER, GROUP), DATA: (mode, uid, 999)}
    answers = {"account": ("77\n78\n", 0), "ways": (printed(there), 0)}
    desk.files = RecordingLoginNode({**answers})


def test_a_mount_that_pods_can_use_is_no_matter(desk: Desk) -> None:
    mounts_data(desk, 0o755)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert isinstance(desk.files, RecordingLoginNode)
    assert desk.files.steps == ["account", "ways"]
    assert "not looked at" not in desk.types(prepare.check, to="dev") + desk.told
    assert len(desk.files.sent) == 2
    desk.types(ship.deploy)
    assert len(desk.files.sent) == 2, "with nothing to do nothing is looked at"


def test_a_directory_that_the_nodes_cannot_enter_is_told_before_a_deploy(
    desk: Desk, node: KubeNode
) -> None:
    mounts_data(desk, 0o755, above=0o750)
    error = desk.fails(ship.deploy)
    assert error.what == "1 problem in what is mounted; fix it first (nothing was changed)"
    assert "/global/cfs/cdirs/desi/attic: lacks o+x (drwxr-x--- bob:desi)" in error.details
    assert ("Deployment", "web") not in node.objects
    with pytest.raises(Exit):
        desk.types(prepare.check, to="dev")
    assert f"Spin's nodes can't reach {DATA} [mount-walk]" in desk.heard()[0]


def test_the_user_of_the_pod_counts_not_whoever_deploys(desk: Desk) -> None:
    mounts_data(desk, 0o701, uid=77)
    error = desk.fails(ship.deploy)
    assert f"web (uid {POD}, groups {GROUP}) can't read {DATA}" in error.details
    mounts_data(desk, 0o701, uid=POD)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


def test_without_an_answer_a_deploy_says_that_nothing_was_looked_at(desk: Desk) -> None:
    mounts_data(desk, 0o755)

    class Away(RecordingLoginNode):
        def run(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise ConnectionLost("the connection to the login node was lost")

    desk.files = Away()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert "warning: the mounted directories were not looked at" in desk.told
    desk.changes()
    desk.files = None
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert "no login at perlmutter.nersc.gov is open" in desk.told
