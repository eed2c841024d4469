"""Says whether what happens may happen: the invariants of the design, checked at each change and at the end."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests.museum.scenery.cluster import Apiserver
from tests.museum.scenery.platform import OPERATOR_KEY, Platform

from imagesources.resources import FINALIZER, MARKER_PREFIX

Json = dict[str, Any]


@dataclass
class Life:
    """What is known of one resource from its creation on, by uid.

    Attributes:
        specs: its specs by generation.
        matched: the generations that the platform has matched at some time.
        orphaned: whether it is gone and its source was to stay.
    """

    name: str
    specs: dict[int, Json] = field(default_factory=dict)
    matched: set[int] = field(default_factory=set)
    gone: bool = False


@dataclass
class Judge:
    """Knows everything, as no operator does."""

    server: Apiserver
    platform: Platform
    lives: dict[str, Life] = field(default_factory=dict)
    foreign: dict[str, Json] = field(default_factory=dict)
    """Sources that are not ours, as they were made: nobody here may touch them."""

    def __post_init__(self) -> None:
        """Listen."""
        self.server.on_status = self.status_written
        self.server.on_gone = self.resource_gone

    def spec_written(self, body: Json) -> None:
        """A person has created or changed a resource."""
        metadata = body["metadata"]
        life = self.lives.setdefault(metadata["uid"], Life(metadata["name"]))
        life.specs[metadata["generation"]] = body["spec"]
        self.platform_changed()

    def own(self, uid: str) -> list[Json]:
        """The live sources that were made for a resource, under whatever identifier they go."""
        return [s for s in self.platform.live() if self.platform.posted[s["id"]] == MARKER_PREFIX + uid]

    def platform_changed(self) -> None:
        """I4, I5, and which generations are matched now."""
        for source_id, made in self.foreign.items():
            assert self.platform.sources[source_id] == made, f"I4: the foreign source {source_id} was touched"
        for uid, life in self.lives.items():
            allowed = [spec.get("acl") for spec in life.specs.values()]
            for source in self.own(uid):
                assert any(_acl_is(acl, source["acl"]) for acl in allowed), f"I5: {life.name} has {source['acl']}"
                life.matched |= {generation for generation, spec in life.specs.items() if _matches(spec, source)}

    def status_written(self, body: Json) -> None:
        """I9: Ready at a generation says that the platform was seen to match it."""
        life = self.lives[body["metadata"]["uid"]]
        for condition in body["status"].get("conditions", ()):
            if condition["type"] == "Ready" and condition["status"] == "True":
                generation = condition["observedGeneration"]
                assert generation in life.matched, f"I9: {life.name} is Ready at {generation}, which never matched"

    def resource_gone(self, body: Json) -> None:
        """I2, I3: the finalizer goes when nothing of ours is left, and not before."""
        uid = body["metadata"]["uid"]
        self.lives[uid].gone = True
        assert not self.own(uid), f"I2: {self.lives[uid].name} is gone and its source lives"

    def final(self) -> None:
        """At rest: one source for each resource, as it is wanted, and none for those that are gone."""
        now = round(asyncio.get_running_loop().time())
        for uid, life in self.lives.items():
            own = self.own(uid)
            if life.gone:
                assert not own, f"I2 at {now}: {life.name} is gone, its sources live: {[s['id'] for s in own]}"
                continue
            body = self.server.objects["default", life.name]
            assert "deletionTimestamp" not in body["metadata"], f"I7: {life.name} is never gone: {body['status']}"
            assert len(own) == 1, f"I1: {life.name} has {len(own)} sources: {[s['identifier'] for s in own]}"
            assert _matches(body["spec"], own[0]), f"I7: {life.name} wants {body['spec']}, the platform has {own[0]}"
            assert FINALIZER in body["metadata"]["finalizers"]
            assert body["status"]["id"] == own[0]["id"]
            ready = {c["type"]: c for c in body["status"]["conditions"]}["Ready"]
            assert ready["status"] == "True", f"I7: {life.name}: {ready}"
            assert ready["observedGeneration"] == body["metadata"]["generation"]
        ours = set(self.lives)
        stray = [s for s in self.platform.live() if s["creator"]["id"] == OPERATOR_KEY
                 and self.platform.posted[s["id"]].removeprefix(MARKER_PREFIX) not in ours]  # fmt: skip
        assert not stray, f"sources of nobody: {stray}"


def _acl_is(spec: Json | None, seen: Json | None) -> bool:
    if spec is None or spec.get("unrestricted"):
        return seen is None
    return seen == {"roles": spec["roles"]}


def _matches(spec: Json, source: Json) -> bool:
    """Compare as a person would: each field that the spec names."""
    return (
        source["origin"] == spec["origin"]
        and spec.get("name", source["name"]) == source["name"]
        and spec.get("identifier", source["identifier"]) == source["identifier"]
        and not source["identifier"].startswith(MARKER_PREFIX)
        and ("about" not in spec or source["about"] == spec["about"])
        and ("acl" not in spec or _acl_is(spec["acl"], source["acl"]))
    )
