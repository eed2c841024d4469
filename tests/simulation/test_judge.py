"""The judge is judged: for each invariant a world, or an engine, that breaks it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.simulation.cluster import HUBS, SOURCES
from tests.simulation.faults import Fault, Site
from tests.simulation.people import foreign_twin, spec_of
from tests.simulation.play import play
from tests.simulation.scenarios import CANONICAL, NAME
from tests.simulation.schedule import Plan, Planned
from tests.simulation.world import HUB_IDS, World, hub_spec

from imagesources.hubs.budget import Pause
from imagesources.reconcile.desired import desire
from imagesources.reconcile.model import Problem, Release, Rest, Wait, Wanted
from imagesources.reconcile.plan import DELETING
from imagesources.resources import MARKER_PREFIX

Act = Callable[[World], Awaitable[None]]


def judged(act: Act, *faults: Planned) -> None:
    """Play a scenario; the judge may object. Faults happen in those that arm them."""
    play(Plan(faults), act)


async def create_and_wait(world: World) -> None:
    """Have a source that is settled."""
    await CANONICAL["create"].act(world)
    await asyncio.sleep(30.0)


def mishear(monkeypatch: pytest.MonkeyPatch, **wrong: object) -> None:
    """Let the engine mistake a part of what a resource asks for."""

    def desired(*args: Any, **more: Any) -> Wanted | Problem:
        wanted = desire(*args, **more)
        return replace(wanted, **wrong) if isinstance(wanted, Wanted) else wanted

    monkeypatch.setattr("imagesources.reconcile.engine.desire", desired)


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


def test_i1_second_source_after_a_doubt() -> None:
    """One create of unknown outcome excuses one source that comes late, not any other, and not for ever."""

    async def act(world: World) -> None:
        await create_and_wait(world)
        await asyncio.sleep(300.0)
        (source,) = world.platform.live()
        world.platform.create(source | {"identifier": MARKER_PREFIX + next(iter(world.judge.lives))})
        world.judge.platform_changed()

    with pytest.raises(AssertionError, match="I1"):
        judged(act, (Site.CREATE, Fault.LATE))


def test_i1_create_beside_a_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that creates a source although one that may be meant is there."""

    async def act(world: World) -> None:
        foreign_twin(world, NAME)
        world.furnish()
        await asyncio.sleep(30.0)
        world.server.create(SOURCES, NAME, spec={k: v for k, v in spec_of(NAME).items() if k != "adopt"})
        await asyncio.sleep(30.0)

    mishear(monkeypatch, never_adopt=True)
    with pytest.raises(AssertionError, match="I1: create for web, although"):
        judged(act)


def test_i3_release_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lets go of a resource without deleting its source."""
    monkeypatch.setattr("imagesources.reconcile.plan._end", lambda *_: Release())
    with pytest.raises(AssertionError, match="I3"):
        judged(CANONICAL["delete"].act)


async def delete_and_leave(world: World) -> None:
    """A source is to be left; then its resource is deleted."""
    await create_and_wait(world)
    spec = world.server.objects[SOURCES, NAME]["spec"]
    world.server.edit(SOURCES, NAME, spec=spec | {"deletionPolicy": "Orphan"})
    await asyncio.sleep(30.0)
    world.server.delete(SOURCES, NAME)


def test_i2_source_to_be_left_is_left() -> None:
    """An engine that obeys is not blamed."""
    judged(delete_and_leave)


def test_i2_source_to_be_left_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that deletes what the resource says is to stay."""
    mishear(monkeypatch, orphan=False)
    with pytest.raises(AssertionError, match="I2: web is to leave its source"):
        judged(delete_and_leave)


def test_i2_source_to_be_left_vanishes() -> None:
    """A source that goes with its resource although it was to stay, by whatever way."""

    async def act(world: World) -> None:
        await delete_and_leave(world)
        (source,) = world.platform.live()
        world.platform.set_state(source["id"], "deleted")

    with pytest.raises(AssertionError, match="I2: web was to leave its source"):
        judged(act)


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


def test_i5_still_counts_after_a_late_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that came late excuses its own access list, and no other one."""

    async def act(world: World) -> None:
        await CANONICAL["create"].act(world)
        await asyncio.sleep(300.0)
        world.server.edit(SOURCES, NAME, spec=spec_of(NAME, {"roles": {}}, 1))

    monkeypatch.setattr("imagesources.reconcile.plan.only_widens", lambda *_: True)
    with pytest.raises(AssertionError, match="I5"):
        judged(act, (Site.CREATE, Fault.LATE))


def test_i5_counts_for_what_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken over gets its access list before its content, too."""
    monkeypatch.setattr("imagesources.reconcile.plan.only_widens", lambda *_: True)
    with pytest.raises(AssertionError, match="I5"):
        judged(CANONICAL["adopt"].act)


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


def test_i9_an_old_match_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that says Ready as soon as the spec is what it was before."""

    async def act(world: World) -> None:
        await create_and_wait(world)
        before = world.server.objects[SOURCES, NAME]["spec"]
        world.server.edit(SOURCES, NAME, spec=spec_of(NAME, before["acl"], 1))
        await asyncio.sleep(30.0)
        monkeypatch.setattr("imagesources.reconcile.plan._write", lambda *_: Rest())
        world.server.edit(SOURCES, NAME, spec=before)

    with pytest.raises(AssertionError, match="I9: web is Ready at 3"):
        judged(act)


@pytest.mark.parametrize(
    ("wrong", "spec", "blame"),
    [
        ({"suspended": False}, {"suspend": True}, "is suspended"),
        ({"observe_only": False}, {"managementPolicy": "Observe"}, "only observes"),
        ({"correct_drift": True}, {"driftPolicy": "Report"}, "only reports"),
    ],
)
def test_what_is_not_to_be_touched(
    wrong: dict[str, object], spec: dict[str, object], blame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that writes for a resource that is suspended, only observes, or only reports."""

    async def act(world: World) -> None:
        world.furnish()
        adopt = {"adopt": {"id": foreign_twin(world, NAME)}} if "managementPolicy" in spec else {}
        world.server.create(SOURCES, NAME, spec=spec_of(NAME) | spec | adopt)
        await asyncio.sleep(30.0)
        for source in world.platform.live():
            world.platform.sources[source["id"]] = source | {"origin": {"type": "none"}}
            world.judge.others_changed(source["id"])

    mishear(monkeypatch, **wrong)
    with pytest.raises(AssertionError, match=blame):
        judged(act)


def test_i4_another_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that follows a reference to another hub."""

    async def act(world: World) -> None:
        world.hubs = {name: hub_spec(name) for name in HUB_IDS}
        await create_and_wait(world)
        world.server.edit(SOURCES, NAME, spec=spec_of(NAME) | {"hubRef": {"kind": "Hub", "name": "other"}})

    monkeypatch.setattr("imagesources.resources.status.Pin.place", property(lambda _pin: ("", "")))
    with pytest.raises(AssertionError, match="at another hub"):
        judged(act)


def test_i10_ahead_of_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not wait as long as the platform asks it to."""
    monkeypatch.setattr("imagesources.hubs.budget.CallBudget.pause", lambda *_: None)
    with pytest.raises(AssertionError, match="I10"):
        judged(CANONICAL["create"].act, (Site.INVENTORY, Fault.LIMITED))


def test_i10_ahead_of_retry_after_by_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that forgets what the platform has asked for with the connection that it was asked of."""

    async def act(world: World) -> None:
        await CANONICAL["create"].act(world)
        await asyncio.sleep(1.0)
        world.server.strip(HUBS, "default")
        world.server.delete(HUBS, "default")
        world.server.create(HUBS, "default", spec=hub_spec("default"))

    monkeypatch.setattr("imagesources.hubs.directory.HubDirectory.pause_of", lambda *_: Pause())
    with pytest.raises(AssertionError, match="I10"):
        judged(act, (Site.INVENTORY, Fault.LIMITED))


def test_convergence_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """More passes than are allowed are noticed."""
    monkeypatch.setattr("tests.simulation.convergence.MOST_PASSES", 0)
    with pytest.raises(AssertionError, match="convergence"):
        judged(CANONICAL["create"].act)
