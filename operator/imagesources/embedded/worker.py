"""Carries out the jobs of the store, step by step, from wherever a stop or a kill has left them."""

import asyncio
import logging
from contextlib import suppress

from imagesources.embedded import clock, jobs, progress
from imagesources.embedded.database import UNREACHABLE, Database
from imagesources.embedded.options import Options

LOG = logging.getLogger(__name__)

BATCH = 100
"""Jobs looked at in one round."""

IDLE = 5.0
"""Seconds after which the store is looked at unasked: another process may have died and left jobs."""

AFTER_ERROR = 1.0
"""Seconds to wait when the database cannot be used, or after a round that went wrong."""


class Worker:
    """Makes the transitions of all jobs when they are due."""

    def __init__(self, database: Database, options: Options) -> None:
        self._database = database
        self._step_time = round(options.step_seconds * 1000)
        self._faults = options.fail_jobs
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Say that there is a new job."""
        self._woken.set()

    def stop(self) -> None:
        """Let ``run`` end, after the transition that it is making."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Work until stopped; a database that cannot be used is tried again."""
        while not self._stopping:
            self._woken.clear()
            try:
                pause = await self._round()
            except UNREACHABLE as error:
                LOG.warning("jobs wait for the database: %s", type(error).__name__)
                pause = AFTER_ERROR
            except Exception:
                LOG.exception("jobs wait after an error")
                pause = AFTER_ERROR
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)

    async def _round(self) -> float:
        """Make each transition that is due, and tell the seconds until the next one."""
        upcoming = await self._database.read(lambda connection: jobs.upcoming(connection, BATCH))
        started = clock.now()
        ready = [job_id for job_id, due in upcoming if due <= started]
        for job_id in ready:
            if self._stopping:
                return 0
            await self._advance(job_id)
        if ready:
            return 0  # what was advanced may be the next one to be due
        return min((upcoming[0][1] - started) / 1000, IDLE) if upcoming else IDLE

    async def _advance(self, job_id: str) -> None:
        fault = self._faults > 0
        try:
            await self._database.write(
                lambda connection: progress.advance(connection, job_id, self._step_time, fault=fault)
            )
        except UNREACHABLE:
            raise
        except progress.InjectedFault:
            self._faults -= 1
            await self._fail(job_id, "The job was made to fail.")
        except Exception:
            LOG.exception("job %s failed", job_id)
            await self._fail(job_id, "A step failed; the log of the platform says why.")

    async def _fail(self, job_id: str, message: str) -> None:
        await self._database.write(lambda connection: progress.fail(connection, job_id, message))
