"""How many requests one hub may be sent: a token bucket that also obeys Retry-After."""

import asyncio


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

    def pause(self, seconds: float) -> None:
        """Send nothing for so long; never shortens a longer pause."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    async def take(self) -> None:
        """Wait for the right to send one request, in order of asking."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while True:
                pause = self._paused_until - loop.time()  # it may grow meanwhile
                if pause <= 0:
                    break
                await asyncio.sleep(pause)
            self._refill(loop.time())
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self.rate)
                self._refill(loop.time())
            self._tokens -= 1

    def _refill(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
