"""All plans that were selected run at once, some at a time; each test waits for its own."""

import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from tests.kills.plan import Plan, fault_free
from tests.kills.scenarios import SCENARIOS
from tests.kills.stage import World
from tests.support.apiserver import Api
from tests.support.platform import Platform

from imagesources.controlplane import ControlPlane

LANES = int(os.environ.get("KILL_LANES", "4"))
"""Plans that run at a time: they wait most of the time."""

Reference = tuple[tuple[str, ...], str]


@dataclass
class Runs:
    """What runs, and what came of it.

    Attributes:
        references: the run without a fault of each event.
        plans: the others.
        kept: what the plans that are over have shown.
    """

    references: dict[str, Future[Reference]] = field(default_factory=dict)
    plans: dict[Plan, Future[None]] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    """A control plane and a platform with a hub for each run: every test has one at most, every event one more."""
    folder = tmp_path_factory.mktemp("kills")
    with Platform(folder, "--step-seconds=0.02") as platform:
        hubs = [f"{number:024x}" for number in range(1, len(request.session.items) + len(SCENARIOS) + 1)]
        platform.with_hubs(hubs, "developer")
        api = Api.connect(control_plane.cluster.kubeconfig)
        yield World(control_plane.cluster, api, platform, iter(hubs), folder)
    gc.collect()  # here, where what is found then is no failure; see test_kill_plans.py


@pytest.fixture(scope="module")
def runs(world: World, request: pytest.FixtureRequest) -> Iterator[Runs]:
    """Runs the plans of all tests that were selected, in their order."""
    asked = [item.callspec.params for item in request.session.items if "runs" in getattr(item, "fixturenames", ())]
    plans = [each["plan"] for each in asked if "plan" in each]
    events = dict.fromkeys(each["plan"].event if "plan" in each else each["event"] for each in asked)
    began, found = time.monotonic(), Runs()
    with ThreadPoolExecutor(LANES) as lanes:
        found.references = {event: lanes.submit(fault_free, world, event) for event in events}
        found.plans = {plan: lanes.submit(_run, world, plan, found) for plan in plans}
        yield found
        lanes.shutdown(cancel_futures=True)
    seconds = time.monotonic() - began
    outcomes = ", ".join(f"{number} {what}" for what, number in sorted(found.kept.items()))
    sites = {(plan.event, plan.at) for plan in plans}
    print(f"\nkill plans: {len(plans)}, at {len(sites)} writes of {len(events)} events; {outcomes}; {seconds:.0f} s")


def _run(world: World, plan: Plan, runs: Runs) -> None:
    try:
        _, expected = runs.references[plan.event].result()
        plan.run(world, expected)
    except BaseException:
        runs.kept["failed"] += 1
        raise
    runs.kept["as without a fault"] += 1
