"""Runs many schedules in all cores, and counts what there was."""

import gc
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from tests.simulation.world import World

_PROGRESS = 15.0
"""Seconds between two lines that say how far it is."""


@dataclass
class Report:
    """What many runs came to.

    Attributes:
        calls: requests to the platform.
        retries: those whose like had failed just before.
        faults: how often each kind happened.
        convergence: resources by what they took after the last disturbance: passes, waits, idle passes, steps.
        covered: the plans whose faults all happened, each with the sites that were passed after the last.
        violations: what failed, by seed or name, and why.
    """

    schedules: int = 0
    steps: int = 0
    calls: int = 0
    retries: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    convergence: Counter[tuple[str, int]] = field(default_factory=Counter)
    covered: dict[Any, tuple[Any, ...]] = field(default_factory=dict)
    violations: list[tuple[Any, str]] = field(default_factory=list)

    def add(self, world: World) -> None:
        """Take in a run that went well."""
        self.schedules += 1
        self.steps += world.steps
        self.calls += world.judge.traffic.calls
        self.retries += world.judge.traffic.retries
        self.faults.update(str(fault) for _, _, fault in world.schedule.drawn)
        self.convergence += world.convergence.histogram()

    def found(self, name: object, error: BaseException) -> None:
        """Take in a run that failed."""
        self.schedules += 1
        self.violations.append((name, f"{type(error).__name__}: {error}"))

    def merge(self, other: "Report") -> None:
        """Take in what another process found."""
        self.schedules += other.schedules
        self.steps += other.steps
        self.calls += other.calls
        self.retries += other.retries
        self.faults += other.faults
        self.convergence += other.convergence
        self.covered |= other.covered
        self.violations += other.violations

    def follow(self, other: "Report") -> None:
        """Take in what came after."""
        self.merge(other)
        self.seconds += other.seconds

    @property
    def share_of_retries(self) -> float:
        """How many of the calls are retries, from 0 to 1."""
        return self.retries / max(self.calls, 1)

    def text(self) -> str:
        """Say it all."""
        total = f"{self.schedules} schedules, {self.steps} steps, {self.faults.total()} faults"
        lines = [
            f"{total}, {len(self.violations)} violations, {self.seconds:.0f} s",
            f"{self.calls} calls of the platform, {self.retries} of them retries ({self.share_of_retries:.1%})",
            "faults: " + "; ".join(f"{kind} {number}" for kind, number in sorted(self.faults.items())),
        ]
        for what in ("passes", "waits", "idle", "steps"):
            counts = sorted((number, times) for (kind, number), times in self.convergence.items() if kind == what)
            lines.append(f"{what} after the last disturbance: " + ", ".join(f"{n}: {times}" for n, times in counts))
        return "\n".join(lines)


def spread(work: Callable[[Sequence[Any]], Report], cases: Sequence[Any], jobs: int) -> Report:
    """Run cases in several processes; each takes a part at a time, and a line now and then says how far it is."""
    begun = said = monotonic()
    step = max(1, min(250, len(cases) // (4 * jobs) or 1))
    chunks = [cases[at : at + step] for at in range(0, len(cases), step)]
    whole = Report()
    with ProcessPoolExecutor(jobs, initializer=_prepare) as pool:
        for done in as_completed([pool.submit(work, chunk) for chunk in chunks]):
            part = done.result()
            whole.merge(part)
            for name, why in part.violations:
                print(f"{name}: {why}", file=sys.stderr)
            if monotonic() - said > _PROGRESS:
                said = monotonic()
                found = len(whole.violations)
                print(f"{whole.schedules} of {len(cases)}, {found} violations, {said - begun:.0f} s", file=sys.stderr)
    whole.seconds = monotonic() - begun
    whole.violations.sort(key=lambda found: str(found[0]))
    order = {case: number for number, case in enumerate(cases)}
    whole.covered = dict(sorted(whole.covered.items(), key=lambda case: order[case[0]]))
    return whole


def _prepare() -> None:
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
