"""The client and the embedded platform understand each other, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from imagesources.embedded import ALL, EmbeddedPlatform, Options
from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import Refused
from imagesources.platform.models import ZERO_TIME, Acl, AclEntry, Job, Json, SourceState

ABSENT = "651586fca6078e98982dbd90"
BODY = {
    "name": "Web frontend",
    "identifier": "k8s-0451",
    "type": "direct",
    "origin": {"type": "docker-hub", "details": {"target": "nginx:1.29", "username": "ci", "token": "some-token"}},
    "about": {"description": "What visitors see"},
    "acl": {"roles": {"developer": {"view": True, "modify": False, "manage": False}}},
}


@dataclass(frozen=True)
class Hub:
    """A platform with one hub, and how to reach it."""

    platform: EmbeddedPlatform
    id: str
    key: str

    def client(self, *, key: str | None = None, hub_id: str | None = None) -> PlatformClient:
        """Returns a client of this hub, or of what a test wants wrong about it."""
        policy = HostPolicy(allow_hosts=(self.platform.url.removeprefix("http://"),), allow_http=True)
        return PlatformClient(Connection(self.platform.url, hub_id or self.id, key or self.key), policy)


@asynccontextmanager
async def hub(database: str, **options: int) -> AsyncIterator[Hub]:
    """Opens a platform with an empty hub."""
    set_up = Options(step_seconds=0.01, **options)
    async with EmbeddedPlatform.open(database, options=set_up) as platform:
        hub_id = await platform.ensure_hub("default")
        await platform.ensure_role(hub_id, "developer")
        yield Hub(platform, hub_id, await platform.issue_key(hub_id))


async def finished(client: PlatformClient, job_id: str) -> Job:
    """Returns a job once it has ended."""
    for _ in range(500):
        job = await client.get_job(job_id)
        if job.state.current in ("completed", "error", "expired"):
            return job
        await asyncio.sleep(0.02)
    pytest.fail(f"the job is still {job.state.current}")


async def test_life_of_a_source(database: str) -> None:
    """A source is created, read, changed, shared and deleted, and each answer is what was asked for."""
    async with hub(database) as there, there.client() as client:
        created = await client.create_source(BODY)
        assert (created.identifier, created.state.current) == ("k8s-0451", SourceState.LIVE)
        assert created.acl == Acl(roles={"developer": AclEntry(view=True, modify=False, manage=False)})
        assert created.events.deleted == ZERO_TIME
        assert await client.get_source(created.id) == created

        changed = await client.update_source(created.id, {"identifier": "web", "about": {"description": None}})
        assert (changed.identifier, changed.name, changed.origin) == ("web", "Web frontend", created.origin)
        assert (await client.update_access(created.id, Acl())).acl == Acl()
        assert (await client.update_access(created.id, None)).acl is None

        descriptor = await client.delete_source(created.id)
        assert descriptor.job is not None
        job = await finished(client, descriptor.job.id)
        assert (job.state.current, job.state.error) == ("completed", None)
        assert all(task.state.current == "completed" and task.steps for task in job.tasks)
        await assert_gone(client, created.id)


async def assert_gone(client: PlatformClient, source_id: str) -> None:
    """Asserts what counts as gone: the state, or the code."""
    try:
        assert (await client.get_source(source_id)).state.current is SourceState.DELETED
    except Refused as refused:
        assert refused.code == "404.image.source"  # noqa: PT017 - either answer is one
    assert [source async for source in client.list_sources(states=[SourceState.LIVE])] == []


async def test_listing(database: str) -> None:
    """Pages, filters, order and counts are those of the description."""
    async with hub(database) as there, there.client() as client:
        made = [
            await client.create_source(BODY | {"name": f"Web {n}", "identifier": f"web-{n % 5}"}) for n in range(25)
        ]
        ids = sorted(source.id for source in made)
        assert [source.id async for source in client.list_sources(page_size=10)] == ids
        assert [source.id async for source in client.list_sources(page_size=5, sort=("-id",))] == ids[::-1]
        assert len(await client.list_page(3, page_size=10)) == 5
        assert await client.list_page(4, page_size=10) == ()
        assert {s.name async for s in client.list_sources(identifier="web-4")} == {f"Web {n}" for n in range(4, 25, 5)}
        assert [source.name async for source in client.list_sources(search="Web 24")] == ["Web 24"]
        assert len([s async for s in client.list_sources(states=[SourceState.LIVE, SourceState.DELETING])]) == 25
        assert [s async for s in client.list_sources(states=[SourceState.DELETING])] == []
        (first,) = await client.list_page(1, page_size=1, images_count=True)
        assert first.meta is not None
        assert first.meta.images_count is not None
        assert first.meta.images_count.total == 0


async def refusal(client: PlatformClient, body: Json) -> Refused:
    """Returns how the platform refuses to create this."""
    with pytest.raises(Refused) as caught:
        await client.create_source(body)
    return caught.value


async def test_refusals(database: str) -> None:
    """What is wrong with a request, or with who makes it, comes back as a code and a place."""
    async with hub(database) as there:
        async with there.client() as client:
            invalid = await refusal(client, BODY | {"origin": {"type": "docker-hub", "details": {"target": 7}}})
            assert (invalid.status, invalid.source) == (422, "/origin/details/target")
            for call in (client.get_source, client.delete_source, client.get_job):
                with pytest.raises(Refused) as caught:
                    await call(ABSENT)
                assert caught.value.code in ("404.image.source", "404.job")
        async with there.client(key="wrong-key") as client:
            assert (await refusal(client, BODY)).status == 401
        async with there.client(hub_id=ABSENT) as client:
            assert (await refusal(client, BODY)).status in (403, 404)


async def test_missing_capability(database: str) -> None:
    """A key that may not do something is told what it lacks."""
    async with hub(database) as there:
        key = await there.platform.issue_key(there.id, ALL - {"images-sources-manage"}, name="reader")
        async with there.client(key=key) as client:
            assert [source async for source in client.list_sources()] == []
            lacking = await refusal(client, BODY)
    assert (lacking.code, lacking.capability) == ("403.permissions", "images-sources-manage")


async def test_rate_limit(database: str) -> None:
    """A key that asks too often is told when to come back."""
    async with hub(database, requests_per_second=2) as there, there.client() as client:
        with pytest.raises(Refused) as caught:
            await asyncio.gather(*(client.list_page() for _ in range(9)))
    assert caught.value.code == "429.rate-limiting"
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 60


async def test_failed_job(database: str) -> None:
    """A job that fails says why, and its source stays until it is deleted again."""
    async with hub(database, fail_jobs=1) as there, there.client() as client:
        source = await client.create_source(BODY)
        ticket = (await client.delete_source(source.id)).job
        assert ticket is not None
        failed = await finished(client, ticket.id)
        assert failed.state.current == "error"
        assert failed.state.error is not None
        assert (await client.get_source(source.id)).state.current is SourceState.DELETING
        again = (await client.delete_source(source.id)).job
        assert again is not None
        assert (await finished(client, again.id)).state.current == "completed"
        await assert_gone(client, source.id)
