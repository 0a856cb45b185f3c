"""`invoke render`: what a deploy sends, shown or written to a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.errors import UsageError
from spinstack.tasks import ship
from tests.unit import stack_session
from tests.unit.stack_session import StackSession, run


@pytest.fixture
def session(tmp_path: Path) -> StackSession:
    return StackSession(stack_session.baked(tmp_path))


def test_a_release_for_rancher_is_written_as_it_is_uploaded(
    session: StackSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(ship.render, session, output=str(tmp_path / "out"))
    written = capsys.readouterr().out.splitlines()
    names = {path.relative_to(tmp_path / "out").as_posix() for path in map(Path, written)}
    assert {"docker-compose.yml", "rancher-compose.yml", "stack.env", "web/site.conf"} <= names
    assert all(Path(path).is_file() for path in written)
    env = (tmp_path / "out/stack.env").read_text()
    assert "WEB_IMAGE=registry.nersc.gov/desi/alice/nginx-nightwatch:" in env
    run(ship.render, session, output=str(tmp_path / "out"))


def test_a_release_for_kubernetes_is_what_kubectl_deploys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = stack_session.baked(tmp_path)
    with (directory / "invoke.yaml").open("a") as file:
        file.write(
            "    kube:\n      platform: kubernetes\n"
            "      kubernetes: {cluster: development, namespace: nw, uid: 41037}\n"
        )
    session = StackSession(directory, to="kube")
    run(ship.render, session)
    shown = capsys.readouterr().out
    run(ship.render, session, output=str(tmp_path / "out"))
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert set(written) == {"kustomization.yaml", "manifests.yaml"}
    assert shown.replace("  namespace: nw\n", "") == written["manifests.yaml"]


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry = StackSession(stack_session.baked(tmp_path), dry=True)
    run(ship.render, dry, output=str(tmp_path / "out"))
    assert "# would write" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_release_is_not_written_into_the_stack(session: StackSession) -> None:
    with pytest.raises(UsageError, match="its own files"):
        run(ship.render, session, output=str(session.directory / "kubernetes"))
