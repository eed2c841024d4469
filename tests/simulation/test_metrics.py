"""The engine's metrics in the simulator: each pass is counted once, and no run leaves a metric to the next."""

from prometheus_client import REGISTRY
from tests.simulation.run import run


def total(name: str) -> float:
    """The sum of a series over all its labels."""
    return sum(sample.value for family in REGISTRY.collect() for sample in family.samples if sample.name == name)


def test_each_pass_is_counted_once() -> None:
    """In runs with faults and kills each pass over a resource is counted, and none twice."""
    for seed in range(10):
        before = total("imagesource_reconcile_total"), total("imagesource_reconcile_duration_seconds_count")
        run(seed)
        counted = total("imagesource_reconcile_total") - before[0]
        made = total("imagesource_reconcile_duration_seconds_count") - before[1]
        assert 0 < counted <= made  # also those of hubs are measured, and those that find no resource any more


def test_nothing_is_registered() -> None:
    """A run registers no metric that its end would have to take away."""
    names = {family.name for family in REGISTRY.collect()}
    run(1)
    assert {family.name for family in REGISTRY.collect()} == names
