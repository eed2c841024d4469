"""The judge is judged: for each invariant a world, or an engine, that breaks it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.simulation.cluster import SOURCES
from tests.simulation.faults import Fault, Site
from tests.simulation.people import foreign_twin
from tests.simulation.play import play
from tests.simulation.scenarios import CANONICAL, NAME
from tests.simulation.schedule import Plan, Planned
from tests.simulation.world import World

from imagesources.reconcile.model import Release, Rest, Wait
from imagesources.reconcile.plan import DELETING
from imagesources.resources import MARKER_PREFIX

Act = Callable[[World], Awaitable[None]]


def judged(act: Act, *faults: Planned) -> None:
    """Play a scenario; the judge may object."""
    play(Plan(faults), act)


async def create_and_wait(world: World) -> None:
    """Have a source that is settled."""
    await CANONICAL["create"].act(world)
    await asyncio.sleep(30.0)


@pytest.mark.parametrize("name", CANONICAL)
def test_sound_engine(name: str) -> None:
    """Without a fault and without a defect, no scenario breaks anything."""
    judged(CANONICAL[name].act)


def test_i1_second_source() -> None:
    """A second source of a resource, without a create whose outcome is unknown."""

    async def act(world: World) -> None:
        await create_and_wait(world)
        (source,) = world.platform.live()
        world.platform.create(source | {"identifier": MARKER_PREFIX + next(iter(world.judge.lives))})
        world.judge.platform_changed()

    with pytest.raises(AssertionError, match="I1"):
        judged(act)


def test_i3_release_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lets go of a resource without deleting its source."""
    monkeypatch.setattr("imagesources.reconcile.plan._end", lambda *_: Release())
    with pytest.raises(AssertionError, match="I3"):
        judged(CANONICAL["delete"].act)


def test_i4_foreign_source() -> None:
    """A change of a source that is not ours."""

    async def act(world: World) -> None:
        twin = foreign_twin(world, NAME)
        await create_and_wait(world)
        world.platform.update(twin, {"name": "taken"})
        world.judge.platform_changed()

    with pytest.raises(AssertionError, match="I4"):
        judged(act)


def test_i5_content_before_a_narrower_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that shows new content to those who are to be shut out."""
    monkeypatch.setattr("imagesources.reconcile.plan.only_widens", lambda *_: True)
    with pytest.raises(AssertionError, match="I5"):
        judged(CANONICAL["acl change"].act)


def test_i7_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that never gets round to a delete."""
    monkeypatch.setattr("imagesources.reconcile.plan._end", lambda *_: Wait(DELETING, 60.0))
    with pytest.raises(AssertionError, match="I7"):
        judged(CANONICAL["delete"].act)


def test_i8_write_at_rest() -> None:
    """A write to a resource that is settled."""

    async def act(world: World) -> None:
        await create_and_wait(world)
        patch = {"metadata": {"annotations": {"touched": "yes"}}}
        world.call_later(300.0, lambda: world.server.patch(SOURCES, NAME, patch, status=False))

    with pytest.raises(AssertionError, match="I8"):
        judged(act)


def test_i9_ready_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that says Ready before the platform has what was asked for."""
    monkeypatch.setattr("imagesources.reconcile.plan._write", lambda *_: Rest())
    with pytest.raises(AssertionError, match="I9"):
        judged(CANONICAL["update"].act)


def test_i10_ahead_of_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not wait as long as the platform asks it to."""
    monkeypatch.setattr("imagesources.hubs.budget.CallBudget.pause", lambda *_: None)
    with pytest.raises(AssertionError, match="I10"):
        judged(CANONICAL["create"].act, (Site.INVENTORY, Fault.LIMITED))


def test_convergence_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """More passes than are allowed are noticed."""
    monkeypatch.setattr("tests.simulation.convergence.MOST_PASSES", 0)
    with pytest.raises(AssertionError, match="convergence"):
        judged(CANONICAL["create"].act)
