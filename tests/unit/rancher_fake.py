"""A small Rancher API in memory, for the tests of the rehearsal's client.

States move on by being looked at: what is on its way arrives at the second GET, so that
waiting is real and yet takes no time.
"""

from __future__ import annotations

import base64
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

ARRIVES = {
    "registering": "inactive",
    "activating": "active",
    "upgrading": "upgraded",
    "finishing-upgrade": "active",
    "rolling-back": "active",
    "deactivating": "inactive",
    "removing": "removed",
    "updating-active": "active",
    "restarting": "active",
}
ACTIONS = {
    "inactive": ("activate", "upgrade"),
    "active": ("deactivate", "restart", "upgrade"),
    "upgrading": ("rollback",),
    "upgraded": ("finishupgrade", "rollback"),
}
NEXT = {
    "activate": "activating",
    "deactivate": "deactivating",
    "upgrade": "upgrading",
    "finishupgrade": "finishing-upgrade",
    "rollback": "rolling-back",
    "restart": "restarting",
}
ACCESS, SECRET = "access", "secret"
LOG = [("stdout", "one\n"), ("stderr", "two\n")]


class Refusal(Exception):
    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FakeRancher:
    """The state; `requests` lists everything that changed something, as METHOD PATH."""

    def __init__(self) -> None:
        self.projects = ["dev-cattle", "prod-cattle"]
        self.items: dict[str, Json] = {}
        self.requests: list[str] = []
        self.bodies: list[Json] = []
        self.executed: list[Json] = []
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def add(self, type_: str, **fields: Any) -> Json:
        letters = {"stack": "st", "service": "s", "container": "i", "volumeTemplate": "vt"}
        id_ = f"1{letters[type_]}{next(self._numbers)}"
        self.items[id_] = {"id": id_, "type": type_, "state": "active", **fields}
        return self.items[id_]

    def add_service(self, stack: str, name: str, **fields: Any) -> Json:
        """A running service with one container."""
        parent = self.named("stack", stack) or self.add("stack", name=stack)
        image = {"imageUuid": "docker:x:1.0", "labels": {}}
        made = {"scale": 1, "healthState": "healthy", "launchConfig": image, "metadata": {}}
        service = self.add("service", name=name, stackId=parent["id"], **{**made, **fields})
        self.add_container(service, f"{stack}-{name}-1")
        return service

    def add_container(self, service: Json, name: str, state: str = "running") -> Json:
        container = self.add(
            "container",
            name=name,
            serviceIds=[service["id"]],
            imageUuid="docker:x:1.0",
            externalId="fa213a4407e9aa00",
            primaryIpAddress="10.42.0.2",
            hostId="1h1",
        )
        container["state"] = state
        service.setdefault("instanceIds", []).append(container["id"])
        return container

    def named(self, type_: str, name: str) -> Json | None:
        found = (i for i in self.items.values() if i["type"] == type_ and i["name"] == name)
        return next(found, None)

    def stacks(self) -> list[str]:
        return sorted(item["name"] for item in self.items.values() if item["type"] == "stack")

    # What the HTTP side calls.

    def answer(self, method: str, path: str, query: dict[str, str], body: Json) -> Json:
        with self._lock:
            if path == "/v2-beta/projects":
                names = enumerate(self.projects, 5)
                rows = [{"id": f"1a{n}", "name": name, "state": "active"} for n, name in names]
                return {"data": [{**row, "orchestration": "cattle"} for row in rows]}
            parts = path.split("/")
            if parts[1:3] != ["v2-beta", "projects"]:
                raise Refusal(404)
            if parts[3] not in [f"1a{n}" for n, _ in enumerate(self.projects, 5)]:
                raise Refusal(403)
            if method != "GET":
                action = f"?action={query['action']}" if "action" in query else ""
                self.requests.append(f"{method} {'/'.join(parts[4:])}{action}")
                self.bodies.append(body)
            return self._resource(method, parts[4:], query, body)

    def _resource(self, method: str, parts: list[str], query: dict[str, str], body: Json) -> Json:
        types = {"stacks": "stack", "services": "service", "containers": "container"}
        type_ = types.get(parts[0], {"volumetemplates": "volumeTemplate"}.get(parts[0], "host"))
        if len(parts) == 1:
            if method == "POST":
                return self._create(type_, body)
            found = [item for item in self.items.values() if item["type"] == type_]
            return {"data": [self._seen(item) for item in found if _matches(item, query)]}
        item = self.items.get(parts[1])
        if item is None or item["type"] != type_:
            raise Refusal(404)
        if parts[-1] == "events":
            return {"data": [{"time": "T", "text": "started"}]}
        if method == "GET":
            self._move_on(item)
        elif method == "PUT":
            if "scale" in body and item["state"] == "upgraded":
                raise Refusal(409)
            item.update(body)
        elif method == "DELETE":
            self._remove(item)
        else:
            self._act(item, query["action"], body)
        return self._seen(item)

    def _create(self, type_: str, body: Json) -> Json:
        if type_ != "service":
            return self._seen(self.add(type_, **body))
        if "imageUuid" not in body["launchConfig"]:
            raise Refusal(422, "imageUuid is required")
        made = self.add(type_, **body)
        made.update(state="registering", transitioning="yes")
        return self._seen(made)

    def _remove(self, item: Json) -> None:
        if item["state"] == "removing":
            raise Refusal(405)
        item.update(state="removing", transitioning="yes")
        for inner in list(self.items.values()):
            if inner.get("stackId") == item["id"]:
                inner.update(state="removing", transitioning="yes")

    def _act(self, item: Json, action: str, body: Json) -> None:
        if item["type"] == "stack":
            for service in self.items.values():
                if service.get("stackId") == item["id"]:
                    self._act_in_stack(service, action)
            return
        if item["type"] == "container":
            item["state"] = {"stop": "stopped", "start": "running"}.get(action, item["state"])
            return
        if action not in ACTIONS.get(item["state"], ()):
            raise Refusal(422, "InvalidState")
        if action == "upgrade":
            item["previous"] = item["launchConfig"]
            item["launchConfig"] = body["inServiceStrategy"]["launchConfig"]
        if action == "rollback":
            item["launchConfig"] = item["previous"]
        item.update(state=NEXT[action], transitioning="yes")
        if "broken" in item["launchConfig"].get("imageUuid", ""):
            item.update(transitioning="error", transitioningMessage="can't be pulled")

    def _act_in_stack(self, service: Json, action: str) -> None:
        if action == "deactivateservices":
            if service["state"] == "upgraded":
                name = service["name"]
                raise Refusal(
                    422, f"Service {name} is not in valid state to be deactivated: upgraded"
                )
            if service["state"] == "active":
                self._act(service, "deactivate", {})
        elif service["state"] == "inactive":
            self._act(service, "activate", {})

    def _move_on(self, item: Json) -> None:
        if item.get("transitioning") == "yes" and item["state"] in ARRIVES:
            item.update(state=ARRIVES[item["state"]], transitioning="no")

    def _seen(self, item: Json) -> Json:
        names: tuple[str, ...] = ACTIONS.get(item["state"], ())
        if item["type"] == "stack":
            names = ("activateservices", "deactivateservices")
        if item["type"] == "container":
            names = ("stop",) if item["state"] == "running" else ("start", "remove")
        return {**item, "links": {"self": "L"}, "actions": dict.fromkeys(names, "A")}


def _matches(item: Json, query: dict[str, str]) -> bool:
    if "serviceId" in query and query["serviceId"] not in item.get("serviceIds", []):
        return False
    return all(
        str(item.get(key, "")).lower() == value.lower()
        for key, value in query.items()
        if key in ("name", "stackId")
    )


class FakeServer:
    """The HTTP side of a FakeRancher, on a free port of 127.0.0.1."""

    def __init__(self, rancher: FakeRancher) -> None:
        handler = type("Handler", (_Handler,), {"rancher": rancher})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.002,), daemon=True)

    def __enter__(self) -> FakeServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    rancher: FakeRancher
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        user, _, password = _credentials(self.headers.get("Authorization", ""))
        if url.path == "/v2-beta/keys":
            wrong = (user, password) != ("demo", "right")
            self._send(401 if wrong else 200, {"accessKey": ACCESS, "secretKey": SECRET})
        elif (user, password) != (ACCESS, SECRET):
            self._send(401, {"type": "error", "code": "Unauthorized", "status": 401})
        elif url.path.endswith("/logs"):
            self._send_lines([{"stream": s, "text": t} for s, t in LOG])
        elif query.get("action") == "execute":
            self._execute(body)
        else:
            try:
                self._send(200, self.rancher.answer(self.command, url.path, query, body))
            except Refusal as refusal:
                code = {"code": "NotAllowed", "message": refusal.message, "type": "error"}
                self._send(refusal.status, code)

    do_GET = do_POST = do_PUT = do_DELETE = _handle

    def _send(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_lines(self, lines: list[Json]) -> None:
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _execute(self, body: Json) -> None:
        """Echoes one message of input, then the command ends with code 7."""
        self.rancher.executed.append(body)
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: execute\r\n\r\n")
        typed = json.loads(self.rfile.readline() or "{}")
        if "in" in typed:
            told = base64.b64encode(b"got " + base64.b64decode(typed["in"])).decode()
            self.wfile.write(json.dumps({"out": told}).encode() + b"\n")
            self.wfile.write(b'{"err": "b29wcwo="}\n{"exit": 7}\n')
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _credentials(header: str) -> tuple[str, str, str]:
    return base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
