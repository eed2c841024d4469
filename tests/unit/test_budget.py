"""How many requests a hub is sent: a rate, a burst, and the pauses that the platform asks for."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import in_virtual_time

from imagesources.hubs.budget import CallBudget
from imagesources.platform.errors import NotSent

Asked = tuple[float, int]
"""When requests are asked for, and how many at once."""


def sent(
    budget: CallBudget, asked: Sequence[Asked], pauses: Sequence[tuple[float, float]] = ()
) -> list[tuple[float, int]]:
    """Returns when each request was let through, and its number in the order of asking."""
    return in_virtual_time(_sent(budget, asked, pauses))


async def _sent(
    budget: CallBudget, asked: Sequence[Asked], pauses: Sequence[tuple[float, float]]
) -> list[tuple[float, int]]:
    loop, found = asyncio.get_running_loop(), list[tuple[float, int]]()

    async def take(at: float, number: int) -> None:
        await asyncio.sleep(at)
        await budget.take()
        found.append((round(loop.time(), 6), number))

    times = [at for at, how_many in asked for _ in range(how_many)]
    for at, seconds in pauses:
        loop.call_at(at, budget.pause, seconds)
    await asyncio.gather(*(take(at, number) for number, at in enumerate(times)))
    return found


def times(found: list[tuple[float, int]]) -> list[float]:
    """Returns the times alone."""
    return [at for at, _ in found]


@pytest.mark.parametrize(
    ("asked", "when"),
    [
        pytest.param([(0, 3)], [0, 0, 0], id="a burst at once"),
        pytest.param([(0, 5)], [0, 0, 0, 0.5, 1.0], id="then by the rate"),
        pytest.param([(0, 3), (0.25, 1)], [0, 0, 0, 0.5], id="part of a token is kept"),
        pytest.param([(0, 3), (10, 4)], [0, 0, 0, 10, 10, 10, 10.5], id="rest fills the bucket, and no more"),
    ],
)
def test_take(asked: list[Asked], when: list[float]) -> None:
    """Of two requests a second and a burst of three, each is let through as soon as it may."""
    assert times(sent(CallBudget(2, 3), asked)) == when


@pytest.mark.parametrize(
    ("pauses", "when"),
    [
        pytest.param([(0, 5)], [5, 5, 5], id="before"),
        pytest.param([(0, 5), (1, 2)], [5, 5, 5], id="a shorter pause shortens nothing"),
        pytest.param([(0, 5), (1, 9)], [10, 10, 10], id="a longer one meanwhile"),
        pytest.param([(0, 5), (4, 3), (6, 3)], [9, 9, 9], id="again and again"),
        pytest.param([(0, 0.0)], [1, 1, 1], id="none"),
        pytest.param([(0, -3.0)], [1, 1, 1], id="less than none"),
    ],
)
def test_pause(pauses: list[tuple[float, float]], when: list[float]) -> None:
    """Nothing is sent before the platform's pause is over, and then at once."""
    assert times(sent(CallBudget(10, 10), [(1, 3)], pauses)) == when


def test_pause_while_waiting_for_a_token() -> None:
    """A pause that begins while a request waits for its turn holds that request too."""
    assert times(sent(CallBudget(1, 1), [(0, 2)], [(0.5, 10)])) == [0, 10.5]


def test_order_of_asking() -> None:
    """Who asks first goes first, whatever happens meanwhile."""
    found = sent(CallBudget(1, 2), [(tenths / 10, 1) for tenths in range(8)], [(0.25, 4)])
    assert [number for _, number in found] == sorted(number for _, number in found)


def test_who_gives_up_takes_nothing() -> None:
    """A request that is given up while it waits neither blocks the others nor costs them a token."""

    async def scene() -> float:
        budget = CallBudget(1, 1)
        await budget.take()
        given_up = asyncio.create_task(budget.take())
        await asyncio.sleep(0.5)
        given_up.cancel()
        await budget.take()
        return asyncio.get_running_loop().time()

    assert in_virtual_time(scene()) == pytest.approx(1.0)


_ASKED = st.lists(st.tuples(st.integers(0, 40).map(lambda tenths: tenths / 10), st.integers(1, 4)), max_size=8)
_PAUSES = st.lists(
    st.tuples(st.integers(0, 40).map(lambda t: t / 10), st.integers(0, 30).map(lambda t: t / 10)), max_size=4
)


@given(_ASKED, _PAUSES, st.sampled_from([1, 2, 5]), st.integers(1, 4))
def test_bounds(asked: list[Asked], pauses: list[tuple[float, float]], rate: int, burst: int) -> None:
    """In no stretch of time are more requests sent than burst and rate allow, and none within a pause."""
    found = times(sent(CallBudget(rate, burst), asked, pauses))
    assert len(found) == sum(how_many for _, how_many in asked)
    for first, begun in enumerate(found):
        for last in range(first, len(found)):
            assert last - first + 1 <= burst + rate * (found[last] - begun) + 1e-6
    for at, seconds in pauses:
        assert not [when for when in found if at + 1e-6 < when < at + seconds - 1e-6]


def test_end() -> None:
    """Who waits for a pause, or in the queue behind, is sent away when the connection is replaced; nobody else is."""

    async def paused() -> tuple[list[object], float]:
        budget, loop = CallBudget(1, 1), asyncio.get_running_loop()
        budget.pause(3600)
        loop.call_at(5, budget.end)
        found = await asyncio.gather(budget.take(), budget.take(), return_exceptions=True)
        ended = loop.time()
        await asyncio.sleep(3600)
        await budget.take()
        return [type(each) for each in found], ended

    assert in_virtual_time(paused()) == ([NotSent, NotSent], 5)
