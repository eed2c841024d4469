"""Waiting for something to become true, with a short interval and a clear end."""

import time
from collections.abc import Callable
from typing import TypeVar

_INTERVAL = 0.05

T = TypeVar("T")


def wait_for(predicate: Callable[[], T], *, timeout: float = 60.0, what: str, every: float = _INTERVAL) -> T:
    """Asks again and again until the answer is truthy, and returns it.

    An AssertionError inside of the predicate (a failing kubectl too) counts as "not yet".

    Args:
        predicate: What to ask.
        timeout: Seconds.
        what: Completes "waited for …" in the failure.
        every: Seconds between two questions, where they are many or dear.

    Raises:
        AssertionError: It did not become true; holds the last answer or error.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = answer = predicate()
        except AssertionError as error:
            last = error
        else:
            if answer:
                return answer
        time.sleep(every)
    raise AssertionError(f"waited {timeout:g} s for {what}; last: {last!r}")
