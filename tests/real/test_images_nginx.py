"""The stack's nginx conf in a real nginx: accepted, and redirects lead to the outside port."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.baking import bake

pytestmark = pytest.mark.real("nginx")

# What a visitor types: not the port that nginx listens on.
OUTSIDE = "web.nw-desi.dev-cattle.stable.spin.nersc.org:60037"


class Upstream(socketserver.StreamRequestHandler):
    """An application that speaks uWSGI's protocol. It redirects to where the header X-Lead-To
    says, or echoes headers."""

    def handle(self) -> None:
        # A packet: modifier, size and modifier, then names and values, each after its size.
        # Source: uwsgi-docs.readthedocs.io, "The uwsgi Protocol".
        _, size, _ = struct.unpack("<BHB", self.rfile.read(4))
        block, words = self.rfile.read(size), []
        while block:
            length = struct.unpack("<H", block[:2])[0]
            words.append(block[2 : 2 + length].decode())
            block = block[2 + length :]
        seen = dict(zip(words[::2], words[1::2], strict=True))
        lead_to = seen.get("HTTP_X_LEAD_TO")
        lines = ["HTTP/1.1 302 Found", f"Location: {lead_to}"] if lead_to else ["HTTP/1.1 200 OK"]
        for name in ("Host", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto"):
            lines.append(f"Seen-{name}: {seen['HTTP_' + name.upper().replace('-', '_')]}")
        lines.append(f"Seen-All: {' '.join(map(repr, seen.values()))}")
        lines += [f"Seen-Scheme: {seen['UWSGI_SCHEME']}", "Cache-Control: no-store", "", ""]
        self.wfile.write("\r\n".join(lines).encode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Nginx:
    """The stack's configuration, moved from the container's places to a directory."""

    program: str
    conf: Path
    port: int

    def command(self, *words: str) -> list[str]:
        me = ["-g", "user root;"] if os.geteuid() == 0 else []
        return [self.program, "-e", "stderr", "-c", str(self.conf), *me, *words]

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Host": OUTSIDE, **headers})
        return connection.getresponse()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Nginx:
    place = tmp_path_factory.mktemp("nginx")
    web = bake(place) / "web"
    port = free_port()
    shutil.copytree(web / "nginx", place, dirs_exist_ok=True)
    shutil.copy(web / "site.conf", place)
    for path in place.rglob("*.conf"):
        text = path.read_text(encoding="utf-8").replace("/tmp/", f"{place}/")
        text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
        text = text.replace("root /srv/static;", f"root {place}/static;")
        path.write_text(text, encoding="utf-8")
    (place / "app-server.conf").write_text("server 127.0.0.1:9;\n", encoding="utf-8")
    workers = "worker_processes 1; events { worker_connections 512; }"
    (place / "workers.conf").write_text(workers, encoding="utf-8")
    (place / "open-files.conf").write_text("open_file_cache max=100;", encoding="utf-8")
    (place / "trusted-proxies.conf").write_text("", encoding="utf-8")
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program
    return Nginx(program, place / "nginx.conf", port)


@pytest.fixture(scope="module")
def running(nginx: Nginx) -> Iterator[Nginx]:
    upstream = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    server = f"server 127.0.0.1:{upstream.server_address[1]};\n"
    (nginx.conf.parent / "app-server.conf").write_text(server, encoding="utf-8")
    process = subprocess.Popen(nginx.command())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            nginx.get("/healthz")
            break
        except OSError:
            time.sleep(0.05)
    yield nginx
    process.terminate()
    process.wait(10)
    upstream.shutdown()


def test_nginx_accepts_the_configuration(nginx: Nginx):
    done = subprocess.run(nginx.command("-t"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


HOST = OUTSIDE.split(":")[0]


@pytest.mark.parametrize(
    "location",
    [
        f"http://{HOST}:8080/night/?a=b",
        f"http://{HOST}:5000/night/?a=b",
        f"http://{HOST}/night/?a=b",
        f"http://{OUTSIDE}/night/?a=b",
        "http://app:5000/night/?a=b",
    ],
)
def test_redirects_lead_back_to_the_outside_port(running: Nginx, location: str):
    answer = running.get("/page", X_Lead_To=location)
    assert answer.headers["Location"] == f"http://{OUTSIDE}/night/?a=b"


@pytest.mark.parametrize("location", ["nights.html", "/night/", "https://desi.lbl.gov:8080/x"])
def test_other_redirects_are_left_alone(running: Nginx, location: str):
    assert running.get("/page", X_Lead_To=location).headers["Location"] == location


def test_behind_https_redirects_stay_there(running: Nginx):
    answer = running.get("/page", X_Lead_To="http://app:5000/x", X_Forwarded_Proto="https")
    assert answer.headers["Location"] == f"https://{OUTSIDE}/x"


def test_the_application_sees_what_the_visitor_typed(running: Nginx):
    seen = running.get("/page").headers
    assert seen["Seen-Host"] == seen["Seen-X-Forwarded-Host"] == OUTSIDE
    assert (seen["Seen-X-Forwarded-Port"], seen["Seen-X-Forwarded-Proto"]) == ("60037", "http")
    without_port = running.get("/page", Host=HOST, X_Forwarded_Proto="https").headers
    assert (without_port["Seen-X-Forwarded-Port"], without_port["Seen-Scheme"]) == ("443", "https")


@pytest.mark.parametrize("proto", ["https", "HTTPS", "https, http", "https,https", " https ,http"])
@pytest.mark.parametrize("port", ["8443", "8443, 80", "8443,8080"])
def test_the_first_of_several_proxies_says_what_the_visitor_typed(
    running: Nginx, proto: str, port: str
):
    headers = {"X_Forwarded_Proto": proto, "X_Forwarded_Port": port}
    seen = running.get("/page", **headers).headers
    assert (seen["Seen-X-Forwarded-Proto"], seen["Seen-Scheme"]) == ("https", "https")
    assert seen["Seen-X-Forwarded-Port"] == "8443"
    for proto in ("http, https", "httpsx, https", ""):
        assert running.get("/page", X_Forwarded_Proto=proto).headers["Seen-Scheme"] == "http"


def test_the_application_is_not_told_what_kept_pages_do_not_depend_on(running: Nginx):
    told = {"Cookie": "my=secret", "Authorization": "Basic secret"}
    for encoding in ("identity", "gzip"):
        seen = running.get("/page?with=secret", Accept_Encoding=encoding, **told).headers
        assert "/page" in seen["Seen-All"] and "secret" not in seen["Seen-All"]


def test_only_trusted_proxies_say_where_a_visitor_is(running: Nginx):
    """As start.sh lets nginx know them."""
    trusted = running.conf.parent / "trusted-proxies.conf"
    told = {"X_Forwarded_For": "203.0.113.7, 10.42.0.1"}
    assert "'203.0.113.7'" not in running.get("/page", **told).headers["Seen-All"]
    networks = ("127.0.0.0/8", "10.42.0.0/16")
    trusted.write_text("".join(f"set_real_ip_from {it};\n" for it in networks))
    subprocess.run(running.command("-s", "reload"), check=True)
    deadline = time.monotonic() + 10
    while "'203.0.113.7'" not in running.get("/page", **told).headers["Seen-All"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
