"""No failure of the client shows the key, the hub's answer or what was sent."""

import asyncio
import traceback

import pytest
from tests.support import documents
from tests.support.documents import HUB_ID, SOURCE_ID
from tests.support.hostile import Behaviour, always, answer, hostile

from imagesources.platform.client import Connection, HostPolicy, Limits, PlatformClient
from imagesources.platform.errors import NotSent, PlatformError

KEY = "canary-Key-0451"
TOKEN = "canary-Token-1702"
BODY = {"origin": {"type": "docker-hub", "details": {"target": "nginx", "token": TOKEN}}}
ECHO = {"data": {"id": KEY, TOKEN: TOKEN, "origin": BODY["origin"], "acl": {"roles": {TOKEN: TOKEN}}}}


def leaks(failure: BaseException) -> bool:
    """Tells whether the exception, or one that hangs on it, shows a canary."""
    shown = [str(failure), repr(failure), *traceback.format_exception(failure), repr(vars(failure))]
    return any("canary" in text for text in shown) or failure.__context__ is not None or failure.__cause__ is not None


async def cut(writer: asyncio.StreamWriter, _: int) -> None:
    """Echoes the key in half an answer."""
    writer.write(answer(200, {"data": KEY})[:-3])
    await writer.drain()
    writer.close()


async def silent(_writer: asyncio.StreamWriter, _: int) -> None:
    """Never answers."""
    await asyncio.Event().wait()


BEHAVIOURS: dict[str, Behaviour] = {
    "refusal": always(
        answer(422, documents.refusal(422, f"422.{KEY}", source=f"/{TOKEN}", extra={"capability": TOKEN}))
    ),
    "refusal-detail": always(answer(403, documents.refusal(403, "403.permissions", detail=TOKEN, title=KEY))),
    "oauth": always(answer(401, {"error": KEY, "error_description": TOKEN})),
    "html": always(answer(404, raw=KEY.encode(), Content_Type=f"text/{KEY}")),
    "redirect": always(answer(302, {}, Location=f"http://127.0.0.1:1/{KEY}")),
    "server-error": always(answer(503, documents.refusal(503, TOKEN), Retry_After=TOKEN)),
    "echo": always(answer(200, ECHO)),
    "misfit": always(answer(200, {"data": documents.source(acl={"roles": {TOKEN: TOKEN}})})),
    "malformed": always(answer(200, raw=b"{" + TOKEN.encode())),
    "bad-head": always(f"HTTP/1.1 {KEY}\r\n\r\n".encode()),
    "bad-header": always(f"HTTP/1.1 200 OK\r\n{KEY} {TOKEN}\r\n\r\n".encode()),
    "bad-encoding": always(answer(200, raw=KEY.encode(), Content_Encoding="gzip")),
    "cut": cut,
    "silent": silent,
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
async def test_failures_show_no_secret(behaviour: Behaviour) -> None:
    """Whatever the platform does with what it was sent, the exception shows none of it."""
    async with hostile(behaviour) as server:
        policy = HostPolicy(allow_hosts=(f"127.0.0.1:{server.port}",), allow_http=True)
        connection = Connection(server.url, HUB_ID, KEY)
        async with PlatformClient(connection, policy, limits=Limits(connect=0.1, total=0.2)) as client:
            with pytest.raises(PlatformError) as caught:
                await client.update_source(SOURCE_ID, BODY)
            assert KEY.encode() in server.requests[0]
            assert TOKEN.encode() in server.requests[0]
    assert not leaks(caught.value)


async def test_unsent_shows_no_secret() -> None:
    """A failure to connect shows neither the request nor the reason's object."""
    policy = HostPolicy(allow_hosts=("127.0.0.1:1",), allow_http=True)
    async with PlatformClient(Connection("http://127.0.0.1:1", HUB_ID, KEY), policy) as client:
        with pytest.raises(NotSent) as caught:
            await client.update_source(SOURCE_ID, BODY)
    assert not leaks(caught.value)


@pytest.mark.parametrize("key", ["", f"{KEY}\n", f"{KEY}\r\nX-Hub-Id: other", f"{KEY}\x00", f" {KEY}", f"{KEY}é"])
async def test_key_that_is_no_header(key: str) -> None:
    """A key with a newline, as a Secret made with echo has it, is refused unsent and unshown."""
    async with PlatformClient(Connection("https://api.cycle.io", HUB_ID, key), HostPolicy()) as client:
        with pytest.raises(NotSent, match="newlines") as caught:
            await client.get_source(SOURCE_ID)
    assert not leaks(caught.value)


@pytest.mark.parametrize("hub_id", ["", f"{HUB_ID}\r\nAuthorization: x", "a b"])
async def test_hub_id_that_is_no_header(hub_id: str) -> None:
    """A hub id cannot smuggle a header in."""
    async with PlatformClient(Connection("https://api.cycle.io", hub_id, KEY), HostPolicy()) as client:
        with pytest.raises(NotSent):
            await client.get_source(SOURCE_ID)


def test_connection_repr_has_no_key() -> None:
    """A connection that is logged shows no key."""
    assert KEY not in repr(Connection("https://api.cycle.io", HUB_ID, KEY))
