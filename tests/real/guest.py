"""A visitor who keeps cookies and sends forms, for the kinds' example application."""

from __future__ import annotations

import http.client
import struct
import uuid
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def _picture(size: int = 120) -> bytes:
    """A PNG of one colour, #e01020."""
    row = b"\0" + b"\xe0\x10\x20" * size
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(row * size)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


PICTURE = _picture()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Guest:
    """`address`: of the site, ending in a slash; `cookies`: those that it has set."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        return self._ask("POST", path, body, headers)

    def sign(self, name: str, text: str, picture: bytes = b"", at: str = "") -> Answer:
        """Sends the form of the guest book."""
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="'
        body = "".join(f'{head}{key}"\r\n\r\n{value}\r\n' for key, value in
                       (("name", name), ("text", text))).encode()  # fmt: skip
        if picture:
            body += f'{head}picture"; filename="a.png"\r\n\r\n'.encode() + picture + b"\r\n"
        body += f"--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        return self._ask("POST", f"{at}/sign", body, {"Content_Type": kind})

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        site = urlsplit(self.address)
        assert site.hostname
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection(site.hostname, site.port or 80, timeout=30)
        try:
            # Who refuses a large body may hang up before it is sent, but has answered.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body or None, sent)
            got = connection.getresponse()
            answer = Answer(got.status, got.headers, got.read())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: it.value for name, it in SimpleCookie(line).items()}
        return answer
