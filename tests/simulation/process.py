"""One operator in the simulation: the real one without its edges, killed, frozen and replaced as a schedule says."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tests.simulation.cluster import NAMESPACE, Apiserver
from tests.simulation.faults import Fault, Site
from tests.simulation.kubernetes import SimulatedApi
from tests.simulation.loop import PROCESS
from tests.simulation.network import TIMEOUT, Network, Observer, SimulatedTransport
from tests.simulation.passes import PASS, Pass
from tests.simulation.schedule import Schedule
from tests.simulation.values import Json, Violation, wall_clock

from imagesources.kube.api import KubernetesApi
from imagesources.kube.core import Core
from imagesources.kube.recorder import Recorder
from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.transport import OnCall
from imagesources.reconcile.engine import AGAIN, Next
from imagesources.reconcile.memory import kept_of
from imagesources.reconcile.ports import Happening, Key
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import ImageSourceStatus
from imagesources.settings import Settings

LATEST = 25.0
"""Seconds that a request may still be on its way when its sender has given it up."""

SETTINGS = Settings(namespaces=(NAMESPACE,), late_arrival=TIMEOUT + LATEST + 5.0, recheck=300.0)


class Surroundings(Protocol):
    """What a process needs of the world."""

    schedule: Schedule
    server: Apiserver
    network: Network
    observer: Observer
    passes: int
    """Calls of an engine for a resource that it knew."""

    def api_of(self, process: "OperatorProcess") -> SimulatedApi:
        """Make its way to the apiserver."""

    def stepped(self, process: "OperatorProcess", made: Pass, due: Next) -> None:
        """A pass has ended."""

    def crashed(self, process: "OperatorProcess") -> None:
        """A process has to be ended and replaced."""

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Let something happen a while after so many seconds."""


class _Silent(Recorder):
    """Writes no Events."""

    def tell(self, resource: ImageSource, happening: Happening) -> None:
        """Nobody looks at them here."""


class _Core(Core):
    """The operator's own parts; each pass is told to the process that makes it."""

    def __init__(self, process: "OperatorProcess", api: KubernetesApi) -> None:
        super().__init__(
            api, SETTINGS, _Silent(api), make_client=process.make_client, wall_clock=wall_clock
        )  # fmt: skip
        self._process = process

    async def reconcile(self, key: Key) -> Next:
        """Make a pass."""
        return await self._process.watched(key, super().reconcile(key))


class OperatorProcess:
    """The operator's core over a simulated API."""

    def __init__(self, number: int, world: Surroundings) -> None:
        self.alive = True
        self.working = False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.number = number
        self.schedule = world.schedule
        self.frozen_since = self.frozen_until = 0.0
        self._world = world

    async def run(self) -> None:
        """Start as ``app.Operator`` does: a list, the watch, hubs, then the sources."""
        self.api = self._world.api_of(self)
        api: KubernetesApi = self.api  # type: ignore[assignment]  # the same methods, as far as they are used
        self.core = _Core(self, api)
        await self.core.lists.read()
        asyncio.get_running_loop().create_task(self.api.watch(self.core.on_event))
        await self.core.begin()
        self.working = True
        await self.core.lists.keep_clean()

    async def watched(self, key: Key, reconciling: Coroutine[Any, Any, Next]) -> Next:
        """Make a pass, and tell what it was."""
        known = self.core.cache.resources.get(key)
        made = Pass(key, known.metadata.uid, known.metadata.generation) if known else Pass(key, "", 0)
        self._world.passes += bool(known)
        token = PASS.set(made)
        try:
            due = await reconciling
        except Exception as error:
            self.failed(error)  # the queue would go on
            raise
        finally:
            PASS.reset(token)
        self._world.stepped(self, made, due)
        return due

    def make_client(self, connection: Connection, policy: HostPolicy, *, on_call: OnCall, before_call: Any) -> Any:
        """Make the real client over a simulated transport."""
        client = PlatformClient(connection, policy, before_call=before_call)
        transport: Any = SimulatedTransport(self._world.network, self, self._world.observer, connection, on_call)
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
        loads = (self.core.sources.load(), self.core.hub_queue.load())
        is_behind = self.api.place < len(self._world.server.history)
        return is_behind or any(load.running or load.waiting for load in loads)

    def remembers(self, uid: str, status: Json) -> bool:
        """Tell whether it would put back what a status says if that is lost."""
        memory = self.core.engine.memories.get(uid) if self.working else None
        return bool(memory and memory.kept and memory.kept == kept_of(ImageSourceStatus.model_validate(status)))

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

    def generation_of(self, key: Key, uid: str) -> int:
        """See ``Caller``."""
        known = self.core.cache.resources.get(key)
        return known.metadata.generation if known and known.metadata.uid == uid else 0

    async def crash(self) -> None:
        """See ``Caller``."""
        self._world.crashed(self)
        await asyncio.Event().wait()

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """See ``Caller``."""
        self._world.later(seconds, what)


def follows_at_once(due: Next) -> bool:
    """Tell whether the engine goes on with the same resource at once."""
    return due == AGAIN
