"""Short-lived tokens for the notification socket: whoever serves the database can check one, none is stored.

A token is ``key id.expiry.signature``. It is signed with the stored digest of the API key, so a key that got another
value takes its tokens with it.
"""

import hashlib
import hmac
from typing import Final

from sqlalchemy import Connection

from imagesources.embedded import clock
from imagesources.embedded.access import Caller, holder
from imagesources.embedded.errors import NotAuthenticated

LIFETIME: Final = 60 * 1000
"""Milliseconds within which a socket has to be opened."""


def issue(connection: Connection, key_id: str) -> str:
    """Make a token for an API key that is there.

    Raises:
        NotAuthenticated: it is there no more.
    """
    _, digest = _holder(connection, key_id)
    expiry = str(clock.now() + LIFETIME)
    return f"{key_id}.{expiry}.{_signature(digest, key_id, expiry)}"


def redeem(connection: Connection, token: str) -> tuple[Caller, str]:
    """Find who was given this token; returns who holds its API key, and the key's digest.

    Raises:
        NotAuthenticated: nobody was, or it has expired.
    """
    key_id, _, rest = token.partition(".")
    expiry, _, signature = rest.partition(".")
    caller, digest = _holder(connection, key_id)
    if not hmac.compare_digest(_signature(digest, key_id, expiry).encode(), signature.encode(errors="surrogateescape")):
        raise NotAuthenticated("The token is not valid.")
    if int(expiry) < clock.now():
        raise NotAuthenticated("The token has expired.")
    return caller, digest


def _holder(connection: Connection, key_id: str) -> tuple[Caller, str]:
    found = holder(connection, key_id) if key_id.isalnum() else None
    if found is None:
        raise NotAuthenticated("The token is not valid.")
    return found


def _signature(digest: str, key_id: str, expiry: str) -> str:
    signed = f"notifications:{key_id}:{expiry}".encode(errors="surrogateescape")
    return hmac.new(digest.encode(), signed, hashlib.sha256).hexdigest()
