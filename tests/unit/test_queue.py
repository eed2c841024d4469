"""The order of work: never two passes for one key, hubs in lanes, a person's edit first, and a clean stop."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from tests.support.clock import in_virtual_time

from imagesources.reconcile.engine import Next
from imagesources.reconcile.queue import Load, Priority, WorkQueue

TAKES = 1.0
"""Seconds that a pass takes."""


@dataclass
class Worker:
    """Makes passes, and keeps account of them. A key's first letter is its lane.

    Attributes:
        takes: seconds that a pass over a key takes.
        then: what the passes over a key ask for, one after the other; at last nothing.
        passes: key and time of each pass that was begun.
    """

    takes: Callable[[str], float] = lambda _key: TAKES
    then: dict[str, list[Next | Exception]] = field(default_factory=dict)
    passes: list[tuple[str, float]] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    async def __call__(self, key: str) -> Next:
        """Makes a pass."""
        self.passes.append((key, asyncio.get_running_loop().time()))
        for what in (key, key[0]):
            self.running[what] += 1
            self.most[what] = max(self.most[what], self.running[what])
        try:
            await asyncio.sleep(self.takes(key))
        finally:
            self.running.subtract((key, key[0]))
        self.ended[key] += 1
        after = self.then.get(key) or [Next()]
        found = after.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def keys(self) -> list[str]:
        """The keys in the order of their passes."""
        return [key for key, _ in self.passes]


Actions = Iterable[tuple[float, Callable[[WorkQueue[str]], object]]]


def play(worker: Worker, actions: Actions, *, until: float = 1000.0, width: int = 1, is_open: bool = True) -> Worker:
    """Runs a queue and does things to it at times; a key's last part after a colon is its party."""

    async def scene() -> None:
        queue = WorkQueue(
            worker, lambda key: key[0], width, party_of=lambda key: key.partition(":")[2], is_open=is_open
        )
        loop = asyncio.get_running_loop()
        for at, act in actions:
            loop.call_at(at, lambda act=act: _do(act(queue)))
        await asyncio.sleep(until)
        await queue.drain(0.0)

    doing: list[asyncio.Task[Any]] = []

    def _do(result: object) -> None:
        if isinstance(result, Coroutine):
            doing.append(asyncio.get_running_loop().create_task(result))

    in_virtual_time(scene())
    return worker


def add(*keys: str, priority: Priority = Priority.EDIT) -> Callable[[WorkQueue[str]], None]:
    """Returns the action that asks for passes."""

    def act(queue: WorkQueue[str]) -> None:
        for key in keys:
            queue.add(key, priority)

    return act


def later(key: str, seconds: float) -> Callable[[WorkQueue[str]], None]:
    """Returns the action that asks for a pass in a while."""
    return lambda queue: queue.add_later(key, seconds)


def test_asking_twice_gives_one() -> None:
    """However often a pass is asked for before it begins, there is one."""
    assert play(Worker(), [(0, add("a1", "a2", "a2", "a2"))]).keys == ["a1", "a2"]


def test_again_while_running() -> None:
    """What is asked for while a pass runs is not lost, and not done at the same time."""
    worker = play(Worker(), [(0, add("a1")), (0.2, add("a1")), (0.4, add("a1"))], width=4)
    assert worker.passes == [("a1", 0), ("a1", 1)]
    assert worker.most["a1"] == 1


@pytest.mark.parametrize(
    ("then", "passes"),
    [
        pytest.param([Next()], [0], id="nothing more"),
        pytest.param([Next(0.0), Next(0.0), Next()], [0, 1, 2], id="at once"),
        pytest.param([Next(5.0), Next()], [0, 6], id="in a while"),
        pytest.param([RuntimeError("a defect"), Next()], [0, 61], id="after a defect"),
    ],
)
def test_next(then: list[Next | Exception], passes: list[float]) -> None:
    """The next pass comes when the last one asked for it."""
    assert play(Worker(then={"a": then}), [(0, add("a"))]).passes == [("a", at) for at in passes]


def test_delay_ends_with_an_edit() -> None:
    """A person's edit does not wait for a delay, and the delay does not lead to another pass."""
    worker = play(Worker(then={"a": [Next(100.0), Next()]}), [(0, add("a")), (5, add("a"))])
    assert worker.passes == [("a", 0), ("a", 5)]


def test_defect_does_not_stop_others(caplog: pytest.LogCaptureFixture) -> None:
    """A pass that fails by a defect is told, and the other keys go on."""
    worker = play(Worker(then={"a": [RuntimeError("a defect")]}), [(0, add("a", "ab"))], until=10)
    assert worker.keys == ["a", "ab"]
    assert "a pass over a (sources) failed" in caplog.text


def test_add_later() -> None:
    """A pass in a while comes then, unless one is asked for, due or running already."""
    worker = Worker(then={"ab": [Next(20.0), Next()]})
    play(worker, [(0, later("a", 5)), (1, later("a", 1)), (1, add("ab")), (1.5, later("ab", 3)), (3, later("ab", 3))])
    assert worker.passes == [("ab", 1), ("a", 5), ("ab", 22)]


def test_priorities() -> None:
    """What waits is done in the order of priorities, and of asking within one."""
    worker = play(
        Worker(),
        [
            (0, add("a")),
            (0.1, add("a5", "a6", priority=Priority.DRIFT)),
            (0.2, add("a4", priority=Priority.JOB)),
            (0.3, add("a3", priority=Priority.DELETE)),
            (0.4, add("a1", "a2", priority=Priority.EDIT)),
        ],
    )
    assert worker.keys == ["a", "a1", "a2", "a3", "a4", "a5", "a6"]


def test_edit_overtakes_while_waiting() -> None:
    """A key that waits for its look at drift and is then edited goes before the others' drift."""
    worker = play(Worker(), [(0, add("a")), (0.1, add("a1", "a2", "a3", priority=Priority.DRIFT)), (0.2, add("a3"))])
    assert worker.keys == ["a", "a3", "a1", "a2"]


def test_edit_does_not_go_back() -> None:
    """A key that waits for an edit is not put back by drift."""
    worker = play(
        Worker(),
        [
            (0, add("a")),
            (0.1, add("a1", priority=Priority.JOB)),
            (0.2, add("a2")),
            (0.3, add("a2", priority=Priority.DRIFT)),
        ],
    )
    assert worker.keys == ["a", "a2", "a1"]


def test_delay_is_no_edit() -> None:
    """A pass that a delay has led to waits behind a person's edit, however it began."""
    worker = Worker(then={"a1": [Next(2.0)]})
    play(worker, [(0, add("a1")), (2.5, add("a")), (3.1, add("a2"))])
    assert worker.keys == ["a1", "a", "a2", "a1"]


def test_width() -> None:
    """Of one lane, no more run at once than there are places, and all places are used."""
    worker = play(Worker(), [(0, add(*(f"a{number}" for number in range(7))))], width=3)
    assert [at for _, at in worker.passes] == [0, 0, 0, 1, 1, 1, 2]
    assert worker.most["a"] == 3


def test_lanes_isolate() -> None:
    """A hub that never answers delays no source of another."""
    worker = Worker(takes=lambda key: 10_000.0 if key[0] == "a" else TAKES)
    play(worker, [(0, add("a1", "a2", "a3", "b1", "b2"))], until=5)
    assert worker.passes == [("a1", 0), ("b1", 0), ("b2", 1)]


def test_parties_take_turns() -> None:
    """Of one lane, each party has one place in a turn, in the order of asking; nobody's place is lost."""
    worker = play(Worker(), [(0, add("a1:x", "a2:x", "a3:x", "a4:y", "a5:y", "a6:z"))])
    assert worker.keys == ["a1:x", "a4:y", "a6:z", "a2:x", "a5:y", "a3:x"]


def test_late_party_does_not_catch_up() -> None:
    """Who comes late shares from then on, and is not owed the turns of before."""
    actions: Actions = [(0, add(*(f"a{number}:x" for number in range(6)))), (2.5, add("ay:y", "az:y"))]
    assert play(Worker(), actions).keys == ["a0:x", "a1:x", "a2:x", "ay:y", "a3:x", "az:y", "a4:x", "a5:x"]


@pytest.mark.parametrize("priority", Priority)
def test_thousands_delay_nobody(priority: Priority) -> None:
    """A namespace with thousands of sources, of which each pass asks for the next, does not delay another's edit."""
    many = [f"a{number}:x" for number in range(3000)]
    worker = Worker(then={key: [Next(0.0), Next(0.0), Next()] for key in many})
    play(worker, [(0, add(*many, priority=priority)), (5.5, add("a:y"))], until=20, width=8)
    assert dict(worker.passes)["a:y"] == 6


def test_opens_when_told() -> None:
    """A queue that begins closed collects, and does it all by priority when it is opened."""
    worker = play(
        Worker(),
        [(0, add("a1", "b1", priority=Priority.DRIFT)), (1, add("a2")), (5, lambda queue: queue.open())],
        is_open=False,
    )
    assert worker.passes == [("a2", 5), ("b1", 5), ("a1", 6)]


def test_drain_waits() -> None:
    """A stop lets the passes that run come to their end and starts no more, neither waiting nor due ones."""

    async def scene() -> tuple[Worker, float]:
        worker = Worker(then={"b": [Next(3.0)]})
        queue = WorkQueue(worker, lambda key: key[0], 1)
        add("a1", "a2", "b")(queue)
        queue.add_later("c", 3)
        await asyncio.sleep(0.5)
        add("a1")(queue)
        await queue.drain(20)
        ended = asyncio.get_running_loop().time()
        add("a3")(queue)
        later("d", 1)(queue)
        await asyncio.sleep(100)
        return worker, ended

    worker, ended = in_virtual_time(scene())
    assert (worker.keys, sorted(worker.ended), ended) == (["a1", "b"], ["a1", "b"], 1)


def test_drain_gives_up() -> None:
    """What does not end within the grace is cancelled."""

    async def scene() -> tuple[Worker, float, int]:
        worker = Worker(takes=lambda _key: 1000.0)
        queue = WorkQueue(worker, lambda key: key[0], 2)
        add("a1", "a2", "a3")(queue)
        await asyncio.sleep(0)
        await queue.drain(5)
        ended = asyncio.get_running_loop().time()
        await asyncio.sleep(0.001)
        return worker, ended, len(asyncio.all_tasks())

    worker, ended, tasks = in_virtual_time(scene())
    assert (worker.keys, worker.ended.total(), ended, tasks) == (["a1", "a2"], 0, 5, 1)
    assert worker.running.total() == 0


def test_drain_nothing() -> None:
    """A queue without work stops at once."""

    async def scene() -> float:
        await WorkQueue(Worker(), lambda key: key[0], 1).drain(5)
        return asyncio.get_running_loop().time()

    assert in_virtual_time(scene()) == 0


def test_load() -> None:
    """A queue tells how much waits and how long the oldest has, what runs, and what is due later."""
    loads: list[Load] = []

    def look(queue: WorkQueue[str]) -> None:
        loads.append(queue.load())

    worker = Worker(then={"a1": [Next(100.0)]})
    play(worker, [(0, add("a1", "a2", "a3")), *((at, look) for at in (0.5, 1.5, 9))], until=10)
    assert loads == [Load(2, 0.5, 0, 1), Load(1, 1.5, 1, 1), Load(0, 0.0, 1, 0)]


def test_latency_and_duration() -> None:
    """Waiting and work are measured apart, by the loop's clock and the queue's name."""

    def measured(name: str) -> float:
        return REGISTRY.get_sample_value(f"imagesource_{name}_seconds_sum", {"queue": "sources"}) or 0.0

    latency, duration = measured("queue_latency"), measured("reconcile_duration")
    play(Worker(), [(0, add("a1", "a2", "a3"))])
    assert measured("queue_latency") - latency == pytest.approx(0 + 1 + 2)
    assert measured("reconcile_duration") - duration == pytest.approx(3 * TAKES)


_KEYS = st.sampled_from(["a1", "a2", "b1"])
_ACTIONS = st.lists(st.tuples(st.integers(0, 40), _KEYS, st.sampled_from([*Priority, None])), max_size=15)
_THEN = st.dictionaries(_KEYS, st.lists(st.sampled_from([Next(0.0), Next(0.7), Next(), RuntimeError("x")]), max_size=4))


@given(_ACTIONS, _THEN, st.integers(1, 2))
def test_any_schedule(asked: list[tuple[int, str, Priority | None]], then: dict[str, list[Any]], width: int) -> None:
    """Whatever is asked for when: one pass at a time for a key, no lane over its width, and nobody is forgotten."""
    worker = Worker(then={key: list(after) for key, after in then.items()})
    actions = [
        (tenths / 10, later(key, 0.5) if priority is None else add(key, priority=priority))
        for tenths, key, priority in asked
    ]
    play(worker, actions, width=width)
    assert all(worker.most[key] <= 1 for key in ("a1", "a2", "b1"))
    assert all(worker.most[lane] <= width for lane in ("a", "b"))
    for tenths, key, priority in asked:
        begun = [at for passed, at in worker.passes if passed == key]
        assert priority is None or max(begun) >= tenths / 10
        assert begun
