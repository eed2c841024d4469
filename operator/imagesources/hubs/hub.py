"""One connection to one hub: every call goes through here, and what the calls teach is kept here."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from random import uniform
from typing import TypeVar

from imagesources.hubs.backoff import growing
from imagesources.hubs.brake import Brake
from imagesources.hubs.budget import CallBudget
from imagesources.hubs.inventory import Inventory
from imagesources.hubs.trouble import Trouble, trouble_listing, trouble_of
from imagesources.platform.client import PlatformClient
from imagesources.platform.codes import known
from imagesources.platform.errors import PlatformError, Refused
from imagesources.platform.models import Source
from imagesources.resources.hub import HubSpec, seconds
from imagesources.resources.status import Pin
from imagesources.settings import Settings
from imagesources.telemetry import log, tracing
from imagesources.telemetry.metrics import PLATFORM_CALLS, PLATFORM_SECONDS

_T = TypeVar("_T")

CAPABILITY_OF = {
    "getImageSources": "images-sources-view",
    "getImageSource": "images-sources-view",
    "createImageSource": "images-sources-manage",
    "updateImageSource": "images-sources-manage",
    "deleteImageSource": "images-sources-manage",
    "updateImageSourceAccess": "images-sources-manage",
    "getJob": "apionly-jobs-view",
}
"""The capability that each operation needs (the description names it in each)."""

Check = Callable[[], Awaitable[None]]
"""Awaited right before a request is sent, after every wait for leave to send it; raises to keep it back."""

_CHECK: ContextVar[Check | None] = ContextVar("check", default=None)

HubKey = tuple[str, str, str]
"""Kind, namespace (empty for a ClusterHub) and name."""


def hub_name(key: HubKey) -> str:
    """Name a hub for logs and metrics: ``namespace/name``, a ClusterHub by its name alone."""
    return "/".join(filter(None, key[1:]))


class HubConnection:
    """A hub that can be called.

    Args:
        key: the Hub or ClusterHub.
        pin: the place; sources keep it for life.
        spec: what the hub is allowed to do.
        client: the platform.
        budget: how often it may be called.
        settings: page size and delays.
        fence: awaited before each request: only the operator that leads may send one.
    """

    def __init__(
        self,
        key: HubKey,
        pin: Pin,
        spec: HubSpec,
        client: PlatformClient,
        budget: CallBudget,
        settings: Settings,
        fence: Check | None = None,
    ) -> None:
        self.key = key
        self.pin = pin
        self.spec = spec
        self.client = client
        self.budget = budget
        self.inventory = Inventory()
        self.trouble: Trouble | None = None
        self.brake = Brake(spec.brake)
        self.capabilities: dict[str, str | None] = {}
        """What was learned of the key's capabilities: None means granted, else the operation that was refused."""
        self._settings = settings
        self._fence = fence
        self._probe = asyncio.Event()

    def take_over(self, old: "HubConnection") -> None:
        """Go on with what an earlier connection to the same place knows."""
        self.inventory = old.inventory
        self.go_on_braking(old)

    def go_on_braking(self, old: "HubConnection") -> None:
        """Go on with what an earlier connection to the same place has counted and stopped."""
        self.brake.take_over(old.brake)
        self.brake.restore(None, self.spec.release_brake)

    def heard(self, operation: str, code: str, seconds_taken: float) -> None:
        """Take in how a request ended; the client calls it."""
        PLATFORM_CALLS.labels(operation, known(code)).inc()
        PLATFORM_SECONDS.labels(operation).observe(seconds_taken)
        told = {"operation": operation, "code": known(code), "seconds": round(seconds_taken, 3)}
        log.debug("asked the platform", extra={"hub": hub_name(self.key), **told})
        if code == "ok":
            self.capabilities[CAPABILITY_OF[operation]] = None

    async def leave(self) -> None:
        """Wait until a request may be sent, which may take an hour; the client does so before each.

        Raises:
            NotSent: the connection was replaced meanwhile.
        """
        await self.budget.take()
        if check := _CHECK.get():
            await check()
        if self._fence:
            await self._fence()

    async def call(self, operation: Callable[[PlatformClient], Awaitable[_T]], check: Check | None = None) -> _T:
        """Make one call.

        Args:
            operation: what to ask of the client.
            check: makes sure, once it may be sent, that it still is to be; what it raises is raised.

        Raises:
            PlatformError: after the hub has learned from it.
        """
        token = _CHECK.set(check)
        try:
            return await operation(self.client)
        except PlatformError as error:
            self._learn(error)
            raise
        finally:
            _CHECK.reset(token)

    async def with_identifier(self, identifier: str) -> tuple[Source, ...]:
        """Ask the platform which sources carry an identifier, lowest id first."""
        begun = asyncio.get_running_loop().time()

        async def ask(client: PlatformClient) -> tuple[Source, ...]:
            return tuple([source async for source in client.list_sources(identifier=identifier)])

        found = await self.call(ask)
        for source in found:
            self.inventory.learn(source, begun)
        return tuple(sorted((s for s in found if s.identifier == identifier), key=lambda source: source.id))

    async def refresh(self) -> set[str]:
        """List all sources and return the ids of those that changed since the last time.

        Raises:
            PlatformError: the list is not complete; what is known stays as it is.
        """
        begun = asyncio.get_running_loop().time()
        page_size = self._settings.page_size
        with tracing.trace("inventory", {"imagesource.hub": hub_name(self.key)}) as span:
            try:
                listed = [source async for source in self.client.list_sources(sort=("id",), page_size=page_size)]
            except PlatformError as error:
                span.fail(known(error.code))
                raise
        return self.inventory.replace(listed, begun)

    async def watch(self, on_change: Callable[[set[str] | None], None]) -> None:
        """Keep the inventory fresh for ever.

        Args:
            on_change: told of the ids that changed; of None when the hub as a whole went up or down.
        """
        failures, relapses, told = 0, 0, None
        while True:
            self._probe.clear()
            first = self.inventory.completed is None
            try:
                changed = await self.refresh()
            except PlatformError as error:
                self._learn(error)
                self.trouble = trouble_listing(error, self.pin.url)
                failures += 1
                if self.trouble != told:
                    on_change(None)
            else:
                # A call may have met trouble while the list was made, and its source waits to hear that it is over.
                was_in_trouble = self.trouble is not None
                self.trouble, failures = None, 0
                on_change(None if first or was_in_trouble else changed)
            told = self.trouble
            if failures:
                await self._back_off(failures)
            elif not await self._meets_trouble():
                relapses = 0
            else:
                if relapses:  # lists are answered where other calls are not: each probe lets all sources try again
                    told = self.trouble
                    on_change(None)
                    await self._back_off(relapses)
                relapses += 1

    async def _meets_trouble(self) -> bool:
        """Wait until the next list is due; tell whether that is because a call has met trouble."""
        try:
            await asyncio.wait_for(self._probe.wait(), seconds(self.spec.inventory_interval))
        except TimeoutError:
            return False
        return True

    async def _back_off(self, failures: int) -> None:
        most = min(self._settings.retry_most, seconds(self.spec.inventory_interval))
        longest = growing(failures - 1, self._settings.retry_first, most)
        await asyncio.sleep(uniform(0.5, 1) * longest)  # noqa: S311 - jitter, not a secret

    def _learn(self, error: PlatformError) -> None:
        if error.retry_after:
            self.budget.pause(error.retry_after)
        if isinstance(error, Refused) and error.capability:
            self.capabilities[error.capability] = error.operation
        if found := trouble_of(error, self.pin.url):
            self.trouble = found
            self._probe.set()
