"""The composition root: puts settings, hubs, embedded platform, engine and kopf together, and takes them apart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from prometheus_client import REGISTRY

from imagesources.embedded import EmbeddedHubs
from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubKey
from imagesources.kube.api import Json, KubernetesApi, unfenced
from imagesources.kube.cache import Cache
from imagesources.kube.default_hub import DefaultHub
from imagesources.kube.handlers import Handlers
from imagesources.kube.health import Health
from imagesources.kube.hubs import HubController
from imagesources.kube.lease import Lease, new_identity
from imagesources.kube.lists import Lists
from imagesources.kube.port import KubernetesPort
from imagesources.kube.probes import serving
from imagesources.kube.recorder import Recorder
from imagesources.kube.scrape import Scrape
from imagesources.kube.selector import Selector
from imagesources.kube.watch import Watch
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import Key
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings
from imagesources.telemetry import log
from imagesources.telemetry.lag import watch_lag
from imagesources.telemetry.metrics import LEADER


class Operator:
    """The operator as a whole; ``async with Operator.start(…)`` runs it until the end of the context."""

    def __init__(self, api: KubernetesApi, settings: Settings, embedded: EmbeddedHubs | None) -> None:
        self.api = api
        self.settings = settings
        self.shard = Selector.parse(settings.shard_selector)
        place, identity = settings.operator_namespace, new_identity()
        lease = partial(Lease, api, place, seconds=settings.lease_seconds, identity=identity)
        self.lease = lease(settings.lease) if settings.leader_elect else None
        self.hubs_lease = lease(settings.hubs_lease) if settings.shard_selector else None
        api.fence = self.lease.fence if self.lease else unfenced
        self.cache = Cache()
        self.recorder = Recorder(api)
        self.directory = HubDirectory(clusterwide=not settings.namespaces, on_change=self._hub_changed)
        controller = HubController(api, self.cache, self.directory, settings, embedded.open if embedded else None)
        self.directory.note = controller.note
        controller.shard = settings.shard_selector or "all"
        self.port = KubernetesPort(
            api, self.cache, self.recorder, self._source_gone, self._source_written, self._source_seen
        )
        controller.fence = api.fence
        controller.keeps = lambda: self.hubs_lease is None or self.hubs_lease.held
        self.engine = Engine(self.port, self.directory, settings)
        self.sources: WorkQueue[Key] = WorkQueue(
            self._reconcile,
            self._lane_of,
            settings.hub_concurrency,
            party_of=lambda key: key[0],
            is_open=False,
        )
        self.hub_queue: WorkQueue[HubKey] = WorkQueue(
            controller.reconcile, lambda key: key, 1, is_open=False, name="hubs"
        )
        self.handlers = Handlers(self.cache, self.engine, controller, self.sources, self.hub_queue)
        self.lists = Lists(api, settings, self.directory, self.handlers)
        self.scrape = Scrape((self.sources, self.hub_queue), self.engine, self.cache, controller, self._serves)
        self.watch: Watch | None = None
        self.health = Health(settings, (self.sources, self.hub_queue))

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        settings: Settings,
        kubeconfig: str | None,
        *,
        default_hub: DefaultHub | None = None,
        on_lost: Callable[[], None],
    ) -> AsyncIterator["Operator"]:
        """Start everything; at the end of the context finish what is under way, and stop.

        Args:
            settings: how to run.
            kubeconfig: how to reach the cluster; None: as a Pod.
            default_hub: a Hub to create if it is absent.
            on_lost: called when the lease is lost, or after a defect; the caller is to end the context then.
        """
        async with AsyncExitStack() as stack:
            api = await KubernetesApi.connect(kubeconfig)
            stack.push_async_callback(api.aclose)
            embedded = await stack.enter_async_context(_embedded(settings)) if settings.embedded_database else None
            operator = cls(api, settings, embedded)
            stack.push_async_callback(operator.directory.aclose)
            log.info("listening on %s", stack.enter_context(serving(settings.listen, operator.health.pages)))
            recorder = asyncio.create_task(operator.recorder.run(), name="recorder")
            stack.callback(recorder.cancel)
            lag = asyncio.create_task(watch_lag(), name="event loop lag")
            stack.callback(lag.cancel)
            REGISTRY.register(operator.scrape)
            stack.callback(REGISTRY.unregister, operator.scrape)
            running = asyncio.create_task(operator.run(kubeconfig, default_hub, on_lost), name="run")
            running.add_done_callback(lambda task: None if task.cancelled() else _failed(task.exception(), on_lost))
            operator.health.running = running
            try:
                yield operator
            finally:
                while not running.done():  # until Python 3.12 a wait that ends just then swallows a cancellation
                    running.cancel()
                    await asyncio.wait({running}, timeout=1.0)
                await operator.finish()

    async def run(self, kubeconfig: str | None, default_hub: DefaultHub | None, on_lost: Callable[[], None]) -> None:
        """Read what is there and watch it; then, once it is this operator's turn, work."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.health.show_life())
            await self.lists.read()
            self.watch = Watch(kubeconfig, self.settings, self._on_event, asyncio.get_running_loop())
            self.watch.start()
            self.health.watch, self.health.synced = self.watch, True
            log.info("ready; ImageSources: %d, hubs: %d", len(self.cache.resources), len(self.handlers.hubs.hubs))
            group.create_task(self.lists.keep_clean())
            if self.lease:
                await self.lease.acquire()
                group.create_task(_end(self.lease, on_lost))
            LEADER.set(1)
            if default_hub and not await default_hub.create(self.api, self.handlers.hub_seen):
                group.create_task(default_hub.keep_trying(self.api, self.handlers.hub_seen))
            await self._work()
            if self.hubs_lease:
                group.create_task(self._keep_hubs(self.hubs_lease))

    async def finish(self) -> None:
        """Start nothing more, finish what is under way, write the Events that wait, let another lead, end the watch."""
        log.info("stopping")
        leads = self.lease is None or self.lease.held
        await self.hub_queue.drain(1.0 if leads else 0.0)
        await self.sources.drain(self.settings.stop_grace if leads else 0.0)
        await self.recorder.flush(2.0 if leads else 0.0)
        LEADER.set(0)
        for lease in (self.hubs_lease, self.lease):
            if lease:
                await lease.release()
        if self.watch:
            await asyncio.to_thread(self.watch.stop, 10.0)

    async def _work(self) -> None:
        """Connect the hubs, then begin with what the queues have collected."""
        for key in list(self.handlers.hubs.hubs):
            await self.handlers.hubs.reconcile(key)
        self.hub_queue.open()
        self.sources.open()

    async def _keep_hubs(self, lease: Lease) -> None:
        """Of several shards, be the one that writes the status of Hubs, whenever no other is."""
        while True:
            await lease.acquire()
            for key in list(self.handlers.hubs.hubs):
                self.hub_queue.add(key)
            await lease.lost()

    def _serves(self, resource: ImageSource) -> bool:
        return self.shard.fits(resource.metadata.labels)

    async def _reconcile(self, key: Key) -> Next:
        """Make a pass over a source of this shard; what is known of another's is forgotten, as it may come back."""
        resource = self.cache.resources.get(key)
        if resource is None or self._serves(resource):
            return await self.engine.reconcile(key)
        self.engine.forget(resource.metadata.uid)
        return Next()

    def _on_event(self, plural: str, kind: str | None, body: Json) -> None:
        gone = kind == "DELETED"
        match plural:
            case "imagesources":
                (self.handlers.source_deleted if gone else self._source_seen)(body)
            case "secrets":
                self.handlers.secret_seen(body["metadata"], gone=gone)
            case "namespaces":
                self.handlers.namespace_seen(body["metadata"])
            case _:
                (self.handlers.hub_deleted if gone else self.handlers.hub_seen)(body)

    def _hub_changed(self, key: HubKey, changed: set[str] | None) -> None:
        self.handlers.hub_changed(key, changed)

    def _source_seen(self, body: Json) -> None:
        if not self.port.hold((body["metadata"]["namespace"], body["metadata"]["name"]), body):
            self.handlers.source_seen(body)

    def _source_gone(self, key: Key) -> None:
        self.handlers.source_gone(key)

    def _source_written(self, before: ImageSource, after: ImageSource) -> None:
        self.handlers.source_written(before, after)

    def _lane_of(self, key: Key) -> HubKey:
        resource = self.cache.resources.get(key)
        return self.directory.resolve(key[0], resource.spec.hub_ref if resource else None)


def _embedded(settings: Settings) -> AbstractAsyncContextManager[EmbeddedHubs]:
    return EmbeddedHubs.serve(
        settings.embedded_database, step_seconds=settings.embedded_step_seconds, key_name=settings.lease
    )


async def _end(lease: Lease, on_lost: Callable[[], None]) -> None:
    """End with the lease: from then on whatever would write waits for ever."""
    await lease.lost()
    log.error("the lease %s is lost; this operator ends", lease.name)
    on_lost()


def _failed(error: BaseException | None, on_lost: Callable[[], None]) -> None:
    """A defect: what never ends has ended."""
    log.error("the operator has failed", exc_info=error)
    on_lost()
