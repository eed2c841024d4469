"""The client's promises for what is around sources: what goes over the wire, and what of the answer is believed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.support import documents
from tests.support.documents import HUB_ID, JOB_ID, NOT_YET, NOW, SOURCE_ID
from tests.support.hostile import always, answer
from tests.support.hostile_client import KEY, platform

from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.platform.notifications import NOTIFICATIONS, Notification

ID = "651586fca6078e98982dbd77"
SECRET = "canary-Secret-99"
EVENTS = {"created": NOW, "updated": NOW, "deleted": NOT_YET}
SAME = {"id": ID, "hub_id": HUB_ID, "name": "Web", "events": EVENTS, "creator": {"id": ID, "type": "api-key"}}
LIVE = {"state": {"current": "live", "changed": NOW}}
ORIGIN = {"type": "docker-hub", "details": {"target": "nginx", "token": SECRET}}
IMAGE = {
    **SAME,
    **LIVE,
    "size": 1,
    "config": {"env": {"PASSWORD": SECRET}},
    "source": {"type": "direct", "details": {"id": SOURCE_ID, "origin": ORIGIN}},
}
INTEGRATION = {**SAME, **LIVE, "identifier": "fast", "vendor": "depot", "auth": {"api_key": SECRET}}
ROLE = {**SAME, **LIVE, "identifier": "dev", "rank": 1, "root": False, "capabilities": {"all": False, "specific": []}}
JOB = {"action": "delete", "job": {"id": JOB_ID, "accepted": True}}

Call = Callable[[PlatformClient], Awaitable[Any]]

WIRE: dict[str, tuple[Call, str, str, object, Any]] = {
    "getImage": (lambda c: c.get_image(ID), "GET", f"/v1/images/{ID}", None, IMAGE),
    "createImage": (lambda c: c.create_image({"a": 1}), "POST", "/v1/images", {"a": 1}, IMAGE),
    "createImageJob": (lambda c: c.import_image(ID), "POST", f"/v1/images/{ID}/tasks", {"action": "import"}, JOB),
    "deleteImage": (lambda c: c.delete_image(ID), "DELETE", f"/v1/images/{ID}", None, JOB),
    "getIntegration": (
        lambda c: c.get_integration(ID),
        "GET",
        f"/v1/hubs/current/integrations/{ID}",
        None,
        INTEGRATION,
    ),
    "createIntegration": (
        lambda c: c.create_integration({"a": 1}),
        "POST",
        "/v1/hubs/current/integrations",
        {"a": 1},
        INTEGRATION,
    ),
    "updateIntegration": (
        lambda c: c.update_integration(ID, {"a": 1}),
        "PATCH",
        f"/v1/hubs/current/integrations/{ID}",
        {"a": 1},
        INTEGRATION,
    ),
    "deleteIntegration": (
        lambda c: c.delete_integration(ID),
        "DELETE",
        f"/v1/hubs/current/integrations/{ID}",
        None,
        JOB,
    ),
    "getRole": (lambda c: c.get_role(ID), "GET", f"/v1/hubs/current/roles/{ID}", None, ROLE),
    "createRole": (lambda c: c.create_role({"a": 1}), "POST", "/v1/hubs/current/roles", {"a": 1}, ROLE),
    "updateRole": (lambda c: c.update_role(ID, {"a": 1}), "PATCH", f"/v1/hubs/current/roles/{ID}", {"a": 1}, ROLE),
    "deleteRole": (lambda c: c.delete_role(ID), "DELETE", f"/v1/hubs/current/roles/{ID}", None, JOB),
    "getHubCapabilities": (lambda c: c.list_capabilities(), "GET", "/v1/hubs/capabilities", None, ["images-view"]),
    "getLatestJobs": (lambda c: c.list_latest_jobs(), "GET", "/v1/jobs/latest", None, [documents.job()]),
}
each_operation = pytest.mark.parametrize("operation", WIRE)
OF_A_RESOURCE = [name for name, (_, _, path, _, data) in WIRE.items() if ID in path and data is not JOB]


@each_operation
async def test_operation_on_the_wire(operation: str) -> None:
    """Each operation sends the description's method, path and body, once, and shows no secret of the answer."""
    call, method, path, body, data = WIRE[operation]
    async with platform(always(answer(200, {"data": data}))) as (client, server):
        result = await call(client)
    (request,) = server.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    assert head.startswith(f"{method} {path} HTTP/1.1\r\n".encode())
    assert (json.loads(sent) if sent else None) == body
    assert SECRET not in repr(result)
    assert not hasattr(result, "model_dump_json") or SECRET not in result.model_dump_json()


@each_operation
@pytest.mark.parametrize("data", [None, [], {}, "x", [1], {"id": SECRET, "hub_id": HUB_ID}, [{"id": SECRET}]])
async def test_answer_that_does_not_fit(operation: str, data: object) -> None:
    """A document of another shape is no answer, and is not shown."""
    if operation in ("getHubCapabilities", "getLatestJobs") and data == []:
        data = {}
    async with platform(always(answer(200, {"data": data}))) as (client, _):
        with pytest.raises(Unanswered) as caught:
            await WIRE[operation][0](client)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("operation", OF_A_RESOURCE)
async def test_answer_of_somebody_else(operation: str) -> None:
    """A resource of another hub, or with another id than the one asked for, is no answer."""
    call, *_, data = WIRE[operation]
    for wrong in ({"hub_id": ID}, {"id": SOURCE_ID}):
        async with platform(always(answer(200, {"data": {**data, **wrong}}))) as (client, _):
            with pytest.raises(Unanswered, match="another"):
                await call(client)


@pytest.mark.parametrize("object_id", ["", "../sources", ID.upper(), f"{ID}\n"])
async def test_ids_are_checked(object_id: str) -> None:
    """What is no id never becomes a path."""
    async with platform(always(answer(200, {"data": IMAGE}))) as (client, server):
        calls: list[Callable[[str], Awaitable[object]]] = [
            *(client.get_image, client.import_image, client.delete_image),
            *(client.get_integration, client.delete_integration, client.get_role, client.delete_role),
            *(lambda id_: client.update_role(id_, {}), lambda id_: client.update_integration(id_, {})),
        ]
        for call in calls:
            with pytest.raises(NotSent, match="24"):
                await call(object_id)
    assert server.requests == []


@asynccontextmanager
async def notifying(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[tuple[PlatformClient, list[web.Request]]]:
    """A client of a platform that gives out a token and then leaves the socket to the handler."""
    sockets: list[web.Request] = []

    async def notifications(request: web.Request) -> web.StreamResponse:
        if "token" not in request.query:
            return web.json_response({"data": {"token": SECRET}})
        sockets.append(request)
        return await handler(request)

    app = web.Application()
    app.add_routes([web.get(NOTIFICATIONS, notifications)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        policy = HostPolicy(allow_hosts=(host,), allow_http=True)
        async with PlatformClient(Connection(f"http://{host}", HUB_ID, KEY), policy) as client:
            yield client, sockets
    finally:
        await runner.cleanup()


def frame(**changes: Any) -> dict[str, Any]:
    """Returns a notification as it is sent."""
    return {"topic": "image.source.new", "object": {"id": ID}, "context": {"hub_id": HUB_ID}, "flags": {}, **changes}


async def test_notifications_are_checked() -> None:
    """What is no notification of our hub is passed over, and the end of the socket ends the iteration."""

    async def send(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for wrong in ([], {}, frame(topic=f"x {SECRET}"), frame(context={"hub_id": ID}), frame(object={"id": SECRET})):
            await socket.send_json(wrong)
        await socket.send_str("{")
        await socket.send_bytes(b"\xff")
        await socket.send_json(frame(object={"id": ID, "state": "live", "name": SECRET}))
        await socket.close()
        return socket

    async with notifying(send) as (client, sockets):
        heard = [notification async for notification in client.listen()]
    assert [(one.topic, one.object.id, one.object.state) for one in heard] == [("image.source.new", ID, "live")]
    assert SECRET not in repr(heard)
    assert "Authorization" not in sockets[0].headers


async def redirect(_: web.Request) -> web.StreamResponse:
    """Points at the place of the token, which would answer."""
    raise web.HTTPFound(NOTIFICATIONS)


async def refuse(_: web.Request) -> web.StreamResponse:
    """Opens nothing."""
    return web.json_response(documents.refusal(401, "401.auth-invalid"), status=401)


async def no_socket(_: web.Request) -> web.StreamResponse:
    """Answers as if it were no WebSocket."""
    return web.json_response({})


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Ends the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize("handler", [redirect, refuse, no_socket, hang_up])
async def test_socket_that_does_not_open(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    """A platform that opens no socket has not answered; nothing shows the token, and no redirect is followed."""
    async with notifying(handler) as (client, sockets):
        with pytest.raises(Unanswered) as caught:
            await anext(client.listen())
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None
    assert len(sockets) == 1


async def test_listening_without_the_right() -> None:
    """A key that gets no token is refused with the code and the capability that it lacks."""
    extra = {"capability": "apionly-notifications-listen"}
    refusal = documents.refusal(403, "403.permissions", extra=extra)
    async with platform(always(answer(403, refusal))) as (client, _):
        with pytest.raises(Refused) as caught:
            await anext(client.listen())
    assert caught.value.capability == "apionly-notifications-listen"


async def test_listener_that_is_cancelled() -> None:
    """Listening ends when its task is cancelled, and the socket with it."""
    closed = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(frame())
        async for _ in socket:
            pass
        closed.set()
        return socket

    async def listen(client: PlatformClient, heard: asyncio.Queue[Notification]) -> None:
        async for notification in client.listen():
            heard.put_nowait(notification)

    async with notifying(wait) as (client, _):
        heard: asyncio.Queue[Notification] = asyncio.Queue()
        listening = asyncio.create_task(listen(client, heard))
        await asyncio.wait_for(heard.get(), 20)
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        await asyncio.wait_for(closed.wait(), 20)


@pytest.mark.parametrize("token", [None, 7, "", "a b", "a\nb", "ä", "x" * 5000])
async def test_token_that_is_none(token: object) -> None:
    """Only what can be a token becomes part of a URL."""
    async with platform(always(answer(200, {"data": {"token": token}}))) as (client, server):
        with pytest.raises(PlatformError, match="does not fit Token"):
            await anext(client.listen())
    assert len(server.requests) == 1
