"""What is told at a scrape: closed sets of words, and nothing from who stands by."""

from datetime import UTC, datetime
from typing import Any

from tests.support.clock import in_virtual_time

from imagesources.hubs.budget import CallBudget
from imagesources.kube.scrape import Scrape, by_condition
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.conditions import Condition
from imagesources.telemetry.metrics import SNAPSHOTS


def condition(kind: str, status: Any, reason: str) -> Condition:
    """A condition as it is read from a resource."""
    return Condition(type=kind, status=status, reason=reason, message="", last_transition_time=datetime.now(UTC))


def test_by_condition() -> None:
    """Resources are counted by what each condition says; one without any is new."""
    ready, stalled = condition("Ready", "False", "Refused"), condition("Stalled", "True", "Refused")
    found = dict(by_condition([(ready, stalled), (ready,), (condition("Ready", "True", "InSync"),), ()]))
    assert found == {
        ("Ready", "False", "Refused"): 2,
        ("Stalled", "True", "Refused"): 1,
        ("Ready", "True", "InSync"): 1,
        ("Ready", "Unknown", "Pending"): 1,
    }


def test_made_up_conditions() -> None:
    """Whoever may write a status cannot make series: words that are not ours are other."""
    found = dict(by_condition([(condition("Ready", "True", f"Hacked{n}"), condition(f"T{n}", "True", "InSync"))
                               for n in range(5)]))  # fmt: skip
    assert found == {("Ready", "True", "other"): 5, ("other", "True", "InSync"): 5}


def test_standing_by() -> None:
    """An operator whose queues are closed tells nothing of what is the case, but what there is to tell."""

    async def scene() -> list[Any]:
        async def work(_key: str) -> Any:
            raise AssertionError

        queue = WorkQueue(work, lambda key: key, 1, is_open=False)
        queue.add("waits")
        nothing: Any = None
        scrape = Scrape((queue,), nothing, nothing, nothing)
        assert [metric.name for metric in scrape.describe()] == [snapshot.name for snapshot in SNAPSHOTS]
        return list(scrape.collect())

    assert in_virtual_time(scene()) == []


def test_budget_tells() -> None:
    """The budget counts what had to wait and for how long, and tells what is left, nothing while it is paused."""

    async def scene() -> tuple[float, ...]:
        budget = CallBudget(rate=2, burst=2)
        for _ in range(4):
            await budget.take()
        left = budget.left
        budget.pause(10)
        return budget.waits, budget.waited, left, budget.left

    assert in_virtual_time(scene()) == (2, 1.0, 0.0, 0.0)
