"""A day of 1,000 settled sources: nothing is written, and the hub is asked for as many pages as it has."""

import asyncio
from typing import Any

import pytest
from tests.simulation.cluster import HUBS, SOURCES
from tests.simulation.faults import Site
from tests.simulation.people import spec_of
from tests.simulation.play import in_virtual_time
from tests.simulation.process import SETTINGS
from tests.simulation.schedule import Schedule
from tests.simulation.world import World, hub_spec

SOURCES_COUNT = 1000
DAY = 86400.0
INTERVAL = 600.0
"""Seconds from list to list, of the simulated Hub."""


@pytest.mark.timeout(900)
def test_a_day_at_rest() -> None:
    """No write on either side in 24 hours; the platform is asked for nothing but its lists."""
    asked, written, platform = in_virtual_time(_day())
    lists = asked.count(Site.INVENTORY)
    # The last page is full when the number of sources is a multiple of its size: one more request tells that.
    pages = SOURCES_COUNT // SETTINGS.page_size + 1
    assert (written, platform) == (0, 0)
    assert abs(lists - pages * DAY / INTERVAL) <= pages
    assert set(asked) <= {Site.INVENTORY, Site.LIST, Site.SECRET}


async def _day() -> tuple[list[Any], int, int]:
    """Create the sources, wait until they are settled, and watch them for a day."""
    world = World(Schedule(1, faults_left=0))
    world.dismiss_judge()  # it compares each with each
    world.stepped = lambda *_: None  # type: ignore[method-assign]
    world.furnish()
    world.server.edit(HUBS, "default", spec=hub_spec("default") | {"inventoryInterval": f"{INTERVAL:.0f}s"})
    for number in range(SOURCES_COUNT):
        world.server.create(SOURCES, f"web-{number}", spec=spec_of(f"web-{number}"))
    process = world.start()
    await asyncio.sleep(3600.0)
    ready = [body["status"]["conditions"][0]["status"] for body in world.server.of(SOURCES)]
    assert ready == ["True"] * SOURCES_COUNT
    world.schedule.trace.clear()
    kube, platform = len(world.server.writes), len(world.platform.writes)
    await asyncio.sleep(DAY)
    asked = [site for _, number, site, *_ in world.schedule.trace if number == process.number]
    process.kill()
    await asyncio.sleep(0.0)
    return asked, len(world.server.writes) - kube, len(world.platform.writes) - platform
