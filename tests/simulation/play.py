"""Plays one schedule from its beginning to its end, in a loop of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from tests.simulation.loop import VirtualLoop
from tests.simulation.people import act
from tests.simulation.schedule import Schedule
from tests.simulation.values import Violation
from tests.simulation.world import World

_T = TypeVar("_T")


def play(schedule: Schedule, people: Callable[[World], Awaitable[None]] = act) -> World:
    """Run one schedule.

    Raises:
        AssertionError: an invariant does not hold.
    """
    world = World(schedule)
    in_virtual_time(world.play(people))
    return world


def in_virtual_time(work: Coroutine[Any, Any, _T]) -> _T:
    """Run something in a loop of its own, from time 0.

    Raises:
        AssertionError: an invariant does not hold.
    """
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    except KeyboardInterrupt as error:
        if type(error) is KeyboardInterrupt:
            raise  # somebody at the keyboard
        raise AssertionError(str(error)) from error
    finally:
        with suppress(Violation):  # one was enough
            loop.run_until_complete(_settle())
        loop.close()


async def _settle() -> None:
    """Let what was cancelled end."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
