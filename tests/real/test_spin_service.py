"""The Spin service on a real engine: what a client of its API sees, and what then runs."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.service import SpinService
from spinstack.rules import centre

pytestmark = pytest.mark.real("engine")

ENGINE = "docker" if shutil.which("docker") else "podman"
# Nothing listens on port 9: what is not on the machine can't be pulled.
REGISTRY = "127.0.0.1:9"
# An address of our own, so that the ports of Spin are free on the "node".
NODE = "127.0.0.91"
TOOLS = ("sh", "httpd", "sleep", "cat", "echo", "id", "mkdir", "wget", "date", "true", "stty")
# Seconds; a busy machine takes its time.
PATIENCE = 30.0


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image of busybox alone, made without a network."""
    busybox = Path("/bin/busybox")
    linked = (
        subprocess.run(["ldd", str(busybox)], capture_output=True) if busybox.exists() else None
    )
    if linked is None or linked.returncode == 0:
        message = "needs a static /bin/busybox (package busybox-static)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        # Where the image has no such directory, runc makes the tmpfs of a container that is
        # started again one that only root can write to.
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(tmp)
        for tool in TOOLS:
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    name = f"{REGISTRY}/spin-test/busybox:{uuid.uuid4().hex[:8]}"
    subprocess.run([ENGINE, "import", "-", name], input=content.getvalue(), check=True)
    yield name
    subprocess.run([ENGINE, "rmi", "--force", name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def storage() -> Iterator[Path]:
    """A stand-in for project space: every directory above can be entered by others."""
    path = Path(tempfile.mkdtemp(prefix="spin-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Client:
    """Talks to the API as the `rancher` command does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = "demo:right"
        key = self.ask("POST", "/v2-beta/keys")
        self.token = f"{key['accessKey']}:{key['secretKey']}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(self.token.encode()).decode()}

    def respond(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        if not path.startswith("/v2-beta"):
            path = f"/v2-beta/projects/1a5/{path}"
        connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = connection.getresponse()
        text = response.read().decode()
        if response.headers["Content-Type"] == "application/x-ndjson":
            return response.status, [json.loads(line) for line in text.splitlines()]
        return response.status, json.loads(text)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self.respond(method, path, body)
        assert status < 300, answer
        return answer

    def create(self, stack: str, launch: dict[str, Any], **fields: Any) -> str:
        """A started service `web` in a new stack; its path."""
        stack_id = self.ask("POST", "stacks", {"name": stack})["id"]
        body = {"name": "web", "stackId": stack_id, "launchConfig": launch, "startOnCreate": True}
        return "services/" + self.ask("POST", "services", {**body, **fields})["id"]

    def until(self, path: str, wanted: Callable[[Any], bool]) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self.ask("GET", path)
            if wanted(answer):
                return answer
            time.sleep(0.05)
        raise AssertionError(json.dumps(answer, indent=1))

    def settled(self, path: str, state: str) -> Any:
        return self.until(path, lambda s: s["state"] == state and s["transitioning"] == "no")

    def failed(self, path: str) -> Any:
        return self.until(path, lambda s: s["transitioning"] == "error")

    def containers(self, path: str) -> list[Any]:
        found = self.ask("GET", f"containers?serviceId={path.split('/')[1]}")["data"]
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="module")
def config(storage: Path) -> SpinConfig:
    overrides = {
        "storage": {"mountable": [str(storage)]},
        "registries": {"own": [REGISTRY]},
    }
    return SpinConfig(
        state_file=storage / "spin.json",
        engine=ENGINE,  # type: ignore[arg-type]
        prefix=f"spintest-{uuid.uuid4().hex[:8]}",
        centre=centre.load(overrides),
        account="demo",
        check_password=lambda password: password == "right",
        node_address=NODE,
        log_file=storage / "spin.log",
        transition=0.05,
        poll=0.25,
        stop_timeout=0,
        restart_delay=0.1,
        retry_delay=0.5,
    )


@pytest.fixture(scope="module")
def client(config: SpinConfig, image: str) -> Iterator[Client]:
    service = SpinService(config)
    try:
        yield Client(service.start())
    finally:
        service.purge()
    left = [ENGINE, "ps", "--all", "--quiet", f"--filter=name={config.prefix}"]
    assert subprocess.run(left, capture_output=True).stdout == b""


@pytest.fixture
def stack(client: Client) -> Iterator[str]:
    """The name of a stack that is removed afterwards."""
    name = f"stack-{uuid.uuid4().hex[:6]}"
    yield name
    for found in client.ask("GET", f"stacks?name={name}")["data"]:
        if found["state"] == "active":
            client.ask("DELETE", f"stacks/{found['id']}")
        client.until("stacks?name=" + name, lambda answer: not answer["data"])


CHECK = {
    "port": 8080,
    "requestLine": "GET /index.html HTTP/1.0",
    "interval": 200,
    "responseTimeout": 1000,
    "initializingTimeout": 8000,
    "healthyThreshold": 1,
    "unhealthyThreshold": 2,
}


def site(image: str, text: str, **fields: Any) -> dict[str, Any]:
    """A launchConfig of a little web server that says `text`."""
    script = f"mkdir -p /tmp/w && echo {text} > /tmp/w/index.html && exec httpd -fp 8080 -h /tmp/w"
    return {
        "imageUuid": f"docker:{image}",
        "entryPoint": ["/bin/sh", "-c"],
        "command": [f"echo up {text}; echo to stderr >&2; {script}"],
        "user": "1234:58102",
        "groupAdd": ["4321"],
        "capDrop": ["ALL"],
        "readOnly": True,
        "tmpfs": {"/tmp": "rw,mode=1777"},
        "environment": {"GREETING": "a b=c $d 'e'"},
        "healthCheck": CHECK,
        **fields,
    }


def sleeper(image: str, **fields: Any) -> dict[str, Any]:
    return {"imageUuid": f"docker:{image}", "command": ["/bin/sleep", "1000"], **fields}


def free_port() -> int:
    for port in range(60000, 60051):
        with socket.socket() as probe:
            if probe.connect_ex((NODE, port)):
                return port
    raise AssertionError("no port of Spin is free")


def page(port: int) -> str:
    with urllib.request.urlopen(f"http://{NODE}:{port}/index.html", timeout=5) as answer:
        return str(answer.read().decode().strip())


def healthy(service: Any) -> bool:
    return bool(service["state"] in ("active", "upgraded") and service["healthState"] == "healthy")


def inside(docker_id: str, *command: str) -> str:
    done = subprocess.run([ENGINE, "exec", docker_id, *command], capture_output=True, text=True)
    return done.stdout


def test_a_service_answers_with_the_rights_that_it_was_given(
    client: Client, image: str, stack: str, storage: Path
) -> None:
    (storage / "data").mkdir(exist_ok=True)
    (storage / "data" / "file").write_text("from the project space\n")
    port = free_port()
    volumes = [f"{storage}/data:/data:ro"]
    launch = site(image, "one", ports=[f"{port}:8080/tcp"], dataVolumes=volumes)
    path = client.create(stack, launch)
    service = client.until(path, healthy)
    assert page(port) == "one"
    assert service["publicEndpoints"][0]["port"] == port
    assert service["fqdn"] == f"web.{stack}.dev-cattle.rehearsal.localhost"
    (container,) = client.containers(path)
    assert container["state"] == "running" and container["name"] == f"{stack}-web-1"
    docker_id = container["externalId"]
    assert inside(docker_id, "id").startswith("uid=1234 gid=58102 groups=4321")
    assert inside(docker_id, "cat", "/data/file") == "from the project space\n"
    assert "CapEff:\t0000000000000000" in inside(docker_id, "cat", "/proc/self/status")
    assert inside(docker_id, "sh", "-c", "echo $GREETING") == "a b=c $d 'e'\n"
    assert inside(docker_id, "wget", "-qO-", "http://web:8080/index.html") == "one\n"
    log = client.ask("GET", f"containers/{container['id']}/logs?tail=-1")
    assert {"stream": "stdout", "text": "up one\n"} in log
    assert {"stream": "stderr", "text": "to stderr\n"} in log


def test_services_of_a_stack_started_together_find_each_other(
    client: Client, image: str, stack: str
) -> None:
    web = client.create(stack, sleeper(image))
    stack_id = client.ask("GET", web)["stackId"]
    body = {"name": "app", "stackId": stack_id, "launchConfig": site(image, "app")}
    app = "services/" + client.ask("POST", "services", {**body, "startOnCreate": True})["id"]
    client.until(app, healthy)
    client.settled(web, "active")
    (container,) = client.containers(web)
    for name in ("app", f"app.{stack}"):
        asked = inside(container["externalId"], "wget", "-qO-", f"http://{name}:8080/index.html")
        assert asked == "app\n"


def test_an_upgrade_keeps_the_old_container_until_it_is_rolled_back_or_confirmed(
    client: Client, image: str, stack: str
) -> None:
    port = free_port()
    published = [f"{port}:8080/tcp"]
    path = client.create(stack, site(image, "old", ports=published))
    client.until(path, healthy)

    def upgrade(text: str) -> None:
        strategy = {"launchConfig": site(image, text, ports=published), "intervalMillis": 10}
        client.ask("POST", f"{path}?action=upgrade", {"inServiceStrategy": strategy})
        client.settled(path, "upgraded")
        client.until(path, healthy)

    upgrade("new")
    assert page(port) == "new"
    assert sorted(c["state"] for c in client.containers(path)) == ["running", "stopped"]
    assert len({c["name"] for c in client.containers(path)}) == 1
    assert set(client.ask("GET", path)["actions"]) == {
        *("finishupgrade", "rollback", "update", "remove")
    }
    assert client.respond("POST", f"{path}?action=deactivate")[0] == 422
    assert client.respond("PUT", path, {"scale": 2})[0] == 409

    client.ask("POST", f"{path}?action=rollback")
    client.settled(path, "active")
    client.until(path, healthy)
    assert page(port) == "old"

    upgrade("newer")
    client.ask("POST", f"{path}?action=finishupgrade")
    client.settled(path, "active")
    assert page(port) == "newer"
    assert [c["state"] for c in client.containers(path)] == ["running"]


def test_an_image_that_cannot_be_pulled_leaves_the_upgrade_to_a_rollback(
    client: Client, image: str, stack: str
) -> None:
    path = client.create(stack, sleeper(image))
    client.settled(path, "active")
    missing = sleeper(f"{REGISTRY}/spin-test/missing:1")
    client.ask("POST", f"{path}?action=upgrade", {"inServiceStrategy": {"launchConfig": missing}})
    service = client.failed(path)
    assert service["state"] == "upgrading"
    assert "connection refused" in service["transitioningMessage"]
    client.ask("POST", f"{path}?action=rollback")
    client.settled(path, "active")
    (container,) = client.containers(path)
    assert container["state"] == "running" and container["imageUuid"] == f"docker:{image}"


def test_a_directory_that_others_cannot_enter_keeps_the_container_from_starting(
    client: Client, image: str, stack: str, storage: Path
) -> None:
    closed = storage / "closed"
    (closed / "deep").mkdir(parents=True, exist_ok=True)
    closed.chmod(0o750)
    rights = {"user": "1234:58102", "capDrop": ["ALL"]}
    launch = sleeper(image, dataVolumes=[f"{closed}/deep:/data:ro"], **rights)
    path = client.create(stack, launch)
    service = client.failed(path)
    told = f"error while creating mount source path '{closed}/deep': mkdir {closed}/deep: "
    assert service["state"] == "activating"
    assert service["transitioningMessage"] == told + "permission denied"
    (container,) = client.containers(path)
    log = client.ask("GET", f"containers/{container['id']}/logs")
    assert told in log[0]["text"]
    events = client.ask("GET", f"{path}/events")["data"]
    assert any(told in event["text"] for event in events)
    closed.chmod(0o711)
    client.settled(path, "active")


def test_a_port_of_the_node_is_given_once(client: Client, image: str, stack: str) -> None:
    port = free_port()
    with socket.create_server((NODE, port)):
        path = client.create(stack, sleeper(image, ports=[f"{port}:8080/tcp"]))
        service = client.failed(path)
    assert service["state"] == "activating"
    assert (
        f"Allocation failed: No healthy hosts meet the resource constraints: [{port}:8080/tcp"
        in (service["transitioningMessage"])
    )
    client.settled(path, "active")


def test_a_container_that_ends_is_started_again_but_not_while_upgraded(
    client: Client, image: str, stack: str
) -> None:
    path = client.create(stack, sleeper(image))
    client.settled(path, "active")
    (container,) = client.containers(path)
    subprocess.run([ENGINE, "kill", container["externalId"]], capture_output=True, check=True)
    client.until(
        f"{path}/events",
        lambda e: [x["text"] for x in e["data"]].count(f"started {stack}-web-1") == 2,
    )
    ends = {"imageUuid": f"docker:{image}", "command": ["/bin/sh", "-c", "exit 3"]}
    client.ask("POST", f"{path}?action=upgrade", {"inServiceStrategy": {"launchConfig": ends}})
    service = client.until(
        path, lambda s: s["state"] == "upgraded" and s["healthState"] == "unhealthy"
    )
    new = max(client.containers(path), key=lambda c: int(c["id"][2:]))
    assert (new["state"], new["exitCode"], new["startCount"]) == ("stopped", 3, 2)
    time.sleep(0.6)
    assert client.ask("GET", f"containers/{new['id']}")["startCount"] == 2
    assert service["transitioning"] == "no"


def test_an_unhealthy_container_is_made_anew_unless_told_otherwise(
    client: Client, image: str, stack: str
) -> None:
    check = {**CHECK, "initializingTimeout": 300, "strategy": "none"}
    path = client.create(stack, sleeper(image, healthCheck=check))
    client.until(path, lambda s: s["healthState"] == "unhealthy")
    (container,) = client.containers(path)
    recreated = sleeper(image, healthCheck={**check, "strategy": "recreate"})
    client.ask("POST", f"{path}?action=upgrade", {"inServiceStrategy": {"launchConfig": recreated}})
    client.settled(path, "upgraded")
    client.ask("POST", f"{path}?action=finishupgrade")
    client.until(
        f"{path}/events",
        lambda events: any(e["text"].startswith("recreating ") for e in events["data"]),
    )
    assert container["id"] not in {c["id"] for c in client.containers(path)}


def test_scale_stop_start_and_restart(client: Client, image: str, stack: str) -> None:
    path = client.create(stack, sleeper(image), scale=2)
    client.settled(path, "active")
    assert len(client.containers(path)) == 2
    client.ask("PUT", path, {"scale": 1})
    assert client.settled(path, "active")["currentScale"] == 1
    client.ask("POST", f"{path}?action=restart")
    client.settled(path, "active")
    client.ask("POST", f"{path}?action=deactivate")
    client.settled(path, "inactive")
    (container,) = client.containers(path)
    assert container["state"] == "stopped"
    assert client.respond("POST", f"{path}?action=deactivate")[0] == 422
    client.ask("POST", f"{path}?action=activate")
    client.settled(path, "active")


def test_a_command_in_a_container(client: Client, image: str, stack: str) -> None:
    path = client.create(stack, sleeper(image))
    client.settled(path, "active")
    (container,) = client.containers(path)
    target = f"/v2-beta/projects/1a5/containers/{container['id']}?action=execute"

    def run(body: dict[str, Any], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
        upgrade = {**client.headers, "Connection": "Upgrade", "Upgrade": "execute"}
        connection.request("POST", target, json.dumps(body), upgrade)
        link = connection.sock
        assert link is not None
        answer = link.makefile("rb")
        assert b"101" in answer.readline()
        while answer.readline().strip():
            pass
        for message in messages:
            link.sendall(json.dumps(message).encode() + b"\n")
        return [json.loads(line) for line in answer]

    text = base64.b64encode(b"hello\n").decode()
    script = ["sh", "-c", "cat; echo oops >&2; exit 7"]
    got = run({"command": script, "interactive": True}, [{"in": text}, {"eof": True}])
    assert {"out": text} in got and got[-1] == {"exit": 7}
    assert {"err": base64.b64encode(b"oops\n").decode()} in got
    # The engine sets the size of a terminal a moment after it started the command.
    size = {"command": ["sh", "-c", "sleep 1; stty size"], "tty": True, "interactive": True}
    got = run(size, [{"resize": [33, 99]}])
    shown = b"".join(base64.b64decode(message.get("out", "")) for message in got)
    assert shown == b"33 99\r\n" and got[-1] == {"exit": 0}


def test_removing_a_stack_leaves_nothing(
    client: Client, config: SpinConfig, image: str, stack: str
) -> None:
    path = client.create(stack, sleeper(image))
    service = client.settled(path, "active")
    client.ask("DELETE", f"stacks/{service['stackId']}")
    client.until(f"stacks/{service['stackId']}", lambda s: s["state"] == "removed")
    assert client.ask("GET", path)["state"] == "removed"
    assert client.respond("DELETE", path)[0] == 405
    name = f"{config.prefix}-{stack}"
    for kind in (["ps", "--all"], ["network", "ls"]):
        left = subprocess.run(
            [ENGINE, *kind, "--quiet", f"--filter=name={name}"], capture_output=True
        )
        assert left.stdout == b""


def test_a_new_spin_service_takes_over_the_containers_of_the_one_before(
    config: SpinConfig, image: str, tmp_path: Path
) -> None:
    own = replace(config, prefix=f"{config.prefix}-b", state_file=tmp_path / "spin.json")
    first = SpinService(own)
    second = SpinService(own)
    try:
        client = Client(first.start())
        running = client.create("kept", sleeper(image))
        client.settled(running, "active")
        killed = client.create("ended", sleeper(image))
        client.settled(killed, "active")
        (before,), (ended,) = client.containers(running), client.containers(killed)
        first.stop()
        subprocess.run([ENGINE, "kill", ended["externalId"]], capture_output=True, check=True)
        second = SpinService(own)
        client.port = second.start()
        client.until(killed, lambda _: client.containers(killed)[0]["state"] == "running")
        assert client.containers(running)[0]["externalId"] == before["externalId"]
        assert client.containers(killed)[0]["externalId"] == ended["externalId"]
    finally:
        first.stop()
        second.purge()
    assert oct((tmp_path / "spin.json").stat().st_mode & 0o777) == "0o600"
    assert client.token.split(":")[1] not in (tmp_path / "spin.json").read_text()
