"""Watches the requests as such (I10): one write at a time for a resource, none before Retry-After, few retries."""

import asyncio
from dataclasses import dataclass, field

from tests.simulation.kubernetes import Caller
from tests.simulation.network import Request
from tests.simulation.values import must

_ANSWERS = {"ok", "cancelled", "404.image.source", "404.job"}
"""After these nobody tries the same again because of them."""


@dataclass
class Traffic:
    """The requests of all operators.

    A new process may call before Retry-After is over, as nothing tells it; a new connection of the same one must not.

    Attributes:
        calls: how many requests there were.
        retries: those whose like had failed just before, in the same process.
    """

    calls: int = 0
    retries: int = 0
    _failed: set[tuple[object, ...]] = field(default_factory=set)
    _in_flight: set[tuple[int, str]] = field(default_factory=set)
    _closed_until: dict[tuple[int, str], float] = field(default_factory=dict)

    def begun(self, caller: Caller, request: Request, owner: str) -> None:
        """A request is asked for; ``owner``: the uid that a write is for."""
        now = asyncio.get_running_loop().time()
        closed_until = self._closed_until.get((caller.number, request.hub), 0.0)
        must(now > closed_until - 1e-3, f"I10: {request.site} before Retry-After")
        self.calls += 1
        self.retries += _like(caller, request) in self._failed
        if request.writes:
            must((caller.number, owner) not in self._in_flight, f"I10: two writes at once for {owner}")
            self._in_flight.add((caller.number, owner))

    def ended(self, caller: Caller, request: Request, owner: str, code: str, wait: float) -> None:
        """It has ended for its sender, who was asked to wait so long."""
        if wait:
            self._closed_until[caller.number, request.hub] = asyncio.get_running_loop().time() + wait
        if code in _ANSWERS:
            self._failed.discard(_like(caller, request))
        else:
            self._failed.add(_like(caller, request))
        self._in_flight.discard((caller.number, owner))


def _like(caller: Caller, request: Request) -> tuple[object, ...]:
    return caller.number, request.hub, request.site, request.subject
