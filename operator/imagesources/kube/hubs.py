"""Hubs and ClusterHubs: each becomes a connection, and says in its status how that goes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from imagesources.hubs.budget import CallBudget
from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubConnection, HubKey
from imagesources.hubs.trouble import Trouble
from imagesources.kube.api import KubernetesApi
from imagesources.kube.cache import Cache, version_of
from imagesources.kube.port import merge_patch
from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.models import SourceState
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import KubernetesError, Vanished
from imagesources.resources import CREDENTIALS_LABEL, MARKER_PREFIX
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.hub import ClusterHub, Hub, HubStatus, SourceCounts
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import Pin
from imagesources.settings import Settings
from imagesources.telemetry import HUBS_UP, log, observe_call

Embedded = Callable[[str], Awaitable[tuple[Connection, str]]]
"""Opens a hub of the embedded platform by name: its connection, and the platform's instance id."""

_NAMED = 5
"""How many unmanaged sources a Hub's status names."""


class UnusableHubError(Exception):
    """A hub cannot be connected."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.trouble = Trouble(reason, message)


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
        connected: what each connection was made of: its spec, and the version of its Secret.
    """

    api: KubernetesApi
    cache: Cache
    directory: HubDirectory
    settings: Settings
    embedded: Embedded | None
    hubs: dict[HubKey, Hub] = field(default_factory=dict)
    connected: dict[HubKey, object] = field(default_factory=dict)

    async def reconcile(self, key: HubKey) -> Next:
        """Connect a hub as its resource says, and write its status."""
        resource = self.hubs.get(key)
        if resource is None:
            self.connected.pop(key, None)
            self.directory.remove(key)
            return Next()
        try:
            await self._connect(key, resource)
            await self._report(key, resource)
        except KubernetesError as error:
            log.warning("a hub could not be looked after: %s", error, extra={"hub": "/".join(key)})
            return Next(self.settings.retry_first)
        entry = self.directory.entries[key]
        return Next() if entry.connection else Next(min(self.settings.retry_most, 10 * self.settings.retry_first))

    def seen(self, key: HubKey, resource: Hub) -> bool:
        """Take in a state of a Hub; tells whether it is one to act on."""
        old = self.hubs.get(key)
        if (
            old
            and old.metadata.uid == resource.metadata.uid
            and version_of(old.metadata) > version_of(resource.metadata)
        ):
            return False
        self.hubs[key] = resource
        return old is None or old.spec != resource.spec or old.metadata.uid != resource.metadata.uid

    def using_secret(self, namespace: str, name: str) -> list[HubKey]:
        """Find the hubs whose API key is in a Secret."""
        return [key for key, hub in self.hubs.items() if self._secret_of(key, hub) == (namespace, name)]

    def _secret_of(self, key: HubKey, hub: Hub) -> tuple[str, str] | None:
        if hub.spec.platform is None:
            return None
        return key[1] or self.settings.operator_namespace, hub.spec.platform.api_key_from.secret_key_ref.name

    async def _connect(self, key: HubKey, resource: Hub) -> None:
        try:
            connection, pinned_url, policy, made_of = await self._open(key, resource)
        except UnusableHubError as error:
            entry = self.directory.entries.get(key)
            self.connected.pop(key, None)
            if entry is None or entry.trouble != error.trouble:
                self.directory.disconnect(key, resource, error.trouble)
            return
        made_of = (resource.spec, made_of)
        if self.connected.get(key) == made_of:
            return
        kind, _, name = key
        pin = Pin(kind=kind, name=name, uid=resource.metadata.uid, hub_id=connection.hub_id, url=pinned_url)
        limit = resource.spec.rate_limit
        budget = CallBudget(limit.requests_per_second, limit.burst)
        client = PlatformClient(connection, policy, on_call=observe_call, before_call=budget.take)
        hub = HubConnection(key, pin, resource.spec, client, budget, self.settings)
        self.connected[key] = made_of
        self.directory.connect(key, resource, hub)

    async def _open(self, key: HubKey, resource: Hub) -> tuple[Connection, str, HostPolicy, object]:
        """Find out how to reach a hub: its connection, the URL that sources are pinned to, the hosts allowed."""
        platform = resource.spec.platform
        if platform is None:
            return await self._open_embedded(key)
        url = platform.url.rstrip("/")
        policy = HostPolicy(allow_hosts=self.settings.allow_hosts, allow_http=self.settings.allow_http)
        if objection := policy.objection(url):
            raise UnusableHubError(Reason.HOST_NOT_ALLOWED, f"spec.platform.url: {objection}")
        value, version = await self._api_key(key, resource)
        return Connection(url, platform.hub_id, value), url, policy, version

    async def _open_embedded(self, key: HubKey) -> tuple[Connection, str, HostPolicy, object]:
        if self.embedded is None:
            message = (
                "spec.embedded: this operator runs without an embedded platform; start it with --embedded-database"
            )
            raise UnusableHubError(Reason.HUB_NOT_FOUND, message)
        connection, instance = await self.embedded("/".join(key))
        policy = HostPolicy(allow_hosts=(connection.url.split("//")[1],), allow_http=True)
        return connection, f"embedded:{instance}", policy, connection.api_key

    async def _api_key(self, key: HubKey, resource: Hub) -> tuple[str, object]:
        namespace, name = self._secret_of(key, resource) or ("", "")
        assert resource.spec.platform  # noqa: S101 - the caller's case
        wanted = resource.spec.platform.api_key_from.secret_key_ref.key
        path = "spec.platform.apiKeyFrom.secretKeyRef"
        secret = await self.api.read_secret(namespace, name)
        if secret is None:
            message = f"{path}: Secret {name} does not exist in namespace {namespace}; create it"
            raise UnusableHubError(Reason.CREDENTIALS_MISSING, message)
        if not secret.labelled:
            message = f'{path}: Secret {name} is not labelled {CREDENTIALS_LABEL}: "true"; label it'
            raise UnusableHubError(Reason.CREDENTIALS_MISSING, message)
        value = secret.values.get(wanted, "").strip()
        if not value:
            message = f"{path}: Secret {name} has no key {wanted}, or it is empty; add it"
            raise UnusableHubError(Reason.CREDENTIALS_MISSING, message)
        return value, (secret.uid, secret.resource_version)

    async def _report(self, key: HubKey, resource: Hub) -> None:
        """Write the status where it says something new."""
        status = self._status(key, resource)
        HUBS_UP.set(sum(self._trouble(known) is None for known in self.hubs))
        difference = merge_patch(resource.status.to_json(), status.to_json())
        if not difference:
            return
        body: dict[str, Any] = {"metadata": {"uid": resource.metadata.uid}, "status": difference}
        _, namespace, name = key
        kind = ClusterHub if isinstance(resource, ClusterHub) else Hub
        try:
            written = await self.api.patch(kind.plural, namespace, name, body, status=True)
        except Vanished:
            return
        self.hubs[key] = kind.read(written)

    def _trouble(self, key: HubKey) -> Trouble | None:
        entry = self.directory.entries.get(key)
        if entry is None or entry.connection is None:
            return (entry and entry.trouble) or Trouble(Reason.PENDING, "the hub is not connected yet")
        if entry.connection.trouble:
            return entry.connection.trouble
        if entry.connection.inventory.completed is None:
            return Trouble(Reason.PENDING, "the hub's sources are being listed for the first time")
        return None

    def _status(self, key: HubKey, resource: Hub) -> HubStatus:
        trouble = self._trouble(key)
        connection = self.directory.entries[key].connection
        old = next((c for c in resource.status.conditions if c.type == ConditionType.READY), None)
        now = datetime.now(UTC).replace(microsecond=0)
        ready = Condition(
            type=ConditionType.READY.value,
            status="False" if trouble else "True",
            reason=(trouble.reason if trouble else Reason.IN_SYNC).value,
            message=trouble.message if trouble else "the platform answers",
            last_transition_time=old.last_transition_time if old and (old.status == "False") == bool(trouble) else now,
            observed_generation=resource.metadata.generation,
        )
        updates: dict[str, Any] = {"observed_generation": resource.metadata.generation, "conditions": (ready,)}
        if connection:
            updates |= {"hub_id": connection.pin.hub_id, "url": connection.pin.url}
            if connection.inventory.completed is not None:
                updates["sources"] = self._counts(connection)
        return resource.status.model_copy(update=updates)

    def _counts(self, connection: HubConnection) -> SourceCounts:
        """Count the hub's sources as the operator sees them."""
        pinned = [
            r for r in self.cache.resources.values() if r.status.hub and r.status.hub.place == connection.pin.place
        ]
        claimed = {resource.status.id for resource in pinned}
        seen = [entry.source for entry in connection.inventory.entries.values()]
        live = [source for source in seen if source.state.current is SourceState.LIVE]
        free = [source for source in live if source.id not in claimed]
        strays = [s for s in free if s.identifier.removeprefix(MARKER_PREFIX) not in self.cache.keys]
        unmanaged = sorted(s.identifier for s in strays if not s.identifier.startswith(MARKER_PREFIX))
        return SourceCounts(
            pinned=len(pinned),
            managed=sum(source.id in claimed for source in live),
            drifted=sum(resource.status.drift is not None for resource in pinned),
            failed=sum(not _is_ready(resource) for resource in pinned),
            unmanaged=len(unmanaged),
            unmanaged_names=tuple(unmanaged[:_NAMED]),
            strays=tuple(sorted(s.id for s in strays if s.identifier.startswith(MARKER_PREFIX))[:_NAMED]),
        )


def _is_ready(resource: ImageSource) -> bool:
    return any(c.type == ConditionType.READY and c.status == "True" for c in resource.status.conditions)
