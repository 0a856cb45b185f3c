"""HTTP around the API: parsing, errors, and the two things that stream (logs, exec)."""

from __future__ import annotations

import contextlib
import json
import logging
import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from spin_rehearsal.spin import containers, logs
from spin_rehearsal.spin.api import VERSION, Answer, Api, Request
from spin_rehearsal.spin.errors import ApiError, invalid
from spin_rehearsal.spin.execution import ExecRequest, Execution
from spin_rehearsal.spin.resources import Container

# More than any launchConfig; keeps a mistaken client from filling the memory.
_LONGEST_BODY = 4 * 1024 * 1024


class SpinServer(ThreadingHTTPServer):
    """Listens on the loopback address only."""

    daemon_threads = True

    def __init__(self, port: int, api: Api, engine: str, log: logging.Logger) -> None:
        self.api = api
        self.engine = engine
        self.log = log
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is no event; anything else is for the log."""
        self.log.debug("a connection ended early", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: SpinServer
    protocol_version = "HTTP/1.1"
    server_version = "spinstack-rehearsal"
    sys_version = ""
    # A client that connects and stays silent does not hold a thread for ever (seconds).
    timeout = 300

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        self.server.log.debug(format, *args)

    def _handle(self) -> None:
        try:
            request = self._request()
            parts = request.parts
            if len(parts) == 6 and parts[3] == "containers" and parts[5] == "logs":
                self._logs(request)
            elif request.query.get("action") == "execute" and parts[3:4] == ["containers"]:
                self._execute(request)
            else:
                self._send(self.server.api.answer(request))
        except ApiError as error:
            self._send(Answer(error.status, error.as_json()))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception:
            # The client must hear something; what it was stands in the log.
            self.server.log.exception("%s %s", self.command, self.path)
            self._send(Answer(500, ApiError(500, "ServerError").as_json()))

    def _request(self) -> Request:
        url = urlsplit(self.path)
        return Request(
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            body=self._body(),
            base=f"http://{self.headers.get('Host', '127.0.0.1')}/{VERSION}",
            authorization=self.headers.get("Authorization"),
        )

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            self.close_connection = True
            raise ApiError(413, "RequestTooLarge")
        text = self.rfile.read(int(length))
        try:
            body = json.loads(text) if text.strip() else {}
        except ValueError:
            raise invalid("", "the body is not JSON", "InvalidBodyContent") from None
        if not isinstance(body, dict):
            raise invalid("", "the body is no object", "InvalidBodyContent")
        return body

    def _send(self, answer: Answer) -> None:
        content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Enter API access key and secret"')
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _logs(self, request: Request) -> None:
        container = self.server.api.container(request)
        wanted = logs.LogRequest.parse(request.query)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for stream, text in self._log_lines(container, wanted):
            line = json.dumps({"stream": stream, "text": text}).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _log_lines(self, container: Container, wanted: logs.LogRequest) -> Iterator[logs.Line]:
        if container.engine_id:
            command = containers.logs(
                self.server.engine,
                container.engine_id,
                tail=wanted.tail,
                since=wanted.since,
                follow=wanted.follow,
                timestamps=wanted.timestamps or not wanted.follow,
            )
            if wanted.follow:
                yield from logs.followed(command, self._client_gone)
            else:
                lines = logs.merged(command)
                yield from lines if wanted.timestamps else map(logs.without_moment, lines)
        if container.state == "error" and wanted.tail != "0":
            yield logs.start_error(container.message, wanted)

    def _client_gone(self) -> bool:
        """Whether the other side closed: it sends nothing while it reads a log."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable)

    def _execute(self, request: Request) -> None:
        container = self.server.api.container(request)
        wanted = ExecRequest.parse(request.body)
        if container.state != "running" or not container.engine_id:
            told = f"execute is not available: container {container.name} is {container.state}"
            raise ApiError(422, "ActionNotAvailable", told)
        if "upgrade" not in self.headers.get("Connection", "").lower():
            raise ApiError(426, "UpgradeRequired", "execute wants Connection: Upgrade")
        self.close_connection = True
        execution = Execution(self.server.engine, container.engine_id, wanted)
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "execute")
        self.end_headers()
        self.connection.settimeout(None)
        lock = threading.Lock()

        def send(message: dict[str, Any]) -> None:
            with lock:
                self.wfile.write(json.dumps(message).encode() + b"\n")

        execution.relay(self.rfile, send)
        # Ends the thread that reads from the client, which would hold on to the stream.
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
