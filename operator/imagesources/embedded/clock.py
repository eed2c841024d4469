"""Time as the store keeps it (milliseconds since 1970, UTC) and as the API writes it (RFC 3339)."""

import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

NOT_YET: Final = "0001-01-01T00:00:00Z"
"""How a time that is required but has not come is written (``imagesources.platform.models.ZERO_TIME``)."""


_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def rfc3339(moment: int | None) -> str:
    """Write a moment in milliseconds as the API does; None is "not yet"."""
    if moment is None:
        return NOT_YET
    seconds, rest = divmod(moment, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Write a whole second; what a page shows was often made in few of them, and this is most of writing a page."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def milliseconds(written: str) -> int:
    """Read an RFC 3339 time.

    Raises:
        ValueError: it is none.
        OverflowError: it is too far away.
    """
    return int(datetime.fromisoformat(checked(written).upper()).timestamp() * 1000)


def checked(written: object) -> str:
    """Return an RFC 3339 time as it is; what Python and pydantic take for a time is much more.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(written, str) or not _RFC3339.fullmatch(written):
        raise ValueError("It must be a time such as 2021-01-30T08:30:00Z.")
    return written
