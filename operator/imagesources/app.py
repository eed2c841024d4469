"""The composition root: puts settings, hubs, embedded platform, engine and kopf together, and takes them apart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from prometheus_client import REGISTRY

from imagesources.embedded import EmbeddedHubs
from imagesources.kube.api import KubernetesApi, unfenced
from imagesources.kube.core import Core
from imagesources.kube.default_hub import DefaultHub
from imagesources.kube.health import STARTING, Health
from imagesources.kube.lease import Lease, new_identity
from imagesources.kube.probes import serving
from imagesources.kube.recorder import Recorder
from imagesources.kube.scrape import Scrape
from imagesources.kube.watch import Watch
from imagesources.settings import Settings
from imagesources.telemetry import log
from imagesources.telemetry.lag import watch_lag
from imagesources.telemetry.metrics import LEADER


class Operator:
    """The operator as a whole; ``async with Operator.start(…)`` runs it until the end of the context."""

    def __init__(self, api: KubernetesApi, settings: Settings, embedded: EmbeddedHubs | None) -> None:
        self.api = api
        self.settings = settings
        lease = partial(
            Lease, api, settings.operator_namespace, seconds=settings.lease_seconds, identity=new_identity()
        )
        self.lease = lease(settings.lease) if settings.leader_elect else None
        self.hubs_lease = lease(settings.hubs_lease) if settings.shard_selector else None
        api.fence = self.lease.fence if self.lease else unfenced
        self.recorder = Recorder(api)
        self.core = Core(
            api,
            settings,
            self.recorder,
            embedded=embedded.open if embedded else None,
            fence=api.fence,
            keeps=lambda: self.hubs_lease is None or self.hubs_lease.held,
        )
        core = self.core
        self.scrape = Scrape((core.sources, core.hub_queue), core.engine, core.cache, core.hubs, core.serves)
        self.watch: Watch | None = None
        self.health = Health(settings, (core.sources, core.hub_queue))

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
            pages = dict(STARTING)  # already: the embedded platform's database may take long to be brought up to date
            log.info("listening on %s", stack.enter_context(serving(settings.listen, pages)))
            embedded = await stack.enter_async_context(_embedded(settings)) if settings.embedded_database else None
            operator = cls(api, settings, embedded)
            stack.push_async_callback(operator.core.directory.aclose)
            pages |= operator.health.pages
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
            await self.core.lists.read()
            self.watch = Watch(kubeconfig, self.settings, self.core.on_event, asyncio.get_running_loop())
            self.watch.start()
            self.health.watch, self.health.synced = self.watch, True
            log.info("ready; ImageSources: %d, hubs: %d", len(self.core.cache.resources), len(self.core.hubs.hubs))
            group.create_task(self.core.lists.keep_clean())
            if self.lease:
                await self.lease.acquire()
                group.create_task(_end(self.lease, on_lost))
            LEADER.set(1)
            if default_hub and not await default_hub.create(self.api, self.core.handlers.hub_seen):
                group.create_task(default_hub.keep_trying(self.api, self.core.handlers.hub_seen))
            if default_hub and (there := self.core.hubs.hubs.get(default_hub.key)):
                default_hub.compare(there)
            await self.core.begin()
            if self.hubs_lease:
                group.create_task(self._keep_hubs(self.hubs_lease))

    async def finish(self) -> None:
        """Start nothing more, finish what is under way, write the Events that wait, let another lead, end the watch."""
        log.info("stopping")
        leads = self.lease is None or self.lease.held
        await self.core.hub_queue.drain(1.0 if leads else 0.0)
        await self.core.sources.drain(self.settings.stop_grace if leads else 0.0)
        await self.recorder.flush(2.0 if leads else 0.0)
        LEADER.set(0)
        for lease in (self.hubs_lease, self.lease):
            if lease:
                await lease.release()
        if self.watch:
            await asyncio.to_thread(self.watch.stop, 10.0)

    async def _keep_hubs(self, lease: Lease) -> None:
        """Of several shards, be the one that writes the status of Hubs, whenever no other is."""
        while True:
            await lease.acquire()
            self.core.look_at_hubs()
            await lease.lost()


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
