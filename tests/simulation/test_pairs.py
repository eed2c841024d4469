"""What ``python -m tests.simulation.pairs`` begins with; all pairs take some minutes and are not a part of this."""

import os

from tests.simulation.pairs import ALL, SCENARIOS, try_all
from tests.simulation.report import spread


def test_every_fault_happens() -> None:
    """Every kind of fault at every site happens in a scenario, and none of them breaks an invariant."""
    report = spread(try_all, [(name, (fault,)) for name in SCENARIOS for fault in ALL], os.cpu_count() or 1)
    assert report.violations == []
    assert {fault for _, (fault,) in report.covered} == set(ALL)
