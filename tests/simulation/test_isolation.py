"""I11: one bad resource, Secret or hub delays no other: edits take as long as without it, in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.simulation.cluster import SECRETS, SOURCES, Change
from tests.simulation.faults import Fault, Site
from tests.simulation.network import TIMEOUT
from tests.simulation.passes import PASS
from tests.simulation.people import spec_of
from tests.simulation.play import in_virtual_time
from tests.simulation.process import SETTINGS, OperatorProcess
from tests.simulation.schedule import Schedule
from tests.simulation.values import Json
from tests.simulation.world import HUB_IDS, World, hub_spec

from imagesources.platform.client import Connection
from imagesources.platform.errors import Unanswered

HEALTHY = 100
_P99 = HEALTHY * 99 // 100 - 1
POISON = "poison"
USUAL = {"requestsPerSecond": 10, "burst": 50}

Poison = Callable[[World], None]


class _Unlucky(Schedule):
    """Only what is done for one resource goes wrong: none of its requests to the platform is ever answered."""

    def draw(self, site: Site) -> Fault:
        """See ``Schedule``."""
        made = PASS.get()
        is_asked = made is not None and made.key[1] == POISON and site in (Site.CREATE, Site.FIND, Site.LOOK)
        return Fault.LOST if is_asked else Fault.NONE


class _Dead:
    """A connection to a hub that answers nothing."""

    async def call(self, operation: str, *_: Any, **_more: Any) -> Json:
        """Wait in vain."""
        await asyncio.sleep(TIMEOUT)
        raise Unanswered(operation, "no answer in time")

    async def aclose(self) -> None:
        """Nothing is open."""


class _Process(OperatorProcess):
    def make_client(self, connection: Connection, *more: Any, **named: Any) -> Any:
        """Make a client; the other hub is dead."""
        client = super().make_client(connection, *more, **named)
        if connection.hub_id == HUB_IDS["other"]:
            client._transport = _Dead()
        return client


class _World(World):
    def make_process(self) -> OperatorProcess:
        """See ``World``."""
        return _Process(self.started, self)


def without_end(world: World) -> None:
    """A resource whose requests are never answered."""
    world.server.create(SOURCES, POISON, spec=spec_of(POISON))


def of_no_schema(world: World) -> None:
    """A resource that cannot be read, written again and again."""
    world.server.create(SOURCES, POISON, spec={"type": 5})
    _again_and_again(world, lambda: world.server.edit(SOURCES, POISON, spec={"type": world.server.version}))


def bad_secret(world: World) -> None:
    """A Secret that lacks what a resource needs of it, written again and again."""
    reference = {"username": "ci", "tokenFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}
    spec = spec_of(POISON)
    spec["origin"]["details"] |= reference
    world.server.create(SECRETS, "login", data={})
    world.server.create(SOURCES, POISON, spec=spec)
    _again_and_again(world, lambda: world.server.edit(SECRETS, "login", data={"not": str(world.server.version)}))


def dead_hub(world: World) -> None:
    """A hub that answers nothing, with as many sources."""
    for number in range(HEALTHY):
        spec = spec_of(f"{POISON}-{number}") | {"hubRef": {"kind": "Hub", "name": "other"}}
        world.server.create(SOURCES, f"{POISON}-{number}", spec=spec)


def nothing(_world: World) -> None:
    """All is well."""


def _again_and_again(world: World, what: Callable[[], object]) -> None:
    what()
    world.call_later(0.5, lambda: _again_and_again(world, what))


async def edits(poison: Poison) -> list[float]:
    """Edit each of the healthy ones; returns how long each takes until it is Ready again, shortest first."""
    world = _World(_Unlucky(1))
    world.dismiss_judge()
    world.stepped = lambda *_: None  # type: ignore[method-assign]  # the judge's
    world.hubs = {name: hub_spec(name, USUAL) | {"brake": {"minimum": 2 * HEALTHY}} for name in HUB_IDS}
    edited, taken = {}, {}

    def changed(change: Change, _old: Json | None) -> None:
        name = change.body["metadata"]["name"]
        conditions = change.body.get("status", {}).get("conditions", ())
        ready = {c["type"]: c for c in conditions}.get("Ready", {"status": "", "observedGeneration": 0})
        if name in edited and (ready["status"], ready["observedGeneration"]) == ("True", 2):
            taken.setdefault(name, asyncio.get_running_loop().time() - edited[name])

    world.server.on_change = changed
    world.furnish()
    names = [f"web-{number}" for number in range(HEALTHY)]
    for name in names:
        world.server.create(SOURCES, name, spec=spec_of(name))
    process = world.start()
    await asyncio.sleep(600.0)
    poison(world)
    await asyncio.sleep(60.0)  # the watch tells of everything in its turn
    for name in names:
        await asyncio.sleep(0.5)
        edited[name] = asyncio.get_running_loop().time()
        world.server.edit(SOURCES, name, spec=spec_of(name, target=1))
    await asyncio.sleep(600.0)
    process.kill()
    assert taken.keys() == set(names)
    return sorted(taken.values())


@pytest.mark.parametrize("poison", [without_end, of_no_schema, bad_secret, dead_hub])
def test_others_are_as_fast(poison: Poison) -> None:
    """Of 100 edits 99 take less than twice as long as they do without it."""
    alone, beside = in_virtual_time(edits(nothing)), in_virtual_time(edits(poison))
    print(f"{poison.__name__}: p99 {alone[_P99]:.3f} s alone, {beside[_P99]:.3f} s beside it")
    assert beside[_P99] < 2 * alone[_P99]


def test_a_narrow_queue_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that does one thing at a time waits for the resource that is never answered."""
    monkeypatch.setattr("tests.simulation.process.SETTINGS", replace(SETTINGS, hub_concurrency=1))
    alone, beside = in_virtual_time(edits(nothing)), in_virtual_time(edits(without_end))
    assert beside[_P99] > 2 * alone[_P99]
