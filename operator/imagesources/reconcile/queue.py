"""Which source is reconciled when: one pass at a time for each, lanes for hubs, a person's edit first, fair shares."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import Generic, TypeVar

from imagesources.reconcile.engine import Next
from imagesources.telemetry import log
from imagesources.telemetry.metrics import QUEUE_LATENCY, RECONCILE_SECONDS

SOON = 0.001
"""Seconds of the shortest delay: a time that is almost reached must not keep the loop from getting there."""

_CANCELLED_WITHIN = 1.0
"""Seconds that a cancelled pass has to come to its end."""

_Key = TypeVar("_Key", bound=Hashable)


class Priority(IntEnum):
    """The order of work."""

    EDIT = 0
    DELETE = 1
    JOB = 2
    DRIFT = 3


@dataclass(frozen=True, slots=True)
class Load:
    """How much a queue has to do: what waits, and seconds of the oldest; what is due later; passes under way."""

    waiting: int
    oldest: float
    delayed: int
    running: int


@dataclass(slots=True)
class _Item(Generic[_Key]):
    key: _Key
    priority: Priority
    due: asyncio.TimerHandle | None = None
    ticket: int | None = None
    """Its place in the line, while it waits."""
    since: float = 0.0
    """When it took that place, or began to run."""
    running: bool = False
    again: bool = False


@dataclass(slots=True)
class _Lane(Generic[_Key]):
    """Who waits, by priority and turn: in each turn of a priority every party has one place.

    Attributes:
        turns: the turn that each priority is at.
        last: the newest turn in which a party has a place.
    """

    ready: list[tuple[Priority, int, int, _Key]] = field(default_factory=list)
    running: int = 0
    turns: dict[Priority, int] = field(default_factory=dict)
    last: dict[tuple[Priority, Hashable], int] = field(default_factory=dict)

    def turn(self, priority: Priority, party: Hashable) -> int:
        """Give a party its next turn: the running one, unless it has a place there or later."""
        turn = max(self.turns.get(priority, 0), self.last.get((priority, party), -1) + 1)
        self.last[priority, party] = turn
        return turn


class WorkQueue(Generic[_Key]):
    """Runs passes, several at once, and never two for one source.

    Sources of one lane (a hub) share ``width`` places, so that a slow hub delays no other. Within a lane, parties
    (namespaces) take turns, so that one with thousands of sources delays no other's edit.

    Args:
        work: makes a pass over a source and says when the next is due.
        lane_of: tells a source's lane.
        width: passes of one lane that run at once.
        party_of: tells whose a source is; all are one party's by default.
        is_open: whether work begins at once, or with ``open``.
        name: for metrics.
    """

    def __init__(
        self,
        work: Callable[[_Key], Awaitable[Next]],
        lane_of: Callable[[_Key], Hashable],
        width: int,
        *,
        party_of: Callable[[_Key], Hashable] = lambda _key: None,
        is_open: bool = True,
        name: str = "sources",
    ) -> None:
        self._work = work
        self._lane_of = lane_of
        self._width = width
        self.name = name
        self._latency, self._duration = QUEUE_LATENCY.labels(name), RECONCILE_SECONDS.labels(name)
        self._party_of = party_of
        self._items: dict[_Key, _Item[_Key]] = {}
        self._lanes: dict[Hashable, _Lane[_Key]] = {}
        self._order = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = is_open

    def add(self, key: _Key, priority: Priority = Priority.EDIT) -> None:
        """Ask for a pass as soon as there is a place; asking twice gives one."""
        item = self._items.setdefault(key, _Item(key, priority))
        urgent = priority < item.priority
        item.priority = min(item.priority, priority)
        if item.due:
            item.due.cancel()
            item.due = None
        if item.running:
            item.again = True
        elif item.ticket is None or urgent:
            self._enter(item)

    def add_later(self, key: _Key, seconds: float) -> None:
        """Ask for a pass in a while, unless one is due or running anyway."""
        if key not in self._items and self._open:
            item = self._items[key] = _Item(key, Priority.DRIFT)
            item.due = asyncio.get_running_loop().call_later(seconds, self._due, item)

    def open(self) -> None:
        """Begin with what has been added; the lanes may have become others since."""
        waiting = sorted((item.ticket, key) for key, item in self._items.items() if item.ticket is not None)
        self._lanes.clear()
        for _, key in waiting:
            self._items[key].ticket = None
            self._enter(self._items[key])
        self._open = True
        for lane_key, lane in list(self._lanes.items()):
            self._start(lane_key, lane)

    def longest(self) -> float:
        """Tell for how many seconds the longest of the passes under way has run."""
        now = asyncio.get_running_loop().time()
        return max((now - item.since for item in self._items.values() if item.running), default=0.0)

    @property
    def is_open(self) -> bool:
        """Whether passes are begun."""
        return self._open

    def load(self) -> "Load":
        """Count what waits, what runs and what is due later; before ``open`` nothing waits for a place."""
        if not self._open:
            return Load(0, 0.0, 0, len(self._tasks))
        now = asyncio.get_running_loop().time()
        waiting = [now - item.since for item in self._items.values() if item.ticket is not None]
        delayed = sum(item.due is not None for item in self._items.values())
        return Load(len(waiting), max(waiting, default=0.0), delayed, len(self._tasks))

    async def settled(self) -> None:
        """Wait until no pass runs or waits for its place; some may be due later."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def drain(self, grace: float) -> None:
        """Start nothing more, and wait for the passes that run, at most ``grace`` seconds; the rest is cancelled."""
        self._open = False
        for item in self._items.values():
            if item.due:
                item.due.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_CANCELLED_WITHIN)

    def _enter(self, item: _Item[_Key]) -> None:
        lane_key = self._lane_of(item.key)
        lane = self._lanes.setdefault(lane_key, _Lane())
        if item.ticket is None:
            item.since = asyncio.get_running_loop().time()
        item.ticket = next(self._order)  # a place taken before, with less priority, is passed over
        turn = lane.turn(item.priority, self._party_of(item.key))
        heapq.heappush(lane.ready, (item.priority, turn, item.ticket, item.key))
        self._start(lane_key, lane)

    def _start(self, lane_key: Hashable, lane: _Lane[_Key]) -> None:
        while self._open and lane.ready and lane.running < self._width:
            priority, turn, ticket, key = heapq.heappop(lane.ready)
            item = self._items.get(key)
            if item is None or item.ticket != ticket:
                continue
            lane.turns[priority] = turn
            item.ticket, item.running = None, True
            now = asyncio.get_running_loop().time()
            self._latency.observe(now - item.since)
            item.since = now
            lane.running += 1
            task = asyncio.create_task(self._run(item, lane_key, lane), name=f"reconcile {key}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not lane.ready and not lane.running:
            self._lanes.pop(lane_key, None)

    async def _run(self, item: _Item[_Key], lane_key: Hashable, lane: _Lane[_Key]) -> None:
        after, begun = Next(), asyncio.get_running_loop().time()
        try:
            after = await self._work(item.key)
        except Exception:  # noqa: BLE001 - the edge: a defect must not end the loop, nor the other sources
            log.exception("a pass over %s (%s) failed; it is tried again", item.key, self.name)
            after = Next(60.0)
        finally:
            self._duration.observe(asyncio.get_running_loop().time() - begun)
            lane.running -= 1
            item.running = False
            self._after(item, after)
            self._start(lane_key, lane)

    def _after(self, item: _Item[_Key], after: Next) -> None:
        if not self._open:
            return
        if item.again or after.seconds == 0:
            item.again = False
            self._enter(item)
        elif after.seconds is None:
            del self._items[item.key]
        else:
            item.priority = Priority.JOB
            item.due = asyncio.get_running_loop().call_later(max(after.seconds, SOON), self._due, item)

    def _due(self, item: _Item[_Key]) -> None:
        item.due = None
        self._enter(item)
