"""The hub's notification socket: its token, what it sends, and that it hears every process on the database."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Connection, insert, update
from tests.support.embedded import SOURCES, Api, embedded_api, write

from imagesources.embedded import ALL, Capability, Options, admin, clock, events, schema
from imagesources.embedded.access import digest
from imagesources.embedded.database import Database
from imagesources.embedded.feed import BACKLOG, End, Listener

NOTIFICATIONS = "/v1/hubs/current/notifications"
IMAGES = "/v1/images"
HUB_ID = "5f" * 12


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform, with all rights."""
    async with embedded_api(database) as client:
        yield client


async def token_of(api: Api) -> str:
    """Asks for a token."""
    return str((await api("GET", NOTIFICATIONS)).data["token"])


@asynccontextmanager
async def listening(api: Api) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Opens the socket, with nothing but the token, as the platform's clients do."""
    async with api.session.ws_connect(f"{api.url}{NOTIFICATIONS}?token={await token_of(api)}") as socket:
        yield socket


async def hear(socket: aiohttp.ClientWebSocketResponse, topic: str, object_id: str) -> list[dict[str, Any]]:
    """Listens until something is told of an object, and returns all that was told of any."""
    heard = []
    async with asyncio.timeout(20):
        while not heard or (heard[-1]["topic"], heard[-1]["object"]["id"]) != (topic, object_id):
            heard.append(await socket.receive_json())
    return heard


def of(heard: list[dict[str, Any]], object_id: str) -> list[tuple[str, str | None]]:
    """Returns topics and states of what was told of an object."""
    told = [message for message in heard if message["object"]["id"] == object_id]
    return [(message["topic"], message["object"].get("state")) for message in told]


async def test_life_of_a_source(api: Api) -> None:
    """Creating, changing and deleting a source is told in order, and so is the job; the worker's part, too."""
    async with listening(api) as socket:
        source = await api.create()
        path = f"{SOURCES}/{source['id']}"
        await api("PATCH", path, {"name": "Other"})
        await api("PATCH", f"{path}/access", {"acl": {"roles": {}}})
        await api("PATCH", path, {})
        job_id = await api.delete(source["id"])
        heard = await hear(socket, "job.state.changed", job_id)
        while heard[-1]["object"]["state"] != "completed":
            heard += await hear(socket, "job.state.changed", job_id)
    assert of(heard, source["id"]) == [
        ("image.source.new", "live"),
        ("image.source.updated", "live"),
        ("image.source.updated", "live"),
        ("image.source.state.changed", "deleting"),
        ("image.source.state.changed", "deleted"),
    ]
    assert of(heard, job_id) == [
        ("job.new", "queued"),
        ("job.state.changed", "running"),
        ("job.state.changed", "completed"),
    ]


async def test_shape(api: Api) -> None:
    """A message has the shape that the platform's clients read, and no name."""
    async with listening(api) as socket:
        source = await api.create("A name that is nobody's business")
        await api.delete(source["id"])
        *_, message = await hear(socket, "image.source.state.changed", source["id"])
    nowhere = dict.fromkeys(("label", "account_id", "environments", "dns_zones", "containers", "clusters"))
    assert message == {
        "topic": "image.source.state.changed",
        "object": {"id": source["id"], "state": "deleting", "state_previous": "live"},
        "context": {"hub_id": api.hub_id, **nowhere},
        "flags": {},
    }


async def test_failure_and_recovery(database: str) -> None:
    """A job that fails is told with its error, of the job and of the source, and so is the next attempt."""
    async with embedded_api(database, Options(step_seconds=0.01, fail_jobs=1)) as api, listening(api) as socket:
        source = await api.create()
        job_id = await api.delete(source["id"])
        heard = await hear(socket, "image.source.error", source["id"])
        assert ("job.error", "error") in of(heard, job_id)
        assert heard[-1]["object"]["error"]
        await api.delete(source["id"])
        heard = await hear(socket, "image.source.state.changed", source["id"])
        assert of(heard, source["id"]) == [
            ("image.source.error_reset", "deleting"),
            ("image.source.state.changed", "deleted"),
        ]


async def test_neighbours(api: Api) -> None:
    """Images, integrations and roles are told of as well; the images of a source before its end."""
    async with listening(api) as socket:
        farm = await api.integration("farm")
        role = (await api("POST", "/v1/hubs/current/roles", {"identifier": "dev", "rank": 1})).data
        source = await api.create()
        image = (await api("POST", IMAGES, {"source_id": source["id"]})).data
        await api.delete(source["id"])
        heard = await hear(socket, "image.source.state.changed", source["id"])
        heard += await hear(socket, "image.source.state.changed", source["id"])
        await api("DELETE", f"/v1/hubs/current/roles/{role['id']}")
        heard += await hear(socket, "hub.role.state.changed", role["id"])
    assert of(heard, farm["id"]) == [("hub.integration.new", "live")]
    assert of(heard, role["id"]) == [("hub.role.new", "live"), ("hub.role.state.changed", "deleted")]
    states = [("image.new", "new"), ("image.state.changed", "deleting"), ("image.state.changed", "deleted")]
    assert of(heard, image["id"]) == states
    told = [(message["object"]["id"], message["object"].get("state")) for message in heard]
    assert told.index((image["id"], "deleted")) < told.index((source["id"], "deleted"))


async def test_several_servers_on_one_database(database: str) -> None:
    """A listener hears what other servers, and their workers, commit: each event once."""
    async with embedded_api(database) as replaced, embedded_api(database) as two:
        one = replace(replaced, key=two.key)  # the second server issued the key of that name anew
        async with listening(one) as first, listening(two) as second:
            sources = await asyncio.gather(*((one, two)[number % 2].create(f"s{number}") for number in range(40)))
            jobs = [await one.delete(sources[0]["id"]), await two.delete(sources[1]["id"])]
            for job_id in jobs:
                await one.ended(job_id)
            last = await two.create("last")
            heard = [await hear(socket, "image.source.new", last["id"]) for socket in (first, second)]
    for told in heard:
        ids = [message["object"]["id"] for message in told if message["topic"] == "image.source.new"]
        assert sorted(ids) == sorted([*(source["id"] for source in sources), last["id"]])
        for source in sources[:2]:
            states = ["live", "deleting", "deleted"]
            assert [state for _, state in of(told, source["id"])] == states


async def test_other_hubs_are_not_heard(api: Api) -> None:
    """A listener hears of its own hub only."""
    assert api.platform is not None
    other = replace(api, hub_id=await api.platform.ensure_hub("other"))
    other = await other.with_key("owner")
    async with listening(api) as socket:
        await other.create()
        source = await api.create()
        heard = await hear(socket, "image.source.new", source["id"])
    assert {message["context"]["hub_id"] for message in heard} == {api.hub_id}


async def test_starts_with_the_handshake(api: Api) -> None:
    """What happened before is not told, also to one who comes back after all had left."""
    for _ in range(2):
        await api.create("before")
        async with listening(api) as socket:
            source = await api.create("after")
            assert of(await hear(socket, "image.source.new", source["id"]), source["id"]) == [
                ("image.source.new", "live")
            ]


async def test_capability_is_required(api: Api) -> None:
    """The token is given to who may listen, and is worth nothing once they may not any more."""
    lacking = await api.with_key("owner", ALL - {Capability.NOTIFICATIONS_LISTEN})
    answer = await lacking("GET", NOTIFICATIONS)
    assert answer.error == (403, "403.permissions", None)
    assert answer.body["error"]["extra"] == {"capability": "apionly-notifications-listen"}
    token = await token_of(api)
    assert api.platform is not None
    await api.platform.issue_key(api.hub_id, ALL - {Capability.NOTIFICATIONS_LISTEN}, api.key)
    assert (await api("GET", f"{NOTIFICATIONS}?token={token}", Authorization="")).error[1] == "403.permissions"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\xe9.1.x", "{id}.1.x", "{id}.x.{signature}", "{token}x"])
async def test_wrong_tokens(api: Api, token: str) -> None:
    """A token that was not given out is refused in the OAuth shape."""
    given = await token_of(api)
    key_id, _, signature = given.split(".")
    token = token.format(id=key_id, signature=signature, token=given)
    answer = await api("GET", f"{NOTIFICATIONS}?token={token}", Authorization="")
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")


async def test_token_is_short_lived(api: Api) -> None:
    """A token expires, and goes with the value of the key that it was given to."""
    token = await token_of(api)
    key_id, expiry, _ = token.split(".")
    assert 0 < int(expiry) - clock.now() <= 60_000
    assert signed(api, key_id, expiry) == token
    expired = signed(api, key_id, str(clock.now() - 1))
    assert (await api("GET", f"{NOTIFICATIONS}?token={expired}", Authorization="")).status == 401
    path = f"{NOTIFICATIONS}?token={token}"
    assert (await api("GET", path, Authorization="")).error == (400, "400.invalid-syntax", None)
    assert api.platform is not None
    await api.platform.issue_key(api.hub_id, value="another")
    assert (await api("GET", path, Authorization="")).status == 401


def signed(api: Api, key_id: str, expiry: str) -> str:
    """Signs a token as the platform does."""
    message = f"notifications:{key_id}:{expiry}".encode()
    return f"{key_id}.{expiry}.{hmac.new(digest(api.key).encode(), message, hashlib.sha256).hexdigest()}"


async def test_stop_ends_sockets(database: str) -> None:
    """A server that stops says so to its listeners, and does not wait for them."""
    async with aiohttp.ClientSession() as session:
        async with embedded_api(database) as api:
            socket = await session.ws_connect(f"{api.url}{NOTIFICATIONS}?token={await token_of(api)}")
            reading = asyncio.create_task(socket.receive())
        message = await asyncio.wait_for(reading, 5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
        await socket.close()


def revoke(connection: Connection, hub_id: str) -> None:
    """Makes the key useless."""
    assert admin.revoke_key(connection, hub_id, "listener")


def take_the_capability(connection: Connection, hub_id: str) -> None:
    """Leaves the key its value, and takes the capability to listen."""
    less = ALL - {Capability.NOTIFICATIONS_LISTEN}
    admin.issue_key(connection, hub_id, name="listener", capabilities=less, value="the-key-that-listens")


def give_another_role(connection: Connection, hub_id: str) -> None:
    """Leaves the key its value, and gives it another role."""
    admin.issue_key(connection, hub_id, name="listener", role="guest", value="the-key-that-listens")


@pytest.mark.parametrize("withdraw", [revoke, take_the_capability, give_another_role])
async def test_right_to_listen_is_withdrawn(database: str, withdraw: Callable[[Connection, str], None]) -> None:
    """A socket ends when its key is no more what it was when it was opened, by another process too; others go on."""
    async with embedded_api(database) as api:
        assert api.platform is not None
        key = await api.platform.issue_key(api.hub_id, value="the-key-that-listens", name="listener")
        async with listening(api) as other, listening(replace(api, key=key)) as socket:
            await write(database, lambda connection: withdraw(connection, api.hub_id))
            message = await asyncio.wait_for(socket.receive(), 20)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
            source = await api.create()
            assert await hear(other, "image.source.new", source["id"])


def test_nothing_is_told_after_the_withdrawal() -> None:
    """What waits to be sent when the right to listen is withdrawn is not sent any more."""
    listener = Listener("h")
    listener.push("told too late")
    listener.stop(End.WITHDRAWN)
    listener.push("told even later")
    assert listener.messages.get_nowait() is None
    assert listener.messages.empty()


async def test_messages_of_clients_are_ignored(api: Api) -> None:
    """What a client sends changes nothing."""
    async with listening(api) as socket:
        await socket.send_str("hello")
        await socket.send_bytes(b"hello")
        source = await api.create()
        assert await hear(socket, "image.source.new", source["id"])


def test_slow_listener_is_let_go() -> None:
    """A listener that is too far behind is ended after what it has; the others go on."""
    listener = Listener("h")
    for number in range(BACKLOG + 2):
        listener.push(str(number))
    waiting = [listener.messages.get_nowait() for _ in range(listener.messages.qsize())]
    assert waiting[-2:] == [str(BACKLOG - 1), None]
    assert listener.end is End.LAGGED


@pytest.fixture
async def store(database: str) -> AsyncIterator[Database]:
    """An empty store with one hub."""
    opened = await Database.open(database)
    hub = insert(schema.hubs).values(id=HUB_ID, name="test", created=0)
    await opened.write(lambda connection: connection.execute(hub))
    yield opened
    await opened.close()


async def put(store: Database, *positions: int) -> None:
    """Commits events at these positions, as transactions of PostgreSQL may in any order."""
    same = {"hub_id": HUB_ID, "topic": "t", "object_id": "o", "created": 0}
    rows = [{"position": position, **same} for position in positions]
    await store.write(lambda connection: connection.execute(insert(schema.events), rows))


async def read(store: Database, reader: events.Reader) -> list[int]:
    """Reads what is new, and returns the positions."""
    rows = await store.read(reader.read)
    reader.passed(rows)
    return [row["position"] for row in rows]


async def test_positions_that_come_late(store: Database) -> None:
    """An event whose transaction commits after one with a greater position is read then, and each is read once."""
    await put(store, 1, 2, 4)
    reader = events.Reader()
    await store.read(reader.begin)
    assert await read(store, reader) == []
    for positions in ((6,), (3, 9), (5, 8), (7,), (10,)):
        await put(store, *positions)
        assert await read(store, reader) == list(positions)
    assert await read(store, reader) == []


async def test_gaps_are_given_up(store: Database) -> None:
    """A position whose transaction was rolled back is not looked for without end."""
    reader = events.Reader(gap_time=0)
    await put(store, 5)
    assert await read(store, reader) == [5]
    await put(store, 3)
    assert await read(store, reader) == []


async def test_old_events_are_forgotten(store: Database) -> None:
    """What everybody has seen long ago is pruned, and its positions are not used again."""
    for _ in range(2):
        await store.write(lambda connection: events.tell(connection, HUB_ID, "t", "o"))
    before = await read(store, events.Reader())
    old = update(schema.events).values(created=0)
    await store.write(lambda connection: connection.execute(old))
    await store.write(events.prune)
    reader = events.Reader()
    assert await read(store, reader) == []
    await store.write(lambda connection: events.tell(connection, HUB_ID, "t", "o"))
    assert await read(store, reader) == [before[-1] + 1]
