"""The typed client against the embedded platform: the two agree on every operation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.embedded import NONE, embedded_api

from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import Refused
from imagesources.platform.models import Acl, AclEntry, JobDescriptor, SourceState
from imagesources.platform.notifications import Notification


@pytest.fixture
async def client(database: str) -> AsyncIterator[PlatformClient]:
    """A client of a new platform, with all rights."""
    async with embedded_api(database) as api:
        policy = HostPolicy(allow_hosts=(api.url.removeprefix("http://"),), allow_http=True)
        async with PlatformClient(Connection(api.url, api.hub_id, api.key), policy) as client:
            yield client


async def done(client: PlatformClient, descriptor: JobDescriptor) -> None:
    """Waits until a job has succeeded."""
    assert descriptor.job is not None
    async with asyncio.timeout(20):
        while (job := await client.get_job(descriptor.job.id)).state.current != "completed":
            assert job.state.error is None


async def refused(call: object) -> str:
    """Returns the code that a call is refused with."""
    with pytest.raises(Refused) as caught:
        await call  # type: ignore[misc] # any awaitable
    return caught.value.code


async def test_life_of_a_source(client: PlatformClient) -> None:
    """Create, get, list, update, access and delete with its job, all through the typed client."""
    acl = Acl(roles={"developer": AclEntry(view=True, modify=False, manage=False)})
    source = await client.create_source({"name": "Web", "type": "direct", "origin": NONE})
    assert await client.get_source(source.id) == source
    assert [listed async for listed in client.list_sources(identifier="web", page_size=1)] == [source]
    assert (await client.update_source(source.id, {"name": "Shop"})).name == "Shop"
    assert (await client.update_access(source.id, acl)).acl == acl
    assert (await client.update_access(source.id, None)).acl is None
    await done(client, await client.delete_source(source.id))
    assert await refused(client.get_source(source.id)) == "404.image.source"
    deleted = await client.list_page(states=[SourceState.DELETED])
    assert [gone.state.current for gone in deleted] == [SourceState.DELETED]


async def test_life_of_an_image(client: PlatformClient) -> None:
    """An image is made from a source, imported, found by every filter, and deleted."""
    source = await client.create_source({"name": "Web", "type": "direct", "origin": NONE})
    image = await client.create_image({"source_id": source.id})
    assert image.source is not None
    assert (image.source.details.id, image.state.current) == (source.id, "new")
    await done(client, await client.import_image(image.id))
    live = await client.get_image(image.id)
    assert live.state.current == "live"
    other = await client.create_image({"source_id": source.id, "name": "Other"})
    found = [
        client.list_images(source_id=source.id, states=["live"]),
        client.list_images(identifier="web", source_type="direct"),
        client.list_images(search="WEB", page_size=1),
    ]
    assert [[each async for each in listing] for listing in found] == [[live]] * 3
    assert [each.id async for each in client.list_images(sort=["-id"], page_size=1)] == [other.id, image.id]
    counted = await client.get_source(source.id, images_count=True)
    assert counted.meta is not None
    assert counted.meta.images_count is not None
    assert counted.meta.images_count.total == 2
    await done(client, await client.delete_image(image.id))
    assert await refused(client.get_image(image.id)) == "404.image"


async def test_life_of_an_integration(client: PlatformClient) -> None:
    """An integration is created, found, changed and deleted; its secret is sent and never read."""
    body = {"name": "Fast builds", "identifier": "fast", "vendor": "depot", "auth": {"api_key": "s3cret"}}
    integration = await client.create_integration(body)
    assert "s3cret" not in repr(integration) + integration.model_dump_json()
    assert await client.get_integration(integration.id) == integration
    renamed = await client.update_integration(integration.id, {"name": "Slow builds"})
    listings = [client.list_integrations(search="slow"), client.list_integrations(category="image-builder")]
    assert [[each async for each in listing] for listing in listings] == [[renamed]] * 2
    assert [each async for each in client.list_integrations(states=["deleting"])] == []
    assert await refused(client.create_integration(body)) == "409.duplicate-found"
    await done(client, await client.delete_integration(integration.id))
    assert await refused(client.get_integration(integration.id)) == "404.hub.integration"


async def test_life_of_a_role(client: PlatformClient) -> None:
    """A role is created, found, changed and deleted; the capabilities that it can have are listed."""
    capabilities = await client.list_capabilities()
    assert "images-sources-view" in capabilities
    granted = {"all": False, "specific": list(capabilities)}
    role = await client.create_role({"identifier": "dev", "rank": 3, "capabilities": granted})
    assert role.capabilities.specific == capabilities
    assert await client.get_role(role.id) == role
    changed = await client.update_role(role.id, {"identifier": "devs", "rank": 4})
    assert [each async for each in client.list_roles(identifier="devs")] == [changed]
    assert [each.identifier async for each in client.list_roles(sort=["rank"], page_size=1)] == ["devs", "owner"]
    assert [each async for each in client.list_roles(search="nobody")] == []
    await done(client, await client.delete_role(role.id))
    assert await refused(client.get_role(role.id)) == "404.hub.role"


async def test_lists_of_jobs(client: PlatformClient) -> None:
    """Jobs are found by state, text and time, and the newest are listed first."""
    now = datetime.now(UTC)
    names = ("Web", "Shop")
    for name in names:
        source = await client.create_source({"name": name, "type": "direct", "origin": NONE})
        await done(client, await client.delete_source(source.id))
    jobs = [job async for job in client.list_jobs(states=["completed", "error"], page_size=1)]
    assert [job.caption.split()[-1] for job in jobs] == ["Web", "Shop"]
    assert await client.list_latest_jobs() == tuple(reversed(jobs))
    hour = timedelta(hours=1)
    assert [job async for job in client.list_jobs(search="shop", since=now - hour, until=now + hour)] == jobs[1:]
    assert [job async for job in client.list_jobs(until=now - hour)] == []


async def test_notifications(client: PlatformClient) -> None:
    """What happens is told as it happens, until the listener leaves or the platform does."""
    async with aclosing(client.listen()) as notifications:
        waiting = asyncio.ensure_future(anext(notifications))
        heard: list[Notification] = []
        async with asyncio.timeout(20):
            while not waiting.done():  # the socket may not be open yet, and what happens before is not told
                source = await client.create_source({"name": "Web", "type": "direct", "origin": NONE})
                await asyncio.wait([waiting], timeout=0.2)
            heard.append(await waiting)
            while heard[-1].object.id != source.id:
                heard.append(await anext(notifications))
    assert {notification.topic for notification in heard} == {"image.source.new"}
    assert heard[-1].object.state == "live"
