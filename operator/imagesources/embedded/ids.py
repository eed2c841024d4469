"""Ids of resources: 24 hex characters that sort by the time they were made, as the platform's object ids do."""

import re
import secrets
import threading
import time

_COUNTER_BITS = 12


class ObjectIds:
    """Makes object ids.

    The first 8 hex characters are seconds since 1970, as in every object id; microseconds and a counter follow, so
    that ids of one process never go back, whatever the clock does; 8 random ones keep processes apart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        """Make an id that is greater than all before it."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        ticks = (seconds << 32) | (nanoseconds // 1000 << _COUNTER_BITS)
        with self._lock:
            self._last = max(self._last + 1, ticks)
            ticks = self._last
        return f"{ticks:016x}{secrets.token_hex(4)}"


new_id = ObjectIds().new


def is_id(text: str) -> bool:
    """Tell whether this can be the id of a resource."""
    return re.fullmatch(r"[0-9a-f]{24}", text) is not None
