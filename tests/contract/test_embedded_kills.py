"""kill -9 amid concurrent writes, of the platform and of its database; and several platforms on one database."""

import asyncio
import random
import re
import signal
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.embedded import SOURCES, Api, write
from tests.support.postgres import PostgresServer
from tests.support.serving import HUB_ID, serving

from imagesources.embedded.admin import issue_key

DEVELOPERS = {"roles": {"developer": {"view": True, "modify": False, "manage": False}}}
EVERY_STATE = "filter[state]=live,deleting,deleted&page[size]=1000"
QUICK = ("--step-seconds", "0.05")


@dataclass
class Storm:
    """200 concurrent writes: 100 creates, 50 updates, 50 deletes; each is acknowledged or not.

    Attributes:
        old: The sources that were there before, of which the first half is updated, the others are deleted.
        written: Sources as creates and updates answered them.
        jobs: The jobs of deletes, by source.
        enough: Set when a part of the writes was acknowledged.
    """

    old: list[dict[str, Any]] = field(default_factory=list)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def prepare(self, api: Api) -> None:
        """Makes what updates and deletes need."""
        self.old = await asyncio.gather(*(api.create(f"s{n}", about={"description": f"s{n}"}) for n in range(100)))

    def begin(self, api: Api) -> list[asyncio.Task[None]]:
        """Starts all writes."""
        names = [f"new{n}" for n in range(100)]
        writes: list[Coroutine[Any, Any, None]] = [self._create(api, name) for name in names]
        writes += [self._update(api, source["id"], f"other{n}") for n, source in enumerate(self.old[:50])]
        writes += [self._delete(api, source["id"]) for source in self.old[50:]]
        random.Random(4).shuffle(writes)  # noqa: S311 - an order that is the same in each run
        return [asyncio.create_task(write) for write in writes]

    async def check(self, api: Api, developer: Api) -> None:
        """Asserts that what was acknowledged is there, that what is there is whole, and that all jobs end."""
        for job_id in self.jobs.values():
            assert (await api.ended(job_id))["state"]["current"] == "completed"
        for job in (await api("GET", "/v1/jobs?page[size]=1000")).data:
            await api.ended(job["id"])
        there = {source["id"]: source for source in (await api("GET", f"{SOURCES}?{EVERY_STATE}")).data}
        for source_id, source in self.written.items():
            assert there[source_id] == source
        assert {there[source_id]["state"]["current"] for source_id in self.jobs} <= {"deleted"}
        assert "deleting" not in {source["state"]["current"] for source in there.values()}
        for source in there.values():
            assert source["about"] == {"description": source["name"]}
            assert source["acl"] == (DEVELOPERS if source["name"].startswith("new") else None)
        seen = await developer("GET", f"{SOURCES}?{EVERY_STATE}")
        assert {source["id"] for source in seen.data} == set(there)

    async def _create(self, api: Api, name: str) -> None:
        self._acknowledged(await api.create(name, about={"description": name}, acl=DEVELOPERS))

    async def _update(self, api: Api, source_id: str, name: str) -> None:
        body = {"name": name, "about": {"description": name}}
        self._acknowledged((await api("PATCH", f"{SOURCES}/{source_id}", body)).data)

    async def _delete(self, api: Api, source_id: str) -> None:
        self.jobs[source_id] = await api.delete(source_id)

    def _acknowledged(self, source: dict[str, Any]) -> None:
        self.written[source["id"]] = source
        if len(self.written) >= 40:
            self.enough.set()


async def developer_of(database: str, api: Api) -> Api:
    """Returns a client whose role is in the ACLs."""
    key = await write(database, lambda connection: issue_key(connection, HUB_ID, name="dev", role="developer"))
    return Api(api.session, api.url, HUB_ID, key)


async def test_platform_is_killed_amid_writes(database: str, tmp_path: Path) -> None:
    """After a kill -9 of the platform nothing acknowledged is lost, nothing is half there, and jobs go on."""
    storm = Storm()
    async with serving(database, tmp_path, *QUICK) as server:
        await storm.prepare(server.api)
        writes = storm.begin(server.api)
        await asyncio.wait_for(storm.enough.wait(), 30)
        await server.end(signal.SIGKILL)
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert any(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes)
    async with serving(database, tmp_path, *QUICK) as server:
        await storm.check(server.api, await developer_of(database, server.api))


async def test_database_is_killed_amid_writes(tmp_path: Path) -> None:
    """After a kill -9 of PostgreSQL the same platform goes on once it is back, with nothing acknowledged lost."""
    storm = Storm()
    with PostgresServer(durable=True) as postgres:
        database = postgres.url(postgres.create())
        async with serving(database, tmp_path, *QUICK) as server:
            await storm.prepare(server.api)
            writes = storm.begin(server.api)
            await asyncio.wait_for(storm.enough.wait(), 30)
            postgres.kill()
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            assert (await server.api("GET", "/healthz")).status == 500
            postgres.start()
            assert (await server.api("GET", "/healthz")).status == 200
            await storm.check(server.api, await developer_of(database, server.api))
            assert await server.end(signal.SIGTERM) == 0
    refused = {str(outcome) for outcome in outcomes if outcome is not None}
    assert refused
    assert all("500.database" in refusal for refusal in refused)
    assert "Traceback" not in server.log.read_text()


async def test_two_platforms_on_one_database(database: str, tmp_path: Path) -> None:
    """Two processes write to one database: no write is lost or refused, and every step of a job happens once."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    async with serving(database, folders[0], *QUICK) as one, serving(database, folders[1], *QUICK) as other:
        apis = (one.api, other.api)
        made = await asyncio.gather(*(apis[n % 2].create(f"s{n}") for n in range(120)))
        assert len(await other.api.names("page[size]=1000")) == 120
        changes = (apis[n % 2]("PATCH", f"{SOURCES}/{made[0]['id']}", {"name": f"n{n}"}) for n in range(40))
        assert {answer.status for answer in await asyncio.gather(*changes)} == {200}
        deletes = (api("DELETE", f"{SOURCES}/{source['id']}") for source in made[:30] for api in apis)
        answers = await asyncio.gather(*deletes)
        assert {answer.status for answer in answers} <= {202, 404}  # the second one may come when all is done
        jobs = {answer.data["job"]["id"] for answer in answers if answer.status == 202}
        assert len(jobs) == 30
        for job_id in jobs:
            assert (await one.api.ended(job_id))["state"]["current"] == "completed"
    steps = Counter(re.findall(r"job (\w+): step (\d)", one.log.read_text() + other.log.read_text()))
    assert set(steps.values()) <= {1, 2}  # the first step is told when it starts, too
    assert sum(steps.values()) == 30 * 5


@pytest.mark.parametrize("steps", range(4))
async def test_platform_is_killed_between_steps(database: str, tmp_path: Path, steps: int) -> None:
    """After a kill -9 with any number of steps done, the next start does the others, each once."""
    async with serving(database, tmp_path, "--step-seconds", "0.15") as server:
        source = await server.api.create()
        job_id = await server.api.delete(source["id"])
        done = completed_steps(await server.api.reached(job_id, lambda job: len(completed_steps(job)) >= steps))
        await server.end(signal.SIGKILL)
    async with serving(database, tmp_path, *QUICK) as server:
        job = await server.api.ended(job_id)
        assert job["state"]["current"] == "completed"
        assert completed_steps(job)[: len(done)] == done
        assert (await server.api("GET", f"{SOURCES}/{source['id']}")).status == 404


def completed_steps(job: dict[str, Any]) -> list[str]:
    """Lists when the completed steps of a job were completed."""
    ends = [step["completed"] for task in job["tasks"] for step in task["steps"]]
    return [end for end in ends if not end.startswith("0001")]
