"""What an engine's error output means for the person who reads it.

Data first: a regular expression over the output, a sentence, what to do. The first row that
matches speaks; sentences may use the fields that the caller gives. The texts are those of
Docker 20.10 to 28 (classic builder and BuildKit), Podman 4 and 5, and the registries that
speak through them (Docker's own, Harbor, GitLab).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spinstack.errors import SpinstackError

# How many lines of the output are shown with the sentence.
TAIL = 15


@dataclass(frozen=True)
class Cause:
    """`pattern`: searched in the output, without regard to case."""

    pattern: str
    what: str
    remedy: str


def explained(
    causes: Sequence[Cause], otherwise: Cause, output: str, fields: Mapping[str, str]
) -> SpinstackError:
    """The failure as an error: the cause's sentence, the last lines of the output as details.

    `fields` fill the braces of the sentences; `where` among them is where it happened.
    """
    end = tail(output)
    cause = next((c for c in causes if re.search(c.pattern, end, re.IGNORECASE)), otherwise)
    error = SpinstackError(
        cause.what.format(**fields),
        where=fields.get("where", ""),
        remedy=cause.remedy.format(**fields),
        details=end,
    )
    error.explained = cause is not otherwise
    return error


def tail(output: str) -> str:
    """The last lines, without empty ones and Docker's advertisement for BuildKit."""
    lines = [line.rstrip() for line in output.splitlines()]
    return "\n".join([line for line in lines if line and not is_chatter(line)][-TAIL:])


def is_chatter(line: str) -> bool:
    """Whether the line tells nothing of a failure: Docker's advice to install its newer
    builder, how far a layer is."""
    return _CHATTER.search(line) is not None


_CHATTER = re.compile(
    r"^DEPRECATED: The legacy builder|^\s+Install the buildx component|docs\.docker\.com/go/buildx"
    r"|^[0-9a-f]{12}: (Preparing|Waiting|Pushing)\b"
)

DISK_FULL = Cause(
    "no space left on device|disk quota exceeded",
    "no space left on the disk while {doing}",
    "make room: `{engine} system df` shows what takes it, `{engine} image prune` removes "
    "images without a name; a full disk of the registry is for its operators",
)

_TLS = Cause(
    r"x509|certificate|http response to https client|tls: |tlsv1|self.signed",
    "there is no safe connection to the registry {registry}: its TLS certificate is not "
    "trusted, or it speaks no TLS",
    "see the reason above; a certificate of your own centre belongs into "
    "/etc/docker/certs.d/{registry}/ca.crt, and check the registry's name in invoke.yaml",
)

_UNREACHABLE = Cause(
    r"connection refused|no such host|no route to host|network is unreachable|"
    r"name or service not known|temporary failure in name resolution|server misbehaving|"
    r"dial tcp|connection reset|pinging container registry",
    "the registry {registry} can't be reached",
    "check its name in invoke.yaml and your network (VPN?); for a rehearsal: "
    "`invoke rehearsal.start`",
)

_TIMEOUT = Cause(
    r"i/o timeout|tls handshake timeout|client\.timeout|deadline exceeded|timed out|"
    r"request canceled",
    "the registry {registry} did not answer in time",
    "try again; if it stays so, check its name in invoke.yaml and your network (VPN?)",
)

_BROKEN_REGISTRY = Cause(
    r"received unexpected http status: 5\d\d|\b50[0234] (internal server|bad gateway|service "
    r"unavailable|gateway time)",
    "the registry {registry} has a fault of its own",
    "try again in some minutes; if it stays so, tell its operators",
)

# Order matters: a wrong certificate and a time-out also print `dial tcp`.
_CONNECTION = (DISK_FULL, _TLS, _TIMEOUT, _UNREACHABLE, _BROKEN_REGISTRY)

LOGIN = (
    Cause(
        r"error (storing|saving) credentials|docker-credential",
        "the registry {registry} accepted the password, but it could not be stored",
        "see the reason above: ~/.docker/config.json or the credential helper named in it",
    ),
    Cause(
        r"unauthorized|incorrect username or password|invalid username/password|\b401\b|"
        r"authentication (required|failed)|denied",
        "the registry {registry} does not accept this user name and password",
        "check the user name ({user}) and type the password again",
    ),
    *_CONNECTION,
)
LOGIN_OTHERWISE = Cause("", "the login at {registry} failed", "see the reason above")

PUSH = (
    Cause(
        r"does not exist locally|image not known|no such image|unable to find a name",
        "the image {reference} is not there to be pushed",
        "`invoke build`, then push again",
    ),
    Cause(
        r"name.unknown|repository name not known|name invalid|project \S+ not found|"
        r"namespace .*not found|repository does not exist|not found: project",
        "the registry {registry} has no namespace {namespace}",
        "check namespace: in invoke.yaml, or have it made on the registry's page",
    ),
    Cause(
        r"no basic auth credentials|unauthorized|authentication required|\b401\b|"
        r"incorrect username",
        "{not_let_in}",
        "`invoke registry.login`, then push again",
    ),
    Cause(
        r"denied|forbidden|\b403\b",
        "you may not push to {namespace} at {registry}",
        "check namespace: in invoke.yaml (does it exist, are you a member?), or log in as "
        "another user with `invoke registry.login`",
    ),
    Cause(
        r"entity too large|\b413\b",
        "the registry {registry} refuses a layer of this size",
        "make the image smaller: a `.dockerignore`, data mounted instead of copied",
    ),
    *_CONNECTION,
)
PUSH_OTHERWISE = Cause("", "{reference} could not be pushed", "see the reason above")

BUILD = (
    DISK_FULL,
    Cause(
        r"buildx component is missing or broken",
        "DOCKER_BUILDKIT=1 is set, but this docker has no buildx to build with",
        "`unset DOCKER_BUILDKIT`, or install docker-buildx",
    ),
    Cause(
        r"exec format error|no match for platform|does not match the specified platform|"
        r"image operating system .* cannot be used",
        "this machine can't run {platform} programs, or the base image is for another kind of "
        "processor",
        "install emulation (Debian: `sudo apt install qemu-user-static`), and check the base image",
    ),
    Cause(
        r"file not found in build context|failed to compute cache key|"
        r"(copy|add)\b.*no such file|no source files were specified|"
        r"checking on sources under",
        "the Dockerfile copies a file that is not in the build context",
        "see its name above: is it there, and does .dockerignore leave it in?",
    ),
    Cause(
        r"dockerfile parse error|unknown instruction|failed to parse dockerfile|"
        r"dockerfile syntax error",
        "the Dockerfile has a mistake in it",
        "see the line above",
    ),
    Cause(
        r"invalid reference format|base name \(.*\) should not be blank|invalid image name",
        "the Dockerfile's FROM names no image",
        "give the build argument that it uses a value: build_args in invoke.yaml",
    ),
    Cause(
        r"pull access denied|manifest (for .* )?(not found|unknown)|repository does not exist|"
        r"failed to resolve source metadata|toomanyrequests|"
        r"(get|head) \"?https?://[^ ]*/v2/|error (creating|initializing) (build container|source)",
        "the base image can't be pulled",
        "check its name in the FROM line and your network; another one can be named by "
        "build_args in invoke.yaml, such as an image that is on this machine",
    ),
    Cause(
        r"temporary failure in name resolution|temporary failure resolving|could not resolve|"
        r"failed to resolve|network is unreachable|name or service not known|"
        r"failed to establish a new connection|connection timed out",
        "a step of the build has no network",
        "check your network and proxy (build arguments HTTP_PROXY, HTTPS_PROXY), then again",
    ),
    Cause(
        r"certificate.verify.failed|x509|self.signed certificate",
        "a step of the build does not trust the certificate of the server that it downloads from",
        "behind a proxy that opens TLS: put its certificate into the base image",
    ),
)
BUILD_OTHERWISE = Cause(
    "",
    "the image {key} could not be built",
    "see the last lines above; mend {dockerfile} and build again",
)
