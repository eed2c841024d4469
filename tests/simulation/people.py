"""What people do in a run: they create, edit, share and delete, and other hands change and delete on the platform."""

import asyncio
import json
from random import Random

from tests.simulation.cluster import HUBS, SECRETS, SOURCES
from tests.simulation.process import OperatorProcess
from tests.simulation.values import Json
from tests.simulation.world import FREE, HUB_IDS, World, hub_spec

from imagesources.resources import PIN_ANNOTATION

_LOOK = {"view": True, "modify": False, "manage": False}
_ALL = {"view": True, "modify": True, "manage": True}
ACLS: tuple[Json, ...] = (
    {"unrestricted": True},
    {"roles": {}},
    {"roles": {"dev": _LOOK}},
    {"roles": {"dev": _ALL, "ops": _LOOK}},
)

_EDITS = ("edit", "acl", "acl and content", "orphan", "suspend", "resume", "report", "move")
_TO_ONE = (*_EDITS, "edit", "delete", "delete", "drift", "vanish", "share there", "unhold", "restore", "wipe")
_TO_ALL = (
    "recreate", "second operator", "kill", "freeze", "rotate key", "lose secret", "delete hub", "replace hub",
    "delete namespace",
)  # fmt: skip
_RATES: tuple[Json, ...] = ({"requestsPerSecond": 1, "burst": 2}, {"requestsPerSecond": 1, "burst": 20})
_PAUSES = (0.0, 0.02, 0.1, 1.0, 7.0, 40.0, 70.0)


async def act(world: World) -> None:
    """A few people do a few things, at times that the seed says."""
    choose = world.schedule.people
    if choose.random() < 0.05:
        world.schedule.longest_late = 500.0
    rate = choose.choice(_RATES) if choose.random() < 0.2 else FREE
    world.hubs = {name: hub_spec(name, rate) for name in (HUB_IDS if choose.random() < 0.2 else ("default",))}
    world.furnish()
    for number in range(choose.choice((1, 1, 2)) if len(world.hubs) == 1 else 2):
        _begin(world, f"web-{number}", Random(choose.random()))
    _attend(world)
    for number in range(choose.randint(0, 5)):
        await asyncio.sleep(choose.choice(_PAUSES))
        dice = Random(choose.random())
        if number not in world.schedule.without_actions:
            _one_thing(world, dice)
    await _repair(world)


_LONG = 2000.0
"""Seconds after which nobody waits for a source to be deleted by others."""


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


def foreign_twin(world: World, identifier: str, hub: str = "default") -> str:
    """Somebody else has a source with the same identifier, name and type."""
    body = {"identifier": identifier, "name": identifier, "type": "direct", "origin": {"type": "none"}}
    source = world.platform.create(body, "c" * 24, HUB_IDS[hub])
    source_id: str = source["id"]
    world.judge.foreign[source_id] = source
    return source_id


def _begin(world: World, name: str, dice: Random) -> None:
    spec = spec_of(name, dice.choice(ACLS) if dice.random() < 0.7 else None)
    hub = "other" if "other" in world.hubs and name == "web-1" else "default"
    if hub == "other":
        spec |= {"hubRef": {"kind": "Hub", "name": hub}}
    twin = foreign_twin(world, name, hub) if dice.random() < 0.4 else ""
    if twin and dice.random() < 0.3:
        spec |= {"adopt": {"id": twin}, "deletionPolicy": dice.choice(("Delete", "Orphan"))}
        spec |= {"managementPolicy": "Observe"} if dice.random() < 0.3 else {}
    elif dice.random() < 0.5:
        del spec["adopt"]  # what is like it on the platform may be meant
    if dice.random() < 0.2 and "id" not in spec.get("adopt", {}):
        del spec["identifier"]
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
    name, spec, life = body["metadata"]["name"], body["spec"], world.judge.lives[body["metadata"]["uid"]]
    own = world.judge.live(body["metadata"]["uid"])
    if what == "delete":
        world.server.delete(SOURCES, name)
    elif what == "restore":
        _restore(world, body)
    elif what == "wipe":
        remembered = world.is_remembered(body)
        if remembered or world.judge.is_shown(body["metadata"]["uid"]):
            world.judge.wiped(body["metadata"]["uid"], remembered=remembered)
            world.server.wipe(SOURCES, name)
    elif what == "unhold":
        life.forced = True
        world.server.strip(SOURCES, name)
    elif what in _EDITS:
        changed = _edit(world, what, name, spec, dice)
        if life.wiped and not life.remembered:
            changed.pop("identifier", None)  # nothing would show any more that it has a source
        if changed:
            world.server.edit(SOURCES, name, spec=spec | changed)
    elif own and (what != "vanish" or own[0]["id"] != life.adopted) and (what != "share there" or "acl" in spec):
        changed = {"drift": {"origin": {"type": "none"}}, "share there": {"acl": None}, "vanish": {}}[what]
        world.platform.sources[own[0]["id"]] = own[0] | changed
        if what == "vanish":
            world.platform.set_state(own[0]["id"], "deleted")
        world.judge.others_changed(own[0]["id"])


def _edit(world: World, what: str, name: str, spec: Json, dice: Random) -> Json:
    """Tell what a person changes of a spec, if it is of a kind that has it."""
    target = {"origin": {"type": "docker-hub", "details": {"target": f"nginx:{world.server.version}"}}}
    match what:
        case "edit":
            renames = "identifier" in spec and dice.random() < 0.3
            return target | ({"identifier": f"{name}-{dice.randint(1, 9)}"} if renames else {})
        case "acl" | "acl and content" if "acl" in spec:
            return {"acl": dice.choice(ACLS)} | (target if what == "acl and content" else {})
        case "orphan":
            return {"deletionPolicy": "Orphan"}
        case "suspend" | "resume":
            return {"suspend": what == "suspend"}
        case "report":
            return {"driftPolicy": "Report"}
        case "move" if "other" in world.hubs and "id" not in spec.get("adopt", {}):
            return {"hubRef": {"kind": "Hub", "name": "other"}}
    return {}


def _restore(world: World, body: Json) -> None:
    """A cluster is restored from a backup, which has no status: everything is there again, with another uid."""
    name, metadata = body["metadata"]["name"], body["metadata"]
    world.judge.lives[metadata["uid"]].forced = True
    world.server.strip(SOURCES, name)
    if world.server.get(SOURCES, name):
        world.server.delete(SOURCES, name)
    kept = {key: metadata[key] for key in ("annotations", "finalizers")}
    world.server.create(SOURCES, name, metadata=kept, spec=body["spec"])


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


def _delete_hub(world: World, dice: Random) -> None:
    name = dice.choice(list(world.hubs))
    if world.server.get(HUBS, name):
        world.server.delete(HUBS, name)


def _replace_hub(world: World, dice: Random) -> None:
    """A Hub goes without regard for those who need it, and comes again."""
    name = dice.choice(list(world.hubs))
    if world.server.get(HUBS, name):
        world.server.delete(HUBS, name)
    if world.server.get(HUBS, name):
        world.server.strip(HUBS, name)
    world.soon(dice.choice((0.0, 3.0, 100.0)), lambda: _need_hubs(world))


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
    _go_on(world)
    while not _is_complete(world):
        world.disturbed()
        sources = world.server.of(SOURCES)
        if orphaning and sources and all("deletionTimestamp" in body["metadata"] for body in sources):
            for body in sources:
                world.server.edit(SOURCES, body["metadata"]["name"], spec=body["spec"] | {"deletionPolicy": "Orphan"})
        else:
            _need_secret(world)
            _need_hubs(world)
        await asyncio.sleep(100.0)
    _keep_hubs(world)


def _keep_hubs(world: World) -> None:
    """A Hub that was deleted before may go only now, between two resources of which one was restored."""
    if world.server.of(SOURCES):
        _need_hubs(world)
    world.call_later(100.0, lambda: _keep_hubs(world))


def _attend(world: World) -> None:
    """Somebody looks now and then, and answers what a resource asks for."""
    for body in world.server.of(SOURCES):
        stalled = {c["type"]: c for c in body["status"].get("conditions", ())}.get("Stalled", {})
        if stalled.get("reason") == "MayAlreadyExist":
            uid, adopt = body["metadata"]["uid"], {"policy": "Never"}
            own = world.judge.live(uid) if world.judge.lives[uid].wiped else []
            if own or world.schedule.people.random() < 0.5:
                adopt = {"id": own[0]["id"] if own else stalled["message"].split()[1].rstrip(",")}
            world.disturbed()
            world.server.edit(SOURCES, body["metadata"]["name"], spec=body["spec"] | {"adopt": adopt})
        elif stalled.get("reason") == "AdoptionFailed":
            world.disturbed()
            world.server.edit(SOURCES, body["metadata"]["name"], spec=body["spec"] | {"adopt": {"policy": "Never"}})
        elif stalled.get("reason") == "SourceGone" or _waits_in_vain(body):
            world.disturbed()
            world.server.delete(SOURCES, body["metadata"]["name"])
    world.call_later(50.0, lambda: _attend(world))


def _waits_in_vain(body: Json) -> bool:
    """Tell whether a resource has taken over what was being deleted then, by a job that never ends it."""
    ready = {c["type"]: c for c in body["status"].get("conditions", ())}.get("Ready", {})
    return ready.get("reason") == "SourceGone" and asyncio.get_running_loop().time() > _LONG


def _go_on(world: World) -> None:
    """In the end everything is to be as its spec says."""
    for body in world.server.of(SOURCES):
        name, spec = body["metadata"]["name"], body["spec"]
        pin = body["status"].get("hub") or json.loads(body["metadata"]["annotations"].get(PIN_ANNOTATION, "{}"))
        at = {"hubRef": {"kind": "Hub", "name": pin["name"]}} if pin else {}
        wanted = spec | at | {"suspend": False, "driftPolicy": "Correct"}
        if wanted != spec:
            world.server.edit(SOURCES, name, spec=wanted)


def _is_complete(world: World) -> bool:
    secret = world.server.get(SECRETS, "key")
    is_usable = secret is not None and secret["data"]["key"] in world.platform.keys
    return is_usable and (len(world.server.of(HUBS)) == len(world.hubs) or not world.server.of(SOURCES))


def _need_secret(world: World) -> None:
    data = {"key": max(world.platform.keys)}
    if world.server.get(SECRETS, "key"):
        world.server.edit(SECRETS, "key", data=data)
    else:
        world.server.create(SECRETS, "key", data=data)


def _need_hubs(world: World) -> None:
    for name, spec in world.hubs.items():
        if world.server.get(HUBS, name) is None:
            world.disturbed()
            world.server.create(HUBS, name, spec=spec)


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
