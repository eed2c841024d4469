"""Runs coroutines in virtual time: what would be waited for simply passes, to the same end each time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumps(selectors.SelectSelector):
    """Waits for no file; the time to wait is added up."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("nothing will ever happen any more")
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now


def in_virtual_time(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that waits for time alone, from time 0.

    Raises:
        AssertionError: it waits for what will never happen.
    """
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)
