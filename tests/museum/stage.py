"""The scene of an exhibit: the simulator without its judge, with faults in order instead of drawn ones."""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tests.museum.habits import Habits
from tests.museum.naive import NaiveProcess
from tests.simulation.cluster import SECRETS, SOURCES, Change
from tests.simulation.play import in_virtual_time
from tests.simulation.process import OperatorProcess
from tests.simulation.schedule import Plan, Planned
from tests.simulation.values import Json
from tests.simulation.world import World

NGINX: Json = {"type": "docker-hub", "details": {"target": "nginx:1"}}


class Script(Plan):
    """Faults in their order; everything else takes a hundredth of a second and goes well.

    Args:
        faults: what goes wrong.
        lag: seconds by which the watch is behind.
    """

    def __init__(self, faults: Iterable[Planned], lag: float) -> None:
        super().__init__(list(faults))
        self._lag = lag

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
        faults: what goes wrong, in this order, each at the first occasion after the one before.
        lag: seconds by which the watch is behind.

    Attributes:
        log: what the operator has logged, at debug.
    """

    def __init__(self, habits: Habits | None, faults: Iterable[Planned], lag: float) -> None:
        self.script = Script(faults, lag)
        super().__init__(self.script)
        self.habits = habits
        self.log = io.StringIO()
        self.dismiss_judge()

    def make_process(self) -> OperatorProcess:
        """Make the operator."""
        return NaiveProcess(self.started, self, self.habits) if self.habits else super().make_process()

    def restart(self) -> None:
        """Kill the operator and start another."""
        self.stop(self.processes[0])
        self.start()

    def create(self, name: str = "web", /, **spec: Any) -> None:
        """A person creates a resource."""
        spec = {"type": "direct", "identifier": name, "origin": NGINX, **spec}
        spec |= {"driftPolicy": "Correct", "managementPolicy": "Manage"}
        body = self.server.create(SOURCES, name, spec=spec)
        if self.habits and self.habits.has_no_status_at_birth:
            self.server.objects[SOURCES, name] = body | {"status": {}}

    def edit(self, name: str = "web", /, **spec: Any) -> None:
        """A person changes a spec."""
        self.server.edit(SOURCES, name, spec=self.server.objects[SOURCES, name]["spec"] | spec)

    def delete(self, name: str = "web") -> None:
        """A person deletes a resource."""
        self.server.delete(SOURCES, name)

    def secret(self, **values: str) -> None:
        """A person creates a Secret named login."""
        self.server.create(SECRETS, "login", data=values)

    def vanish(self) -> None:
        """Others delete the source."""
        (source,) = self.sources()
        self.platform.set_state(source["id"], "deleted")

    def replay(self, body: Json) -> None:
        """A stale apiserver says again what was true once."""
        self.server.history.append(Change("MODIFIED", SOURCES, body))
        for watcher in self.server.watchers.values():
            watcher.set()

    def resource(self, name: str = "web") -> Json | None:
        """A resource, if it is there."""
        return self.server.get(SOURCES, name)

    def is_ready(self, name: str = "web") -> bool:
        """Whether ``kubectl wait --for=condition=Ready`` would be content."""
        body = self.server.objects[SOURCES, name]
        ready = {each["type"]: each for each in body["status"].get("conditions", ())}.get("Ready", {})
        at = body["metadata"]["generation"]
        return bool(ready.get("status") == "True" and ready.get("observedGeneration", at) == at)

    def is_current(self, name: str = "web") -> bool:
        """Whether kstatus takes a resource for settled: one that says nothing is."""
        body = self.server.objects[SOURCES, name]
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


def perform(stage: Stage, story: Callable[[Stage], Awaitable[None]]) -> Stage:
    """Play a story to its end, in virtual time; the stage is what is left."""
    handler = logging.StreamHandler(stage.log)
    loggers = [logging.getLogger(name) for name in ("imagesources", "museum")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        in_virtual_time(_play(stage, story))
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
    return stage


async def _play(stage: Stage, story: Callable[[Stage], Awaitable[None]]) -> None:
    stage.furnish()
    stage.start()
    await asyncio.sleep(1.0)
    stage.script.armed = True
    await story(stage)
    for process in stage.processes:
        process.kill()
