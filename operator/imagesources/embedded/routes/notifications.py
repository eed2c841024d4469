"""The hub's notification pipeline: a one-way WebSocket that says what happens, as soon as it is committed.

``GET /v1/hubs/current/notifications`` with an API key answers with a token, valid for a minute. The same address with
``?token=…``, and no other credentials, is the socket. The description is silent on its frames; they have the shape
that the platform's own clients read, one JSON object in each text frame::

    {"topic": "image.source.state.changed",
     "object": {"id": "…", "state": "deleting", "state_previous": "live"},
     "context": {"hub_id": "…", "label": null, "environments": null, …},
     "flags": {}}

Topics are ``image.source.*``, ``image.*``, ``hub.integration.*`` and ``hub.role.*`` with ``new``, ``updated``,
``state.changed``, ``error`` and ``error_reset``, and ``job.new``, ``job.state.changed`` and ``job.error``. A frame
tells an id and states and no names, and it goes to every listener of the hub, whatever ACLs say. What happened before
the handshake is not told: look at the resources after it. The socket ends with code 1001 when the server stops,
1013 when a listener is too slow, and 1008 within a second when its API key is revoked or given another value, role or
other capabilities; a ping is sent every 30 seconds. What a client sends is ignored.
"""

import asyncio
import logging
from typing import Final

from aiohttp import WSCloseCode, web
from sqlalchemy.exc import SQLAlchemyError

from imagesources.embedded import tickets
from imagesources.embedded.access import Caller, Capability, holder
from imagesources.embedded.answers import json_response
from imagesources.embedded.database import Database
from imagesources.embedded.endpoint import SERVICES, Call, operation
from imagesources.embedded.errors import ApiError
from imagesources.embedded.feed import End, Listener

LOG = logging.getLogger(__name__)

HEARTBEAT: Final = 30.0
"""Seconds between pings; a listener that does not answer one is gone."""

CLOSE_TIME: Final = 2.0
"""Seconds that a listener has to answer a close."""

MESSAGE_LIMIT: Final = 4096
"""Bytes that a client may send in a message, which is ignored."""

WATCH: Final = 0.5
"""Seconds between two looks at whether the API key may still listen."""

_CODES: Final = {
    End.STOPPED: WSCloseCode.GOING_AWAY,
    End.LAGGED: WSCloseCode.TRY_AGAIN_LATER,
    End.WITHDRAWN: WSCloseCode.POLICY_VIOLATION,
}


async def issue_token(call: Call) -> web.Response:
    """Operation ``getHubNotificationSocketAuth``, without a token."""
    key_id = call.caller.key_id
    token = await call.services.database.read(lambda connection: tickets.issue(connection, key_id))
    return json_response({"data": {"token": token}})


async def listen(request: web.Request, token: str) -> web.WebSocketResponse:
    """Operation ``getHubNotificationSocketAuth`` with a token: the socket.

    Raises:
        ApiError: 401 for the token, 403.permissions, 429.rate-limiting, or 400.invalid-syntax for what is no
            handshake.
    """
    services = request.app[SERVICES]
    holding = await services.database.read(lambda connection: tickets.redeem(connection, token))
    caller, _ = holding
    services.limit.check(caller.key_id)
    caller.require(Capability.NOTIFICATIONS_LISTEN)
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, timeout=CLOSE_TIME, max_msg_size=MESSAGE_LIMIT)
    if not socket.can_prepare(request):
        raise ApiError("400.invalid-syntax", "Invalid syntax", detail="With a token this is a WebSocket.")
    async with services.feed.listen(caller.hub_id) as listener:
        await socket.prepare(request)
        LOG.info("key %s listens to hub %s", caller.key_id, caller.hub_id)
        serving = [
            asyncio.create_task(_send(socket, listener)),
            asyncio.create_task(_watch(services.database, holding, listener)),
        ]
        try:
            async for _ in socket:
                pass
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
    return socket


async def _send(socket: web.WebSocketResponse, listener: Listener) -> None:
    while (message := await listener.messages.get()) is not None:
        await socket.send_str(message)
    await socket.close(code=_CODES[listener.end or End.STOPPED])


async def _watch(database: Database, holding: tuple[Caller, str], listener: Listener) -> None:
    """End a socket whose API key was revoked, or given another value, role or capabilities."""
    key_id = holding[0].key_id
    while listener.end is None:
        await asyncio.sleep(WATCH)
        try:
            if await database.read(lambda connection: holder(connection, key_id)) != holding:
                listener.stop(End.WITHDRAWN)
        except SQLAlchemyError as error:
            LOG.warning("the right to listen is unknown: %s", type(error).__name__)


_authorized = operation(Capability.NOTIFICATIONS_LISTEN, issue_token)


async def notifications(request: web.Request) -> web.StreamResponse:
    """Answer with a token, or to one with the socket."""
    token = request.query.get("token")
    return await _authorized(request) if token is None else await listen(request, token)


ROUTES = (web.get("/v1/hubs/current/notifications", notifications),)
