"""`rancher config`: asks for URL, keys and environment, or prints what holds."""

from __future__ import annotations

import sys

from .. import config, environment, log
from ..api import Server
from ..failure import Failure
from ..flags import Parsed
from ..menu import LineReader
from ..session import Session


def run(session: Session, given: Parsed) -> int:
    """Raises Failure with `EOF` when standard input ends before the last answer."""
    settings = session.settings
    if given.options["print"]:
        log.say(settings.as_json())
        return 0
    reader = LineReader()
    url = _ask(reader, "URL", settings.url)
    access = _ask(reader, "Access Key", settings.access_key)
    secret = _ask(reader, "Secret Key", settings.secret_key)
    chosen = environment.choose(Server(url, access, secret), "")
    made = config.Settings(access, secret, url, chosen, settings.path)
    log.info(f"Saving config to {made.path}")
    config.save(made)
    return 0


def _ask(reader: LineReader, what: str, present: str) -> str:
    while True:
        sys.stdout.write(f"{what} [{present}]: ")
        sys.stdout.flush()
        answer = reader.line()
        if answer is None:
            raise Failure("EOF")
        if answer or present:
            return answer or present
