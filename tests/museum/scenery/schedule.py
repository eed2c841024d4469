"""A schedule: every choice of a run, drawn from one seed. The same seed makes the same run."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What can go wrong with one request."""

    NONE = "none"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after it was applied"
    NOT_SENT = "not sent"
    LOST = "lost on the way"
    REPLY_LOST = "applied, reply lost"
    LATE = "timed out, applied later"
    SERVER_ERROR = "server error, not applied"
    LIMITED = "429"
    CONFLICT = "409"
    STALE = "an old list"


FAULTS = {
    "platform-write": (
        Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.NOT_SENT, Fault.LOST, Fault.REPLY_LOST, Fault.LATE,
        Fault.SERVER_ERROR, Fault.LIMITED,
    ),
    "platform-read": (Fault.CRASH_BEFORE, Fault.NOT_SENT, Fault.LOST, Fault.SERVER_ERROR, Fault.LIMITED),
    "kube-write": (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CONFLICT, Fault.SERVER_ERROR, Fault.REPLY_LOST),
    "list": (Fault.STALE,),
}  # fmt: skip
"""The faults of each kind of request."""


@dataclass
class Schedule:
    """The choices of one run.

    Attributes:
        seed: it makes the run.
        faults_left: how many faults may still be drawn; after the last one everything goes well.
        rate: how likely a fault is, at each request.
        longest_late: the latest that a request arrives after its sender gave it up, in seconds.
        crash_process: kills the process of the running task; set by the world.
        drawn: the faults that were drawn, in order.
        last_fault_at: when the last one was drawn.
    """

    seed: int
    faults_left: int = 4
    rate: float = 0.15
    longest_late: float = 25.0
    crash_process: Callable[[], Awaitable[None]] | None = None
    drawn: list[tuple[float, str, Fault]] = field(default_factory=list)
    last_fault_at: float = 0.0

    def __post_init__(self) -> None:
        """Begin."""
        self.random = random.Random(self.seed)  # noqa: S311 - a schedule, not a secret

    def draw(self, kind: str) -> Fault:
        """Draw the fault of a request of a kind; mostly none."""
        if self.faults_left <= 0 or self.random.random() >= self.rate:
            return Fault.NONE
        fault = self.random.choice(FAULTS[kind])
        self.faults_left -= 1
        now = asyncio.get_running_loop().time()
        self.last_fault_at = now
        self.drawn.append((round(now, 3), kind, fault))
        return fault

    def delay(self) -> float:
        """How long a request or an answer travels."""
        return self.random.choice((0.0, 0.001, 0.01, 0.05))

    def lateness(self) -> float:
        """How late a late request is."""
        return self.random.uniform(0.0, self.longest_late)

    async def crash(self) -> None:
        """Kill the process of the running task, here and now."""
        assert self.crash_process is not None
        await self.crash_process()

    def watch_delay(self) -> float:
        """How far behind the watch is; seldom far."""
        return self.random.choice((0.0, 0.0, 0.001, 0.01, 0.1, 2.0)) if self.faults_left else 0.001
