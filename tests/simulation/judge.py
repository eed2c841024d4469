"""Says whether what happens may happen: the invariants of the design, checked at each change and at the end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.cluster import HUBS, SOURCES, Apiserver, Change
from tests.simulation.faults import Site
from tests.simulation.kubernetes import Caller
from tests.simulation.lives import Life, acl_is, is_within, matches
from tests.simulation.network import ASKED_TO_WAIT, Request
from tests.simulation.platform import Platform
from tests.simulation.process import PASS, SETTINGS
from tests.simulation.values import Json, must

from imagesources.resources import FINALIZER, MARKER_PREFIX

_SLOW = 1.0
"""Seconds after which a request that arrives was held up: nothing that goes well takes as long."""

_MAYBE_APPLIED = {"unanswered", "cancelled", "409.duplicate-found"}


@dataclass
class Judge:
    """Knows everything, as no operator does.

    Attributes:
        operators: tells how many run.
        on_settled: told of each resource that has come to its end, by uid.
        lives: what is known of each resource, by uid.
        foreign: sources that are not ours, as they were made: nobody here may touch them.
        strays: sources made by a request that arrived later than the operator can wait.
    """

    server: Apiserver
    platform: Platform
    operators: Callable[[], int]
    lives: dict[str, Life] = field(default_factory=dict)
    foreign: dict[str, Json] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    _in_flight: set[tuple[int, str]] = field(default_factory=set)
    _closed_until: dict[object, float] = field(default_factory=dict)
    _answered: list[Request] = field(default_factory=list)

    def changed(self, change: Change, old: Json | None) -> None:
        """An object was written."""
        if change.plural != SOURCES:
            return
        body, metadata = change.body, change.body["metadata"]
        life = self.lives.setdefault(metadata["uid"], Life(metadata["name"]))
        if change.kind == "DELETED":
            self._gone(metadata["uid"], life, body)
        elif old is None or old["spec"] is not body["spec"]:
            life.asked(metadata["generation"], body["spec"])
            self.platform_changed()
        elif old["status"] is not body["status"]:
            self._status_written(life, body)

    def own(self, uid: str) -> list[Json]:
        """The sources of a resource that are not gone, under whatever identifier they go: made for it, or adopted."""
        marker, adopted = MARKER_PREFIX + uid, self.lives[uid].adopted
        posted = self.platform.posted
        return [s for s in self.platform.list() if posted[s["id"]] == marker or s["id"] == adopted]

    def live(self, uid: str) -> list[Json]:
        """Those of them that live."""
        return [source for source in self.own(uid) if source["state"]["current"] == "live"]

    def platform_changed(self) -> None:
        """I1, I4, I5, and which generations are matched now."""
        for source_id, made in self.foreign.items():
            must(self.platform.sources[source_id] == made, f"I4: the foreign source {source_id} was touched")
        for uid, life in self.lives.items():
            live = self.live(uid)
            must(len(live) <= 1 + life.unresolved, f"I1: {life.name} has {len(live)} sources at once")
            for source in live:
                self._access(life, source)
                life.matched |= {generation for generation, spec in life.specs.items() if matches(spec, source)}

    def begun(self, caller: Caller, client: object, request: Request) -> float:
        """I10: one write at a time for a resource, and none before Retry-After. I4: it names a source of its own."""
        now = asyncio.get_running_loop().time()
        must(now > self._closed_until.get(client, 0.0) - 1e-3, f"I10: {request.site} before Retry-After")
        if request.writes:
            owner = self._owner(request)
            made = PASS.get()
            must(made and made.uid == owner, f"I4: {request.site} of {request.subject} by {made and made.key}")
            must((caller.number, owner) not in self._in_flight, f"I10: two writes at once for {made.key}")
            self._in_flight.add((caller.number, owner))
            if request.site is Site.CREATE and self.operators() > 1:
                self.lives[owner].unresolved += 1
        return min(now, caller.frozen_since) if now < caller.frozen_until else now

    def ended(self, caller: Caller, client: object, request: Request, code: str) -> None:
        """A request has ended for its sender, with an error's code, ``ok`` or ``cancelled``."""
        if code == "429.rate-limiting":
            self._closed_until[client] = asyncio.get_running_loop().time() + ASKED_TO_WAIT
        if not request.writes:
            return
        owner = self._owner(request)
        self._in_flight.discard((caller.number, owner))
        if request.site is Site.CREATE and code in _MAYBE_APPLIED:
            self.lives[owner].unresolved += 1
        elif request.site is Site.CREATE and code == "ok":
            self._answered.append(request)

    def applied(self, _caller: Caller, request: Request, answer: Any, *, begun: float, late: bool) -> None:
        """A write was applied, by a request that its sender may have given up."""
        delay = asyncio.get_running_loop().time() - begun
        made = None if late else PASS.get()
        life = self.lives[self._owner(request)]
        if request.site is Site.CREATE:
            again = late and any(request is answered for answered in self._answered)
            life.unresolved += again or (not late and delay > _SLOW)
            if delay > SETTINGS.late_arrival or again:
                self.strays.add(answer["id"])
        if late or delay > _SLOW or (made and self._is_behind(made.generation, life)):
            life.late_acls.append(answer.get("acl"))
            life.late = True
        if made:
            life.written = max(life.written, made.generation)
        self.platform_changed()

    def _is_behind(self, generation: int, life: Life) -> bool:
        """Whether a write was decided on before an edit that is settled, or that another operator has written by now.

        The platform has no conditional writes: of two operators, the one that hears later of an edit may write last.
        """
        return generation < life.settled or (self.operators() > 1 and generation < life.written)

    def _owner(self, request: Request) -> str:
        subject = request.subject
        if request.site is not Site.CREATE:
            for uid, life in self.lives.items():
                if life.adopted == subject:
                    return uid
            subject = self.platform.posted[subject]
        return subject.removeprefix(MARKER_PREFIX)

    def _access(self, life: Life, source: Json) -> None:
        """I5: the access list is that of the settled generation or of a later one, and new content has no wider."""
        acl = source["acl"]
        allowed = [spec.get("acl") for generation, spec in life.specs.items() if generation >= life.settled]
        known = any(acl_is(spec, acl) for spec in allowed) or acl in life.late_acls
        must(known or life.adopted, f"I5: {life.name} has {acl}")
        of_content = [generation for generation, spec in life.specs.items() if spec["origin"] == source["origin"]]
        if not of_content or life.late or life.adopted:
            return
        wide = [spec.get("acl") for generation, spec in life.specs.items() if generation >= min(of_content)]
        must(any(is_within(acl, spec) for spec in wide), f"I5: {life.name} has new content and still {acl}")

    def _status_written(self, life: Life, body: Json) -> None:
        """I9: Ready at a generation says that the platform was seen to match it."""
        if (source_id := body["status"].get("id")) and body["status"].get("adopted"):
            life.adopted = source_id
            self.foreign.pop(source_id, None)
            self.platform_changed()
        for condition in body["status"].get("conditions", ()):
            if condition["type"] == "Ready" and condition["status"] == "True":
                generation = condition["observedGeneration"]
                must(generation in life.matched, f"I9: {life.name} is Ready at {generation}, which never matched")
                life.settled = max(life.settled, generation)

    def _gone(self, uid: str, life: Life, body: Json) -> None:
        """I2, I3: the finalizer goes when nothing of ours is left, and not before."""
        life.gone = True
        policy = body["spec"].get("deletionPolicy", "Orphan" if life.adopted else "Delete")
        life.orphaned = policy == "Orphan"
        left = [(s["id"], s["state"]["current"]) for s in self.own(uid) if s["id"] not in self.strays]
        must(life.orphaned or not left, f"I3: {life.name} is gone, its sources are not: {left}")

    def final(self) -> None:
        """At rest: one source for each resource, as it is wanted, and none for those that are gone.

        Raises:
            AssertionError: it is not so, or not yet.
        """
        for uid in self.lives:
            self.as_wanted(uid)
        stray = [s["id"] for s in self.platform.live() if self.platform.posted[s["id"]].startswith(MARKER_PREFIX)
                 and self.platform.posted[s["id"]].removeprefix(MARKER_PREFIX) not in self.lives]  # fmt: skip
        assert not stray, f"I4: sources of nobody: {stray}"
        hub = self.server.get(HUBS, "default")
        sources = self.server.of(SOURCES)
        if hub is None:
            return
        assert sources or "deletionTimestamp" not in hub["metadata"], "I7: the Hub is never gone"
        counts = hub["status"].get("sources", {})
        told = [counts.get(what) for what in ("pinned", "managed", "failed")]
        assert told == [len(sources), len(sources), 0], f"I9: the Hub counts {counts} of {len(sources)}"
        strays = [source["id"] for source in self.platform.live() if self._is_stray(source)]
        assert counts["strays"] == strays, f"I2: the Hub tells of {counts['strays']}, there are {strays}"
        (ready,) = hub["status"]["conditions"]
        assert ready["status"] == "True" or "deletionTimestamp" in hub["metadata"], f"I7: the Hub is {ready}"

    def as_wanted(self, uid: str) -> None:
        """I1, I2, I7 for one resource.

        Raises:
            AssertionError: it is not as it is wanted.
        """
        life, own, now = self.lives[uid], self.live(uid), round(asyncio.get_running_loop().time())
        if life.gone:
            left = [s["id"] for s in own if s["id"] not in self.strays]
            assert life.orphaned or not left, f"I2 at {now}: {life.name} is gone, its sources live: {left}"
            return
        body = self.server.get(SOURCES, life.name)
        assert body and body["metadata"]["uid"] == uid
        assert "deletionTimestamp" not in body["metadata"], f"I7 at {now}: {life.name} is never gone: {body['status']}"
        assert len(own) == 1, f"I1 at {now}: {life.name} has {len(own)} sources: {[s['identifier'] for s in own]}"
        assert matches(body["spec"], own[0]), f"I7 at {now}: {life.name} wants {body['spec']}, there is {own[0]}"
        assert FINALIZER in body["metadata"]["finalizers"], f"I2 at {now}: {life.name} has no finalizer"
        assert body["status"].get("id") == own[0]["id"], f"I9 at {now}: {life.name} knows {body['status'].get('id')}"
        ready = {c["type"]: c for c in body["status"].get("conditions", ())}.get("Ready", {})
        assert ready.get("status") == "True", f"I7 at {now}: {life.name}: {ready}"
        assert ready["observedGeneration"] == body["metadata"]["generation"], f"I7 at {now}: {life.name}: {ready}"

    def is_as_wanted(self, uid: str) -> bool:
        """Tell whether a resource is as it is wanted."""
        try:
            self.as_wanted(uid)
        except AssertionError:
            return False
        return True

    def _is_stray(self, source: Json) -> bool:
        uid = self.platform.posted[source["id"]].removeprefix(MARKER_PREFIX)
        return source["identifier"].startswith(MARKER_PREFIX) and self.lives[uid].gone
