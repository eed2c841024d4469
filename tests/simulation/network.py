"""The way between one operator and the platform, and everything that can go wrong on it.

``SimulatedTransport`` takes the place of the real client's transport: each call is a request that travels, is
applied, and is answered; a fault is drawn for each from the schedule.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from tests.simulation.faults import Fault, Site
from tests.simulation.kubernetes import Caller
from tests.simulation.passes import PASS, Pass
from tests.simulation.platform import Platform
from tests.simulation.values import Json

from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.platform.transport import Connection, Limits, OnCall
from imagesources.resources import MARKER_PREFIX

TIMEOUT = Limits().total
"""Seconds that the client waits for an answer."""

_REFUSALS = {
    Fault.UNAUTHORIZED: (401, "401.auth-invalid"),
    Fault.FORBIDDEN: (403, "403.capability"),
    Fault.NO_HUB: (404, "404.hub"),
    Fault.NO_JOB: (404, "404.job"),
    Fault.CONFLICT: (409, "409.conflict"),
    Fault.DUPLICATE_FOUND: (409, "409.duplicate-found"),
    Fault.UNPROCESSABLE: (422, "422.invalid-input"),
    Fault.LIMITED: (429, "429.rate-limiting"),
}


@dataclass(frozen=True, eq=False)
class Request:
    """A request to the platform.

    Attributes:
        hub: the hub that is asked.
        site: what it is for.
        subject: the id of a source or job; of a create its marker, of a search the identifier.
        apply: does what it asks for, and answers.
        made: the pass that has decided on it; None: a list.
        body: what is sent.
    """

    hub: str
    site: Site
    subject: str
    apply: Callable[[], Any]
    made: Pass | None
    body: Json | None = None

    @property
    def writes(self) -> bool:
        """Whether it can change anything."""
        return self.site not in (Site.LOOK, Site.JOB, Site.FIND, Site.INVENTORY)


class Observer(Protocol):
    """Who watches all requests."""

    def begun(self, caller: Caller, request: Request) -> float:
        """A request is asked for; tells since when it may have been decided on."""

    def ended(self, caller: Caller, request: Request, code: str, wait: float) -> None:
        """It has ended for its sender, with the code of an error, ``ok`` or ``cancelled``; asked to wait so long."""

    def misled(self, caller: Caller, request: Request, hidden: Sequence[Json]) -> None:
        """A list was answered as it was once, without these sources that there are."""

    def applied(self, caller: Caller, request: Request, answer: Any, *, begun: float, late: bool) -> None:
        """A write was applied, for a sender that may have given it up."""


class Nobody:
    """Watches nothing."""

    def begun(self, _caller: Caller, _request: Request) -> float:
        """See ``Observer``."""
        return asyncio.get_running_loop().time()

    def ended(self, _caller: Caller, _request: Request, _code: str, _wait: float) -> None:
        """See ``Observer``."""

    def misled(self, _caller: Caller, _request: Request, _hidden: Sequence[Json]) -> None:
        """See ``Observer``."""

    def applied(self, _caller: Caller, _request: Request, _answer: Any, *, begun: float, late: bool) -> None:
        """See ``Observer``."""


class Network:
    """Shared by all operators: the platform behind it, and what it remembers for stale answers."""

    def __init__(self, platform: Platform, kept: Callable[[str], bool]) -> None:
        self.platform = platform
        self.kept = kept
        """Tells whether a resource has this source for its own, by its status."""
        self._lists: dict[str, list[list[Json]]] = {}

    def listing(self, hub: str, query: dict[str, str], *, stale: bool) -> list[Json]:
        """List, or repeat the list before: what a replica that lags behind would answer."""
        lists = self._lists.get(hub, [])
        if not stale or not lists:
            self._lists[hub] = lists = [*lists[-1:], self.platform.list(hub)]
        identifier = query.get("filter[identifier]")
        found = [s for s in lists[0 if stale else -1] if identifier in (None, s["identifier"])]
        number, size = int(query["page[number]"]), int(query["page[size]"])
        return found[(number - 1) * size : number * size]

    def request(self, hub: str, method: str, path: str, query: dict[str, str], body: Json | None) -> Request:
        """Read a request."""
        made = PASS.get()
        match method, path.split("/")[2:]:
            case "GET", ["images", "sources"]:
                identifier = query.get("filter[identifier]")
                site = Site.INVENTORY if identifier is None else Site.FIND
                return Request(hub, site, identifier or "", partial(self.listing, hub, query, stale=False), made)
            case "POST", ["images", "sources"]:
                assert body
                create = partial(self.platform.create, body, hub=hub)
                return Request(hub, Site.CREATE, body["identifier"], create, made, body)
            case _, ["images", "sources", source_id, *_]:
                site, apply = self._of_one(hub, method, source_id, body)
                return Request(hub, site, source_id, apply, made, body)
            case _, [*_, job_id]:
                return Request(hub, Site.JOB, job_id, partial(self.platform.job, job_id), made)
        raise AssertionError(path)

    def _of_one(self, hub: str, method: str, source_id: str, body: Json | None) -> tuple[Site, Callable[[], Any]]:
        platform = self.platform
        if method == "GET":
            return Site.LOOK, partial(platform.get, source_id, hub)
        if method == "DELETE":
            return Site.DELETE if self.kept(source_id) else Site.DELETE_EXTRA, partial(platform.delete, source_id, hub)
        assert body is not None
        marked = platform.sources.get(source_id, {}).get("identifier", "").startswith(MARKER_PREFIX)
        site = Site.ACCESS if "acl" in body else Site.NAME if marked and set(body) == {"identifier"} else Site.CONTENT
        return site, partial(platform.update, source_id, body, hub)


class SimulatedTransport:
    """One connection of one operator to one hub, with one key."""

    def __init__(
        self, network: Network, caller: Caller, observer: Observer, connection: Connection, on_call: OnCall | None
    ) -> None:
        self._network = network
        self._caller = caller
        self._observer = observer
        self._connection = connection
        self._on_call = on_call

    async def aclose(self) -> None:
        """Nothing is open."""

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Json | None = None,
    ) -> Json:
        """See ``Transport``."""
        hub, asked = self._connection.hub_id, dict(query)
        request = self._network.request(hub, method, path, asked, body)
        begun = self._observer.begun(self._caller, request)
        code, wait = "cancelled", 0.0
        try:
            fault = await self._caller.sending(request.site)
            if fault in (Fault.STALE, Fault.EMPTY):
                answer = self._network.listing(hub, asked, stale=True) if fault is Fault.STALE else []
                hidden = [source for source in self._network.platform.list(hub) if source not in answer]
                self._observer.misled(self._caller, request, hidden)
            else:
                answer = await self._exchange(operation, request, fault, begun)
            code = "ok"
        except PlatformError as error:
            code, wait = error.code, error.retry_after or 0.0
            raise
        finally:
            self._observer.ended(self._caller, request, code, wait)
            if self._on_call:
                self._on_call(operation, code, 0.0)
        return {"data": answer}

    async def _exchange(self, operation: str, request: Request, fault: Fault, begun: float) -> Any:
        caller = self._caller
        apply = partial(self._apply, operation, request, begun=begun, late=False)
        late = partial(self._apply, operation, request, begun=begun, late=True)
        if fault in _REFUSALS:
            status, code = _REFUSALS[fault]
            wait = caller.schedule.asked_to_wait() if fault is Fault.LIMITED else None
            capability = "images-sources-manage" if fault is Fault.FORBIDDEN else ""
            raise Refused(operation, status=status, code=code, retry_after=wait, capability=capability)
        match fault:
            case Fault.CRASH_BEFORE:
                await caller.crash()
            case Fault.CRASH_DURING:
                caller.later(0.0, late)
                await caller.crash()
            case Fault.NOT_SENT:
                raise NotSent(operation, "connection refused")
            case Fault.SERVER_ERROR | Fault.NO_PAGE:
                raise Unanswered(operation, str(fault))
            case Fault.LOST | Fault.LATE:
                if fault is Fault.LATE:
                    caller.later(TIMEOUT, late)
                await asyncio.sleep(TIMEOUT)
                raise Unanswered(operation, "no answer in time")
            case Fault.DUPLICATED:
                caller.later(0.0, late)
        answer = apply()
        if fault is Fault.CRASH_AFTER:
            await caller.crash()
        if fault is Fault.REPLY_LOST:
            await asyncio.sleep(TIMEOUT)
        if fault in (Fault.REPLY_LOST, Fault.SERVER_ERROR_APPLIED):
            raise Unanswered(operation, str(fault))
        await asyncio.sleep(caller.schedule.delay())
        return answer

    def _apply(self, operation: str, request: Request, *, begun: float, late: bool) -> Any:
        if self._connection.api_key not in self._network.platform.keys:
            raise Refused(operation, status=401, code="401.auth-invalid")
        answer = request.apply()
        if request.writes:
            self._observer.applied(self._caller, request, answer, begun=begun, late=late)
        return answer
