"""The person's ssh files, read by the wire that has only paramiko to read them."""

from __future__ import annotations

import getpass
import os
import random
from pathlib import Path
from typing import Any

import paramiko
import pytest

from spinstack.config import settings
from spinstack.errors import SpinstackError, UsageError
from spinstack.transport import certificate
from spinstack.transport.fabric import known_hosts, login, ssh_config
from spinstack.transport.fabric.node import FabricLoginNode
from tests.unit.test_doctor import Greeter


def destination(**values: Any) -> settings.Destination:
    own = {"environment": "dev-cattle", "project_dir": "/x", "host": "spin-login", **values}
    raw = {"stack": "x", "destinations": {"there": {"wire": "fabric", **own}}}
    return settings.load({"spinstack": raw}, Path("/")).destination("there")


def written(content: str | bytes) -> Path:
    path = Path.home() / ".ssh" / "config"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def connection(**values: Any) -> Any:
    return ssh_config.connection(destination(**values), 5)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("Host *\n  GSSAPIAuthentication\n", 2),
        ("\nMatch host=spin-login\n  ForwardAgent no\n", 2),
        ("# an old key\nHost *\n  IdentityFile ~/.ssh/schlüssel\n".encode("latin-1"), 3),
        ('Match host "spin\n  User x\n', 1),
        ("Host *\n  User x\n".encode("utf-16"), 1),
        ("\ufeffHost *\n  User x\n", 1),
    ],
)
def test_a_config_that_cannot_be_read_is_left_to_the_other_wire(
    content: str | bytes, line: int
) -> None:
    path = written(content)
    with pytest.raises(UsageError, match="the wire fabric can't read the ssh config") as error:
        FabricLoginNode(destination())
    assert error.value.where == f"{path}:{line}"
    assert "wire: openssh" in error.value.remedy


@pytest.mark.parametrize(
    "content",
    [
        "Host *\n  Port many\n",
        "Host *\n  CanonicalizeHostname yes\n",
        "Host *\n  CanonicalizeMaxDots some\n",
        "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\nHost spin-login\n  ProxyJump a\n",
    ],
)
def test_a_value_that_cannot_be_used_is_no_bug_of_ours(content: str) -> None:
    written(content)
    with pytest.raises(UsageError, match="the wire fabric can't use the ssh config") as error:
        connection()
    assert "wire: openssh" in error.value.remedy


@pytest.mark.parametrize(
    "condition",
    [
        *("localnetwork 192.0.2.0/24", "tagged work", "sessiontype exec", "version *_9*"),
        *("!localnetwork 192.0.2.0/24", "host spin-login localnetwork 192.0.2.0/24"),
        *("localnetwork 192.0.2.0/24 host spin-*", "command x"),
    ],
)
@pytest.mark.parametrize("jump", ["", "Host spin-login\n  ProxyJump bastion\nHost *\n"])
def test_what_cannot_be_judged_is_never_applied(condition: str, jump: str) -> None:
    path = written(f"{jump}Match {condition}\n  ProxyJump bastion.example.org\n")
    with pytest.raises(UsageError, match="the wire fabric can't judge `Match") as error:
        connection()
    assert error.value.where.startswith(f"{path}:{1 + jump.count(chr(10))} (Match {condition}")
    assert "wire: openssh" in error.value.remedy


def test_a_jump_host_is_judged_too() -> None:
    condition = "originalhost bastion localnetwork 192.0.2.0/24"
    written(f"Host spin-login\n  ProxyJump bastion\nMatch {condition}\n  User eve\n")
    with pytest.raises(UsageError, match="can't judge `Match localnetwork`"):
        connection()


@pytest.mark.parametrize(
    ("content", "user", "through"),
    [
        ("Match host elsewhere localnetwork 192.0.2.0/24\n  User eve\n", "me", ""),
        ("Match localnetwork 192.0.2.0/24 host elsewhere\n  User eve\n", "me", ""),
        ("Match Host elsewhere\n  ProxyJump a\nMatch Host spin-*\n  ProxyJump b\n", "me", "b"),
        # The user of the settings, as ssh has it from its option -l.
        ("Match user somebody\n  ProxyJump a\nMatch user me\n  ProxyJump b\n", "me", "b"),
        ("Host *\n  ProxyJump none\n", "me", ""),
        ("Host spin-login\n  ProxyCommand none\nHost *\n  ProxyJump a\n", "me", ""),
        ("Host spin-login\n  ProxyCommand nc %h\nHost *\n  ProxyJump a\n", "me", "nc spin-login"),
        ("Host *\n  ForwardAgent ~/agent\n  ConnectTimeout 1m\n  ProxyJump a\n", "me", "a"),
    ],
)
def test_what_ssh_would_apply_is_applied(content: str, user: str, through: str) -> None:
    written(content)
    found = connection(user="me")
    gateway = found.gateway
    assert (found.user, getattr(gateway, "host", gateway) or "") == (user, through)


def included(name: str, content: str) -> Path:
    path = Path.home() / ".ssh" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("content", "user", "through"),
    [
        ("Include conf.d/*.conf\n", "ann", "b"),
        ("include = ~/.ssh/conf.d/one.conf\nHost *\n  User eve\n", "ann", "b"),
        ("Include nosuch conf.d/more\nUser me\n", "me", ""),
        ("Host spin-*\n  Include conf.d/plain\n  User eve\n", "bob", ""),
        ("Host other\n  Include conf.d/plain\n  User eve\n", "", ""),
        # What stands below it belongs to no block of the included file.
        ("Include conf.d/more\nProxyJump c\n", "", "c"),
    ],
)
def test_included_files_count_where_they_are_included(
    content: str, user: str, through: str
) -> None:
    included("conf.d/one.conf", "Host spin-login\n  User ann\n  ProxyJump b\n")
    included("conf.d/more", "Host elsewhere\n  User eve\n  ProxyJump a\n")
    included("conf.d/plain", "User bob\n")
    written(content)
    found = connection()
    assert found.user == (user or getpass.getuser())
    assert getattr(found.gateway, "host", "") == through


@pytest.mark.parametrize(
    ("content", "more", "line"),
    [
        ("Host *\n  Include more\n", "\nHost elsewhere\n", "more:2"),
        ("Include more\n", "# \nInclude more\n", "more:2"),
        ("\nInclude %d/more\n", "", "config:2"),
        ("\nInclude ${HOME}/more\n", "", "config:2"),
        ("Include more\n", "User x\nGSSAPIAuthentication\n", "more:2"),
        ("Include more/*\nInclude .\n", "", "config:2"),
    ],
)
def test_what_cannot_be_included_simply_is_left_to_the_other_wire(
    content: str, more: str, line: str
) -> None:
    included("more", more)
    written(content)
    with pytest.raises(UsageError, match="the wire fabric can't read the ssh config") as error:
        connection()
    assert error.value.where.endswith(f"/.ssh/{line}")
    assert "wire: openssh" in error.value.remedy


def test_a_list_of_revoked_keys_is_left_to_the_other_wire() -> None:
    path = written("Host spin-login\n  RevokedHostKeys /etc/ssh/revoked\n")
    with pytest.raises(UsageError, match="can't read RevokedHostKeys") as error:
        connection()
    assert error.value.where == f"{path}:2"
    assert "wire: openssh" in error.value.remedy
    written("Host *\n  RevokedHostKeys none\n")
    connection()


def _key(path: Path) -> paramiko.PKey:
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(path))
    return key


def test_known_hosts_are_read_as_ssh_reads_them(tmp_path: Path) -> None:
    key, other = _key(tmp_path / "a"), _key(tmp_path / "b")
    hashed = paramiko.HostKeys.hash_host("[spin]:2222")
    path = tmp_path / "known_hosts"
    path.write_bytes(
        b"# schl\xfcssel\nbroken\nspin ssh-rsa AAAA\nspin ssh-rsa \xfc\xfc\n"
        + f"|1|abc|def {key.get_name()} {key.get_base64()}\n".encode()
        + f"{hashed} {key.get_name()} {key.get_base64()} comment\n".encode()
        + f"spin,x {key.get_name()} {other.get_base64()}\n".encode()
    )
    missing = tmp_path / "none"
    assert known_hosts.keys("[spin]:2222", [missing, path]) == {key.get_name(): key}
    assert known_hosts.keys("spin", [path]) == {key.get_name(): other}
    assert known_hosts.keys("other", [path, Path(os.devnull)]) == {}
    with pytest.raises(UsageError, match="the known hosts can't be read") as error:
        known_hosts.keys("spin", [tmp_path])
    assert error.value.where == str(tmp_path)


def test_names_in_known_hosts_may_have_wildcards_and_exceptions(tmp_path: Path) -> None:
    key = _key(tmp_path / "a")
    path = tmp_path / "known_hosts"
    names = "*.example.org,!bad.example.org,[s?in]:22"
    path.write_text(f"{names}\t {key.get_name()}  {key.get_base64()}\n")
    for name, known in (
        *(("a.example.org", True), ("A.Example.ORG", True), ("bad.example.org", False)),
        *(("example.org", False), ("[spin]:22", True), ("s", False), ("spin", False)),
    ):
        assert bool(known_hosts.keys(name, [path])) is known, name


@pytest.mark.parametrize(
    ("names", "is_revoked"),
    [("*", True), ("[spin]:2222", True), ("spin", True), ("{hashed}", True), ("other", False)],
)
def test_a_revoked_key_is_one_of_no_host(tmp_path: Path, names: str, is_revoked: bool) -> None:
    key, other = _key(tmp_path / "a"), _key(tmp_path / "b")
    names = names.format(hashed=paramiko.HostKeys.hash_host("[spin]:2222"))
    path = tmp_path / "known_hosts"
    known = f"[spin]:2222 {key.get_name()} {key.get_base64()}\n"
    path.write_text(f"{known}@revoked {names} {key.get_name()} {key.get_base64()}\n")
    at = known_hosts.revoked(key, "[spin]:2222", [tmp_path / "none", path])
    assert at == (f"{path}:2" if is_revoked else "")
    assert known_hosts.revoked(other, "[spin]:2222", [path]) == ""


@pytest.mark.parametrize(
    ("config", "names", "more", "said"),
    [
        ("", "[127.0.0.1]:{port}", "", "asks .Password for"),
        ("", "* {other}\n[127.0.0.1]:{port}", "", "asks .Password for"),
        ("", "* {other}\nspin", "", "has CHANGED"),
        ("", "spin", "", "is not known"),
        ("Host *\n  HostKeyAlias spin\n", "spin", "", "asks .Password for"),
        ("Host *\n  HostKeyAlias spin\n", "[127.0.0.1]:{port}", "", "is not known"),
        ("", "[127.0.0.1]:{port}", "@revoked 127.0.0.* {key}", "is REVOKED"),
        ("", "spin", "@revoked * {key}", "is REVOKED"),
        ("Host *\n  HostKeyAlias spin\n", "spin", "@revoked spin {key}", "is REVOKED"),
    ],
)
def test_a_host_is_who_the_known_hosts_say(
    tmp_path: Path, config: str, names: str, more: str, said: str
) -> None:
    greeter = Greeter()
    greeter.start()
    port, key = greeter.node.port, f"{greeter.key.get_name()} {greeter.key.get_base64()}"
    another = paramiko.RSAKey.generate(2048)
    names = names.format(port=port, other=f"{another.get_name()} {another.get_base64()}")
    written(config)
    known = tmp_path / "known_hosts"
    known.write_text(f"{names} {key}\n{more.format(key=key)}\n")
    node = FabricLoginNode(destination(host="127.0.0.1", port=port, known_hosts_file=str(known)))
    with pytest.raises(SpinstackError, match=said) as error:
        node.open()
    assert (f"revoked in {known}:2" in error.value.where) is ("REVOKED" in said)
    node.close()


def test_the_hosts_that_all_know_are_in_the_files_that_the_config_names(tmp_path: Path) -> None:
    greeter = Greeter()
    greeter.start()
    port, key = greeter.node.port, f"{greeter.key.get_name()} {greeter.key.get_base64()}"
    known = tmp_path / "of_all"
    known.write_text(f"[127.0.0.1]:{port} {key}\n")
    to = destination(host="127.0.0.1", port=port, known_hosts_file=str(tmp_path / "mine"))
    for config, said in (
        ("", "is not known"),
        (f"GlobalKnownHostsFile {tmp_path}/none {known}\n", "asks .Password for"),
    ):
        written(config)
        node = FabricLoginNode(to)
        with pytest.raises(SpinstackError, match=said):
            node.open()
        node.close()


def test_no_key_file_ends_the_login(tmp_path: Path) -> None:
    """Whatever stands in it, in its certificate, or in its place."""
    _key(tmp_path / "good")
    good, chance = (tmp_path / "good").read_bytes(), random.Random(1)
    files = [tmp_path]
    for number in range(60):
        path = tmp_path / str(number)
        data = bytearray(good) if number % 2 else bytearray(chance.randbytes(300))
        for _ in range(number % 5):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        certified = b"ecdsa-sha2-nistp256-cert-v01@openssh.com "
        odd = [b"\xff\xfe\x00", certified + b"AAAA", certified + chance.randbytes(40), b""]
        certificate.certificate_of(path).write_bytes(odd[number % 4])
        files.append(path)
    made = login.Login("me", identity_files=files, agent=tuple, ask=str)
    assert len(made.notes) == 0
    assert list(made.get_sources())
    assert str(tmp_path) in made.notes[0]
