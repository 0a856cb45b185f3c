"""API keys: made once, shown once, kept as hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time

from spin_rehearsal.spin.errors import ApiError
from spin_rehearsal.spin.resources import Key, State
from spin_rehearsal.spin.store import Store


def basic(header: str | None) -> tuple[str, str]:
    """User and password of an Authorization header. Raises ApiError (401)."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    user, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise unauthorized()
    return user, password


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def _hashed(secret: str) -> str:
    # The secret is 40 random characters: a slow hash would protect nothing more.
    return hashlib.sha256(secret.encode()).hexdigest()


def make(store: Store) -> tuple[str, str]:
    """A new key: access and secret."""
    access, secret = secrets.token_hex(10).upper(), secrets.token_urlsafe(30)
    with store.transaction() as state:
        state.keys[access] = Key(access, _hashed(secret), time.time())
    return access, secret


def valid(state: State, access: str, secret: str) -> bool:
    key = state.keys.get(access)
    return key is not None and hmac.compare_digest(key.secret_sha256, _hashed(secret))
