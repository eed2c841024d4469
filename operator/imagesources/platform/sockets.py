"""One WebSocket to the platform that only listens: opened in time or not at all, its URL its only credential."""

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
from yarl import URL

from imagesources.platform.errors import NotSent, PlatformError, Unanswered
from imagesources.platform.transport import USER_AGENT, no_connection

HANDSHAKE = 30.0
"""Seconds until the socket is open."""

HEARTBEAT = 30.0
"""Seconds between pings; a platform that answers none is gone."""

CLOSE_TIME = 2.0
"""Seconds that the platform has to answer a close."""

MESSAGE_LIMIT = 64 * 1024
"""Bytes of one message; a longer one ends the socket."""


async def messages(operation: str, url: URL) -> AsyncGenerator[str, None]:
    """Yields each text that the platform sends, until the socket is closed by either side.

    Args:
        operation: the OpenAPI operation id, for messages.
        url: where the socket is, secrets included: none of it gets into an exception.

    Raises:
        NotSent: there is no connection.
        Unanswered: the platform does not open the socket.
    """
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # no proxy, no netrc
        headers={"User-Agent": USER_AGENT},
        middlewares=(_once,),
    ) as session:
        socket = await _open(operation, session, url)
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    yield message.data
        finally:
            await socket.close()


class _NoSocketError(aiohttp.ClientError):
    """The platform hung up, or points elsewhere, where nobody allowed to go."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Neither ask again when a connection breaks nor follow a redirect, as aiohttp does unless it sees other errors."""
    try:
        response = await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _NoSocketError from error
    if 300 <= response.status < 400:
        response.close()
        raise _NoSocketError
    return response


async def _open(operation: str, session: aiohttp.ClientSession, url: URL) -> aiohttp.ClientWebSocketResponse:
    timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_TIME)
    # Failures are raised outside the except blocks: the exception of aiohttp knows the URL.
    try:
        async with asyncio.timeout(HANDSHAKE):
            return await session.ws_connect(url, heartbeat=HEARTBEAT, timeout=timeout, max_msg_size=MESSAGE_LIMIT)
    except aiohttp.WSServerHandshakeError as refusal:
        failure: PlatformError = Unanswered(operation, f"HTTP {refusal.status} instead of a socket")
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        failure = NotSent(operation, no_connection(error))
    except TimeoutError:
        failure = Unanswered(operation, f"no socket within {HANDSHAKE:g} s")
    except (aiohttp.ClientError, OSError, ValueError):
        failure = Unanswered(operation, "the connection broke, or led elsewhere, before there was a socket")
    raise failure
