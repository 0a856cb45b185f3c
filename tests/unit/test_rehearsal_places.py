"""Names, directories with their modes, ports and the file that tells a stack where all is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml

from spin_rehearsal import account, destination, paths, sshd, state
from spin_rehearsal.account import Account
from spin_rehearsal.paths import Places
from spinstack.config import schema
from spinstack.errors import SpinstackError, UsageError


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Places:
    # pytest's own directories are closed to others, which is not what is tested here.
    monkeypatch.setattr(account, "_closed_above", lambda storage: None)
    monkeypatch.setenv(paths.STORAGE_VARIABLE, str(tmp_path))
    found = paths.of("default")
    found.private.mkdir(parents=True)
    return found


def _ourselves(where: Places) -> Account:
    return Account(os.getuid(), os.getgid(), where.home, switch=False)


@pytest.mark.parametrize("name", ["", "A", "a/b", "-a", "a" * 21, "a b", ".."])
def test_a_name_that_cannot_be_part_of_a_containers_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        paths.of(name)


def test_every_directory_lets_others_pass_but_the_home(where: Places) -> None:
    for _ in range(2):  # twice is as good as once
        with account.open_storage(where) as storage:
            account.lay_out(where, _ourselves(where), ("spin",), storage)
    for directory in [path for path in where.storage.rglob("*") if path.is_dir()]:
        expected = 0o700 if directory == where.home else 0o755
        assert directory.stat().st_mode & 0o777 == expected, directory
    assert where.storage.stat().st_mode & 0o777 == 0o755


def test_a_storage_that_others_cannot_reach_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o700)
    nowhere = Places(tmp_path / "private", closed / "storage")
    with pytest.raises(SpinstackError, match=r"o\+x"):
        account.open_storage(nowhere)


def test_ports_and_names_stay_unless_someone_took_the_port(where: Places) -> None:
    first = state.decide("default", where, "docker")
    first.save(where)
    assert state.decide("default", where, "docker") == first
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((state.HOST, first.ssh_port))
        other.listen()
        second = state.decide("default", where, "docker")
    assert second.ssh_port != first.ssh_port
    assert second.registry_port == first.registry_port


def test_two_rehearsals_share_neither_ports_nor_node_address(where: Places) -> None:
    one = state.decide("default", where, "docker")
    with account.open_storage(where) as storage:
        state.mark_storage(one, where, storage)
    one.save(where)
    other = paths.of("other")
    two = state.decide("other", other, "docker")
    assert two.node_address != one.node_address
    assert two.prefix != one.prefix
    ports = {one.ssh_port, one.registry_port, one.spin_port}
    assert ports.isdisjoint({two.ssh_port, two.registry_port, two.spin_port})


def test_another_persons_storage_is_left_alone(where: Places, tmp_path: Path) -> None:
    decided = state.decide("default", where, "docker")
    stranger = Places(tmp_path / "elsewhere", where.storage)
    with account.open_storage(where) as storage:
        state.mark_storage(decided, where, storage)
        with pytest.raises(SpinstackError, match="another rehearsal"):
            state.mark_storage(decided, stranger, storage)


def test_a_state_that_cannot_be_read_is_told(where: Places) -> None:
    where.state.write_text("{")
    with pytest.raises(SpinstackError, match="can't be read"):
        state.load(where.state)


def test_the_destination_file_has_only_keys_that_a_stack_knows(where: Places) -> None:
    decided = state.decide("default", where, "docker")
    destination.write(decided, where)
    settings = yaml.safe_load(where.destination.read_text())
    schema.check(settings, schema.DESTINATION_KEYS, "rehearsal")
    assert settings["port"] == decided.ssh_port
    assert "build_args" not in settings
    assert where.destination.stat().st_mode & 0o777 == 0o600
    mountable = settings["centre"]["storage"]["mountable"]
    assert settings["project_dir"].startswith(mountable[0] + "/")


def test_known_hosts_names_the_port_as_openssh_does() -> None:
    assert sshd.known_hosts_line(22, "ssh-ed25519 AAAA") == "127.0.0.1 ssh-ed25519 AAAA\n"
    assert sshd.known_hosts_line(2222, "k v") == "[127.0.0.1]:2222 k v\n"
