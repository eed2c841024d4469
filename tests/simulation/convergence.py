"""Counts how long it takes from the last disturbance until each resource is as it is wanted.

A *pass* over a resource begins when something wakes it (an event, a list, a timer) and ends when the engine asks for
no next step at once. It counts when it sent a request. Two kinds are counted apart, as they wait for others: passes
that look how far the platform is with a delete (``WAITS``), and passes that send nothing.
"""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.faults import Site

MOST_PASSES = 5
"""Passes after the last disturbance, at most."""

_WAITS = frozenset({Site.LOOK, Site.JOB, Site.JOB_STATUS})


@dataclass
class Counts:
    """Of one resource, since the last disturbance.

    Attributes:
        passes: those that count.
        waits: those that only look how far the platform is.
        idle: those that send nothing.
        steps: calls of the engine, of all passes.
        sites: the requests of each pass that counts.
    """

    passes: int = 0
    waits: int = 0
    idle: int = 0
    steps: int = 0
    sites: list[list[Site]] = field(default_factory=list)
    settled: bool = False


@dataclass
class Convergence:
    """Of all resources of one run."""

    counts: dict[str, Counts] = field(default_factory=dict)
    _open: dict[tuple[int, str], list[Site]] = field(default_factory=dict)

    def disturbed(self) -> None:
        """Something went wrong, or somebody did something: begin anew."""
        self.counts.clear()

    def stepped(self, number: int, uid: str, sites: list[Site], *, goes_on: bool, settled: bool) -> None:
        """Take down one call of the engine by a process for a resource."""
        chain = self._open.pop((number, uid), []) + sites
        counts = self.counts.setdefault(uid, Counts())
        if counts.settled:
            return
        counts.steps += 1
        if goes_on and not settled:
            self._open[number, uid] = chain
            return
        counts.settled = settled
        if not chain:
            counts.idle += 1
        elif _WAITS.issuperset(chain):
            counts.waits += 1
        else:
            counts.passes += 1
            counts.sites.append(chain)

    def check(self) -> None:
        """Hold a run that took too long.

        Raises:
            AssertionError: a resource took more passes than it may.
        """
        for counts in self.counts.values():
            assert counts.passes <= MOST_PASSES, f"convergence: {counts.passes} passes: {counts.sites}"

    def histogram(self) -> Counter[tuple[str, int]]:
        """Count the resources by what they took."""
        counted: Counter[tuple[str, int]] = Counter()
        for counts in self.counts.values():
            counted["passes", counts.passes] += 1
            counted["waits", counts.waits] += 1
            counted["idle", counts.idle] += 1
            counted["steps", counts.steps] += 1
        return counted
