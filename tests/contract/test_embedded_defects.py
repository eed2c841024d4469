"""What is wrong with one job, or with a part of the platform, is seen, and holds up nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text, update
from tests.support.embedded import embedded_api, write
from tests.support.waiting import wait_for

from imagesources.embedded import Options, schema
from imagesources.embedded.server import _running

NOTIFICATIONS = "/v1/hubs/current/notifications"


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param({"action": "image.source.polish"}, id="action of another version"),
        pytest.param({"object_id": "0" * 24}, id="resource that is not there"),
        pytest.param({"tasks": []}, id="nothing left to do"),
    ],
)
async def test_job_that_cannot_be_done_fails_alone(database: str, poison: dict[str, Any]) -> None:
    """A job that no step can be made of ends in an error; those that come after it are carried out."""
    async with embedded_api(database, Options(step_seconds=3600)) as api:
        poisoned = await api.delete((await api.create("Poisoned"))["id"])
        await api.reached(poisoned, lambda job: job["state"]["current"] == "running")
    await write(database, lambda connection: connection.execute(update(schema.jobs).values(due=0, **poison)))
    async with embedded_api(database) as api:
        other = await api.delete((await api.create("Other"))["id"])
        assert (await api.ended(other))["state"]["current"] == "completed"
        assert (await api.ended(poisoned))["state"]["error"]["message"]


async def test_jobs_go_on_after_an_error(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """While the jobs cannot be read at all they wait, whatever the error is, and go on after it."""
    async with embedded_api(database, Options(step_seconds=0.2)) as api:
        job_id = await api.delete((await api.create())["id"])
        async with hidden(database, "jobs"):
            await logged(caplog, "jobs wait")
        assert (await api.ended(job_id))["state"]["current"] == "completed"


async def test_notifications_go_on_after_an_error(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """While the events cannot be read sockets wait, whatever the error is, and go on after it."""
    async with embedded_api(database) as api:
        token = (await api("GET", NOTIFICATIONS)).data["token"]
        async with api.session.ws_connect(f"{api.url}{NOTIFICATIONS}?token={token}") as socket, asyncio.timeout(20):
            async with hidden(database, "events"):
                await logged(caplog, "notifications")
            source = await api.create()
            assert (await socket.receive_json())["object"]["id"] == source["id"]


@asynccontextmanager
async def hidden(database: str, table: str) -> AsyncIterator[None]:
    """Takes a table away for a while: an outage by SQLite's account, an error of the query by PostgreSQL's."""
    await write(database, lambda connection: connection.execute(text(f"ALTER TABLE {table} RENAME TO hidden")))
    yield
    await write(database, lambda connection: connection.execute(text(f"ALTER TABLE hidden RENAME TO {table}")))


async def logged(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Waits until something is logged."""
    await asyncio.to_thread(wait_for, lambda: words in caplog.text, timeout=20, what=f"the log to say {words!r}")


class Broken:
    """A part of the platform that ends by an error."""

    async def run(self) -> None:
        """Ends by an error."""
        await asyncio.sleep(0)
        raise RuntimeError("it broke")

    def stop(self) -> None:
        """Comes too late."""


async def test_part_that_ends_by_an_error_ends_the_platform() -> None:
    """What uses the platform is cancelled at once, and told why."""
    told = []

    async def use() -> None:
        async with _running(Broken()):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError as cancelled:
                told.append(cancelled)
                raise

    with pytest.raises(RuntimeError, match="it broke"):
        await use()
    assert told
