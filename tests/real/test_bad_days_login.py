"""Bad days at the login: a wrong code, an expired certificate, a shell that is not bash."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.sample.owner import GID, UID

from . import openssh
from .small_site import NAME, SmallSite, assert_told_well, make_image
from .stage import Stage

pytestmark = pytest.mark.real("engine", "registry")

# What a login shell's files print, and what spinstack must not take for an answer.
CHATTER = """\
echo '{"who": "the message of the day", "Name": "small-desi/web", "Service": {}}'
echo 'error everything: level=error msg="is broken"'
echo taken
echo -n 'no line end'
"""


@pytest.fixture
def tried(stage: Stage, tmp_path: Path) -> SmallSite:
    """A stack that nobody deploys, and nobody is logged in."""
    image = f"{stage.rehearsal['node_address']}:1/demo/tiny:1.0"
    made = SmallSite(stage, tmp_path / NAME, image)
    made.write("0")
    assert made.invoke("logout").code == 0
    return made


WIRES = pytest.mark.parametrize("wire", ["openssh", "fabric"])


@WIRES
def test_a_wrong_one_time_code_is_tried_once(stage: Stage, tried: SmallSite, wire: str) -> None:
    answer = tried.directory.parent / "answer"
    answer.write_text((stage.private / "login").read_text().strip()[:-6] + "000000\n")
    answer.chmod(0o600)
    tried.write("0", login_answer_file=str(answer), wire=wire)
    told = tried.invoke("status")
    assert_told_well(told)
    assert "error: demo@127.0.0.1 refused the login: Authentication failed" in told.err
    assert "wait for the next one-time code (each works once, for 30 s)" in told.err
    # The code that is valid has not been used up, and the account is not locked.
    tried.write("0", wire=wire)
    assert "refused the login" not in tried.invoke("status").err


def _expired(directory: Path, server: openssh.Sshd) -> Path:
    """A key whose certificate was good for the server until yesterday."""
    authority, key = directory / "authority", directory / "nersc"
    for path in (authority, key):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(words, check=True)
    words = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", server.user]
    subprocess.run([*words, "-V", "-2d:-1d", f"{key}.pub"], check=True)
    (directory / "authorized_keys").write_text(
        f"cert-authority {authority.with_suffix('.pub').read_text()}"
    )
    return key


@pytest.mark.real("sshd")
@WIRES
@pytest.mark.parametrize("also_asks", [False, True], ids=["keys only", "or a password"])
def test_an_expired_certificate_is_named(
    tried: SmallSite, tmp_path: Path, also_asks: bool, wire: str
) -> None:
    server = openssh.start(tmp_path)
    try:
        key = _expired(tmp_path, server)
        way = {"port": server.port, "user": server.user, "known_hosts_file": server.known_hosts}
        if also_asks:
            # The rehearsal's own server, which offers nothing but its prompt.
            way = {"login_answer_file": str(tmp_path / "none"), "practise": True}
        plain = {k: _plain(v) for k, v in way.items()}
        tried.write("0", identity_file=str(key), wire=wire, **plain)
        told = tried.invoke("status")
    finally:
        server.stop()
    assert "the certificate of " + str(key) + " expired on 20" in told.err
    assert "fix:   renew it with `invoke login --sshproxy`" in told.err
    assert told.code == (2 if also_asks else 1)
    assert "Traceback" not in told.err
    assert "Unknown exception" not in told.err


def _plain(value: object) -> object:
    return value if isinstance(value, (int, str)) else str(value)


@pytest.fixture
def csh(stage: Stage, tmp_path: Path) -> Iterator[SmallSite]:
    """A stack behind a server whose accounts have tcsh, in a home that talks."""
    home = stage.login_home.with_name("csh")
    shutil.copytree(stage.login_home, home, ignore=shutil.ignore_patterns(".rancher"))
    (home / ".cshrc").write_text(CHATTER)
    profile = home / ".bash_profile"
    profile.write_text(CHATTER + profile.read_text() + CHATTER)
    for path in (home, *home.rglob("*")):
        os.chown(path, UID, GID)
    shell = shutil.which("tcsh")
    assert shell
    server = openssh.start(tmp_path, command=openssh.as_demo(home, shell))
    made = SmallSite(stage, tmp_path / NAME, make_image(stage))
    made.write(
        "csh",
        port=server.port,
        user=server.user,
        identity_file=str(server.identity),
        known_hosts_file=str(server.known_hosts),
    )
    yield made
    made.invoke("rm", "--yes")
    shutil.rmtree(made.root)
    shutil.rmtree(home)
    server.stop()


@pytest.mark.real("root", "sshd", "tcsh")
def test_a_login_shell_that_is_csh_and_talks(csh: SmallSite) -> None:
    """From making Rancher's key to the answering site; and what is printed is the answer."""
    done = csh.invoke("deploy")
    assert done.code == 0, done
    assert "✓ Rancher key" in done.err
    assert "✓ log in             root@127.0.0.1" in done.err
    csh.assert_whole("csh")
    status = csh.invoke("status")
    assert [line.split()[1] for line in status.out.splitlines()[1:3]] == ["healthy"] * 2
    for typed in (done, status):
        assert "message of the day" not in typed.out + typed.err
    command = """echo "it's $HOME!" """
    asked = csh.invoke("exec", "--service", "web", "--command", command)
    assert (asked.code, asked.out) == (0, "it's $HOME!\n"), asked
