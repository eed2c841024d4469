"""A schedule: every choice of a run. One seed makes all of them, or a plan names the faults one by one."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from tests.simulation.faults import FAULTS, Fault, Site

Drawn = tuple[float, Site, Fault]
"""When, where and what."""

Planned = tuple[Site, Fault]
"""A fault at a site."""


@dataclass
class Schedule:
    """The choices of one run.

    Attributes:
        seed: it makes the run.
        faults_left: how many faults may still be drawn; after the last one everything goes well.
        rate: how likely a fault is, at each request.
        longest_late: the latest that a request arrives after its sender gave it up, in seconds.
        without_faults: faults, by their number in the order in which they are drawn, that do not happen.
        without_actions: what people leave undone, by number.
        drawn: the faults that happened, in order.
        on_fault: told of each.
        trace: everything that happened, in order.
    """

    seed: int
    faults_left: int = 4
    rate: float = 0.15
    longest_late: float = 25.0
    without_faults: frozenset[int] = frozenset()
    without_actions: frozenset[int] = frozenset()
    drawn: list[Drawn] = field(default_factory=list)
    on_fault: Callable[[], None] = lambda: None
    trace: list[tuple[object, ...]] = field(default_factory=list)
    numbered: int = 0

    def __post_init__(self) -> None:
        """Begin; people, faults and delays are drawn apart, so that leaving one out changes little else."""
        self.people = random.Random(3 * self.seed)
        self.delays = random.Random(3 * self.seed + 1)
        self._faults = random.Random(3 * self.seed + 2)

    def draw(self, site: Site) -> Fault:
        """Draw the fault of a request; mostly none."""
        if self.faults_left <= 0:
            return Fault.NONE
        rate = self.rate / 4 if site is Site.WATCH else self.rate
        if self._faults.random() >= rate:
            return Fault.NONE
        fault = self._faults.choice(FAULTS[site])
        self.faults_left -= 1
        self.numbered += 1
        if self.numbered - 1 in self.without_faults:
            return Fault.NONE
        return self.happened(site, fault)

    def happened(self, site: Site, fault: Fault) -> Fault:
        """Take down that a fault happens."""
        self.drawn.append((round(asyncio.get_running_loop().time(), 3), site, fault))
        self.note("fault", site, fault)
        self.on_fault()
        return fault

    def delay(self) -> float:
        """How long a request or an answer travels."""
        return self.delays.choice((0.0, 0.001, 0.01, 0.05))

    def lateness(self) -> float:
        """How late a late request is."""
        return self.delays.uniform(0.0, self.longest_late)

    def asked_to_wait(self) -> float:
        """What a 429 says in Retry-After, in seconds."""
        return self.delays.choice((3.0, 30.0, 300.0))

    def restart_delay(self) -> float:
        """How long it takes until a process that crashed is replaced."""
        return self.delays.choice((0.1, 3.0, 20.0))

    def watch_delay(self) -> float:
        """How far behind the watch is."""
        return self.delays.choice((0.0, 0.0, 0.001, 0.01, 0.1))

    def note(self, *what: object) -> None:
        """Take down what happens now."""
        self.trace.append((asyncio.get_running_loop().time(), *what))

    def digest(self) -> str:
        """The same for two runs in which the same happened at the same times."""
        return sha256("\n".join(map(repr, self.trace)).encode()).hexdigest()


class Plan(Schedule):
    """Faults named one by one: each happens at the first occasion after the one before.

    Args:
        faults: those to be examined.
        standing: those that belong to the scenario, likewise in order.
    """

    def __init__(self, faults: Sequence[Planned], standing: Sequence[Planned] = ()) -> None:
        super().__init__(0, faults_left=1)
        self.planned = list(faults)
        self.standing = list(standing)
        self.armed = False
        """Whether faults happen already."""
        self.occasions: list[dict[Site, None]] = [{}]
        """The sites that were passed after each fault."""

    def draw(self, site: Site) -> Fault:
        """Take the next fault, if it is for this site."""
        if not self.armed or not self.faults_left:
            return Fault.NONE
        self.occasions[-1][site] = None
        if self.planned and self.planned[0][0] is site:
            self.occasions.append({})
            return self.happened(*self.planned.pop(0))
        if self.standing and self.standing[0][0] is site:
            return self.happened(*self.standing.pop(0))
        return Fault.NONE

    def delay(self) -> float:
        """Every request takes as long."""
        return 0.001

    def lateness(self) -> float:
        """Late, but before everything is over."""
        return 8.0

    def asked_to_wait(self) -> float:
        """Not for long."""
        return 3.0

    def restart_delay(self) -> float:
        """Soon."""
        return 1.0

    def watch_delay(self) -> float:
        """The watch is a little behind."""
        return 0.002
