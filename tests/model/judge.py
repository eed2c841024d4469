"""Says whether a state may be, and whether the world may rest in it."""

from typing import Any, NamedTuple

from tests.model.moves import Move
from tests.model.passes import GONE, uid_of
from tests.model.platform import FOREIGN
from tests.model.state import World
from tests.model.values import look

from imagesources.resources import MARKER_PREFIX

Json = dict[str, Any]


class Facts(NamedTuple):
    """What a platform has, resource by resource.

    Attributes:
        own: ids of the live sources that were created for each resource, under whatever identifier they go.
        match: whether each resource has a source as it is wanted.
        acl: whether every source has had the access list that its resource wants.
        foreign: the other's source, as JSON.
    """

    own: tuple[tuple[str, ...], ...]
    match: tuple[bool, ...]
    acl: bool
    foreign: tuple[Json, ...]


class Judge:
    """Knows everything, as no operator does.

    Args:
        first: the state that it all begins with.
        specs: what each resource wants, in the platform's form.
    """

    def __init__(self, first: World, specs: tuple[Json, ...]) -> None:
        self._specs = specs
        self._facts: dict[int, Facts] = {}
        self._foreign = self.facts(first.platform).foreign

    def facts(self, platform: int) -> Facts:
        """What a platform has."""
        if platform not in self._facts:
            self._facts[platform] = self._look(look(platform))
        return self._facts[platform]

    def _look(self, platform: Json) -> Facts:
        own: list[list[Json]] = [[] for _ in self._specs]
        foreign = []
        for source in platform["sources"].values():
            if source["creator"]["id"] == FOREIGN:
                foreign.append(source)
            elif source["state"]["current"] == "live":
                own[self.resource_of(platform, source["id"])].append(source)
        match = tuple(
            any(all(source[key] == value for key, value in spec.items()) for source in found)
            for spec, found in zip(self._specs, own, strict=True)
        )
        acl = all(s["acl"] == spec["acl"] for spec, found in zip(self._specs, own, strict=True) for s in found)
        return Facts(tuple(tuple(s["id"] for s in found) for found in own), match, acl, tuple(foreign))

    def resource_of(self, platform: Json, source_id: str) -> int:
        """The resource that a source was created for: its marker says it."""
        uids = [MARKER_PREFIX + uid_of(resource) for resource in range(len(self._specs))]
        return uids.index(platform["posted"][source_id])

    def noted(self, world: World) -> World:
        """Note which resources have been matched by now."""
        match = self.facts(world.platform).match
        matched = tuple(before or now for before, now in zip(world.matched, match, strict=True))
        return world if matched == world.matched else world._replace(matched=matched)

    def violation(self, world: World, faults: int) -> str | None:
        """Tell which invariant a state breaks.

        I1 is checked as: every source beyond the first is paid for by a fault, or made by another operator.
        """
        facts = self.facts(world.platform)
        if facts.foreign != self._foreign:
            return "I4: a foreign source was touched"
        if not facts.acl:
            return "I5: a source has another access list than its resource wants"
        for resource, own in enumerate(facts.own):
            if len(own) > len(world.operators) + faults:
                return f"I1: resource {resource} has {len(own)} sources after {faults} faults"
            if world.contents[resource] == GONE and set(own) - set(world.strays):
                return f"I2: resource {resource} is gone and its source lives"
        return None

    def wrong_move(self, before: World, move: Move) -> str | None:
        """Tell which invariant a move breaks: I4 (whose source it names) and I9 (what it says)."""
        platform = look(before.platform)
        if move.source in platform["sources"]:
            foreign = platform["sources"][move.source]["creator"]["id"] == FOREIGN
            if foreign or self.resource_of(platform, move.source) != move.wrote:
                return f"I4: a pass over {move.wrote} writes to source {move.source}, which is another's"
        after = move.world.contents[move.wrote]
        if after not in (GONE, before.contents[move.wrote]) and _ready(after) and not move.world.matched[move.wrote]:
            return f"I9: resource {move.wrote} is Ready and was never matched"
        return None

    def rest(self, world: World) -> str:
        """Say what a state is to rest in: "right", or what is wrong with it."""
        facts = self.facts(world.platform)
        for resource, content in enumerate(world.contents):
            own = set(facts.own[resource])
            if content == GONE:
                if own - set(world.strays):
                    return "orphan"
                continue
            if len(own) > 1:
                return "duplicate"
            body = look(content)
            right = facts.match[resource] and body["status"].get("id") in own and _ready(content)
            if "deletionTimestamp" in body["metadata"] or not right:
                return "stuck"
        return "right"


def _ready(content: int) -> bool:
    conditions = {each["type"]: each["status"] for each in look(content)["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"
