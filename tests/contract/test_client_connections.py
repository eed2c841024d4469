"""The client over real HTTP where connections fail, break, stall or are none: what counts as sent, and how often."""

import asyncio
import socket
import struct

import pytest
from tests.support.documents import HUB_ID, SOURCE_ID
from tests.support.hostile import Behaviour, HostileServer, always, hostile
from tests.support.hostile_client import GOOD, KEY, LIMITS, Call, each_method, platform, unanswered

from imagesources.platform.client import Connection, HostPolicy, Limits, PlatformClient
from imagesources.platform.errors import NotSent, Unanswered


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"], ids=["head", "body"]
)
async def test_slow_loris(start: bytes) -> None:
    """A byte now and then does not keep a call alive: at its total deadline the client hangs up."""
    hung_up = asyncio.Event()

    async def trickle(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(start or b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            hung_up.set()

    async with platform(trickle) as (client, _):
        with pytest.raises(Unanswered, match=r"no complete answer within 0\.5 s"):
            await client.create_source({})
        await asyncio.wait_for(hung_up.wait(), 20)


async def test_silence() -> None:
    """A platform that accepts and says nothing is given up at the deadline."""

    async def silent(_writer: asyncio.StreamWriter, _: int) -> None:
        await asyncio.Event().wait()

    await unanswered(silent)


async def reset(writer: asyncio.StreamWriter, _: int) -> None:
    """Resets the connection instead of answering."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def close(writer: asyncio.StreamWriter, _: int) -> None:
    """Closes the connection instead of answering."""
    writer.close()


@each_method
@pytest.mark.parametrize("behaviour", [reset, close])
async def test_broken_connection_is_not_retried(behaviour: Behaviour, call: Call) -> None:
    """A request that was sent and not answered is on the wire exactly once, whatever its method."""
    await unanswered(behaviour, call)


@each_method
@pytest.mark.parametrize("behaviour", [reset, close])
async def test_broken_reused_connection_is_not_retried(behaviour: Behaviour, call: Call) -> None:
    """The same on a connection that was good for a call before: exactly one more request."""

    async def second(writer: asyncio.StreamWriter, number: int) -> None:
        await (always(GOOD) if number == 0 else behaviour)(writer, number)

    async def both(client: PlatformClient) -> None:
        await client.get_source(SOURCE_ID)
        await call(client)

    await unanswered(second, both, requests=2)


async def test_connection_closed_while_idle() -> None:
    """A connection that the platform closed between two calls is replaced, and the POST is sent once."""

    async def one_each(writer: asyncio.StreamWriter, number: int) -> None:
        await always(GOOD)(writer, number)
        writer.close()

    async with platform(one_each) as (client, server):
        await client.get_source(SOURCE_ID)
        await asyncio.sleep(0.05)
        await client.create_source({"name": "Web"})
        assert server.connections == len(server.requests) == 2


async def test_truncated_body() -> None:
    """A body shorter than announced is no answer."""

    async def cut(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(GOOD[:-5])
        await writer.drain()
        writer.close()

    await unanswered(cut)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-Open\r\n\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"\x00" * 99,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 999 + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ],
    ids=["ssh", "status", "length", "zeros", "long-header", "many-headers", "upgrade"],
)
async def test_not_http(raw: bytes) -> None:
    """What is no HTTP, or a protocol that nobody asked for, is no answer."""
    await unanswered(always(raw))


async def test_connection_refused() -> None:
    """Where nobody listens, nothing was sent."""
    async with hostile(always(GOOD)) as server:
        pass
    policy = HostPolicy(allow_hosts=(f"127.0.0.1:{server.port}",), allow_http=True)
    async with PlatformClient(Connection(server.url, HUB_ID, KEY), policy, limits=LIMITS) as client:
        with pytest.raises(NotSent, match="Connection refused"):
            await client.create_source({})


async def test_name_that_does_not_resolve() -> None:
    """Without an address, nothing was sent."""
    policy = HostPolicy(allow_hosts=("platform.invalid",))
    connection = Connection("https://platform.invalid", HUB_ID, KEY)
    async with PlatformClient(connection, policy, limits=Limits(connect=20)) as client:
        with pytest.raises(NotSent, match="does not resolve"):
            await client.create_source({})


async def unsent_over_tls(server: HostileServer) -> NotSent:
    """Calls this server with https, which must fail before anything was sent."""
    policy = HostPolicy(allow_hosts=(f"127.0.0.1:{server.port}",))
    connection = Connection(server.url.replace("http:", "https:"), HUB_ID, KEY)
    async with PlatformClient(connection, policy, limits=LIMITS) as client:
        with pytest.raises(NotSent) as caught:
            await client.create_source({})
    assert server.requests == []
    return caught.value


async def test_tls_failure() -> None:
    """A server that does not speak TLS never sees the request."""
    async with hostile(always(GOOD), greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        assert "TLS failed" in str(await unsent_over_tls(server))


async def test_handshake_that_never_ends() -> None:
    """A TLS handshake without an end is given up at the connect timeout: nothing was sent."""
    async with hostile(always(GOOD)) as server:
        assert "no connection" in str(await unsent_over_tls(server))
