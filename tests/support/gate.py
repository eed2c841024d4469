"""The way to a platform, for many hubs at once: each hub may be told the truth, or a lie about one kind of call."""

import asyncio
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.documents import source
from tests.support.hostile import answer, request
from tests.support.lies import ELSEWHERE, Lie

CALLS = {
    "list": re.compile(r"GET /v1/images/sources\?"),
    "get": re.compile(r"GET /v1/images/sources/\w+ "),
    "create": re.compile(r"POST /v1/images/sources "),
    "access": re.compile(r"PATCH /v1/images/sources/\w+/access "),
    "update": re.compile(r"PATCH /v1/images/sources/\w+ "),
    "delete": re.compile(r"DELETE /v1/images/sources/\w+ "),
    "job": re.compile(r"GET /v1/jobs/\w+ "),
}
"""The calls that the operator makes, by the first line of the request."""


@dataclass
class Gate:
    """Serves on loopback.

    Attributes:
        upstream: host and port of the platform.
        lies: for each hub the call that is lied about, the lie, and whether the platform gets to see the call.
        told: how many lies each hub was told.
        astray: requests that followed a redirect.
    """

    upstream: tuple[str, int]
    lies: dict[str, tuple[str, Lie, bool]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    astray: int = 0

    async def serve(self, port: int) -> asyncio.Server:
        """Begins to listen."""
        return await asyncio.start_server(self._connected, "127.0.0.1", port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while not writer.is_closing():
                await self._answer(await request(reader), writer)
        writer.close()

    async def _answer(self, asked: bytes, writer: asyncio.StreamWriter) -> None:
        line = asked.partition(b"\r\n")[0].decode()
        self.astray += ELSEWHERE in line
        hub = re.search(rb"(?i)x-hub-id: (\w+)", asked)[1].decode()
        call, lie, forwarded = self.lies.get(hub, ("", None, True))
        lied = lie is not None and CALLS[call].match(line)
        truth = await self._ask(asked) if forwarded or not lied else answer(200, {"data": source(hub_id=hub)})
        if lie and lied:
            self.told[hub] += 1
            await lie.send(writer, truth)
        else:
            writer.write(truth)
            await writer.drain()

    async def _ask(self, asked: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.upstream)
        writer.write(asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        found = await reader.read()
        writer.close()
        return found
