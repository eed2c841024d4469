"""What one person does to one resource, without a choice: the scenarios in which every pair of faults is tried."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.simulation.cluster import HUBS, SOURCES
from tests.simulation.faults import Fault, Site
from tests.simulation.people import ACLS, foreign_twin, spec_of
from tests.simulation.schedule import Plan, Planned
from tests.simulation.world import World

from imagesources.resources import MARKER_PREFIX

NAME = "web"


@dataclass(frozen=True)
class Scenario:
    """A scenario: what people do, and the faults that it has anyway."""

    act: Callable[[World], Awaitable[None]]
    standing: tuple[Planned, ...] = ()


async def _create(world: World) -> None:
    world.furnish()
    _arm(world)
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[2]))


async def _update(world: World) -> None:
    await _have(world)
    world.server.edit(SOURCES, NAME, spec=spec_of(f"{NAME}-2", ACLS[3], 1))


async def _share(world: World) -> None:
    await _have(world)
    world.server.edit(SOURCES, NAME, spec=spec_of(NAME, ACLS[2], 1))


async def _delete(world: World) -> None:
    await _have(world)
    world.server.delete(SOURCES, NAME)


async def _adopt(world: World) -> None:
    world.furnish()
    _arm(world)
    twin = foreign_twin(world, NAME)
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[2]) | {"adopt": {"id": twin}})


async def _create_and_delete(world: World) -> None:
    await _create(world)
    await asyncio.sleep(0.02)
    world.server.delete(SOURCES, NAME)


async def _twins(world: World) -> None:
    """A second source comes by a request that arrives late."""
    await _have(world)
    _twin(world)
    world.stop(world.processes[0])
    world.start()


async def _end(world: World) -> None:
    """Changed, found twice, deleted; then the Hub goes too."""
    await _have(world)
    await _change_and_find_twice(world, 1)
    await _end_life(world)
    world.server.delete(HUBS, "default")


async def _again(world: World) -> None:
    """Deleted, and created again under the same name."""
    await _have(world)
    await _end_life(world)
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[3], 1))
    await _until_wanted(world)
    world.server.edit(SOURCES, NAME, spec=spec_of(NAME, ACLS[2], 2))


async def _begin(world: World) -> None:
    """Created, changed, found twice."""
    await _create(world)
    await _until_wanted(world)
    await _change_and_find_twice(world, 1)


async def _lives(world: World) -> None:
    """Changed, found twice, deleted, created again."""
    await _have(world)
    await _change_and_find_twice(world, 1)
    await _end_life(world)
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[3], 2))


async def _whole(world: World) -> None:
    """Created, changed, found twice, deleted, created again, changed, deleted; then the Hub goes too."""
    await _begin(world)
    await _until_wanted(world)
    await _end_life(world)
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[3], 2))
    await _until_wanted(world)
    world.server.edit(SOURCES, NAME, spec=spec_of(NAME, ACLS[2], 3))
    await _until_wanted(world)
    await _end_life(world)
    world.server.delete(HUBS, "default")


async def _twin_at_the_end(world: World) -> None:
    """Created, shared twice, deleted with a second source while no operator runs, created again."""
    await _create(world)
    await _until_wanted(world)
    for acl in (ACLS[3], ACLS[2]):
        world.server.edit(SOURCES, NAME, spec=spec_of(NAME, acl))
        await _until_wanted(world)
    while not world.processes:
        await asyncio.sleep(0.5)
    _twin(world)
    world.server.delete(SOURCES, NAME)
    await _restart(world)
    await _until_gone(world)
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[3], 2))


_CONFLICT = (Site.STATUS, Fault.CONFLICT)
_LAST_CONFLICT = (Site.RELEASE, Fault.CONFLICT)
_NO_POST = (Site.CREATE, Fault.CRASH_BEFORE)

CANONICAL = {
    "create": Scenario(_create),
    "update": Scenario(_update),
    "acl change": Scenario(_share),
    "delete": Scenario(_delete),
    "adopt": Scenario(_adopt),
    "create and delete": Scenario(_create_and_delete),
}
"""Those in which all pairs that can happen are tried."""

FURTHER = {
    "create in doubt": Scenario(_create, (_NO_POST,)),
    "conflict": Scenario(_update, (_CONFLICT,)),
    "twins": Scenario(_twins),
    "to the end": Scenario(_end, (_LAST_CONFLICT,)),
    "from the beginning": Scenario(_begin, (_NO_POST, _CONFLICT)),
    "again": Scenario(_again, (_NO_POST, _CONFLICT)),
    "two lives": Scenario(_lives, (_NO_POST, _CONFLICT)),
    "two whole lives": Scenario(_whole, (_NO_POST, _CONFLICT)),
    "twin at the end": Scenario(_twin_at_the_end, (_NO_POST, _CONFLICT, _CONFLICT)),
}
"""Those for the pairs that cannot happen in these."""


def _arm(world: World) -> None:
    assert isinstance(world.schedule, Plan)
    world.schedule.armed = True


async def _have(world: World) -> None:
    """Have a source, and an operator that has just started."""
    world.furnish()
    world.server.create(SOURCES, NAME, spec=spec_of(NAME, ACLS[3]))
    await _until_wanted(world)
    world.stop(world.processes[0])
    world.start()
    _arm(world)


async def _until_wanted(world: World) -> None:
    while not all(map(world.judge.is_as_wanted, world.judge.lives)):
        await asyncio.sleep(0.5)
    world.disturbed()


async def _change_and_find_twice(world: World, target: int) -> None:
    world.server.edit(SOURCES, NAME, spec=spec_of(NAME, ACLS[2], target))
    await _until_wanted(world)
    _twin(world)
    await _restart(world)
    await _until_wanted(world)


async def _end_life(world: World) -> None:
    world.server.delete(SOURCES, NAME)
    await _until_gone(world)


async def _until_gone(world: World) -> None:
    while world.server.get(SOURCES, NAME):
        await asyncio.sleep(5.0)
    world.disturbed()


async def _restart(world: World) -> None:
    while not world.processes:
        await asyncio.sleep(0.5)
    world.stop(world.processes[0])
    world.start()


def _twin(world: World) -> None:
    body = world.server.objects[SOURCES, NAME]
    uid = body["metadata"]["uid"]
    wish = {"type": "direct", "name": NAME, "origin": body["spec"]["origin"], "acl": world.judge.live(uid)[0]["acl"]}
    twin = world.platform.create(wish | {"identifier": MARKER_PREFIX + uid})
    world.judge.lives[uid].excused.add(twin["id"])
    world.disturbed()
