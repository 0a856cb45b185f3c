"""The registry: logging in, and asking which image a tag stands for.

Asking is an optimisation before a push. If in doubt, the answer is "unknown": then the engine
pushes, and skips by itself what the registry already has.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import IO, Any

from spinstack.images.registry_login import ANSWER_WITHIN, Credentials, mapping_of
from spinstack.images.tag import CONTENT_LABEL
from spinstack.rules.service import ImageName
from spinstack.text import read_json
from spinstack.transport.probe import is_loopback

# A manifest is a few kB; the registry specification asks for 4 MiB at most.
_LARGEST_MANIFEST = 4 << 20

# Source: distribution/spec image-spec v2 schema 2, opencontainers/image-spec media types.
_MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    )
)


@dataclass(frozen=True)
class Manifest:
    """What a tag stands for: the manifest's own digest and that of the image's configuration
    (empty for a list of several platforms)."""

    digest: str
    config: str


def manifest(image: ImageName, login: Credentials | None) -> Manifest | None:
    """The manifest behind a tag; None if there is none or the registry gives no clear answer."""
    scheme = "http" if is_loopback(image.registry) else "https"
    url = f"{scheme}://{image.registry}/v2/{image.path}/manifests/{image.tag}"
    try:
        headers, body = _asked(url, login)
        value = read_json(body)
        config = mapping_of(value, "config").get("digest", "")
        return Manifest(headers.get("Docker-Content-Digest", ""), str(config))
    except (OSError, ValueError, LookupError, AttributeError, HTTPException):
        # Unreachable, refused, redirected, not JSON: the engine will find out and say so.
        return None


def has(image: ImageName, login: Credentials | None) -> bool | None:
    """Whether the registry has an image, by its digest if it has one; None without a clear answer.

    Source: distribution/spec, "Pulling manifests".
    """
    scheme = "http" if is_loopback(image.registry) else "https"
    reference = image.digest or image.tag
    try:
        _asked(f"{scheme}://{image.registry}/v2/{image.path}/manifests/{reference}", login)
        return True
    except urllib.error.HTTPError as error:
        error.close()
        return False if error.code == 404 else None
    except (OSError, ValueError, LookupError, AttributeError, HTTPException):
        return None


def made_of(
    image: ImageName, login: Credentials | None, manifest: Manifest
) -> tuple[str, str] | None:
    """What an image in the registry says about itself: the content that it was built from, and
    its platform. None if it says nothing, or there is no clear answer.

    Source: distribution/spec, "Pulling blobs"; opencontainers/image-spec, "Image Configuration".
    """
    if not manifest.config:
        return None
    scheme = "http" if is_loopback(image.registry) else "https"
    url = f"{scheme}://{image.registry}/v2/{image.path}/blobs/{manifest.config}"
    try:
        value = read_json(_asked(url, login)[1])
        content = mapping_of(mapping_of(value, "config"), "Labels").get(CONTENT_LABEL)
        return (str(content), f"{value['os']}/{value['architecture']}") if content else None
    except (OSError, ValueError, LookupError, AttributeError, TypeError, HTTPException):
        return None


@dataclass(frozen=True)
class State:
    """A registry's answer to a login. `status`: of its answer, 0 if nothing answered; `reason`:
    why not. `date`: its HTTP Date, empty if it gave none."""

    status: int
    reason: str = ""
    date: str = ""

    @property
    def reached(self) -> bool:
        return self.status > 0

    @property
    def let_in(self) -> bool:
        return self.status == 200


def ask(registry: str, login: Credentials | None, *, seconds: float = ANSWER_WITHIN) -> State:
    """Whether the registry answers and accepts the login; never raises.

    Source: distribution/spec, "API Version Check".
    """
    scheme = "http" if is_loopback(registry) else "https"
    try:
        headers, _ = _asked(f"{scheme}://{registry}/v2/", login, seconds)
        return State(200, date=headers.get("Date", ""))
    except urllib.error.HTTPError as error:
        error.close()
        return State(error.code, str(error.reason), error.headers.get("Date", ""))
    except urllib.error.URLError as error:
        return State(0, getattr(error.reason, "strerror", None) or str(error.reason))
    except (OSError, ValueError, LookupError, HTTPException) as error:
        return State(0, str(error) or type(error).__name__)


def _asked(
    url: str, login: Credentials | None, seconds: float = ANSWER_WITHIN
) -> tuple[Message, bytes]:
    """The answer to a GET, after the authentication that the registry asks for.

    Raises HTTPError for a refusal, also if a login is needed and there is none.
    """
    try:
        return _get(url, {"Accept": _MANIFESTS}, seconds)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        error.close()
        if error.code != 401:
            raise
        try:
            authorization = _authorization(challenge, login, seconds)
        except ValueError:
            raise error from None
    return _get(url, {"Accept": _MANIFESTS, "Authorization": authorization}, seconds)


def _authorization(challenge: str, login: Credentials | None, seconds: float) -> str:
    """The header that answers a `WWW-Authenticate`. Raises ValueError if there is none to give.

    Source: distribution/spec, "Token Authentication Specification".
    """
    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic" and login:
        return login.basic()
    asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = asked.pop("realm", "")
    parts = urllib.parse.urlsplit(realm)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
    if kind.lower() != "bearer" or not safe:
        raise ValueError("no way to authenticate")
    query = urllib.parse.urlencode({k: v for k, v in asked.items() if k in ("service", "scope")})
    url = f"{realm}{'&' if parts.query else '?'}{query}"
    _, body = _get(url, {"Authorization": login.basic()} if login else {}, seconds)
    answer = read_json(body)
    return f"Bearer {answer.get('token') or answer['access_token']}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The standard library would carry the Authorization header to the other host."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def _get(url: str, headers: dict[str, str], seconds: float) -> tuple[Message, bytes]:
    handlers: list[Any] = [_NoRedirects()]
    if is_loopback(urllib.parse.urlsplit(url).netloc):
        handlers.append(urllib.request.ProxyHandler({}))
    opener: Callable[..., Any] = urllib.request.build_opener(*handlers).open
    with opener(urllib.request.Request(url, headers=headers), timeout=seconds) as response:
        return response.headers, response.read(_LARGEST_MANIFEST)
