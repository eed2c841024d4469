"""All hubs that are connected, and which of them a source belongs to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from imagesources.hubs.budget import Pause
from imagesources.hubs.hub import HubConnection, HubKey, hub_name
from imagesources.hubs.trouble import Trouble
from imagesources.platform.client import PlatformClient
from imagesources.resources.conditions import Reason
from imagesources.resources.hub import ClusterHub, Hub, RateLimit
from imagesources.resources.imagesource import HubRef
from imagesources.resources.status import Pin
from imagesources.telemetry import log

RETIRE_AFTER = 120.0
"""Seconds after which no request of a replaced connection can be under way any more (above every deadline)."""

AFTER_DEFECT = 60.0
"""Seconds until lists are begun again that a defect has ended."""

OnHubChange = Callable[[HubKey, set[str] | None], None]
"""Told of a hub and the ids of its sources that changed; None: the hub itself did."""


async def _without_note(_key: HubKey) -> None:
    """Nobody keeps what the brakes count."""


@dataclass(slots=True)
class Entry:
    """A Hub resource and what became of it: a connection, or the reason why there is none.

    ``last``: the connection that there was before, whose brake the next one goes on with.
    """

    resource: Hub
    connection: HubConnection | None = None
    trouble: Trouble | None = None
    watcher: asyncio.Task[None] | None = None
    last: HubConnection | None = None


@dataclass(slots=True)
class HubDirectory:
    """The hubs by key.

    Attributes:
        clusterwide: whether ClusterHubs are read at all.
        on_change: told whenever a hub or one of its sources changed.
        note: keeps what a hub's brake has counted; awaited before a source is deleted or rewritten.
        namespace_labels: labels of namespaces, for the selectors of ClusterHubs.
    """

    clusterwide: bool
    on_change: OnHubChange
    note: Callable[[HubKey], Awaitable[None]] = _without_note
    namespace_labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    entries: dict[HubKey, Entry] = field(default_factory=dict)
    retired: set[asyncio.Task[None]] = field(default_factory=set)
    """Each closes a client that a request may still be using: a while later, or when all ends."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    pauses: dict[object, Pause] = field(default_factory=dict)
    """By place and rate limit: see ``pause_of``."""

    def pause_of(self, pin: Pin, limit: RateLimit) -> Pause:
        """Find the pause that a place has asked for: it holds for every connection to it, also those to come.

        A pause may be as long as an hour, and wrong: who edits ``rateLimit`` of the Hub begins anew.
        """
        return self.pauses.setdefault((pin.place, limit), Pause())

    def connect(self, key: HubKey, resource: Hub, connection: HubConnection) -> None:
        """Use this connection from now on; the same place keeps what is known of its sources."""
        old = self.entries.get(key)
        if old and old.connection and old.connection.pin.place == connection.pin.place:
            connection.take_over(old.connection)
        elif old and old.last and old.last.pin.place == connection.pin.place:
            connection.go_on_braking(old.last)
        self._replace(key, Entry(resource, connection))
        self.entries[key].watcher = asyncio.create_task(self._watch(key, connection), name=f"inventory of {key}")
        self.on_change(key, None)

    async def _watch(self, key: HubKey, connection: HubConnection) -> None:
        """List the sources of a hub for ever: without it neither drift nor the end of a trouble would be seen."""
        while True:
            try:
                await connection.watch(lambda changed: self.on_change(key, changed))
            except Exception:  # noqa: BLE001 - the edge: a defect must not end it
                log.exception("the sources could not be listed; it is tried again", extra={"hub": hub_name(key)})
                await asyncio.sleep(AFTER_DEFECT)

    def disconnect(self, key: HubKey, resource: Hub, trouble: Trouble) -> None:
        """Remember why this hub cannot be used, and what its brake has counted so far."""
        old = self.entries.get(key)
        self._replace(key, Entry(resource, trouble=trouble, last=(old.connection or old.last) if old else None))
        self.on_change(key, None)

    def remove(self, key: HubKey) -> None:
        """Forget a hub whose resource is gone."""
        self._replace(key, None)
        self.on_change(key, None)

    def resolve(self, namespace: str, ref: HubRef | None) -> HubKey:
        """Tell which hub a reference means; without one: the namespace's ``default``, else the ClusterHub's."""
        if ref:
            return (ref.kind, namespace if ref.kind == "Hub" else "", ref.name)
        own = ("Hub", namespace, "default")
        return own if own in self.entries or not self.clusterwide else ("ClusterHub", "", "default")

    def find(self, namespace: str, ref: HubRef | None) -> HubConnection | Trouble:
        """Find the connection for a source of a namespace, or say why there is none."""
        kind, _, name = key = self.resolve(namespace, ref)
        if kind == "ClusterHub" and not self.clusterwide:
            message = f"spec.hubRef names ClusterHub {name}; this operator serves namespaces and reads none: name a Hub"
            return Trouble(Reason.CLUSTER_HUB_UNAVAILABLE, message)
        entry = self.entries.get(key)
        if entry is None:
            missing = (
                f"{kind} {name} does not exist" if ref else "there is neither a Hub nor a ClusterHub named default"
            )
            return Trouble(Reason.HUB_NOT_FOUND, f"{missing}; create it or name another in spec.hubRef")
        if isinstance(entry.resource, ClusterHub) and not self._allows(entry.resource, namespace):
            message = f"ClusterHub {name} does not list namespace {namespace} in spec.allowedNamespaces"
            return Trouble(Reason.HUB_NOT_ALLOWED, message)
        return entry.connection or entry.trouble or Trouble(Reason.HUB_NOT_FOUND, f"{kind} {name} is not connected yet")

    async def aclose(self) -> None:
        """Close all connections."""
        for key in list(self.entries):
            self._replace(key, None)
        self.closing.set()
        await asyncio.gather(*self.retired)

    def _allows(self, hub: ClusterHub, namespace: str) -> bool:
        allowed = hub.spec.allowed_namespaces
        if "*" in allowed.names or namespace in allowed.names:
            return True
        labels = self.namespace_labels.get(namespace, {})
        return allowed.selector is not None and allowed.selector.match_labels.items() <= labels.items()

    def _replace(self, key: HubKey, entry: Entry | None) -> None:
        old = self.entries.pop(key, None)
        if old and old.watcher:
            old.watcher.cancel()
        if old and old.connection:
            old.connection.budget.end()
            self._retire(old.connection.client)
        if entry:
            self.entries[key] = entry

    def _retire(self, client: PlatformClient) -> None:
        async def close() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), RETIRE_AFTER)
            await client.aclose()

        task = asyncio.create_task(close(), name="retired client")
        self.retired.add(task)
        task.add_done_callback(self.retired.discard)
