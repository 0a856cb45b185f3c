"""The client's side of Rancher's v2-beta API: requests, their errors, streams.

Only `http.client`: a Python that a stranger's account can run may lack ssl, and the
rehearsal's Spin service speaks plain HTTP on this machine.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .failure import Failure

Resource = dict[str, Any]

# Seconds; fixed in the real client too ("the limit cannot be changed").
TIMEOUT = 10.0
_NOT_SHOWN = {"id", "links", "actions", "type", "status"}
_COLLECTIONS = {
    "stack": "stacks",
    "service": "services",
    "container": "containers",
    "host": "hosts",
    "volumeTemplate": "volumetemplates",
    "secret": "secrets",
    "volume": "volumes",
}


class BadResponse(Failure):
    """The server refused; `status` is the HTTP status."""

    def __init__(self, status: int, reason: str, body: str, url: str) -> None:
        super().__init__(
            f"Bad response statusCode [{status}]. Status [{status} {reason}]. "
            f"Body: [{body}] from [{url}]"
        )
        self.status = status


class Server:
    """One server and one key. Each request has a connection of its own, so threads may share."""

    def __init__(self, url: str, access_key: str, secret_key: str) -> None:
        if not url:
            raise Failure("RANCHER_URL environment or --url is not set, run `config`")
        self._host, self._port, self.base, self._path = _address(url)
        token = base64.b64encode(f"{access_key}:{secret_key}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._answered = False

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Resource:
        """The answer's JSON. Raises BadResponse for an error status, Failure without an answer."""
        response = self._ask(method, path, body)
        content = response.read()
        return json.loads(content) if content.strip() else {}

    def lines(self, path: str) -> Iterator[Resource]:
        """The objects of a stream, one JSON a line, as they come; without a time limit."""
        response = self._ask("GET", path, None, endless=True)
        for line in response:
            if line.strip():
                yield json.loads(line)

    def upgraded(self, path: str, body: Mapping[str, Any]) -> tuple[socket.socket, bytes]:
        """Post and leave HTTP: the open socket, and what has already been read from it."""
        connection = self._connection()
        try:
            connection.request(
                "POST",
                self._path + path,
                json.dumps(body),
                {
                    **self._headers,
                    "Content-Type": "application/json",
                    "Connection": "Upgrade",
                    "Upgrade": "execute",
                },
            )
            link = connection.sock
            assert link is not None
            return _switched(link, self.base + path)
        except OSError as problem:
            raise self._no_answer("POST", path, problem) from None

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, endless: bool = False
    ) -> http.client.HTTPResponse:
        connection = self._connection()
        headers = dict(self._headers)
        content = None
        if body is not None:
            content = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._path + path, content, headers)
            if endless and connection.sock is not None:
                link = connection.sock
                response = connection.getresponse()
                link.settimeout(None)
            else:
                response = connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            raise self._no_answer(method, path, problem) from None
        self._answered = True
        if response.status >= 400:
            shown = "" if method == "DELETE" else _shown(response.read())
            # Python 3.13 renamed 422; the CLI has the older words.
            reason = "Unprocessable Entity" if response.status == 422 else response.reason
            raise BadResponse(response.status, reason, shown, self.base + path)
        return response

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)

    def _no_answer(self, method: str, path: str, problem: Exception) -> Failure:
        # The real client begins by reading the root of the API, so that is what it complains of.
        url = self.base + path if self._answered else self.base
        begin = f'{method.capitalize() if self._answered else "Get"} "{url}": '
        if isinstance(problem, (TimeoutError, socket.timeout)):
            return Failure(
                begin + "net/http: request canceled "
                "(Client.Timeout exceeded while awaiting headers)"
            )
        if isinstance(problem, ConnectionRefusedError):
            return Failure(
                f"{begin}dial tcp {self._host}:{self._port}: connect: connection refused"
            )
        if isinstance(problem, socket.gaierror):
            return Failure(f"{begin}dial tcp: lookup {self._host}: no such host")
        return Failure(f"{begin}{problem or 'EOF'}")


class Project:
    """The API of one environment."""

    def __init__(self, server: Server, project_id: str) -> None:
        self.server = server
        self.id = project_id
        self._path = f"/projects/{quote(project_id, safe='')}"

    def find(self, type_: str, **filters: str) -> list[Resource]:
        """All resources of a type that match; those already removed are left out."""
        query = f"?{urlencode(filters)}" if filters else ""
        answer = self.server.request("GET", f"{self._path}/{_COLLECTIONS[type_]}{query}")
        return [item for item in answer.get("data", []) if item.get("state") != "removed"]

    def get(self, type_: str, id_: str) -> Resource:
        return self.server.request("GET", self._of(type_, id_))

    def create(self, type_: str, body: Mapping[str, Any]) -> Resource:
        return self.server.request("POST", f"{self._path}/{_COLLECTIONS[type_]}", body)

    def update(self, resource: Resource, body: Mapping[str, Any]) -> Resource:
        return self.server.request("PUT", self._of(resource["type"], resource["id"]), body)

    def remove(self, resource: Resource) -> None:
        self.server.request("DELETE", self._of(resource["type"], resource["id"]))

    def act(
        self, resource: Resource, action: str, body: Mapping[str, Any] | None = None
    ) -> Resource:
        """Do one of the resource's actions. Raises Failure if it is not available now."""
        if action not in (resource.get("actions") or {}):
            raise Failure(f"Action [{action}] not available on [{_go_value(resource)}]")
        path = f"{self._of(resource['type'], resource['id'])}?action={action}"
        return self.server.request("POST", path, body or {})

    def logs(self, container_id: str, **query: str) -> Iterator[Resource]:
        """A container's log as objects with `stream` and `text`."""
        path = f"{self._of('container', container_id)}/logs?{urlencode(query)}"
        return self.server.lines(path)

    def events(self, service_id: str) -> list[Resource]:
        answer = self.server.request("GET", f"{self._of('service', service_id)}/events")
        return list(answer.get("data", []))

    def execute(self, container_id: str, body: Mapping[str, Any]) -> tuple[socket.socket, bytes]:
        return self.server.upgraded(f"{self._of('container', container_id)}?action=execute", body)

    def _of(self, type_: str, id_: str) -> str:
        return f"{self._path}/{_COLLECTIONS[type_]}/{quote(id_, safe='')}"


def _address(url: str) -> tuple[str, int, str, str]:
    """Host, port, the root of the API, and its path. Raises Failure for what is no URL."""
    if "://" not in url:
        raise Failure(f'parse "{url}": first path segment in URL cannot contain colon')
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise Failure(f'parse "{url}": invalid port after host') from None
    if parts.scheme != "http" or not parts.hostname:
        raise Failure(f'Get "{url}": unsupported protocol scheme "{parts.scheme}"')
    path = parts.path.rstrip("/")
    path = "/v2-beta" if path in ("", "/v1", "/v2-beta") else path
    return parts.hostname, port, f"http://{parts.netloc}{path}", path


def _shown(content: bytes) -> str:
    """An error's fields in an order that changes from run to run, as Go walks a map."""
    try:
        fields = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
    if not isinstance(fields, dict):
        return str(fields)
    shown = [
        f"{key}={value}"
        for key, value in fields.items()
        if key not in _NOT_SHOWN and value is not None
    ]
    random.shuffle(shown)
    return ", ".join(shown)


def _go_value(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_go_value(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go_value(item) for item in value) + "]"
    return "<nil>" if value is None else str(value)


def _switched(link: socket.socket, url: str) -> tuple[socket.socket, bytes]:
    """Read the head of the answer by hand: `http.client` would swallow the stream after it."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = link.recv(4096)
        if not part:
            raise ConnectionResetError("EOF")
        received += part
    head, rest = received.split(b"\r\n\r\n", 1)
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if words[1] == "101":
        link.settimeout(None)
        return link, rest
    raise BadResponse(int(words[1]), words[-1], _shown(_rest_of_body(link, head, rest)), url)


def _rest_of_body(link: socket.socket, head: bytes, begun: bytes) -> bytes:
    lengths = [
        int(line.split(b":", 1)[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    while lengths and len(begun) < lengths[0]:
        part = link.recv(4096)
        if not part:
            break
        begun += part
    return begun
