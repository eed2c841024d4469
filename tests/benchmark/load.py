"""Requests as fast as a few connections can carry them, with as little work on this side as possible."""

import asyncio
from dataclasses import dataclass
from time import perf_counter

CONNECTIONS = 8


@dataclass(frozen=True)
class Burst:
    """What came of a burst of requests.

    Attributes:
        requests: how many were answered.
        seconds: how long that took.
        size: bytes of the last answer's body.
    """

    requests: int
    seconds: float
    size: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class Load:
    """Keeps connections to one server."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self) -> None:
        """Connects."""
        self._connections = [await asyncio.open_connection(*self._address) for _ in range(CONNECTIONS)]

    async def close(self) -> None:
        """Disconnects."""
        for _, writer in self._connections:
            writer.close()
            await writer.wait_closed()

    async def burst(self, request: bytes, seconds: float) -> Burst:
        """Sends the same request over and over on every connection, at least once on each, until the time is over.

        Raises:
            RuntimeError: an answer is none, or no 200.
        """
        started = perf_counter()
        until = started + seconds

        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, int]:
            count = 0
            while not count or perf_counter() < until:
                writer.write(request)
                size = await _answer(reader)
                count += 1
            return count, size

        done = await asyncio.gather(*(run(*connection) for connection in self._connections))
        return Burst(sum(count for count, _ in done), perf_counter() - started, done[0][1])


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(head.decode(errors="replace"))
    length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return length
