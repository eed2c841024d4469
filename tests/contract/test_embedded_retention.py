"""What the embedded platform forgets, and when."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, Table, func, insert, select, update
from tests.support.embedded import INTEGRATIONS, SOURCES, Api, embedded_api, read, write
from tests.support.waiting import wait_for

from imagesources.embedded import Options, jobs, schema
from imagesources.embedded.retention import BATCH, RETENTION, forget

DAY = 24 * 60 * 60 * 1000
IMAGES = "/v1/images"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform."""
    async with embedded_api(database) as client:
        yield client


async def later(database: str, milliseconds: int) -> None:
    """Lets all that has ended have done so earlier, then forgets."""

    def query(connection: Connection) -> None:
        for table, ended in ((schema.jobs, "completed"), *((table, "deleted") for table in DELETED)):
            connection.execute(update(table).values({ended: table.c[ended] - milliseconds}))
        forget(connection)

    await write(database, query)


DELETED = (schema.sources, schema.images, schema.integrations)


async def rows(database: str, *tables: Table) -> list[int]:
    """Counts the rows of tables."""
    return await read(
        database,
        lambda connection: [connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables],
    )


async def test_ended_jobs(api: Api, database: str) -> None:
    """A job is kept for a day after its end, then it is not there; one that runs is kept."""
    job_id = await api.delete((await api.create())["id"])
    await api.ended(job_id)
    await later(database, jobs.LIFETIME - DAY // 24)
    assert (await api("GET", f"/v1/jobs/{job_id}")).status == 200
    await later(database, DAY // 24)
    assert (await api("GET", f"/v1/jobs/{job_id}")).error == (404, "404.job", None)


async def test_running_jobs_stay(database: str) -> None:
    """A job that has not ended is kept, however old it is."""
    async with embedded_api(database, Options(step_seconds=3600)) as api:
        job_id = await api.delete((await api.create())["id"])
        await api.reached(job_id, lambda job: job["state"]["current"] == "running")
        await write(database, lambda connection: connection.execute(update(schema.jobs).values(queued=0, expires=0)))
        await later(database, 0)
        assert (await api("GET", f"/v1/jobs/{job_id}")).status == 200


async def test_delete_after_a_forgotten_job(database: str) -> None:
    """A source whose failed job is forgotten can be deleted again, and an image whose import is, too."""
    async with embedded_api(database, Options(step_seconds=0.01, fail_jobs=1)) as api:
        source = await api.create()
        await api.ended(await api.delete(source["id"]))
        image = (await api("POST", IMAGES, {"source_id": (await api.create())["id"]})).data
        imported = (await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "import"})).data["job"]["id"]
        await api.ended(imported)
        await later(database, 2 * DAY)
        assert await rows(database, schema.jobs) == [0]
        assert (await api.ended(await api.delete(source["id"])))["state"]["current"] == "completed"
        assert (await api("DELETE", f"{IMAGES}/{image['id']}")).status == 200


async def test_deleted_resources(api: Api, database: str) -> None:
    """What was deleted is listed for 30 days, then its rows are gone, those that belong to it first."""
    farm = await api.integration("farm")
    acl = {"roles": {"developer": {"view": True, "modify": False, "manage": False}}}
    source = await api.create(builder={"integration_id": "farm"}, acl=acl)
    await api("POST", IMAGES, {"source_id": source["id"]})
    await api.ended(await api.delete(source["id"]))
    await api.ended((await api("DELETE", f"{INTEGRATIONS}/{farm['id']}")).data["job"]["id"])
    kept = await api.create("Kept")
    await later(database, RETENTION - DAY)
    assert await rows(database, *DELETED, schema.source_access) == [2, 1, 1, 1]
    await later(database, 2 * DAY)
    assert await rows(database, *DELETED, schema.source_access) == [1, 0, 0, 0]
    assert [there["id"] for there in (await api("GET", f"{SOURCES}?filter[state]=live,deleted")).data] == [kept["id"]]


async def test_source_stays_with_its_images(api: Api, database: str) -> None:
    """A deleted source stays as long as a row refers to it."""
    source = await api.create()
    image = (await api("POST", IMAGES, {"source_id": source["id"]})).data
    await api.ended(await api.delete(source["id"]))
    of_image = update(schema.images).where(schema.images.c.id == image["id"])
    await write(database, lambda connection: connection.execute(of_image.values(deleted=2**50)))
    await later(database, 2 * RETENTION)
    assert await rows(database, schema.sources, schema.images) == [1, 1]


async def test_many_go_in_rounds(api: Api, database: str) -> None:
    """Where much is to be forgotten it goes batch by batch, so that nobody waits long."""
    await api.ended(await api.delete((await api.create())["id"]))

    def copy(connection: Connection) -> None:
        (job,) = connection.execute(select(schema.jobs)).mappings()
        connection.execute(insert(schema.jobs), [{**job, "id": f"{n:024x}"} for n in range(BATCH)])

    await write(database, copy)
    await later(database, 2 * DAY)
    assert await rows(database, schema.jobs) == [1]
    await later(database, 0)
    assert await rows(database, schema.jobs) == [0]


async def test_platform_forgets_by_itself(database: str) -> None:
    """What was to be forgotten while nothing served the database goes soon after the start."""
    async with embedded_api(database) as api:
        await api.ended(await api.delete((await api.create())["id"]))
    await write(database, lambda connection: connection.execute(update(schema.jobs).values(completed=0)))
    async with embedded_api(database):
        await asyncio.to_thread(
            wait_for,
            lambda: asyncio.run(rows(database, schema.jobs)) == [0],
            timeout=20,
            what="the job to be forgotten",
        )
