"""How often one API key may ask: a bucket of requests that fills at a steady rate."""

import math
import time
from collections import defaultdict

from imagesources.embedded.errors import ApiError


class RateLimit:
    """Allows each key so many requests per second, with bursts of as many; 0 allows any."""

    def __init__(self, per_second: int) -> None:
        self._rate = per_second
        self._full_at: dict[str, float] = defaultdict(float)

    def check(self, key_id: str) -> None:
        """Count a request.

        Raises:
            ApiError: 429.rate-limiting with the seconds after which the next request is allowed.
        """
        if not self._rate:
            return
        now = time.monotonic()
        full_at = max(self._full_at[key_id], now) + 1 / self._rate
        wait = full_at - now - 1
        if wait > 0:
            raise ApiError("429.rate-limiting", "Too many requests", retry_after=math.ceil(wait))
        self._full_at[key_id] = full_at
