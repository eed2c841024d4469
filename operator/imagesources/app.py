"""The composition root: puts settings, hubs, embedded platform, engine and kopf together, and takes them apart."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import uniform

from prometheus_client import REGISTRY

from imagesources.embedded import EmbeddedPlatform, Options
from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubKey
from imagesources.kube.api import Json, KubernetesApi, unfenced
from imagesources.kube.cache import Cache
from imagesources.kube.default_hub import DefaultHub
from imagesources.kube.handlers import Handlers
from imagesources.kube.health import Health
from imagesources.kube.hubs import HubController
from imagesources.kube.lease import Lease, new_identity
from imagesources.kube.port import KubernetesPort
from imagesources.kube.probes import serving
from imagesources.kube.recorder import Recorder
from imagesources.kube.scrape import Scrape
from imagesources.kube.selector import Selector
from imagesources.kube.watch import Watch
from imagesources.platform.client import Connection
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import Key, KubernetesError, Vanished
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings
from imagesources.telemetry import log
from imagesources.telemetry.lag import watch_lag
from imagesources.telemetry.metrics import LEADER


class Operator:
    """The operator as a whole; ``async with Operator.start(…)`` runs it until the end of the context."""

    def __init__(self, api: KubernetesApi, settings: Settings, embedded: "EmbeddedHubs | None") -> None:
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
            embedded = (
                await stack.enter_async_context(EmbeddedHubs.serve(settings)) if settings.embedded_database else None
            )
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
                running.cancel()
                await asyncio.wait({running})
                await operator.finish()

    async def run(self, kubeconfig: str | None, default_hub: DefaultHub | None, on_lost: Callable[[], None]) -> None:
        """Read what is there and watch it; then, once it is this operator's turn, work."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.health.show_life())
            await self._read()
            self.watch = Watch(kubeconfig, self.settings, self._on_event, asyncio.get_running_loop())
            self.watch.start()
            self.health.watch, self.health.synced = self.watch, True
            log.info("ready; ImageSources: %d, hubs: %d", len(self.cache.resources), len(self.handlers.hubs.hubs))
            group.create_task(self._clean())
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

    async def _read(self) -> None:
        """Read everything; a missing apiserver or CRD is waited for."""
        for failures in itertools.count():
            try:
                await self._prime()
                break
            except KubernetesError as error:
                hint = "; are the CRDs of crds/ installed?" if isinstance(error, Vanished) else ""
                log.warning("the resources cannot be listed yet: %s%s", error, hint)
                await asyncio.sleep(uniform(0.5, 1) * min(30.0, 2.0**failures))  # noqa: S311 - jitter, not a secret

    async def _prime(self) -> None:
        if not self.settings.namespaces:
            self.directory.namespace_labels = await self.api.namespace_labels()
        for kind in (Hub,) if self.settings.namespaces else (Hub, ClusterHub):
            for body in await self._list(kind.plural):
                body.setdefault("kind", kind.__name__)
                self.handlers.hub_seen(body)
        for body in await self._list(ImageSource.plural):
            self.handlers.source_seen(body)

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

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(self.settings.relist)
            await self._prune()

    async def _list(self, plural: str) -> list[Json]:
        places = self.settings.namespaces or (None,)
        if plural == ClusterHub.plural:
            places = (None,)
        return [body for namespace in places async for body in self.api.list(plural, namespace)]

    async def _prune(self) -> None:
        """Drop what vanished while no watch was connected: kopf lists again, but cannot tell what is missing."""
        try:
            listed = {
                (body["metadata"]["namespace"], body["metadata"]["name"]) for body in await self._list("imagesources")
            }
            for namespace, name in self.cache.resources.keys() - listed:
                try:
                    self.handlers.source_seen(await self.api.get("imagesources", namespace, name))
                except Vanished:
                    self.handlers.source_gone((namespace, name))
        except KubernetesError as error:
            log.warning("the cache could not be cleaned: %s", error)

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


async def _end(lease: Lease, on_lost: Callable[[], None]) -> None:
    """End with the lease: from then on whatever would write waits for ever."""
    await lease.lost()
    log.error("the lease %s is lost; this operator ends", lease.name)
    on_lost()


def _failed(error: BaseException | None, on_lost: Callable[[], None]) -> None:
    """A defect: what never ends has ended."""
    log.error("the operator has failed", exc_info=error)
    on_lost()


class EmbeddedHubs:
    """The embedded platform of this process, asked for over HTTP like any other."""

    def __init__(self, platform: EmbeddedPlatform, key_name: str) -> None:
        self._platform = platform
        self._key_name = key_name
        self._opened: dict[str, Connection] = {}

    @classmethod
    @asynccontextmanager
    async def serve(cls, settings: Settings) -> AsyncIterator["EmbeddedHubs"]:
        """Serve it on a free port of loopback."""
        options = Options(step_seconds=settings.embedded_step_seconds)
        async with EmbeddedPlatform.open(settings.embedded_database, options=options) as platform:
            yield cls(platform, settings.lease)

    async def open(self, name: str) -> tuple[Connection, str]:
        """Open a hub by name, with a key that lives until an operator of the same shard opens it."""
        if name not in self._opened:
            hub_id = await self._platform.ensure_hub(name)
            key = await self._platform.issue_key(hub_id, name=self._key_name)
            self._opened[name] = Connection(self._platform.url, hub_id, key)
        return self._opened[name], self._platform.instance
