"""The world of an exhibit: people, a cluster, operators that come and go, a network, a platform, and the judge."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.museum.scenery.cluster import PLURAL, Apiserver, SimulatedApi
from tests.museum.scenery.judge import Judge
from tests.museum.scenery.loop import PROCESS
from tests.museum.scenery.network import Network, SimulatedClient
from tests.museum.scenery.platform import HUB_ID, Platform
from tests.museum.scenery.schedule import Schedule
from tests.museum.scenery.values import wall_clock

from imagesources.hubs.budget import CallBudget
from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubConnection
from imagesources.kube.cache import Cache
from imagesources.kube.handlers import Handlers
from imagesources.kube.hubs import HubController
from imagesources.kube.port import KubernetesPort
from imagesources.kube.recorder import Recorder
from imagesources.reconcile import Engine, engine
from imagesources.reconcile.engine import Next
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources import API_VERSION
from imagesources.resources.hub import Hub
from imagesources.resources.status import Pin
from imagesources.settings import Settings

Json = dict[str, Any]

HUB = ("Hub", "default", "default")
MOST_PASSES = 4000
"""Passes in one run; an honest one has a few hundred."""

engine.MOST_IN_A_ROW = MOST_PASSES  # going in circles is to be found here, not slowed down

SETTINGS = Settings(late_arrival=60.0)


class Runaway(KeyboardInterrupt):
    """The operator goes in circles."""


class OperatorProcess:
    """The real operator without its edges: cache, port, engine, queue and handlers over a simulated API."""

    def __init__(self, number: int, world: "World") -> None:
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.number = number
        self.world = world

    async def run(self) -> None:
        """Start as ``app.Operator`` does: hubs, a list, then the watch."""
        api: Any = SimulatedApi(self.world.server)
        cache = Cache()
        directory = HubDirectory(clusterwide=False, on_change=lambda *changed: handlers.hub_changed(*changed))  # noqa: PLW0108 - made later
        controller = HubController(api, cache, directory, SETTINGS, None)

        def seen(body: Json) -> None:
            metadata = body["metadata"]
            if not port.hold((metadata["namespace"], metadata["name"]), body):
                handlers.source_seen(body)

        port = KubernetesPort(
            api, cache, Recorder(api), lambda key: handlers.source_gone(key),  # noqa: PLW0108 - made later
            lambda *written: handlers.source_written(*written), seen,  # noqa: PLW0108 - made later
        )  # fmt: skip
        operator = Engine(port, directory, SETTINGS, wall_clock=wall_clock)

        async def reconcile(key: tuple[str, str]) -> Next:
            self.world.count_pass()
            return await operator.reconcile(key)

        sources = WorkQueue(reconcile, lambda _key: HUB, SETTINGS.hub_concurrency, is_open=False)

        async def look_after_hub(_key: object) -> Next:
            return Next()

        handlers = Handlers(cache, operator, controller, sources, WorkQueue(look_after_hub, lambda key: key, 1))
        hub = Hub.read(_hub_body())
        controller.hubs[HUB] = hub
        client: Any = SimulatedClient(self.world.network)
        pin = Pin(kind="Hub", name="default", uid=hub.metadata.uid, hub_id=HUB_ID, url="https://platform")
        directory.connect(HUB, hub, HubConnection(HUB, pin, hub.spec, client, CallBudget(1000, 1000), SETTINGS))

        def deliver(kind: str | None, body: Json) -> None:
            (handlers.source_deleted if kind == "DELETED" else seen)(body)

        self.world.server.watch(self.number, deliver)
        async for body in api.list(PLURAL):
            handlers.source_seen(body)
        sources.open()
        await asyncio.Event().wait()

    def start(self) -> None:
        """Begin."""
        token = PROCESS.set(self)  # type: ignore[arg-type]
        asyncio.get_running_loop().create_task(self.run())
        PROCESS.reset(token)

    def kill(self) -> None:
        """End at once: nothing that it has begun goes on."""
        self.alive = False
        self.world.server.watchers.pop(self.number, None)
        for task in list(self.tasks):
            task.cancel()


class World:
    """One run from one seed."""

    def __init__(self, schedule: Schedule) -> None:
        random.seed(schedule.seed)
        self.schedule = schedule
        self.server = Apiserver(schedule)
        self.platform = Platform()
        self.platform.on_job = self._begin_job
        self.judge = Judge(self.server, self.platform)
        self.network = Network(self.platform, schedule, self.judge.platform_changed)
        self.processes: list[OperatorProcess] = []
        self.started = 0
        self.passes = 0
        schedule.crash_process = self._crash

    async def play(self, people: Callable[["World"], Awaitable[None]]) -> None:
        """Let people act while everything fails, then let it come to rest, and judge."""
        try:
            self.start()
            await people(self)
            while self.schedule.faults_left and asyncio.get_running_loop().time() < 600:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(30)
            self.schedule.faults_left = 0
            await self._rest()
            self.judge.final()
            await self._stay_quiet()
        finally:
            for process in self.processes:
                process.kill()
            for task in self.network.late:
                task.cancel()

    def start(self) -> OperatorProcess:
        """Start another operator."""
        self.started += 1
        process = OperatorProcess(self.started, self)
        self.processes.append(process)
        process.start()
        return process

    def stop(self, process: OperatorProcess) -> None:
        """Kill an operator."""
        process.kill()
        self.processes.remove(process)

    def count_pass(self) -> None:
        """Hold it when passes no longer come to an end; nothing in the operator may catch that."""
        self.passes += 1
        if self.passes > MOST_PASSES:
            raise Runaway(f"more than {MOST_PASSES} passes")

    async def _crash(self) -> None:
        """Kill the process of the running task and start another a while later."""
        process = PROCESS.get()
        assert isinstance(process, OperatorProcess)
        self.stop(process)
        token = PROCESS.set(None)
        loop = asyncio.get_running_loop()
        loop.call_later(self.schedule.random.choice((0.1, 3.0, 20.0)), self._restart)
        PROCESS.reset(token)
        await asyncio.Event().wait()

    def _restart(self) -> None:
        if not self.processes:
            self.start()

    def _begin_job(self, job_id: str) -> None:
        """A job takes a while."""
        asyncio.get_running_loop().call_later(1.3, self._finish_job, job_id)

    def _finish_job(self, job_id: str) -> None:
        self.platform.finish(job_id)
        self.judge.platform_changed()

    async def _rest(self) -> None:
        """Wait until nothing has been written for long: longer than any delay before a next try."""
        for _ in range(60):
            before = len(self.server.writes) + len(self.platform.writes)
            await asyncio.sleep(SETTINGS.recheck + SETTINGS.late_arrival + 10)
            if len(self.server.writes) + len(self.platform.writes) == before:
                return
        raise AssertionError("it never comes to rest")

    async def _stay_quiet(self) -> None:
        """I8: what is settled is left alone."""
        kube, platform = len(self.server.writes), len(self.platform.writes)
        await asyncio.sleep(1800)
        assert len(self.server.writes) == kube, f"writes at rest: {self.server.writes[kube:]}"
        assert len(self.platform.writes) == platform, f"platform writes at rest: {self.platform.writes[platform:]}"


def _hub_body() -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": "Hub",
        "metadata": {
            "name": "default", "namespace": "default", "uid": "hub", "creationTimestamp": "2026-01-01T00:00:00Z",
            "resourceVersion": "1",
        },
        "spec": {
            "inventoryInterval": "120s",
            "platform": {"hubId": HUB_ID, "apiKeyFrom": {"secretKeyRef": {"name": "key", "key": "key"}}},
        },
    }  # fmt: skip
