"""An event loop whose time is made, not waited for: every schedule is the same each time it is run."""

import asyncio
import selectors
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, Protocol


class Process(Protocol):
    """What can be killed: all tasks that it has started end, and it starts no more."""

    alive: bool
    tasks: dict[asyncio.Task[Any], None]


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
"""The simulated process that the running task belongs to; tasks inherit it."""


class Stuck(Exception):
    """Nothing can ever happen any more, and the simulation is not at its end."""


class _Selector(selectors.SelectSelector):
    """Waits for no file: the time to wait simply passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time, in seconds from 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """The virtual time."""
        return self._virtual.now

    def restart(self) -> None:
        """Begin at 0 again, for the next schedule."""
        self._virtual.now = 0.0


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **more)
    if process := PROCESS.get():
        process.tasks[task] = None
        task.add_done_callback(lambda ended: process.tasks.pop(ended, None))
        if not process.alive:
            task.cancel()
    return task


async def settle() -> None:
    """Let what was cancelled end."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
