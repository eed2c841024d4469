"""The way between one operator and the apiserver, and everything that can go wrong on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from tests.simulation.cluster import HUBS, SECRETS, SOURCES, Apiserver, Change, Key
from tests.simulation.faults import Fault, Site
from tests.simulation.schedule import Schedule
from tests.simulation.values import Json

from imagesources.reconcile.ports import Conflict, KubernetesError, Secret, Vanished
from imagesources.reconcile.ports import Key as SourceKey

TIMEOUT = 30.0
"""Seconds that the client waits for an answer."""


class Caller(Protocol):
    """The process that sends requests."""

    number: int
    schedule: Schedule
    frozen_since: float
    frozen_until: float

    async def sending(self, site: Site) -> Fault:
        """Wait until it may send a request, and draw its fault; one that is dead never may."""

    async def crash(self) -> None:
        """End here and now."""

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Let a request arrive some time after so many seconds, whatever becomes of its sender."""

    async def awake(self) -> None:
        """Wait while the process is frozen."""

    def generation_of(self, key: SourceKey, uid: str) -> int:
        """Tell the newest generation of a resource that it knows; 0: it does not know it."""


class SimulatedApi:
    """One operator's ``KubernetesApi``."""

    def __init__(self, server: Apiserver, caller: Caller) -> None:
        self._server = server
        self._caller = caller
        self.place = 0
        """How far the watch has got in the history."""

    async def list(self, plural: str, _namespace: str | None = None) -> AsyncIterator[Json]:
        """See ``KubernetesApi``."""
        fault = await self._reading(Site.LIST)
        place = len(self._server.history)
        if fault is Fault.STALE:
            place = max(0, place - 3)
        for (kind, _), body in sorted(self._server.at(place).items()):
            if kind == plural:
                yield body

    async def get(self, plural: str, _namespace: str, name: str) -> Json:
        """See ``KubernetesApi``."""
        fault = await self._reading(Site.REREAD)
        body = self._server.before(plural, name) if fault is Fault.STALE else self._server.get(plural, name)
        if body is None:
            raise Vanished("404")
        return body

    async def read_secret(self, _namespace: str, name: str) -> Secret | None:
        """See ``KubernetesApi``."""
        fault = await self._reading(Site.SECRET)
        body = self._server.before(SECRETS, name) if fault is Fault.STALE else self._server.get(SECRETS, name)
        if body is None:
            return None
        metadata = body["metadata"]
        return Secret(metadata["uid"], metadata["resourceVersion"], True, "Opaque", body["data"])

    async def patch(self, plural: str, _namespace: str, name: str, body: Json, *, status: bool = False) -> Json:
        """See ``KubernetesApi``."""
        caller, server = self._caller, self._server
        fault = await caller.sending(site_of(plural, body, status=status))

        def apply() -> Json:
            return server.patch(plural, name, body, status=status)

        if fault in _NEVER_SENT:
            raise self._failure(fault)
        match fault:
            case Fault.CRASH_BEFORE:
                await caller.crash()
            case Fault.CRASH_DURING:
                caller.later(0.0, apply)
                await caller.crash()
            case Fault.CONFLICT:
                raise Conflict("409")
            case Fault.LOST | Fault.LATE:
                if fault is Fault.LATE:
                    caller.later(TIMEOUT, apply)
                await asyncio.sleep(TIMEOUT)
                raise KubernetesError("no answer in time")
            case Fault.DUPLICATED:
                caller.later(0.0, apply)
        answer = apply()
        if fault is Fault.CRASH_AFTER:
            await caller.crash()
        if fault is Fault.REPLY_LOST:
            raise KubernetesError("the connection was reset")
        await asyncio.sleep(caller.schedule.delay())
        return answer

    async def create_event(self, _namespace: str, _body: Json) -> None:
        """Events are not looked at here."""

    async def watch(self, deliver: Callable[[str, str | None, Json], None]) -> None:
        """Deliver a list and all changes after it, in their order, each a while later; a broken watch lists again."""
        caller, history = self._caller, self._server.history
        wake = self._server.watchers[caller.number] = asyncio.Event()
        self.place = self._relist(deliver)
        while True:
            while self.place < len(history):
                await caller.awake()
                fault = caller.schedule.draw(Site.WATCH)
                if fault is Fault.GAP:
                    await asyncio.sleep(2.0)
                    self.place = self._relist(deliver)
                    continue
                await asyncio.sleep(15.0 if fault is Fault.LAG else caller.schedule.watch_delay())
                await caller.awake()
                change: Change = history[self.place]
                self.place += 1
                for _ in range(2 if fault is Fault.REPEATED else 1):
                    deliver(change.plural, change.kind, change.body)
            wake.clear()
            await wake.wait()

    def _relist(self, deliver: Callable[[str, str | None, Json], None]) -> int:
        """Deliver what there is; what vanished is not told. Returns the place in the history to go on from."""
        for (plural, _), body in sorted(self._server.objects.items()):
            deliver(plural, None, body)
        return len(self._server.history)

    async def _reading(self, site: Site) -> Fault:
        fault = await self._caller.sending(site)
        if fault is Fault.CRASH_BEFORE:
            await self._caller.crash()
        if fault is Fault.LOST:
            await asyncio.sleep(TIMEOUT)
        if fault not in (Fault.NONE, Fault.STALE):
            raise self._failure(fault)
        return fault

    def _failure(self, fault: Fault) -> KubernetesError:
        return KubernetesError(str(fault), self._caller.schedule.asked_to_wait() if fault is Fault.LIMITED else 0.0)


_NEVER_SENT = (Fault.NOT_SENT, Fault.SERVER_ERROR, Fault.LIMITED)


def site_of(plural: str, body: Json, *, status: bool) -> Site:
    """Tell what a write is for."""
    if plural == HUBS:
        return Site.HUB_STATUS if status else Site.HUB_FINALIZER
    if not status:
        return Site.INTENT if "annotations" in body["metadata"] else Site.RELEASE
    if body["status"].get("id"):
        return Site.SAVE_ID
    return Site.JOB_STATUS if "job" in body["status"] else Site.STATUS


def key_of(body: Json) -> Key:
    """Tell the key of an ImageSource."""
    return SOURCES, body["metadata"]["name"]
