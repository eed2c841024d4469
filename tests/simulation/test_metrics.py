"""The engine's metrics in the simulator: each pass is counted once, and no run leaves a metric to the next."""

from prometheus_client import REGISTRY
from tests.simulation.play import play
from tests.simulation.schedule import Schedule


def counted() -> float:
    """Passes over sources, however they ended."""
    families = (family.samples for family in REGISTRY.collect())
    return sum(s.value for samples in families for s in samples if s.name == "imagesource_reconcile_total")


def test_each_pass_is_counted_once() -> None:
    """In runs with faults and kills each pass over a resource is counted, and none twice."""
    runs = []
    for seed in range(20):
        before = counted()
        runs.append((play(Schedule(seed)).passes, counted() - before))
    assert [made for made, told in runs] == [told for made, told in runs]
    assert sum(made for made, _ in runs) > 100


def test_nothing_is_registered() -> None:
    """A run registers no metric that its end would have to take away."""
    names = {family.name for family in REGISTRY.collect()}
    play(Schedule(1))
    assert {family.name for family in REGISTRY.collect()} == names
