"""The operations on jobs."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Literal, Unpack

from imagesources.platform.calls import Calls, Order, path_of, several, sorted_by
from imagesources.platform.models import Job

JOBS = "/v1/jobs"


class JobCalls(Calls):
    """What the platform does in the background."""

    async def list_jobs(
        self,
        *,
        search: str | None = None,
        states: Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        include: Iterable[Literal["creators"]] = (),
        **order: Unpack[Order],
    ) -> AsyncIterator[Job]:
        """Yields all jobs that match, each id once, asking for a page when it is needed.

        Args:
            search: only jobs with this text in one of their fields.
            states: only jobs in one of these states; none given: all.
            since: only jobs queued then or later; it has an offset.
            until: only jobs queued then or earlier; it has an offset.
            include: ask for those who created them, too.
            order: how to list.
        """
        query = [
            ("filter[search]", search),
            ("filter[state]", several(states)),
            ("filter[range-start]", since.isoformat() if since else None),
            ("filter[range-end]", until.isoformat() if until else None),
            sorted_by(order),
            ("include", several(include)),
        ]
        async for job in self._pages("getJobs", JOBS, Job, query, order):
            yield job

    async def list_latest_jobs(self) -> tuple[Job, ...]:
        """Returns the newest jobs, as many as the platform shows at once."""
        operation = "getLatestJobs"
        return self._all(operation, Job, await self._call(operation, "GET", f"{JOBS}/latest"))

    async def get_job(self, job_id: str) -> Job:
        """Returns one job; a job just announced may be refused as ``404.job`` for some seconds."""
        operation = "getJob"
        path = path_of(operation, JOBS, job_id)
        return self._one(operation, Job, await self._call(operation, "GET", path), job_id)
