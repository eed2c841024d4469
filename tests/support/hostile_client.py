"""A client of a hostile server, and what it must make of it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.support import documents
from tests.support.documents import HUB_ID, SOURCE_ID
from tests.support.hostile import Behaviour, HostileServer, answer, hostile

from imagesources.platform.client import Connection, HostPolicy, Limits, PlatformClient
from imagesources.platform.errors import Unanswered

KEY = "canary-Key-0451"
LIMITS = Limits(connect=0.3, total=0.5, body=64 * 1024)
GOOD = answer(200, {"data": documents.source()})

Call = Callable[[PlatformClient], Awaitable[object]]
CALLS: dict[str, Call] = {
    "GET": lambda client: client.get_source(SOURCE_ID),
    "POST": lambda client: client.create_source({"name": "Web"}),
    "PATCH": lambda client: client.update_source(SOURCE_ID, {"name": "Web"}),
    "DELETE": lambda client: client.delete_source(SOURCE_ID),
}
each_method = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@contextlib.asynccontextmanager
async def platform(behaviour: Behaviour) -> AsyncIterator[tuple[PlatformClient, HostileServer]]:
    """A client of a server that behaves like this."""
    async with hostile(behaviour) as server:
        policy = HostPolicy(allow_hosts=(f"127.0.0.1:{server.port}",), allow_http=True)
        async with PlatformClient(Connection(server.url, HUB_ID, KEY), policy, limits=LIMITS) as client:
            yield client, server


async def unanswered(behaviour: Behaviour, call: Call = CALLS["POST"], *, requests: int = 1) -> Unanswered:
    """Makes the call, which must end unanswered after so many requests on the wire."""
    async with platform(behaviour) as (client, server):
        with pytest.raises(Unanswered) as caught:
            await call(client)
        assert len(server.requests) == requests
    return caught.value
