"""The real engine under seeded faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.run import run
from tests.simulation.shrink import replay_command, shrunk

ROOT = Path(__file__).parents[2]
SCHEDULES = int(os.environ.get("SCHEDULES", "100000"))


def command(*arguments: str, hash_seed: str = "random") -> str:
    """Run the command in a process of its own, and return what it prints."""
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)]), "PYTHONHASHSEED": hash_seed}
    answer = subprocess.run(
        [sys.executable, "-m", "tests.simulation.run", *arguments],
        cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


def fails(seed: int) -> bool:
    """Tell whether a schedule breaks an invariant."""
    try:
        run(seed)
    except AssertionError:
        return True
    return False


@pytest.mark.timeout(0)
def test_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    """No schedule of faults breaks an invariant; a failing one is named by its seed, to be replayed."""
    told = command("--seeds", f"10000:{10000 + SCHEDULES}")
    with capsys.disabled():
        print(f"\n{told}", end="")


def test_a_seed_is_a_run() -> None:
    """The same seed makes the same run in any process, after any others, whatever the order of sets of words."""
    alone = [command("--digest", "--only", str(seed), hash_seed="1") for seed in (27, 88, 372)]
    together = command("--digest", "--only", "372", "27", "88", hash_seed="2").splitlines()
    assert [digest.strip() for digest in alone] == [together[1], together[2], together[0]]
    assert len(set(together)) == 3


def test_a_defect_is_found_and_cut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not look its marker up after a lost reply is caught, and a replay needs less."""
    monkeypatch.setattr("imagesources.reconcile.plan.PROOFS_OF_ABSENCE", 0)
    monkeypatch.setattr("imagesources.hubs.inventory.Inventory.with_identifier", lambda *_: ())
    seed = next(seed for seed in range(60) if fails(seed))
    assert f"--replay {seed}" in replay_command(shrunk(seed))
