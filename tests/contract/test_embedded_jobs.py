"""Jobs on the embedded platform: what is told while a source is deleted, failures, stops."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.embedded import SOURCES, Api, embedded_api

from imagesources.embedded import Options

NOT_YET = "0001-01-01T00:00:00Z"
HUB = {"type": "docker-hub", "details": {"target": "nginx:1.29", "token": "s3cret"}}


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform."""
    async with embedded_api(database) as client:
        yield client


@pytest.fixture
async def slow(database: str) -> AsyncIterator[Api]:
    """A client of a new platform whose jobs take longer than any test."""
    async with embedded_api(database, Options(step_seconds=3600)) as client:
        yield client


async def test_delete_announces_its_job(slow: Api) -> None:
    """Delete answers 202 with the job, its queue, tasks and steps; the source is deleting, and can still be read."""
    source = await slow.create()
    answer = await slow("DELETE", f"{SOURCES}/{source['id']}")
    assert answer.status == 202
    job = answer.data["job"]
    assert job["accepted"] is True
    assert [task["caption"] for task in job["tasks"]] == ["Remove images", "Remove source"]
    assert all(step["completed"] == NOT_YET for task in job["tasks"] for step in task["steps"])
    shown = (await slow("GET", f"{SOURCES}/{source['id']}")).data
    assert shown["state"]["current"] == "deleting"
    assert shown["state"]["changed"] > source["state"]["changed"]
    assert await slow.names() == ["Web"]


async def test_running_job(slow: Api) -> None:
    """A job that runs tells its first task as running, in its first step, and the second one as pending."""
    job_id = await slow.delete((await slow.create())["id"])
    job = await slow.reached(job_id, lambda job: job["state"]["current"] != "queued")
    assert job["state"]["current"] == "running"
    assert job["events"]["started"] != NOT_YET
    assert job["events"]["completed"] == NOT_YET
    first, second = job["tasks"]
    assert (first["state"]["current"], second["state"]["current"]) == ("running", "pending")
    assert first["steps"][0]["started"] != NOT_YET
    assert first["steps"][0]["completed"] == NOT_YET


async def test_completed_job(api: Api) -> None:
    """When the job has ended every step has its times, in order; the source is gone, and its credentials are."""
    source = await api.create(origin=HUB)
    job = await api.ended(await api.delete(source["id"]))
    assert job["state"]["current"] == "completed"
    assert [task["state"]["current"] for task in job["tasks"]] == ["completed", "completed"]
    steps = [step for task in job["tasks"] for step in task["steps"]]
    times = [time for step in steps for time in (step["started"], step["completed"])]
    assert times == sorted(times)
    assert times[0] == job["events"]["started"]
    assert times[-1] == job["events"]["completed"]
    assert (await api("GET", f"{SOURCES}/{source['id']}")).error == (404, "404.image.source", None)
    assert (await api("DELETE", f"{SOURCES}/{source['id']}")).error == (404, "404.image.source", None)
    deleted = (await api("GET", f"{SOURCES}?filter[state]=deleted")).data[0]
    assert deleted["state"]["current"] == "deleted"
    assert deleted["events"]["deleted"] != NOT_YET
    assert "s3cret" not in str(deleted)


async def test_delete_again_is_the_same_job(slow: Api) -> None:
    """A source that is being deleted has one job, however often it is asked for, also at the same time."""
    source = await slow.create()
    jobs = await asyncio.gather(*(slow.delete(source["id"]) for _ in range(5)))
    assert len(set(jobs)) == 1


@pytest.mark.parametrize(("path", "body"), [("", {"name": "x"}), ("/access", {"acl": None})])
async def test_deleting_source_cannot_be_changed(slow: Api, path: str, body: dict[str, object]) -> None:
    """A source that is being deleted is not changed any more."""
    source = await slow.create()
    await slow.delete(source["id"])
    answer = await slow("PATCH", f"{SOURCES}/{source['id']}{path}", body)
    assert answer.error == (403, "403.invalid-state", None)


async def test_failed_job(database: str) -> None:
    """A job made to fail says why, its source stays deleting with the error, and the next DELETE succeeds."""
    async with embedded_api(database, Options(step_seconds=0.01, fail_jobs=1)) as api:
        source = await api.create()
        failed = await api.ended(await api.delete(source["id"]))
        assert failed["state"]["current"] == "error"
        assert failed["state"]["error"]["message"]
        assert [task["state"]["current"] for task in failed["tasks"]] == ["completed", "error"]
        assert failed["tasks"][1]["error"] == failed["state"]["error"]
        shown = (await api("GET", f"{SOURCES}/{source['id']}")).data
        assert shown["state"]["current"] == "deleting"
        assert shown["state"]["error"]["message"] == failed["state"]["error"]["message"]
        again = await api.ended(await api.delete(source["id"]))
        assert again["id"] != failed["id"]
        assert again["state"]["current"] == "completed"
        assert (await api("GET", f"{SOURCES}/{source['id']}")).status == 404


async def test_many_jobs_run_beside_each_other(database: str) -> None:
    """Fifty deletes take about as long as one."""
    async with embedded_api(database, Options(step_seconds=0.2)) as api, asyncio.timeout(15):
        ids = [(await api.create())["id"] for _ in range(50)]
        for job_id in [await api.delete(source_id) for source_id in ids]:
            assert (await api.ended(job_id))["state"]["current"] == "completed"


async def test_job_lists(api: Api) -> None:
    """Jobs are listed, filtered, sorted and paged as sources are; their creators can be included."""
    jobs = [await api.delete((await api.create(name))["id"]) for name in ("Web", "Shop")]
    for job_id in jobs:
        await api.ended(job_id)
    oldest, newest = jobs

    async def ids(query: str) -> list[str]:
        return [job["id"] for job in (await api("GET", f"/v1/jobs{query}")).data]

    assert await ids("") == [oldest, newest]
    assert await ids("?sort=-queued") == await ids("/latest") == [newest, oldest]
    assert await ids("?page[size]=1&page[number]=2") == [newest]
    assert await ids("?filter[state]=completed,error") == [oldest, newest]
    assert await ids("?filter[state]=running") == []
    assert await ids("?filter[search]=shop") == [newest]
    assert await ids("?filter[range-start]=2999-01-01T00:00:00Z") == []
    assert await ids("?filter[range-start]=2020-01-01T00:00:00Z&filter[range-end]=2999-01-01T00:00:00Z") == jobs
    assert len((await api("GET", "/v1/jobs?include=creators")).body["includes"]["creators"]["api_keys"]) == 1


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/jobs/nonsense", (404, "404.job", None)),
        ("/v1/jobs/" + "0" * 24, (404, "404.job", None)),
        ("/v1/jobs?filter[state]=gone", (422, "422.invalid-argument", "/filter/state")),
        ("/v1/jobs?filter[range-end]=now", (422, "422.invalid-argument", "/filter/range-end")),
        ("/v1/jobs?filter[range-start]=2021-W01-1T00:00:00Z", (422, "422.invalid-argument", "/filter/range-start")),
        ("/v1/jobs?filter[range-start]=2021-01-01T00:00Z", (422, "422.invalid-argument", "/filter/range-start")),
        ("/v1/jobs?sort=tasks", (422, "422.invalid-argument", "/sort")),
    ],
)
async def test_job_errors(api: Api, path: str, error: tuple[int, str, str | None]) -> None:
    """What is not there, or makes no sense, is refused."""
    assert (await api("GET", path)).error == error


async def test_jobs_go_on_after_a_stop(database: str) -> None:
    """A stop waits for no job; the next start ends it."""
    async with embedded_api(database, Options(step_seconds=0.3)) as api:
        job_id = await api.delete((await api.create())["id"])
    async with embedded_api(database) as api:
        assert (await api.ended(job_id))["state"]["current"] == "completed"


async def test_job_that_is_due_later_holds_up_no_other(database: str) -> None:
    """A job whose next step is an hour away does not slow down one whose steps are quick."""
    async with embedded_api(database, Options(step_seconds=3600)) as api:
        slow = await api.delete((await api.create())["id"])
        await api.reached(slow, lambda job: job["state"]["current"] == "running")
    async with embedded_api(database) as api, asyncio.timeout(5):
        quick = await api.delete((await api.create())["id"])
        assert (await api.ended(quick))["state"]["current"] == "completed"


async def test_healthz_needs_no_key(api: Api) -> None:
    """The health endpoint is open, and says ok."""
    answer = await api("GET", "/healthz", Authorization="", X_Hub_Id="")
    assert (answer.status, answer.body) == (200, {"status": "ok"})
