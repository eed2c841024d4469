"""Every schedule of a few faults, on the real engine; and a judge that finds broken operators."""

import gc
import logging
from collections.abc import Iterator

import pytest
from tests.model.core import fields_of_memory, known_fields
from tests.model.explore import Explorer
from tests.model.state import Scene
from tests.model.variants import Plan, broken, crossplane_style, intent_after_post, one_off_sweep

SCENES = {
    "one resource": Scene(faults=4),
    "one that is deleted": Scene(faults=2, deletes=True),
    "one with every kind of fault": Scene(faults=1, deletes=True, minor=True),
    "one and two operators": Scene(faults=1, operators=2, pauses=True),
    "two and two operators in turns": Scene(faults=2, resources=2, operators=2, turns=True),
}


@pytest.fixture(autouse=True)
def _in_peace() -> Iterator[None]:
    """No log, and no search for garbage: a state is none."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    gc.disable()
    yield
    gc.enable()
    logging.disable(before)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_every_schedule(scene: Scene) -> None:
    """No state breaks an invariant, and from each an undisturbed run leads to a right rest and writes no more."""
    result = Explorer(scene).run()
    print(result.report())
    assert result.right, result.report()


@pytest.mark.parametrize(
    ("plan", "wrong"),
    [
        (crossplane_style, {"duplicate", "stuck"}),
        (intent_after_post, {"duplicate"}),
        (one_off_sweep, {"duplicate"}),
    ],
)
def test_judge_finds(plan: Plan, wrong: set[str]) -> None:
    """An operator that creates as others do goes wrong after one fault, or two, and the judge says how."""
    with broken(plan):
        result = Explorer(Scene(faults=2)).run()
    print(result.report())
    assert wrong <= set(result.rests)


def test_all_of_a_memory_counts() -> None:
    """What a process remembers of a resource is part of a state, or is known not to decide anything."""
    assert fields_of_memory() <= known_fields()
