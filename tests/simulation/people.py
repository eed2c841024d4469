"""What people do in a run: they create, edit, share and delete, and other hands change and delete on the platform."""

import asyncio
from random import Random

from tests.simulation.cluster import HUBS, SECRETS, SOURCES
from tests.simulation.process import OperatorProcess
from tests.simulation.values import Json
from tests.simulation.world import HUB_SPEC, World

_LOOK = {"view": True, "modify": False, "manage": False}
_ALL = {"view": True, "modify": True, "manage": True}
ACLS: tuple[Json, ...] = (
    {"unrestricted": True},
    {"roles": {}},
    {"roles": {"dev": _LOOK}},
    {"roles": {"dev": _ALL, "ops": _LOOK}},
)

_TO_ONE = ("edit", "edit", "acl", "acl and content", "delete", "drift", "vanish", "orphan")
_TO_ALL = (
    "recreate", "second operator", "kill", "freeze", "rotate key", "lose secret", "delete hub", "replace hub",
    "delete namespace",
)  # fmt: skip
_PAUSES = (0.0, 0.02, 0.1, 1.0, 7.0, 40.0, 70.0)


async def act(world: World) -> None:
    """A few people do a few things, at times that the seed says."""
    choose = world.schedule.people
    if choose.random() < 0.05:
        world.schedule.longest_late = 500.0
    world.furnish()
    for number in range(choose.choice((1, 1, 2))):
        _begin(world, f"web-{number}", Random(choose.random()))
    for number in range(choose.randint(0, 5)):
        await asyncio.sleep(choose.choice(_PAUSES))
        dice = Random(choose.random())
        if number not in world.schedule.without_actions:
            _one_thing(world, dice)
    await _repair(world)


def spec_of(name: str, acl: Json | None = None, target: int = 0) -> Json:
    """Write a spec."""
    spec: Json = {
        "type": "direct",
        "identifier": name,
        "origin": {"type": "docker-hub", "details": {"target": f"nginx:{target}"}},
        "adopt": {"policy": "Never"},
        "managementPolicy": "Manage",
        "driftPolicy": "Correct",
        "suspend": False,
    }
    return spec | ({"acl": acl} if acl else {})


def foreign_twin(world: World, identifier: str) -> str:
    """Somebody else has a source with the same identifier, name and type."""
    body = {"identifier": identifier, "name": identifier, "type": "direct", "origin": {"type": "none"}}
    source = world.platform.create(body, creator="c" * 24)
    source_id: str = source["id"]
    world.judge.foreign[source_id] = source
    return source_id


def _begin(world: World, name: str, dice: Random) -> None:
    spec = spec_of(name, dice.choice(ACLS) if dice.random() < 0.7 else None)
    twin = foreign_twin(world, name) if dice.random() < 0.4 else ""
    if twin and dice.random() < 0.3:
        spec |= {"adopt": {"id": twin}, "deletionPolicy": dice.choice(("Delete", "Orphan"))}
    _create(world, name, spec)


def _create(world: World, name: str, spec: Json) -> None:
    world.disturbed()
    world.schedule.note("create", name)
    world.server.create(SOURCES, name, spec=spec)


def _one_thing(world: World, dice: Random) -> None:
    what = dice.choice((*_TO_ONE, *_TO_ONE, *_TO_ALL))
    world.disturbed()
    world.schedule.note("people", what)
    if what in _TO_ALL:
        _TO_ALL_ACTS[what](world, dice)
    elif sources := world.server.of(SOURCES):
        _to_one(world, what, dice.choice(sources), dice)


def _to_one(world: World, what: str, body: Json, dice: Random) -> None:
    name, spec = body["metadata"]["name"], body["spec"]
    own = world.judge.live(body["metadata"]["uid"])
    target = {"origin": {"type": "docker-hub", "details": {"target": f"nginx:{world.server.version}"}}}
    match what:
        case "delete":
            world.server.delete(SOURCES, name)
        case "edit":
            renamed = {"identifier": f"{name}-{dice.randint(1, 9)}"} if dice.random() < 0.3 else {}
            world.server.edit(SOURCES, name, spec=spec | target | renamed)
        case "acl" | "acl and content" if "acl" in spec:
            changed = target if what == "acl and content" else {}
            world.server.edit(SOURCES, name, spec=spec | {"acl": dice.choice(ACLS)} | changed)
        case "orphan":
            world.server.edit(SOURCES, name, spec=spec | {"deletionPolicy": "Orphan"})
        case "drift" if own:
            changed_there = own[0] | {"origin": {"type": "none"}}
            world.platform.sources[own[0]["id"]] = changed_there
        case "vanish" if own and own[0]["id"] != world.judge.lives[body["metadata"]["uid"]].adopted:
            world.platform.set_state(own[0]["id"], "deleted")


def _recreate(world: World, dice: Random) -> None:
    for life in list(world.judge.lives.values()):
        if life.gone and world.server.get(SOURCES, life.name) is None:
            _create(world, life.name, spec_of(life.name, dice.choice(ACLS), world.server.version))
            return


def _second_operator(world: World, dice: Random) -> None:
    if len(world.processes) == 1:
        second = world.start()
        world.call_later(dice.choice((1.0, 30.0, 200.0)), lambda: _end(world, second))


def _end(world: World, process: OperatorProcess) -> None:
    if len(world.processes) > 1:
        world.stop(process if process in world.processes else world.processes[0])


def _kill(world: World, _dice: Random) -> None:
    if world.processes:
        world.stop(world.processes[0])
        world.start()


def _freeze(world: World, dice: Random) -> None:
    """A leader is not scheduled for a while; another one leads; the old one goes on for a while before it notices."""
    if len(world.processes) != 1:
        return
    old = world.processes[0]
    seconds = dice.choice((5.0, 20.0, 33.0)) if world.schedule.longest_late < 100 else 300.0
    old.freeze(seconds)
    world.start()
    world.call_later(seconds + dice.choice((0.0, 0.2, 10.0)), lambda: _end(world, old))


def _rotate_key(world: World, dice: Random) -> None:
    """The platform gets a new key; the old one is revoked at once, or once the Secret has the new one."""
    new, old = f"key-{world.server.version}", world.platform.keys
    world.platform.keys = frozenset({new}) if dice.random() < 0.5 else world.platform.keys | {new}

    def replace() -> None:
        world.disturbed()
        if world.server.get(SECRETS, "key") and new in world.platform.keys:
            world.server.edit(SECRETS, "key", data={"key": new})
        world.soon(20.0, revoke)

    def revoke() -> None:
        world.disturbed()
        secret = world.server.get(SECRETS, "key")
        in_use = secret["data"]["key"] if secret else new  # another rotation may have come between
        world.platform.keys -= old - {new, in_use}

    world.soon(dice.choice((0.0, 5.0, 150.0)), replace)


def _lose_secret(world: World, _dice: Random) -> None:
    if world.server.get(SECRETS, "key"):
        world.server.delete(SECRETS, "key")


def _delete_hub(world: World, _dice: Random) -> None:
    if world.server.get(HUBS, "default"):
        world.server.delete(HUBS, "default")


def _replace_hub(world: World, dice: Random) -> None:
    """A Hub goes without regard for those who need it, and comes again."""
    if world.server.get(HUBS, "default"):
        world.server.delete(HUBS, "default")
    if world.server.get(HUBS, "default"):
        world.server.strip(HUBS, "default")
    world.soon(dice.choice((0.0, 3.0, 100.0)), lambda: _need_hub(world))


def _delete_namespace(world: World, dice: Random) -> None:
    """Everything in the namespace is deleted, in any order; only what has a finalizer stays for a while."""
    keys = sorted(world.server.objects)
    dice.shuffle(keys)
    for plural, name in keys:
        if (plural, name) in world.server.objects:
            world.server.delete(plural, name)


async def _repair(world: World) -> None:
    """In the end somebody provides what is missing: the Secret, the Hub; or lets a source go that nobody can delete."""
    await asyncio.sleep(world.schedule.people.choice((1.0, 150.0, 400.0)))
    orphaning = world.schedule.people.random() < 0.5
    while not _is_complete(world):
        world.disturbed()
        sources = world.server.of(SOURCES)
        if orphaning and sources and all("deletionTimestamp" in body["metadata"] for body in sources):
            for body in sources:
                world.server.edit(SOURCES, body["metadata"]["name"], spec=body["spec"] | {"deletionPolicy": "Orphan"})
        else:
            _need_secret(world)
            _need_hub(world)
        await asyncio.sleep(100.0)


def _is_complete(world: World) -> bool:
    secret, hub = world.server.get(SECRETS, "key"), world.server.get(HUBS, "default")
    is_usable = secret is not None and secret["data"]["key"] in world.platform.keys
    return is_usable and (hub is not None or not world.server.of(SOURCES))


def _need_secret(world: World) -> None:
    data = {"key": max(world.platform.keys)}
    if world.server.get(SECRETS, "key"):
        world.server.edit(SECRETS, "key", data=data)
    else:
        world.server.create(SECRETS, "key", data=data)


def _need_hub(world: World) -> None:
    if world.server.get(HUBS, "default") is None:
        world.disturbed()
        world.server.create(HUBS, "default", spec=HUB_SPEC)


_TO_ALL_ACTS = {
    "recreate": _recreate,
    "second operator": _second_operator,
    "kill": _kill,
    "freeze": _freeze,
    "rotate key": _rotate_key,
    "lose secret": _lose_secret,
    "delete hub": _delete_hub,
    "replace hub": _replace_hub,
    "delete namespace": _delete_namespace,
}
