"""Time as the store keeps it (milliseconds since 1970, UTC) and as the API writes it (RFC 3339)."""

import time
from datetime import UTC, datetime
from typing import Final

NOT_YET: Final = "0001-01-01T00:00:00Z"
"""How a time that is required but has not come is written (``imagesources.platform.models.ZERO_TIME``)."""


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def rfc3339(moment: int | None) -> str:
    """Write a moment in milliseconds as the API does; None is "not yet"."""
    if moment is None:
        return NOT_YET
    written = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


def milliseconds(written: str) -> int:
    """Read an RFC 3339 time.

    Raises:
        ValueError: it is none, or has no offset.
    """
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z")
    return int(moment.timestamp() * 1000)
