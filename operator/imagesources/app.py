"""The composition root: puts settings, hubs, embedded platform, engine and kopf together, and takes them apart."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import uniform

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from imagesources.embedded import EmbeddedPlatform, Options
from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubKey
from imagesources.kube.api import Json, KubernetesApi
from imagesources.kube.cache import Cache
from imagesources.kube.handlers import Handlers, hub_key
from imagesources.kube.hubs import HubController
from imagesources.kube.port import KubernetesPort
from imagesources.kube.recorder import Recorder
from imagesources.kube.scrape import Scrape
from imagesources.kube.watch import Watch
from imagesources.platform.client import Connection
from imagesources.reconcile import Engine
from imagesources.reconcile.ports import Key, KubernetesError, Vanished
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings
from imagesources.telemetry import log
from imagesources.telemetry.lag import watch_lag


class Operator:
    """The operator as a whole; ``async with Operator.start(…)`` runs it until the end of the context."""

    def __init__(self, api: KubernetesApi, settings: Settings, embedded: "EmbeddedHubs | None") -> None:
        self.api = api
        self.settings = settings
        self.synced = False
        self.cache = Cache()
        self.recorder = Recorder(api)
        self.directory = HubDirectory(clusterwide=not settings.namespaces, on_change=self._hub_changed)
        controller = HubController(api, self.cache, self.directory, settings, embedded.open if embedded else None)
        self.directory.note = controller.note
        self.port = KubernetesPort(
            api, self.cache, self.recorder, self._source_gone, self._source_written, self._source_seen
        )
        self.engine = Engine(self.port, self.directory, settings)
        self.sources: WorkQueue[Key] = WorkQueue(
            self.engine.reconcile,
            self._lane_of,
            settings.hub_concurrency,
            party_of=lambda key: key[0],
            is_open=False,
        )
        self.hub_queue: WorkQueue[HubKey] = WorkQueue(
            controller.reconcile, lambda key: key, 1, is_open=False, name="hubs"
        )
        self.handlers = Handlers(self.cache, self.engine, controller, self.sources, self.hub_queue)
        self.scrape = Scrape((self.sources, self.hub_queue), self.engine, self.cache, controller)
        self.watch: Watch | None = None

    @classmethod
    @asynccontextmanager
    async def start(cls, settings: Settings, kubeconfig: str | None) -> AsyncIterator["Operator"]:
        """Start everything; at the end of the context finish what is under way, and stop."""
        async with AsyncExitStack() as stack:
            api = await KubernetesApi.connect(kubeconfig)
            stack.push_async_callback(api.aclose)
            embedded = (
                await stack.enter_async_context(EmbeddedHubs.serve(settings)) if settings.embedded_database else None
            )
            operator = cls(api, settings, embedded)
            stack.push_async_callback(operator.directory.aclose)
            await stack.enter_async_context(_serving(operator, settings.listen))
            recorder = asyncio.create_task(operator.recorder.run(), name="recorder")
            stack.callback(recorder.cancel)
            lag = asyncio.create_task(watch_lag(), name="event loop lag")
            stack.callback(lag.cancel)
            REGISTRY.register(operator.scrape)
            stack.callback(REGISTRY.unregister, operator.scrape)
            starting = asyncio.create_task(operator.begin(kubeconfig), name="start")
            try:
                yield operator
            finally:
                starting.cancel()
                await operator.finish()

    async def begin(self, kubeconfig: str | None) -> None:
        """Read what is there, hubs first, then watch and work; a missing apiserver or CRD is waited for."""
        for failures in itertools.count():
            try:
                await self._prime()
                break
            except KubernetesError as error:
                hint = "; are the CRDs of crds/ installed?" if isinstance(error, Vanished) else ""
                log.warning("the resources cannot be listed yet: %s%s", error, hint)
                await asyncio.sleep(uniform(0.5, 1) * min(30.0, 2.0**failures))  # noqa: S311 - jitter, not a secret
        self.watch = Watch(kubeconfig, self.settings, self._on_event, asyncio.get_running_loop())
        self.watch.start()
        self.synced = True
        log.info("ready; ImageSources: %d, hubs: %d", len(self.cache.resources), len(self.directory.entries))
        self.sources.open()
        while True:
            await asyncio.sleep(self.settings.relist)
            await self._prune()

    async def finish(self) -> None:
        """Start nothing more, finish what is under way, write the Events that wait, end the watch."""
        log.info("stopping")
        await self.hub_queue.drain(1.0)
        await self.sources.drain(self.settings.stop_grace)
        await self.recorder.flush(2.0)
        if self.watch:
            await asyncio.to_thread(self.watch.stop, 10.0)

    async def _prime(self) -> None:
        if not self.settings.namespaces:
            self.directory.namespace_labels = await self.api.namespace_labels()
        for kind in (Hub,) if self.settings.namespaces else (Hub, ClusterHub):
            for body in await self._list(kind.plural):
                body.setdefault("kind", kind.__name__)
                self.handlers.hub_seen(body)
                await self.handlers.hubs.reconcile(hub_key(body))
        self.hub_queue.open()
        for body in await self._list(ImageSource.plural):
            self.handlers.source_seen(body)

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

    def is_alive(self) -> bool:
        """Tell whether the watch's thread lives; that this runs at all shows that the loop does."""
        return self.watch is None or self.watch.is_alive()


class EmbeddedHubs:
    """The embedded platform of this process, asked for over HTTP like any other."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        self._platform = platform
        self._opened: dict[str, Connection] = {}

    @classmethod
    @asynccontextmanager
    async def serve(cls, settings: Settings) -> AsyncIterator["EmbeddedHubs"]:
        """Serve it on a free port of loopback."""
        options = Options(step_seconds=settings.embedded_step_seconds)
        async with EmbeddedPlatform.open(settings.embedded_database, options=options) as platform:
            yield cls(platform)

    async def open(self, name: str) -> tuple[Connection, str]:
        """Open a hub by name, with a key that lives as long as this process."""
        if name not in self._opened:
            hub_id = await self._platform.ensure_hub(name)
            key = await self._platform.issue_key(hub_id)
            self._opened[name] = Connection(self._platform.url, hub_id, key)
        return self._opened[name], self._platform.instance


@asynccontextmanager
async def _serving(operator: Operator, listen: str) -> AsyncIterator[None]:
    """Serve ``/livez``, ``/readyz`` and ``/metrics``."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok") if operator.is_alive() else web.Response(text="watch ended", status=500)

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(text="ok") if operator.synced else web.Response(text="not synced yet", status=503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    server = web.Application()
    server.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        log.info("listening on http://%s:%s", *runner.addresses[0][:2])
        yield
    finally:
        await runner.cleanup()
