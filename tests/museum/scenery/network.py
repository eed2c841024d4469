"""The way between one operator and the platform, and everything that can go wrong on it.

``SimulatedClient`` has the methods of ``PlatformClient`` that the engine uses. Each call is a request that travels,
is applied, and is answered; a fault is drawn for each from the schedule.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from tests.museum.scenery.loop import PROCESS
from tests.museum.scenery.platform import Platform
from tests.museum.scenery.schedule import Fault, Schedule
from tests.museum.scenery.values import clone

from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.platform.models import Acl, ApiModel, Job, JobDescriptor, Json, Source

_Model = TypeVar("_Model", bound=ApiModel)

TIMEOUT = 30.0
"""Seconds that the client waits for an answer."""


class Network:
    """Shared by all operators: the platform behind it, what it remembers for stale answers, and its faults."""

    def __init__(self, platform: Platform, schedule: Schedule, on_change: Callable[[], None]) -> None:
        self.platform = platform
        self.schedule = schedule
        self.on_change = on_change
        self.late: set[asyncio.Task[None]] = set()
        self._old: dict[str, Json] | None = None

    async def call(self, operation: str, apply: Callable[[], Json], *, writes: bool) -> Json:
        """Send a request and wait for its answer, as the schedule has it."""
        await asyncio.sleep(self.schedule.delay())
        process = PROCESS.get()
        if process is not None and not process.alive:
            raise asyncio.CancelledError
        fault = self.schedule.draw("platform-write" if writes else "platform-read")
        if fault is Fault.CRASH_BEFORE:
            await self.schedule.crash()
        if fault is Fault.NOT_SENT:
            raise NotSent(operation, "connection refused")
        if fault in (Fault.SERVER_ERROR, Fault.LIMITED):
            raise _refusal(operation, fault)
        if fault in (Fault.LOST, Fault.LATE):
            if fault is Fault.LATE:
                self._deliver_later(apply)
            await asyncio.sleep(TIMEOUT)
            raise Unanswered(operation, "no answer in time")
        answer = self._apply(apply)
        if fault is Fault.CRASH_AFTER:
            await self.schedule.crash()
        if fault is Fault.REPLY_LOST:
            await asyncio.sleep(TIMEOUT)
            raise Unanswered(operation, "no answer in time")
        await asyncio.sleep(self.schedule.delay())
        return answer

    def listing(self, identifier: str | None) -> list[Json]:
        """List, or repeat an old list: what a replica that lags behind would answer."""
        now = {source["id"]: source for source in self.platform.list()}
        stale = self._old is not None and self.schedule.draw("list") is Fault.STALE
        shown = self._old if stale and self._old is not None else now
        if not stale:
            self._old = clone(now)
        return [source for source in shown.values() if identifier in (None, source["identifier"])]

    def _apply(self, apply: Callable[[], Json]) -> Json:
        try:
            return apply()
        finally:
            self.on_change()

    def _deliver_later(self, apply: Callable[[], Json]) -> None:
        token = PROCESS.set(None)  # the request is under way, whatever becomes of its sender
        task = asyncio.get_running_loop().create_task(self._arrive(apply))
        PROCESS.reset(token)
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    async def _arrive(self, apply: Callable[[], Json]) -> None:
        await asyncio.sleep(self.schedule.lateness())
        try:
            self._apply(apply)
        except PlatformError:
            return


def _refusal(operation: str, fault: Fault) -> PlatformError:
    if fault is Fault.SERVER_ERROR:
        return Unanswered(operation, "500.unknown")
    return Refused(operation, status=429, code="429.rate-limiting", retry_after=3.0)


class SimulatedClient:
    """One operator's client."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._platform = network.platform

    async def aclose(self) -> None:
        """Nothing is open."""

    async def list_sources(self, identifier: str | None = None, **_more: object) -> AsyncIterator[Source]:
        """See ``PlatformClient``."""
        answer = await self._network.call(
            "getImageSources", lambda: {"data": self._network.listing(identifier)}, writes=False
        )
        for source in answer["data"]:
            yield Source.model_validate(source)

    async def create_source(self, body: Json) -> Source:
        """See ``PlatformClient``."""
        return await self._ask(Source, "createImageSource", lambda: self._platform.create(body))

    async def get_source(self, source_id: str) -> Source:
        """See ``PlatformClient``."""
        return await self._ask(Source, "getImageSource", lambda: self._platform.get(source_id), writes=False)

    async def update_source(self, source_id: str, changes: Json) -> Source:
        """See ``PlatformClient``."""
        return await self._ask(Source, "updateImageSource", lambda: self._platform.update(source_id, changes))

    async def update_access(self, source_id: str, acl: Acl | None) -> Source:
        """See ``PlatformClient``."""
        change = {"acl": acl.model_dump() if acl else None}
        return await self._ask(Source, "updateImageSourceAccess", lambda: self._platform.update(source_id, change))

    async def delete_source(self, source_id: str) -> JobDescriptor:
        """See ``PlatformClient``."""
        return await self._ask(JobDescriptor, "deleteImageSource", lambda: self._platform.delete(source_id))

    async def get_job(self, job_id: str) -> Job:
        """See ``PlatformClient``."""
        return await self._ask(Job, "getJob", lambda: self._platform.job(job_id), writes=False)

    async def _ask(
        self, model: type[_Model], operation: str, apply: Callable[[], Any], *, writes: bool = True
    ) -> _Model:
        return model.model_validate(await self._network.call(operation, apply, writes=writes))
