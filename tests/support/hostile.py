"""A server on loopback that answers each request with whatever bytes a test tells it to send."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamWriter, int], Awaitable[None]]
"""Answers one request: the connection's writer, and the number of the request on this server, from 0."""


@dataclass
class HostileServer:
    """What the server heard.

    Attributes:
        port: where it listens on 127.0.0.1.
        requests: each request as it came, head and body.
        connections: how many were accepted.
    """

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def hostile(behaviour: Behaviour, *, greeting: bytes = b"") -> AsyncIterator[HostileServer]:
    """Serves on a free port until the block ends.

    Args:
        behaviour: answers each request; a connection that it closes gets no more.
        greeting: sent to each new connection, before it said anything.
    """
    open_connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with suppress(asyncio.IncompleteReadError, OSError):
            while not writer.is_closing():
                heard.requests.append(await request(reader))
                await behaviour(writer, len(heard.requests) - 1)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        open_connections[asyncio.create_task(serve(reader, writer))] = writer

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    heard = HostileServer(server.sockets[0].getsockname()[1])
    try:
        yield heard
    finally:
        server.close()
        await asyncio.sleep(0)  # a connection just accepted is announced on the next turn of the loop
        for task, writer in open_connections.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in open_connections.values()), return_exceptions=True)


async def request(reader: asyncio.StreamReader) -> bytes:
    """Reads one request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)


def answer(status: int, body: object = None, *, raw: bytes | None = None, **headers: str) -> bytes:
    """Returns a whole HTTP answer: a JSON body, or raw bytes; header names are spelled with underscores."""
    content = json.dumps(body).encode() if raw is None else raw
    named = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + content


def always(*answers: bytes) -> Behaviour:
    """Sends these answers in turn, and the last one from then on."""

    async def behave(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(answers[min(number, len(answers) - 1)])
        await writer.drain()

    return behave
