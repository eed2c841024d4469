"""What people do in a run: they create, edit, share and delete, and other hands change and delete on the platform."""

import asyncio
from typing import Any

from tests.museum.scenery.platform import HUB_ID
from tests.museum.scenery.values import clone
from tests.museum.scenery.world import OperatorProcess, World

Json = dict[str, Any]

_LOOK = {"view": True, "modify": False, "manage": False}
_ACLS: tuple[Json | None, ...] = (
    {"unrestricted": True},
    {"roles": {}},
    {"roles": {"dev": _LOOK}},
    {
        "roles": {
            "dev": {"view": True, "modify": True, "manage": True},
            "ops": {"view": True, "modify": False, "manage": False},
        }
    },
)


async def act(world: World) -> None:
    """A few people do a few things, at times that the seed says."""
    choose = world.schedule.random
    for number in range(choose.choice((1, 1, 2))):
        if choose.random() < 0.4:
            _foreign_twin(world, f"web-{number}")
        _create(world, f"web-{number}", managed_acl=choose.random() < 0.7)
    for _ in range(choose.randint(0, 5)):
        await asyncio.sleep(choose.choice((0.0, 0.02, 0.1, 1.0, 7.0, 40.0, 70.0)))
        _one_thing(world)


def _one_thing(world: World) -> None:
    choose = world.schedule.random
    names = sorted(name for _, name in world.server.objects)
    what = choose.choice(
        ("edit", "edit", "acl", "delete", "recreate", "drift", "vanish", "second operator", "kill", "fail job")
    )
    if what == "second operator" and len(world.processes) == 1:
        second = world.start()
        asyncio.get_running_loop().call_later(choose.choice((1.0, 30.0, 200.0)), _end_second, world, second)
    if what == "kill" and world.processes:
        world.stop(world.processes[0])
        world.start()
    if what == "fail job":
        world.platform.fail_jobs = 1
    if what == "recreate":
        for life in list(world.judge.lives.values()):
            if life.gone and ("default", life.name) not in world.server.objects:
                _create(world, life.name, managed_acl=True)
                return
    if names and what in ("edit", "acl", "delete", "drift", "vanish"):
        _to_one(world, what, choose.choice(names))


def _end_second(world: World, second: OperatorProcess) -> None:
    if second in world.processes and len(world.processes) > 1:
        world.stop(second)


def _to_one(world: World, what: str, name: str) -> None:
    choose = world.schedule.random
    body = world.server.objects["default", name]
    spec = clone(body["spec"])
    own = world.judge.own(body["metadata"]["uid"])
    if what == "delete":
        world.server.delete(name)
    elif what == "edit":
        spec["origin"]["details"]["target"] = f"nginx:{choose.randint(1, 99)}"
        if choose.random() < 0.3:
            spec["identifier"] = f"{name}-{choose.randint(1, 9)}"
        _edit(world, name, spec)
    elif what == "acl" and "acl" in spec:
        spec["acl"] = clone(choose.choice(_ACLS))
        _edit(world, name, spec)
    elif what == "drift" and own:
        world.platform.sources[own[0]["id"]]["origin"] = {"type": "none"}
    elif what == "vanish" and own:
        world.platform.sources[own[0]["id"]]["state"]["current"] = "deleted"


def _create(world: World, name: str, *, managed_acl: bool) -> None:
    spec: Json = {
        "type": "direct",
        "identifier": name,
        "origin": {"type": "docker-hub", "details": {"target": "nginx:0"}},
        "adopt": {"policy": "Never"},
        "managementPolicy": "Manage",
        "driftPolicy": "Correct",
        "suspend": False,
    }
    if managed_acl:
        spec["acl"] = clone(world.schedule.random.choice(_ACLS))
    world.judge.spec_written(world.server.create(name, spec))


def _edit(world: World, name: str, spec: Json) -> None:
    world.server.edit(name, spec)
    world.judge.spec_written(world.server.objects["default", name])


def _foreign_twin(world: World, identifier: str) -> None:
    """Somebody else has a source with the same identifier, name and type."""
    body = {"identifier": identifier, "name": identifier, "type": "direct", "origin": {"type": "none"}}
    source = world.platform.create(body, creator="c" * 24)
    assert source["hub_id"] == HUB_ID
    world.judge.foreign[source["id"]] = world.platform.sources[source["id"]] | {}
