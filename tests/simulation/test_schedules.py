"""The real engine under seeded faults: random schedules, and those that once found a defect."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.run import run

ROOT = Path(__file__).parents[2]
FOUND = (20, 27, 37, 486, 567, 791, 955, 2913, 20839)
"""Seeds that found a defect, each mended since."""

SCHEDULES = int(os.environ.get("SCHEDULES", "10000"))


@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(["--only", *map(str, FOUND)], id="that found a defect once"),
        pytest.param(["--seeds", f"10000:{10000 + SCHEDULES}"], id="random"),
    ],
)
def test_schedules(seeds: list[str]) -> None:
    """No schedule of faults breaks an invariant; a failing one is named by its seed, to be replayed."""
    command = [sys.executable, "-m", "tests.simulation.run", *seeds]
    path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    answer = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_defect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not look its marker up after a lost reply is caught."""
    monkeypatch.setattr("imagesources.reconcile.plan.PROOFS_OF_ABSENCE", 0)
    monkeypatch.setattr("imagesources.hubs.inventory.Inventory.with_identifier", lambda *_: ())
    caught = 0
    for seed in range(60):
        try:
            run(seed)
        except (AssertionError, KeyboardInterrupt):
            caught += 1
    assert caught > 0
