"""Hubs and ClusterHubs: each becomes a connection, and says in its status how that goes."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from imagesources.hubs.budget import CallBudget
from imagesources.hubs.directory import Entry, HubDirectory
from imagesources.hubs.hub import HubConnection, HubKey, hub_name
from imagesources.kube.api import Fence, KubernetesApi, unfenced
from imagesources.kube.cache import Cache, version_of
from imagesources.kube.hub_status import counted_of, describe, note_of, turn
from imagesources.kube.port import merge_patch
from imagesources.kube.reach import Embedded, UnusableHubError, how_to_reach, secret_of
from imagesources.kube.uninstall import needs_operator
from imagesources.platform.client import PlatformClient
from imagesources.reconcile.engine import Next, utc_now
from imagesources.reconcile.observe import pin_of
from imagesources.reconcile.ports import Happening, KubernetesError, Vanished
from imagesources.resources import HUB_FINALIZER
from imagesources.resources.base import UnreadableError
from imagesources.resources.conditions import ConditionType, Reason
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import Pin
from imagesources.settings import Settings
from imagesources.telemetry import log, tracing


@dataclass(slots=True)
class HubController:
    """Keeps the directory of hubs as the Hub resources say.

    Attributes:
        api: the apiserver.
        cache: the resources that use the hubs.
        directory: what is kept.
        settings: hosts that may be called, delays.
        embedded: opens hubs of the embedded platform; None: there is none.
        hubs: the resources, by key.
        make_client: makes the client of a connection.
        wall_clock: the time that goes into status.
        connected: what each connection was made of: its spec, and the version of its Secret.
        shard: under which name this operator keeps what its brakes have counted.
        noting: held while that is written.
        fence: awaited before each request to the platform.
        keeps: whether this operator writes the status of Hubs and holds them; of several shards one does.
        tell: records an Event about a Hub.
        told: the reason of each Hub's Ready that was told last, by this operator or one before.
    """

    api: KubernetesApi
    cache: Cache
    directory: HubDirectory
    settings: Settings
    embedded: Embedded | None
    hubs: dict[HubKey, Hub] = field(default_factory=dict)
    make_client: Callable[..., PlatformClient] = PlatformClient
    wall_clock: Callable[[], datetime] = utc_now
    connected: dict[HubKey, object] = field(default_factory=dict)
    shard: str = "all"
    noting: asyncio.Lock = field(default_factory=asyncio.Lock)
    fence: Fence = unfenced
    keeps: Callable[[], bool] = lambda: True
    tell: Callable[[Hub, Happening], None] = lambda _hub, _happening: None
    told: dict[HubKey, str] = field(default_factory=dict)

    async def reconcile(self, key: HubKey) -> Next:
        """Connect a hub as its resource says, and write its status."""
        resource = self.hubs.get(key)
        if resource is None:
            self._forget(key)
            return Next()
        try:
            with tracing.trace("reconcile hub", {"imagesource.hub": hub_name(key)}):
                await self._connect(key, resource)
                if self.keeps() and key in self.hubs:
                    await self._hold(key, resource)
                    await self._report(key, self.hubs.get(key, resource))
                elif key in self.hubs:
                    await self._report_brake(key, resource)
        except KubernetesError as error:
            message = "a hub could not be looked after, as the Kubernetes API failed: %s"
            log.warning(message, error, extra={"hub": hub_name(key)})
            return Next(self.settings.retry_first)
        if key not in self.hubs:
            self._forget(key)  # it went meanwhile
            return Next()
        return Next() if self._has_a_key(key) else Next(min(self.settings.retry_most, 10 * self.settings.retry_first))

    def _forget(self, key: HubKey) -> None:
        """A Hub is gone: nothing is done through it any more."""
        self.hubs.pop(key, None)
        self.connected.pop(key, None)
        self.told.pop(key, None)
        self.directory.remove(key)

    def _has_a_key(self, key: HubKey) -> bool:
        """Tell whether a Hub is connected, and not with a key that is rejected: its Secret may have been read early."""
        entry = self.directory.entries.get(key)
        connection = entry.connection if entry else None
        trouble = connection.trouble if connection else None
        return connection is not None and not (trouble and trouble.reason is Reason.KEY_REJECTED)

    def seen(self, key: HubKey, resource: Hub) -> bool:
        """Take in a state of a Hub; tells whether it is one to act on."""
        old = self.hubs.get(key)
        if old and version_of(old.metadata) > version_of(resource.metadata):
            return False
        self.hubs[key] = resource
        return old is None or _must_be_acted_on(old, resource)

    def is_unheld(self, key: HubKey) -> bool:
        """Tell whether a Hub could be deleted at once, as nothing holds it yet."""
        return key in self.hubs and HUB_FINALIZER not in self.hubs[key].metadata.finalizers

    def using_secret(self, namespace: str, name: str) -> list[HubKey]:
        """Find the hubs whose API key is in a Secret."""
        return [key for key, hub in self.hubs.items() if secret_of(key, hub, self.settings) == (namespace, name)]

    async def _connect(self, key: HubKey, resource: Hub) -> None:
        try:
            reach = await how_to_reach(key, resource, self.api, self.settings, self.embedded)
        except UnusableHubError as error:
            entry = self.directory.entries.get(key)
            self.connected.pop(key, None)
            if entry is None or entry.trouble != error.trouble:
                self.directory.disconnect(key, resource, error.trouble)
            return
        made_of = (resource.spec, reach.made_of)
        if self.connected.get(key) == made_of:
            self._share_brake(key, resource)
            return
        kind, _, name = key
        pin = Pin(kind=kind, name=name, uid=resource.metadata.uid, hub_id=reach.connection.hub_id, url=reach.pinned_url)
        limit = resource.spec.rate_limit
        budget = CallBudget(limit.requests_per_second, limit.burst, self.directory.pause_of(pin, limit))
        hub: HubConnection
        client = self.make_client(
            reach.connection,
            reach.policy,
            on_call=lambda *heard: hub.heard(*heard),  # noqa: PLW0108 - the hub is made of the client
            before_call=lambda: hub.leave(),  # noqa: PLW0108 - likewise
        )
        hub = HubConnection(key, pin, resource.spec, client, budget, self.settings, self.fence)
        hub.brake.restore(resource.status.brake, resource.spec.release_brake)
        counted = (resource.status.counted or {}).get(self.shard)
        if counted and counted.release == (resource.spec.release_brake or ""):
            hub.brake.inherit(note_of(counted, self._zero()))
        self.connected[key] = made_of
        self.directory.connect(key, resource, hub)

    async def note(self, key: HubKey) -> None:
        """Write what a brake has counted where the Hub's status does not say it yet.

        Raises:
            KubernetesError: it could not be written, so that nothing may be deleted or rewritten now.
        """
        async with self.noting:
            entry, resource = self.directory.entries.get(key), self.hubs.get(key)
            brake = entry.connection.brake if entry and entry.connection else None
            note = brake.to_note(asyncio.get_running_loop().time()) if brake else None
            if brake is None or resource is None or note is None:
                return
            counted = counted_of(note, resource.spec.release_brake or "", self._zero()).to_json()
            await self._write(key, resource, {"status": {"counted": {self.shard: counted}}}, status=True)
            if key not in self.hubs:
                raise KubernetesError(f"{hub_name(key)} is gone")
            brake.noted = note

    def _zero(self) -> datetime:
        """Tell when the loop's clock was zero."""
        return self.wall_clock() - timedelta(seconds=round(asyncio.get_running_loop().time()))

    async def _report(self, key: HubKey, resource: Hub) -> None:
        """Write the status where it says something new."""
        entry = self.directory.entries.get(key)
        if entry is None:
            return  # gone meanwhile
        ready = resource.status.condition(ConditionType.READY)
        told = self.told.setdefault(key, ready.reason if ready else "")
        there = self._at(resource, entry)
        status = describe(resource, entry, self._own(key, there), there, self.cache.keys, self.wall_clock())
        if status != resource.status:
            difference = merge_patch(resource.status.to_json(), status.to_json())
            await self._write(key, resource, {"status": difference}, status=True)
        if happening := turn(told, status):
            self._tell(key, resource, happening)

    def _tell(self, key: HubKey, resource: Hub, happening: Happening) -> None:
        """Tell people, once for all sources of the hub."""
        self.told[key] = happening.reason
        self.tell(resource, happening)
        level = logging.WARNING if happening.warning else logging.INFO
        name, about = hub_name(key), {"hub": hub_name(key), "reason": happening.reason}
        log.log(level, "%s %s: %s: %s", key[0], name, happening.reason, happening.note, extra=about)

    def _share_brake(self, key: HubKey, resource: Hub) -> None:
        """Stop as well when another shard has engaged its brake, unless that is released by now."""
        told, connection = resource.status.brake, self.directory.entries[key].connection
        if told and connection and told.token != resource.spec.release_brake:
            connection.brake.restore(told, None)

    async def _report_brake(self, key: HubKey, resource: Hub) -> None:
        """Write that the brake is engaged here, so that every shard stops and a person sees how to go on."""
        connection = self.directory.entries[key].connection
        brake = connection.brake.status() if connection else None
        if brake and not resource.status.brake:
            await self._write(key, resource, {"status": {"brake": brake.to_json()}}, status=True)

    async def _hold(self, key: HubKey, resource: Hub) -> None:
        """Keep the Hub while sources belong to it: without it they could be neither changed nor deleted."""
        held = HUB_FINALIZER in resource.metadata.finalizers
        deleting = resource.metadata.deletion_timestamp is not None
        others = [name for name in resource.metadata.finalizers if name != HUB_FINALIZER]
        entry = self.directory.entries[key]
        own = self._own(key, self._at(resource, entry))
        if not deleting and not held and any(needs_operator(source) for source in own):
            await self._write(key, resource, {"metadata": {"finalizers": [*others, HUB_FINALIZER]}})
        elif deleting and held and not own and not await self._is_needed(key, resource, entry):
            await self._write(key, resource, {"metadata": {"finalizers": others}})

    async def _is_needed(self, key: HubKey, resource: Hub, entry: Entry) -> bool:
        """Ask the apiserver whether sources belong to a Hub: at a start, or behind a gap, the cache has not all."""
        bodies = [body async for body in self.api.list(ImageSource.plural, key[1] or None)]
        try:
            live = [ImageSource.read(body) for body in bodies]
        except UnreadableError as error:
            log.error("%s; the Hub is held until then, as it may belong to it", error, extra={"hub": hub_name(key)})
            return True
        return bool(self._own(key, self._at(resource, entry, live)))

    def _at(self, resource: Hub, entry: Entry, sources: Iterable[ImageSource] | None = None) -> list[ImageSource]:
        """Find the sources that belong to the hub's place, also those that are only about to; in the cache, if any."""
        status = resource.status
        place = entry.connection.pin.place if entry.connection else (status.url or "", status.hub_id or "")
        found = self.cache.resources.values() if sources is None else sources
        return [r for r in found if (pin := pin_of(r)) and pin.place == place]

    def _own(self, key: HubKey, there: list[ImageSource]) -> list[ImageSource]:
        """Choose the sources that use this very Hub, or have begun with it: other Hubs may lead to the same place."""
        return [r for r in there if key in (self.directory.resolve(r.metadata.namespace, r.spec.hub_ref), _begun_at(r))]

    async def _write(self, key: HubKey, resource: Hub, body: dict[str, Any], *, status: bool = False) -> None:
        """Write onto the very object that was read; its finalizers only at the very version."""
        metadata = {"uid": resource.metadata.uid}
        if not status:
            metadata["resourceVersion"] = resource.metadata.resource_version
        body = body | {"metadata": body.get("metadata", {}) | metadata}
        _, namespace, name = key
        kind = type(resource)
        try:
            written = await self.api.patch(kind.plural, namespace, name, body, status=status)
        except Vanished:
            if self.hubs.get(key, resource).metadata.uid == resource.metadata.uid:
                self._forget(key)
            return
        now = kind.read(written)
        known = self.hubs.get(key)
        if known and version_of(now.metadata) >= version_of(known.metadata) and not _must_be_acted_on(known, now):
            self.hubs[key] = now  # else the watch tells of it


def _must_be_acted_on(old: Hub, new: Hub) -> bool:
    """Tell whether a state of a Hub differs from an earlier one in more than what is written of it."""
    return (old.metadata.uid, old.metadata.deletion_timestamp, old.spec, old.status.brake) != (
        new.metadata.uid, new.metadata.deletion_timestamp, new.spec, new.status.brake,
    )  # fmt: skip


def _begun_at(resource: ImageSource) -> HubKey | None:
    pin = pin_of(resource)
    return (pin.kind, resource.metadata.namespace if pin.kind == "Hub" else "", pin.name) if pin else None
