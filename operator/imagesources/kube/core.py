"""Everything between the watch and the platform, put together: one wiring, for the operator and for the simulator."""

from collections.abc import Callable
from datetime import datetime

from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubKey
from imagesources.kube.api import Fence, Json, KubernetesApi, unfenced
from imagesources.kube.cache import Cache
from imagesources.kube.handlers import Handlers
from imagesources.kube.hubs import HubController
from imagesources.kube.lists import Lists
from imagesources.kube.port import KubernetesPort
from imagesources.kube.reach import Embedded
from imagesources.kube.recorder import Recorder
from imagesources.kube.selector import Selector
from imagesources.platform.client import PlatformClient
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import Next, utc_now
from imagesources.reconcile.ports import Key
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings


def _always() -> bool:
    return True


class Core:
    """Cache, hubs, engine, queues and handlers.

    Args:
        api: the apiserver.
        settings: how to run.
        recorder: where Events go.
        embedded: opens hubs of the embedded platform; None: there is none.
        fence: awaited before each request to the platform.
        keeps: whether this operator writes the status of Hubs; of several shards one does.
        make_client: makes the client of a connection to the platform.
        wall_clock: the time that goes into status.
    """

    def __init__(
        self,
        api: KubernetesApi,
        settings: Settings,
        recorder: Recorder,
        *,
        embedded: Embedded | None = None,
        fence: Fence = unfenced,
        keeps: Callable[[], bool] = _always,
        make_client: Callable[..., PlatformClient] = PlatformClient,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.shard = Selector.parse(settings.shard_selector)
        self.cache = Cache()
        self.directory = HubDirectory(
            clusterwide=not settings.namespaces,
            on_change=lambda key, changed: self.handlers.hub_changed(key, changed),  # noqa: PLW0108 - made below
            note=lambda key: self.hubs.note(key),  # noqa: PLW0108 - made below
        )
        self.hubs = HubController(
            api, self.cache, self.directory, settings, embedded, make_client=make_client, wall_clock=wall_clock,
            shard=settings.shard_selector or "all", fence=fence, keeps=keeps, tell=recorder.tell,
        )  # fmt: skip
        self.port = KubernetesPort(
            api,
            self.cache,
            recorder,
            on_gone=lambda key: self.handlers.source_gone(key),  # noqa: PLW0108 - made below
            on_written=lambda before, after: self.handlers.source_written(before, after),  # noqa: PLW0108 - made below
            on_held=self._source_seen,
        )
        self.engine = Engine(self.port, self.directory, settings, wall_clock)
        self.sources: WorkQueue[Key] = WorkQueue(
            self.reconcile, self._lane_of, settings.hub_concurrency, party_of=_namespace_of, is_open=False
        )
        self.hub_queue: WorkQueue[HubKey] = WorkQueue(
            self.hubs.reconcile, lambda key: key, 1, is_open=False, name="hubs"
        )
        self.handlers = Handlers(self.cache, self.engine, self.hubs, self.sources, self.hub_queue)
        self.lists = Lists(api, settings, self.directory, self.handlers)

    async def begin(self) -> None:
        """Connect the hubs, then begin with what the queues have collected: a hub that is awaited is no trouble."""
        self.look_at_hubs()
        self.hub_queue.open()
        await self.hub_queue.settled()
        self.sources.open()

    def look_at_hubs(self) -> None:
        """Look after every Hub anew."""
        for key in list(self.hubs.hubs):
            self.hub_queue.add(key)

    def serves(self, resource: ImageSource) -> bool:
        """Tell whether a resource is of this operator's shard."""
        return self.shard.fits(resource.metadata.labels)

    async def reconcile(self, key: Key) -> Next:
        """Make a pass over a source of this shard; what is known of another's is forgotten, as it may come back."""
        resource = self.cache.resources.get(key)
        if resource is None or self.serves(resource):
            return await self.engine.reconcile(key)
        self.engine.forget(resource.metadata.uid)
        return Next()

    def on_event(self, plural: str, kind: str | None, body: Json) -> None:
        """Take in what the watch says: the plural, the type of the event (None: listed) and the object."""
        gone = kind == "DELETED"
        match plural:
            case "imagesources":
                (self.handlers.source_deleted if gone else self._source_seen)(body)
            case "secrets":
                self.handlers.secret_seen(body["metadata"], gone=gone)
            case "namespaces":
                self.handlers.namespace_seen(body["metadata"], gone=gone)
            case _:
                (self.handlers.hub_deleted if gone else self.handlers.hub_seen)(body)

    def _source_seen(self, body: Json) -> None:
        if not self.port.hold((body["metadata"]["namespace"], body["metadata"]["name"]), body):
            self.handlers.source_seen(body)

    def _lane_of(self, key: Key) -> HubKey:
        resource = self.cache.resources.get(key)
        return self.directory.resolve(key[0], resource.spec.hub_ref if resource else None)


def _namespace_of(key: Key) -> str:
    return key[0]
