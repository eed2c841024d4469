"""One operator in the simulation: the real one without its edges, killed, frozen and replaced as a schedule says."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.simulation.cluster import NAMESPACE, Apiserver
from tests.simulation.faults import Fault, Site
from tests.simulation.kubernetes import SimulatedApi
from tests.simulation.loop import PROCESS
from tests.simulation.network import Network, Observer, SimulatedTransport
from tests.simulation.schedule import Schedule
from tests.simulation.values import Json, Violation, wall_clock

from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubKey
from imagesources.kube.api import KubernetesApi
from imagesources.kube.cache import Cache
from imagesources.kube.handlers import Handlers
from imagesources.kube.hubs import HubController
from imagesources.kube.lists import Lists
from imagesources.kube.port import KubernetesPort
from imagesources.kube.recorder import Recorder
from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.transport import OnCall
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import AGAIN, Next
from imagesources.reconcile.ports import Happening, Key
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings

SETTINGS = Settings(namespaces=(NAMESPACE,), late_arrival=60.0)


@dataclass
class Pass:
    """One call of the engine for one resource.

    Attributes:
        key: the resource.
        uid: its uid at the beginning, as the operator knew it.
        generation: its generation, likewise.
        sites: the requests that it has made.
    """

    key: Key
    uid: str
    generation: int
    sites: list[Site] = field(default_factory=list)


PASS: ContextVar[Pass | None] = ContextVar("pass", default=None)
"""The pass that the running task makes."""


class Surroundings(Protocol):
    """What a process needs of the world."""

    schedule: Schedule
    server: Apiserver
    network: Network
    observer: Observer

    def api_of(self, process: "OperatorProcess") -> SimulatedApi:
        """Make its way to the apiserver."""

    def stepped(self, process: "OperatorProcess", made: Pass, due: Next) -> None:
        """A pass has ended."""

    def crashed(self, process: "OperatorProcess") -> None:
        """A process has to be ended and replaced."""

    def later(self, what: Callable[[], object]) -> None:
        """Let something happen a while later."""


class _Silent(Recorder):
    """Writes no Events."""

    def tell(self, resource: ImageSource, happening: Happening) -> None:
        """Nobody looks at them here."""


class OperatorProcess:
    """Cache, port, engine, queues, handlers and hub controller over a simulated API."""

    def __init__(self, number: int, world: Surroundings) -> None:
        self.alive = True
        self.working = False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.number = number
        self.schedule = world.schedule
        self.frozen_since = self.frozen_until = 0.0
        self._world = world

    async def run(self) -> None:
        """Start as ``app.Operator`` does: hubs, a list, then the watch."""
        self._build()
        await self.lists.read()
        asyncio.get_running_loop().create_task(self.api.watch(self._deliver))
        await self._work()
        await self.lists.keep_clean()

    def _build(self) -> None:
        self.api = self._world.api_of(self)
        api: KubernetesApi = self.api  # type: ignore[assignment]  # the same methods, as far as they are used
        self.cache = Cache()
        directory = HubDirectory(clusterwide=False, on_change=lambda *changed: self.handlers.hub_changed(*changed))
        controller = HubController(
            api, self.cache, directory, SETTINGS, None, make_client=self._make_client, wall_clock=wall_clock
        )
        directory.note = controller.note
        self.port = KubernetesPort(
            api, self.cache, _Silent(api), lambda key: self.handlers.source_gone(key),
            lambda *written: self.handlers.source_written(*written), self._source_seen,
        )  # fmt: skip
        self.engine = Engine(self.port, directory, SETTINGS, wall_clock=wall_clock)
        self.sources: WorkQueue[Key] = WorkQueue(
            self._reconcile, lambda key: self._lane_of(key, directory), SETTINGS.hub_concurrency, is_open=False
        )
        hub_queue: WorkQueue[HubKey] = WorkQueue(controller.reconcile, lambda key: key, 1, is_open=False)
        self.handlers = Handlers(self.cache, self.engine, controller, self.sources, hub_queue)
        self.lists = Lists(api, SETTINGS, directory, self.handlers)

    async def _work(self) -> None:
        for key in list(self.handlers.hubs.hubs):
            await self.handlers.hubs.reconcile(key)
        self.handlers.hub_queue.open()
        self.sources.open()
        self.working = True

    async def _reconcile(self, key: Key) -> Next:
        known = self.cache.resources.get(key)
        made = Pass(key, known.metadata.uid, known.metadata.generation) if known else Pass(key, "", 0)
        token = PASS.set(made)
        try:
            due = await self.engine.reconcile(key)
        except Exception as error:
            self.failed(error)  # the queue would go on
            raise
        finally:
            PASS.reset(token)
        self._world.stepped(self, made, due)
        return due

    def _deliver(self, plural: str, kind: str | None, body: Json) -> None:
        gone = kind == "DELETED"
        match plural:
            case "imagesources":
                (self.handlers.source_deleted if gone else self._source_seen)(body)
            case "secrets":
                self.handlers.secret_seen(body["metadata"], gone=gone)
            case _:
                (self.handlers.hub_deleted if gone else self.handlers.hub_seen)(body)

    def _source_seen(self, body: Json) -> None:
        metadata = body["metadata"]
        if not self.port.hold((metadata["namespace"], metadata["name"]), body):
            self.handlers.source_seen(body)

    def _lane_of(self, key: Key, directory: HubDirectory) -> tuple[str, str, str]:
        resource = self.cache.resources.get(key)
        return directory.resolve(key[0], resource.spec.hub_ref if resource else None)

    def _make_client(self, connection: Connection, policy: HostPolicy, *, on_call: OnCall, before_call: Any) -> Any:
        """Make the real client over a simulated transport."""
        client = PlatformClient(connection, policy, before_call=before_call)
        transport: Any = SimulatedTransport(
            self._world.network, self, self._world.observer, connection.api_key, on_call
        )
        client._transport = transport
        return client

    def failed(self, error: BaseException) -> None:
        """See ``Process``."""
        if not isinstance(error, KeyboardInterrupt):  # that one ends the loop by itself
            raise Violation(f"it raised {error!r}") from error

    def start(self) -> None:
        """Begin."""
        token = PROCESS.set(self)
        asyncio.get_running_loop().create_task(self.run())
        PROCESS.reset(token)

    def is_busy(self) -> bool:
        """Tell whether it still begins, or a pass or an event of the watch is under way or about to be."""
        if not self.working:
            return True
        loads = (self.sources.load(), self.handlers.hub_queue.load())
        is_behind = self.api.place < len(self._world.server.history)
        return is_behind or any(load.running or load.waiting for load in loads)

    def kill(self) -> None:
        """End at once: nothing that it has begun goes on."""
        self.alive = False
        for task in list(self.tasks):
            task.cancel()

    def freeze(self, seconds: float) -> None:
        """Let it send and hear nothing for a while, as a process that is not scheduled."""
        self.frozen_since = asyncio.get_running_loop().time()
        self.frozen_until = self.frozen_since + seconds

    async def sending(self, site: Site) -> Fault:
        """See ``Caller``."""
        await asyncio.sleep(self.schedule.delay())
        await self.awake()
        if not self.alive:
            raise asyncio.CancelledError
        if made := PASS.get():
            made.sites.append(site)
        fault = self.schedule.draw(site)
        self.schedule.note(self.number, site, fault)
        return fault

    async def awake(self) -> None:
        """See ``Caller``."""
        now = asyncio.get_running_loop().time()
        if now < self.frozen_until:
            await asyncio.sleep(self.frozen_until - now)

    async def crash(self) -> None:
        """See ``Caller``."""
        self._world.crashed(self)
        await asyncio.Event().wait()

    def later(self, what: Callable[[], object]) -> None:
        """See ``Caller``."""
        self._world.later(what)


def follows_at_once(due: Next) -> bool:
    """Tell whether the engine goes on with the same resource at once."""
    return due == AGAIN
