"""The scene of an exhibit: the simulator's cluster, network and platform, with chosen faults instead of drawn ones."""

import asyncio
import io
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.museum.naive import Habits, NaiveProcess
from tests.museum.scenery.loop import VirtualLoop, settle
from tests.museum.scenery.schedule import Fault, Schedule
from tests.museum.scenery.values import clone
from tests.museum.scenery.world import OperatorProcess, World

from imagesources.reconcile.ports import Secret

Json = dict[str, Any]
Faults = Mapping[tuple[str, int], Fault]
"""By kind of request and its number, from 0."""

NGINX: Json = {"type": "docker-hub", "details": {"target": "nginx:1"}}


class Script(Schedule):
    """Chosen faults; everything else takes a hundredth of a second and goes well.

    Args:
        faults: what goes wrong.
        lag: seconds by which the watch is behind.
    """

    def __init__(self, faults: Faults, lag: float) -> None:
        super().__init__(seed=0, faults_left=0)
        self._faults = faults
        self._lag = lag
        self._drawn = Counter[str]()

    def draw(self, kind: str) -> Fault:
        """Tell what was chosen for the next request of a kind."""
        number = self._drawn[kind]
        self._drawn[kind] += 1
        return self._faults.get((kind, number), Fault.NONE)

    def delay(self) -> float:
        """How long a request or an answer travels."""
        return 0.01

    def watch_delay(self) -> float:
        """How far behind the watch is."""
        return self._lag


class Stage(World):
    """A world with an operator, and nobody who judges before the end.

    Args:
        habits: those of a naive operator; None: the operator of this project.
        faults: what goes wrong.
        lag: seconds by which the watch is behind.

    Attributes:
        log: what the operator has logged, at debug.
    """

    def __init__(self, habits: Habits | None, faults: Faults, lag: float) -> None:
        super().__init__(Script(faults, lag))
        self.habits = habits
        self.log = io.StringIO()
        self.server.on_status = self.server.on_gone = lambda _body: None
        self.network.on_change = lambda: None

    def start(self) -> OperatorProcess:
        """Start the operator."""
        if self.habits is None:
            return super().start()
        self.started += 1
        process = NaiveProcess(self.started, self, self.habits)
        self.processes.append(process)
        process.start()
        return process

    def restart(self) -> None:
        """Kill the operator and start another."""
        self.stop(self.processes[0])
        self.start()

    def create(self, name: str = "web", /, **spec: Any) -> Json:
        """A person creates a resource."""
        spec = {"type": "direct", "identifier": name, "origin": NGINX, **spec}
        body = self.server.create(name, spec | {"driftPolicy": "Correct", "managementPolicy": "Manage"})
        if self.habits and self.habits.has_no_status_at_birth:
            body["status"] = {}
        return body

    def edit(self, name: str = "web", /, **spec: Any) -> None:
        """A person changes a spec."""
        self.server.edit(name, self.server.objects["default", name]["spec"] | spec)

    def secret(self, **values: str) -> None:
        """A person creates a Secret named login."""
        self.server.secrets["default", "login"] = Secret("uid", "1", labelled=True, type="Opaque", values=values)

    def replay(self, body: Json) -> None:
        """A stale apiserver says again what was true once."""
        for queue in self.server.watchers.values():
            queue.put_nowait(("MODIFIED", clone(body)))

    def resource(self, name: str = "web") -> Json | None:
        """A resource, if it is there."""
        return self.server.objects.get(("default", name))

    def is_ready(self, name: str = "web") -> bool:
        """Whether ``kubectl wait --for=condition=Ready`` would be content."""
        body = self.server.objects["default", name]
        ready = {each["type"]: each for each in body["status"].get("conditions", ())}.get("Ready", {})
        at = body["metadata"]["generation"]
        return ready.get("status") == "True" and ready.get("observedGeneration", at) == at

    def is_current(self, name: str = "web") -> bool:
        """Whether kstatus takes a resource for settled: one that says nothing is."""
        body = self.server.objects["default", name]
        generation = body["metadata"]["generation"]
        said = {each["type"]: each["status"] for each in body["status"].get("conditions", ())}
        seen = body["status"].get("observedGeneration", generation) == generation
        return (
            seen
            and said.get("Ready", "True") == "True"
            and "True" not in (said.get("Reconciling"), said.get("Stalled"))
        )

    def sources(self) -> list[Json]:
        """The sources that are not deleted."""
        return self.platform.list()

    def count(self, operation: str) -> int:
        """How often the platform has applied an operation."""
        return sum(done == operation for done, _ in self.platform.writes)


def perform(stage_of: Any, story: Any) -> Stage:
    """Play a story to its end, in virtual time; the stage is what is left."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_play(stage_of, story))
    finally:
        loop.run_until_complete(settle())
        asyncio.set_event_loop(None)
        loop.close()


async def _play(stage_of: Any, story: Any) -> Stage:
    stage: Stage = stage_of()
    handler = logging.StreamHandler(stage.log)
    loggers = [logging.getLogger(name) for name in ("imagesources", "museum")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        stage.start()
        await story(stage)
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
        for process in stage.processes:
            process.kill()
    return stage
