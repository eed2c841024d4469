"""One pass of the real engine as a function of values: what is known, and the answers so far.

A pass that waits for an answer is the knowledge that it began with and the answers that it has had: run again with one
more, it goes on from there. Nothing of the engine is rewritten here, and every result is computed once.
"""

from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.model.core import (
    BEGUN,
    CORES,
    SETTINGS,
    TICK,
    Clock,
    Core,
    load_inventory,
    recollect,
    remembered,
    running,
    store_inventory,
)
from tests.model.ports import ModelApi, ModelClient, Question, Reply
from tests.model.values import thaw

from imagesources.hubs.budget import CallBudget
from imagesources.hubs.directory import Entry, HubDirectory
from imagesources.hubs.hub import HubConnection
from imagesources.kube.cache import Cache
from imagesources.kube.port import KubernetesPort
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import Next
from imagesources.resources import API_VERSION
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import Pin

HUB = ("Hub", "default", "default")
HUB_ID = "aaaaaaaaaaaaaaaaaaaaaaaa"
WALL = datetime(2026, 1, 1, tzinfo=UTC)
"""The date and time, always: no state is to differ by it alone. So no source ever looks old to a new process."""

GONE = -1
"""In place of the number of a resource's content: there is none."""


class Pending(NamedTuple):
    """A pass that waits for an answer."""

    question: Question


class Ended(NamedTuple):
    """A pass that has come to its end.

    Attributes:
        core: what the process knows now.
        due_in: ticks until the next pass; 0: at once; None: when something changes.
    """

    core: int
    due_in: int | None


class _Silent:
    """Where Events go."""

    def tell(self, *_told: object) -> None:
        """Nobody looks at them here."""


def uid_of(resource: int) -> str:
    """The uid of a resource, by its place."""
    return f"00000000-0000-0000-0000-{resource + 1:012d}"


def name_of(resource: int) -> str:
    """The name of a resource, by its place."""
    return f"web-{resource}"


def _hub() -> tuple[Hub, HubConnection]:
    metadata = {"name": "default", "namespace": "default", "uid": "hub", "creationTimestamp": WALL.isoformat()}
    hub = Hub.read(
        {"apiVersion": API_VERSION, "kind": "Hub", "metadata": metadata, "spec": {"embedded": {}}}
    )  # fmt: skip
    pin = Pin(kind="Hub", name="default", uid="hub", hub_id=HUB_ID, url="https://platform")
    client: Any = ModelClient()
    return hub, HubConnection(HUB, pin, hub.spec, client, CallBudget(1000, 1000), SETTINGS)


class Engines:
    """Runs passes and lists, and remembers what came of each."""

    def __init__(self) -> None:
        self._passes: dict[tuple[Any, ...], Pending | Ended] = {}
        self._lists: dict[tuple[int, int], int] = {}
        self._resource, self._unused = _hub()
        self._bodies: dict[int, ImageSource] = {}

    @property
    def runs(self) -> int:
        """How many different passes and lists were run."""
        return len(self._passes) + len(self._lists)

    def run(self, core: int, views: tuple[int, ...], resource: int, replies: tuple[Reply, ...]) -> Pending | Ended:
        """Make a pass, as far as the answers go.

        Args:
            core: what the process knows.
            views: the contents of the resources as the process sees them.
            resource: the one that is reconciled.
            replies: the answers so far.
        """
        key = (core, views, resource, replies)
        if key not in self._passes:
            self._passes[key] = self._run(CORES[core], views, resource, replies)
        return self._passes[key]

    def _run(self, core: Core, views: tuple[int, ...], resource: int, replies: tuple[Reply, ...]) -> Pending | Ended:
        clock, (_, hub) = Clock(), _hub()
        with running(clock):
            engine = self._engine(core, views, hub)
            outcome = _drive(engine.reconcile(("default", name_of(resource))), replies, clock)
        if isinstance(outcome, Question):
            return Pending(outcome)
        known = [engine.memories.get(uid_of(index)) for index in range(len(views))]
        core = core._replace(memories=tuple(recollect(memory) if memory else None for memory in known))
        after: Next = outcome
        due = None if after.seconds is None else -int(-after.seconds // TICK)
        return Ended(CORES.number(store_inventory(core, hub)), due)

    def _engine(self, core: Core, views: tuple[int, ...], hub: HubConnection) -> Engine:
        load_inventory(core, hub)
        directory = HubDirectory(clusterwide=False, on_change=lambda *_: None)
        directory.entries[HUB] = Entry(self._resource, hub)
        cache = Cache()
        for number in views:
            if number != GONE:
                cache.put(self._read(number))
        api: Any = ModelApi()
        silent: Any = _Silent()
        port = KubernetesPort(api, cache, silent, cache.drop, lambda *_: None, lambda _: None)
        memories = {uid_of(i): remembered(known) for i, known in enumerate(core.memories) if known}
        return Engine(port, directory, SETTINGS, lambda: WALL, memories)

    def _read(self, number: int) -> ImageSource:
        if number not in self._bodies:
            body = thaw(number)
            body["metadata"]["resourceVersion"] = "1"
            self._bodies[number] = ImageSource.read(body)
        return self._bodies[number]

    def begin_list(self, core: int) -> int:
        """Begin a list of all sources."""
        return CORES.number(CORES[core]._replace(listing=True))

    def end_list(self, core: int, listed: int) -> int:
        """Take a complete list in.

        Args:
            core: what the process knows.
            listed: the answer, as the number of a JSON value.
        """
        key = (core, listed)
        if key not in self._lists:
            value, (_, hub) = CORES[core], _hub()
            load_inventory(value, hub)
            clock = Clock(BEGUN)
            with running(clock):
                _drive(hub.refresh(), (Reply("ok", listed),), clock)
            self._lists[key] = CORES.number(store_inventory(value._replace(listing=False), hub))
        return self._lists[key]


def _drive(coroutine: Coroutine[Question, Reply, Any], replies: tuple[Reply, ...], clock: Clock) -> Any:
    """Let a coroutine run until it asks something that has no answer yet; returns that, or its result."""
    try:
        question = coroutine.send(None)
        for reply in replies:
            clock.now += 0.001
            question = coroutine.send(reply)
    except StopIteration as end:
        return end.value
    _abandon(coroutine)
    return question


def _abandon(coroutine: Coroutine[Question, Reply, Any]) -> None:
    """End a coroutine that waits, also where it asks something more on its way out."""
    try:
        coroutine.close()
    except RuntimeError:
        coroutine.close()
