"""How many requests one hub may be sent: a token bucket that also obeys Retry-After."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from imagesources.platform.errors import NotSent

SOON = 1e-6
"""Seconds that are too short to wait: a time that is almost reached is reached."""

_WORTH_COUNTING = 0.001
"""Seconds of a wait that is one: taking turns takes a moment too."""


@dataclass(slots=True)
class Pause:
    """The loop's time until which a place has asked to be left alone (Retry-After)."""

    until: float = 0.0


class CallBudget:
    """A token bucket over the running loop's clock.

    Args:
        rate: requests per second in the long run.
        burst: requests at once.
        pause: shared by all who call the same place.
    """

    def __init__(self, rate: float, burst: float, pause: Pause | None = None) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = 0.0
        self._pause = pause or Pause()
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()
        self.waits = 0
        """Requests that had to wait."""
        self.waited = 0.0
        """Seconds that they waited."""

    def pause(self, seconds: float) -> None:
        """Send nothing for so long; never shortens a longer pause."""
        self._pause.until = max(self._pause.until, asyncio.get_running_loop().time() + seconds)

    def end(self) -> None:
        """Let nobody wait any longer: the connection was replaced, and another one knows better what to do."""
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
        return 0.0 if self._pause.until > now else max(0.0, tokens)

    def _wait(self, now: float) -> float:
        """Fill the bucket, and tell how long it takes until a request may be sent."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        missing = max(0.0, 1 - self._tokens)
        return max(missing / self.rate, self._pause.until - now)
