"""A platform that comes back as an old copy of itself: what has vanished is not created again all at once."""

import asyncio

from tests.simulation.cluster import HUBS, SOURCES
from tests.simulation.people import spec_of
from tests.simulation.play import play
from tests.simulation.schedule import Schedule
from tests.simulation.world import World

from imagesources.resources.hub import Brake

HAD = 8
NAMES = [f"web-{number}" for number in range(HAD)]


def creates(world: World) -> int:
    """Tell how many sources were created so far."""
    return sum(operation == "create" for operation, _ in world.platform.writes)


async def vanish(world: World) -> None:
    """Have settled sources, all of which vanish at once."""
    world.furnish()
    for name in NAMES:
        world.server.create(SOURCES, name, spec=spec_of(name))
    await asyncio.sleep(60.0)
    assert creates(world) == HAD
    for source in world.platform.live():
        world.platform.set_state(source["id"], "deleted")
        world.judge.others_changed(source["id"])


def test_few_are_created_again() -> None:
    """Creates stop after a few, and a restart makes it no more; all are created once a person says so."""

    async def act(world: World) -> None:
        await vanish(world)
        await asyncio.sleep(900.0)
        world.stop(world.processes[0])
        world.start()
        await asyncio.sleep(900.0)
        assert creates(world) - HAD <= Brake().vanished
        hub = world.server.objects[HUBS, "default"]
        token = hub["status"]["brake"]["token"]
        world.disturbed()
        world.server.edit(HUBS, "default", spec=hub["spec"] | {"releaseBrake": token})
        await asyncio.sleep(900.0)
        assert creates(world) == 2 * HAD

    play(Schedule(1, faults_left=0), act)
