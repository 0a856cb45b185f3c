"""Answers every HTTP request well and at once: `python -m benchmarks.far.answers HOST PORT`.

In the far namespace it is the site. In the near one it is the registry, which has every image
that it is asked for, made of what its tag says.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LABEL = "spinstack.content"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        *_, kind, name = ("", "", *self.path.split("/"))
        body = json.dumps(self._about(kind, name)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", f"sha256:{name}")
        self.end_headers()
        self.wfile.write(body)

    def _about(self, kind: str, name: str) -> dict[str, object]:
        if kind == "manifests":
            return {"config": {"digest": f"sha256:{name}"}}
        content = {"Labels": {_LABEL: name.removeprefix("sha256:")}}
        return {"config": content, "os": "linux", "architecture": "amd64"}

    def log_message(self, format: str, *args: object) -> None:
        return


if __name__ == "__main__":
    with ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler) as server:
        server.serve_forever()
