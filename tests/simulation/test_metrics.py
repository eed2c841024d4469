"""The engine's metrics in the simulator: each pass is counted once, and nothing of one run is left to the next."""

import gc

from prometheus_client import REGISTRY
from tests.simulation.loop import VirtualLoop
from tests.simulation.people import act
from tests.simulation.run import run
from tests.simulation.schedule import Schedule
from tests.simulation.world import World

from imagesources.reconcile import Engine
from imagesources.telemetry.metrics import RECONCILES


def counted() -> float:
    """Passes that were counted, whatever became of them."""
    return sum(sample.value for sample in next(iter(RECONCILES.collect())).samples if sample.name.endswith("_total"))


def test_each_pass_is_counted_once() -> None:
    """In quiet runs and in runs with faults and kills, as many passes are counted as were made over resources."""
    for seed in range(20):
        before = counted()
        loop = VirtualLoop()
        world = World(Schedule(seed))
        loop.run_until_complete(world.play(act))
        loop.close()
        # a pass over a resource that is gone by then finds nothing, and is none
        assert 0.8 * world.passes <= counted() - before <= world.passes


def test_nothing_is_left() -> None:
    """A run leaves neither an engine nor a series behind that its end should have taken away."""
    run(1)
    gc.collect()
    series = len(list(REGISTRY.collect()))
    engines = sum(isinstance(thing, Engine) for thing in gc.get_objects())
    run(2)
    gc.collect()
    assert len(list(REGISTRY.collect())) == series
    assert sum(isinstance(thing, Engine) for thing in gc.get_objects()) <= engines
