"""How many requests one hub may be sent: a token bucket that also obeys Retry-After."""

import asyncio
from contextlib import suppress

from imagesources.platform.errors import NotSent

SOON = 1e-6
"""Seconds that are too short to wait: a time that is almost reached is reached."""

_WORTH_COUNTING = 0.001
"""Seconds of a wait that is one: taking turns takes a moment too."""


class CallBudget:
    """A token bucket over the running loop's clock.

    Args:
        rate: requests per second in the long run.
        burst: requests at once.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = 0.0
        self._paused_until = 0.0
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()
        self.waits = 0
        """Requests that had to wait."""
        self.waited = 0.0
        """Seconds that they waited."""

    def pause(self, seconds: float) -> None:
        """Send nothing for so long; never shortens a longer pause."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    def end(self) -> None:
        """Let nobody wait any longer: the connection was replaced, and its pause, up to an hour, with it."""
        self._ended.set()

    async def take(self) -> None:
        """Wait for the right to send one request, in order of asking.

        Raises:
            NotSent: the budget ended meanwhile.
        """
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._turn:
            while (wait := self._wait(loop.time())) > SOON:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), wait)
                    raise NotSent("a request", "the connection to the hub was replaced")
            self._tokens -= 1
            if (waited := loop.time() - asked) > _WORTH_COUNTING:
                self.waits += 1
                self.waited += waited

    @property
    def left(self) -> float:
        """Requests that may be sent at once, now; 0 while the platform asks to wait."""
        now = asyncio.get_running_loop().time()
        tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        return 0.0 if self._paused_until > now else max(0.0, tokens)

    def _wait(self, now: float) -> float:
        """Fill the bucket, and tell how long it takes until a request may be sent."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        missing = max(0.0, 1 - self._tokens)
        return max(missing / self.rate, self._paused_until - now)
