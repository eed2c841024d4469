"""The operator's typed client against the embedded platform: the two agree on every operation."""

import asyncio

import pytest
from tests.support.embedded import NONE, embedded_api

from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import Refused
from imagesources.platform.models import Acl, AclEntry, SourceState


async def test_life_of_a_source(database: str) -> None:
    """Create, get, list, update, access and delete with its job, all through the typed client."""
    async with embedded_api(database) as api:
        policy = HostPolicy(allow_hosts=(api.url.removeprefix("http://"),), allow_http=True)
        async with PlatformClient(Connection(api.url, api.hub_id, api.key), policy) as client:
            acl = Acl(roles={"developer": AclEntry(view=True, modify=False, manage=False)})
            source = await client.create_source({"name": "Web", "type": "direct", "origin": NONE})
            assert await client.get_source(source.id) == source
            assert [listed async for listed in client.list_sources(identifier="web", page_size=1)] == [source]
            assert (await client.update_source(source.id, {"name": "Shop"})).name == "Shop"
            assert (await client.update_access(source.id, acl)).acl == acl
            assert (await client.update_access(source.id, None)).acl is None
            ticket = (await client.delete_source(source.id)).job
            assert ticket is not None
            async with asyncio.timeout(10):
                while (job := await client.get_job(ticket.id)).state.current != "completed":
                    assert job.hub_id == api.hub_id
            with pytest.raises(Refused) as refused:
                await client.get_source(source.id)
            assert refused.value.code == "404.image.source"
            deleted = await client.list_page(states=[SourceState.DELETED])
            assert [gone.state.current for gone in deleted] == [SourceState.DELETED]
