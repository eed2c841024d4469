"""kill -9 of the operator exactly before, during and after each of its writes, on a real apiserver and platform.

Whatever is left must be what a run without a fault leaves: on the platform and in the cluster, ids and status too.
"""

import os

import pytest
from tests.kills.conftest import Runs
from tests.kills.plan import Plan, every_plan
from tests.kills.scenarios import SCENARIOS

MORE = os.environ.get("KILL_PLANS") == "all"
PLANS = list(every_plan(more=MORE))

# When its client is killed amid a TLS handshake with the apiserver, asyncio leaves a socket of the proxy to the
# collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("event", SCENARIOS)
def test_every_write_is_a_site(runs: Runs, event: str) -> None:
    """Without a fault an event takes just the writes that are killed at, so that none is left out."""
    assert runs.references[event].result()[0] == SCENARIOS[event].sites


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_kill(runs: Runs, plan: Plan) -> None:
    """Wherever the operator ends, the next one brings about what a run without a fault does."""
    runs.plans[plan].result()


def test_enough_plans() -> None:
    """All of the plans differ, and there are as many as the documentation says."""
    assert len(set(PLANS)) == len(PLANS) >= (600 if MORE else 150)
