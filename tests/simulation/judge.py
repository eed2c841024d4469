"""Says whether what happens may happen: the invariants of the design, checked at each change and at the end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.cluster import HUBS, SOURCES, Apiserver, Change
from tests.simulation.faults import Site
from tests.simulation.kubernetes import Caller
from tests.simulation.lives import Life, acl_is, is_within, matches, observes
from tests.simulation.network import Request
from tests.simulation.passes import Pass
from tests.simulation.platform import Platform
from tests.simulation.process import SETTINGS
from tests.simulation.traffic import Traffic
from tests.simulation.values import Json, must

from imagesources.reconcile.plan import PROOFS_OF_ABSENCE
from imagesources.resources import FINALIZER, MARKER_PREFIX

_SLOW = 1.0
"""Seconds after which a request that arrives was held up: nothing that goes well takes as long."""

_HEARD_OF = 20.0
"""Seconds after which every operator has heard of an edit, if it has heard of it at all."""

_DELETES = (Site.DELETE, Site.DELETE_EXTRA)


@dataclass
class Judge:
    """Knows everything, as no operator does.

    Attributes:
        operators: tells how many run.
        lives: what is known of each resource, by uid.
        foreign: sources that are not ours, as they were made: nobody here may touch them.
        removed: sources that were to be deleted, or that others have deleted.
        strays: sources made by a request that arrived later than the operator can wait.
        traffic: watches the requests as such.
    """

    server: Apiserver
    platform: Platform
    operators: Callable[[], int]
    lives: dict[str, Life] = field(default_factory=dict)
    foreign: dict[str, Json] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    traffic: Traffic = field(default_factory=Traffic)
    _crowded: set[Request] = field(default_factory=set)
    _answered: set[Request] = field(default_factory=set)
    _listing: dict[tuple[int, str], float] = field(default_factory=dict)
    _lists: dict[tuple[int, str], float] = field(default_factory=dict)

    def changed(self, change: Change, old: Json | None) -> None:
        """An object was written."""
        if change.plural != SOURCES:
            return
        body, metadata = change.body, change.body["metadata"]
        life = self.lives.setdefault(metadata["uid"], Life(metadata["name"]))
        life.forced = life.forced and FINALIZER not in metadata["finalizers"]
        if change.kind == "DELETED":
            self._gone(metadata["uid"], life, body)
        elif old is None or old["spec"] is not body["spec"]:
            life.specs[metadata["generation"]] = body["spec"]
            life.edited[metadata["generation"]] = self._now()
            self.platform_changed()
        elif old["status"] is not body["status"]:
            self._status_written(life, body)

    def own(self, uid: str) -> list[Json]:
        """The sources of a resource that are not gone, under whatever identifier they go: made for it, or adopted."""
        marker, adopted = MARKER_PREFIX + uid, self.lives[uid].adopted
        taken = {life.adopted for life in self.lives.values()}
        posted = self.platform.posted
        body = self.server.get(SOURCES, self.lives[uid].name)
        kept = body["status"].get("id") if body and body["metadata"]["uid"] == uid else None
        others = taken | self.lives[uid].lost - {kept}
        return [
            s for s in self.platform.list()
            if s["id"] == adopted or (posted[s["id"]] == marker and s["id"] not in others)
        ]  # fmt: skip

    def live(self, uid: str) -> list[Json]:
        """Those of them that live."""
        return [source for source in self.own(uid) if source["state"]["current"] == "live"]

    def platform_changed(self) -> None:
        """I1, I4, I5, and which generations are matched now."""
        for source_id, made in self.foreign.items():
            must(self.platform.sources[source_id] == made, f"I4: the foreign source {source_id} was touched")
        for uid, life in self.lives.items():
            live = self.live(uid)
            once = [source["id"] for source in live if source["id"] not in life.excused]
            must(len(once) <= 1, f"I1: {life.name} has the sources {once} at once")
            for source in live:
                self._access(life, source)
                life.matched |= {generation for generation, spec in life.specs.items() if matches(spec, source)}

    def others_changed(self, source_id: str) -> None:
        """Others have changed or deleted a source: what operators know of it is old."""
        source = self.platform.sources[source_id]
        if source["state"]["current"] == "deleted":
            self.removed.add(source_id)
        if source_id in self.foreign:
            self.foreign[source_id] = source
        for uid, life in self.lives.items():
            if life.adopted == source_id or self.platform.posted[source_id] == MARKER_PREFIX + uid:
                life.outdated = True
                life.late_acls[source_id] = source["acl"]
        self.platform_changed()

    def wiped(self, uid: str, *, remembered: bool) -> None:
        """The status of a resource is lost, which alone knew its source for sure, unless operators remember it."""
        life = self.lives[uid]
        life.wiped = life.remembered = True
        if not remembered:
            self._nobody_knows(uid, life)

    def forgotten(self) -> None:
        """An operator begins or ends: what only one of them remembers may be known to nobody now."""
        for uid, life in self.lives.items():
            if life.wiped and not life.gone:
                self._nobody_knows(uid, life)

    def _nobody_knows(self, uid: str, life: Life) -> None:
        life.remembered, life.settled = False, 0
        if life.outdated or not self.is_shown(uid):
            self.lost(uid)

    def is_shown(self, uid: str) -> bool:
        """Tell whether the platform shows whose the source of a resource is, without its status."""
        body, own = self.server.get(SOURCES, self.lives[uid].name), self.live(uid)
        spec = body["spec"] if body else {}
        return bool("adopt" not in spec and own and own[0]["identifier"] == spec.get("identifier"))

    def lost(self, uid: str) -> None:
        """What operators know may not show the sources of a resource that lost its status: they are nobody's now."""
        self.lives[uid].lost |= {source["id"] for source in self.own(uid)}

    def begun(self, caller: Caller, request: Request) -> float:
        """A request is asked for: it is time for it, a write is for its own resource, and that wants it."""
        now, owner = self._now(), ""
        if request.writes:
            owner, made = self._owner(request), request.made
            must(made and made.uid == owner, f"I4: {request.site} of {request.subject} by {made and made.key}")
            assert made
            self._decided(caller, request, made, self.lives[owner])
        self.traffic.begun(caller, request, owner)
        if self.operators() > 1:
            self._crowded.add(request)
        if request.site is Site.INVENTORY:
            self._listing[caller.number, request.hub] = now
        return min(now, caller.frozen_since) if now < caller.frozen_until else now

    def ended(self, caller: Caller, request: Request, code: str, wait: float) -> None:
        """A request has ended for its sender, with an error's code, ``ok`` or ``cancelled``."""
        self.traffic.ended(caller, request, self._owner(request) if request.writes else "", code, wait)
        begun = self._listing.pop((caller.number, request.hub), None) if request.site is Site.INVENTORY else None
        if begun is not None and code == "ok":
            self._lists[caller.number, request.hub] = begun
        if request.site is Site.CREATE and code == "ok":
            self._answered.add(request)

    def misled(self, caller: Caller, request: Request, hidden: Sequence[Json]) -> None:
        """A list was answered as it was once, without these sources that there are."""
        if request.site is Site.INVENTORY:
            self._listing.pop((caller.number, request.hub), None)
            self._lists.pop((caller.number, request.hub), None)
        for uid, life in self.lives.items():
            life.outdated = True
            if life.wiped and not life.remembered:
                self.lost(uid)
        if request.site is Site.FIND and any(source["identifier"] == request.subject for source in hidden):
            self.lives[request.subject.removeprefix(MARKER_PREFIX)].hidden += 1

    def applied(self, _caller: Caller, request: Request, answer: Any, *, begun: float, late: bool) -> None:
        """A write was applied, by a request that its sender may have given up."""
        made = request.made
        assert made
        delay, life = self._now() - begun, self.lives[made.uid]
        crowded = self.operators() > 1 or request in self._crowded
        old = late or delay > _SLOW
        if request.site is Site.CREATE:
            again = late and request in self._answered
            if delay > SETTINGS.late_arrival or again:
                self.strays.add(answer["id"])
            if old or crowded or life.hidden >= PROOFS_OF_ABSENCE:
                life.excused.add(answer["id"])
            life.hidden = 0
        for other in self.lives.values():
            if other is life or other.adopted == request.subject:  # it may have been taken over since
                other.outdated |= old or crowded
        if life.wiped and old and not life.remembered:
            self.lost(made.uid)
        if request.body:
            self._written(life, request, answer, old=old or self._is_behind(made.generation, life))
        self.foreign.pop(request.subject, None)
        life.written = max(life.written, made.generation) if not late else life.written
        self.platform_changed()

    def _written(self, life: Life, request: Request, source: Json, *, old: bool) -> None:
        assert request.body
        source_id = source["id"]
        if "origin" in request.body:
            life.shown.add(source_id)
        if "acl" in request.body or request.site is Site.CREATE:
            life.given.pop(source_id, None)
            life.late_acls.pop(source_id, None)
            for other in self.lives.values():
                if old and (other is life or other.adopted == source_id):
                    other.late_acls[source_id] = source["acl"]

    def _is_behind(self, generation: int, life: Life) -> bool:
        """Whether a write was decided on before an edit that is settled, or that another operator has written by now.

        The platform has no conditional writes: of two operators, the one that hears later of an edit may write last.
        """
        return generation < life.settled or (self.operators() > 1 and generation < life.written)

    def _owner(self, request: Request) -> str:
        """Tell whose a source is; of an operator that has not heard yet who has it now, who had it before."""
        subject = request.subject
        if request.site is not Site.CREATE:
            owners = [uid for uid, life in self.lives.items() if life.adopted == subject]
            maker = self.platform.posted[subject].removeprefix(MARKER_PREFIX)
            before = [maker] if maker in self.lives and self.lives[maker].gone else []
            if request.made and request.made.uid in (*owners, *before):
                return request.made.uid
            subject = owners[-1] if owners else maker
        return subject.removeprefix(MARKER_PREFIX)

    def _decided(self, caller: Caller, request: Request, made: Pass, life: Life) -> None:
        """What the resource asked for when a write was decided on, and what it asks for as far as is known."""
        spec, what = life.spec_at(made.generation), f"{request.site} for {life.name}"
        life.hub = life.hub or request.hub
        must(request.hub == life.hub, f"I4: {what} at another hub")
        must(not spec.get("suspend"), f"{what}, which is suspended")
        must(not observes(spec), f"{what}, which only observes")
        reports = spec.get("driftPolicy") == "Report" and made.generation <= life.settled and not self._crowded
        must(not reports or request.site in (*_DELETES, Site.NAME), f"{what}, which only reports what others change")
        if request.site is Site.CREATE:
            must("id" not in spec.get("adopt", {}), f"I1: {what}, which is to adopt")
            rivals = self._rivals(caller, request, spec)
            must(not rivals, f"I1: {what}, although {rivals} may be the one")
        if request.site in _DELETES:
            self._deletes(caller, request, made, life)

    def _deletes(self, caller: Caller, request: Request, made: Pass, life: Life) -> None:
        """I2: a source is deleted with its resource, unless that is to leave it, or has just been told so."""
        body = self.server.get(SOURCES, life.name)
        dying = life.gone or (body and made.uid == body["metadata"]["uid"] and "deletionTimestamp" in body["metadata"])
        must(dying or request.site is Site.DELETE_EXTRA, f"I2: {life.name} lives, its source is to be deleted")
        known = caller.generation_of(made.key, made.uid)
        heard = [g for g, at in life.edited.items() if g <= known and at < self._now() - _HEARD_OF]
        orphaning = life.is_orphaning(max([made.generation, *heard]))
        must(not (dying and orphaning), f"I2: {life.name} is to leave its source, which is to be deleted")
        self.removed.add(request.subject)

    def _rivals(self, caller: Caller, request: Request, spec: Json) -> list[str]:
        """Sources of others that the newest list has shown, and that a resource without an answer may mean."""
        listed = self._lists.get((caller.number, request.hub), 0.0)
        if "adopt" in spec or "identifier" not in spec:
            return []
        taken = {life.adopted for life in self.lives.values()}
        return [
            source_id for source_id, source in self.foreign.items()
            if source["hub_id"] == request.hub
            and (source["identifier"], source["type"]) == (spec["identifier"], spec["type"])
            and source["state"]["current"] == "live" and source_id not in taken
            and self.platform.made[source_id] < listed
        ]  # fmt: skip

    def _access(self, life: Life, source: Json) -> None:
        """I5: the access list is that of the settled generation or of a later one, and new content has no wider."""
        acl, source_id = source["acl"], source["id"]
        if life.gone or observes(life.specs[max(life.specs)]):
            return
        late = _is_at(life.late_acls, source_id, acl)
        given = _is_at(life.given, source_id, acl)
        allowed = [spec.get("acl") for generation, spec in life.specs.items() if generation >= life.settled]
        known = late or given or any(acl_is(spec, acl) for spec in allowed)
        must(known, f"I5: {life.name} has {acl}")
        of_content = [generation for generation, spec in life.specs.items() if spec["origin"] == source["origin"]]
        if late or not of_content or (given and source_id not in life.shown):
            return
        wide = [spec.get("acl") for generation, spec in life.specs.items() if generation >= min(of_content)]
        must(any(is_within(acl, spec) for spec in wide), f"I5: {life.name} has new content and still {acl}")

    def _status_written(self, life: Life, body: Json) -> None:
        """I9: Ready at a generation says that the platform was seen to match it."""
        source_id = body["status"].get("id")
        if life.wiped and source_id:
            life.wiped = life.remembered = False
            life.lost.discard(source_id)
            self.platform_changed()
        if source_id and body["status"].get("adopted") and life.adopted != source_id:
            life.adopted = source_id
            life.given[source_id] = self.platform.sources[source_id]["acl"]
            self.platform_changed()
        for condition in body["status"].get("conditions", ()):
            if condition["type"] == "Ready" and condition["status"] == "True":
                generation = condition["observedGeneration"]
                must(life.has_matched(generation), f"I9: {life.name} is Ready at {generation}, which never matched")
                life.settled = max(life.settled, generation)

    def _gone(self, uid: str, life: Life, body: Json) -> None:
        """I2, I3: the finalizer goes when nothing of ours is left, or what is to be left is there."""
        life.gone = True
        forced = life.forced or (life.wiped and not life.remembered)
        life.orphaned = forced or life.is_orphaning(max(life.specs))
        left = [(s["id"], s["state"]["current"]) for s in self.own(uid) if s["id"] not in self.strays]
        must(life.orphaned or not left, f"I3: {life.name} is gone, its sources are not: {left}")
        kept = self.platform.sources.get(body["status"].get("id", ""))
        if life.orphaned and not forced and kept and kept["id"] not in self.removed:
            must(kept["state"]["current"] == "live", f"I2: {life.name} was to leave its source, which is gone")

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
        for hub in self.server.of(HUBS):
            self._hub(hub)

    def _hub(self, hub: Json) -> None:
        name, hub_id = hub["metadata"]["name"], hub["spec"]["platform"]["hubId"]
        dying = "deletionTimestamp" in hub["metadata"]
        sources = [s for s in self.server.of(SOURCES) if s["spec"].get("hubRef", {"name": "default"})["name"] == name]
        assert sources or not dying, "I7: the Hub is never gone"
        counts = hub["status"].get("sources", {})
        told = [counts.get(what) for what in ("pinned", "managed", "failed")]
        assert told == [len(sources), len(sources), 0], f"I9: the Hub counts {counts} of {len(sources)}"
        strays = [source["id"] for source in self.platform.live() if self._is_stray(source, hub_id)]
        assert counts["strays"] == strays, f"I2: the Hub tells of {counts['strays']}, there are {strays}"
        (ready,) = hub["status"]["conditions"]
        assert ready["status"] == "True" or dying, f"I7: the Hub is {ready}"

    def as_wanted(self, uid: str) -> None:
        """I1, I2, I7 for one resource.

        Raises:
            AssertionError: it is not as it is wanted.
        """
        life, own, now = self.lives[uid], self.live(uid), round(self._now())
        if life.gone:
            left = [s["id"] for s in own if s["id"] not in self.strays]
            assert life.orphaned or not left, f"I2 at {now}: {life.name} is gone, its sources live: {left}"
            return
        body = self.server.get(SOURCES, life.name)
        assert body and body["metadata"]["uid"] == uid
        assert "deletionTimestamp" not in body["metadata"], f"I7 at {now}: {life.name} is never gone: {body['status']}"
        assert len(own) == 1, f"I1 at {now}: {life.name} has {len(own)} sources: {[s['identifier'] for s in own]}"
        marked = [s["id"] for s in self.platform.live() if s["identifier"] == MARKER_PREFIX + uid and s not in own]
        assert not marked, f"I1 at {now}: {life.name} has the second sources {marked}"
        assert body["status"].get("id") == own[0]["id"], f"I9 at {now}: {life.name} knows {body['status'].get('id')}"
        if not observes(body["spec"]):
            assert matches(body["spec"], own[0]), f"I7 at {now}: {life.name} wants {body['spec']}, there is {own[0]}"
            assert FINALIZER in body["metadata"]["finalizers"], f"I2 at {now}: {life.name} has no finalizer"
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

    def _is_stray(self, source: Json, hub_id: str) -> bool:
        uid = self.platform.posted[source["id"]].removeprefix(MARKER_PREFIX)
        return source["hub_id"] == hub_id and source["identifier"].startswith(MARKER_PREFIX) and self.lives[uid].gone

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _is_at(acls: Mapping[str, Json | None], source_id: str, acl: Json | None) -> bool:
    return source_id in acls and acls[source_id] == acl
