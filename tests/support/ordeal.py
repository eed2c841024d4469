"""One operator, many hubs, and at each of them a platform that lies about one kind of call for a while."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.apiserver import Resources
from tests.support.gate import CALLS, Gate
from tests.support.lies import CANARY, LIES
from tests.support.platform import SOURCES, Platform
from tests.support.scene import NGINX, source

from imagesources.resources import FINALIZER, RECONCILE_ANNOTATION

Json = dict[str, Any]

OWNER = {"roles": {"owner": {"view": True, "modify": True, "manage": True}}}
FOREIGN = {"name": "Foreign", "identifier": "web", "type": "direct", "origin": NGINX}

LONGEST = 200
"""Seconds that each wait may take: a call has a minute, and the operator backs off between two."""

MOST_TOLD = 25
"""Lies that a hub may ask for until the operator has said so: it backs off."""

_REASONS = {"nothing": "PlatformUnreachable", "wrong hub": "WrongHub", "wait": "RateLimited", "refused": "Refused"}
_VISIBLE = re.compile(r"[ -~…\n]*")


@dataclass(frozen=True)
class Case:
    """A lie about a call; ``served``: the platform itself does as asked, and only its answer is replaced."""

    call: str
    lie: str
    served: bool

    def __str__(self) -> str:
        return f"{self.call}-{self.lie}{'' if self.served else '-unserved'}"

    @property
    def reason(self) -> str:
        """What Ready must say."""
        means = LIES[self.lie].means
        return "OutcomeUnknown" if (self.call, means) == ("create", "nothing") else _REASONS[means]


def every_case() -> list[Case]:
    """Every lie about every call; those that change something both with and without effect, where it can be told."""
    cases = [Case(call, lie, served=True) for call in CALLS for lie in LIES]
    unserved = [Case(call, lie, served=False) for call in ("create", "update", "access", "delete") for lie in LIES]
    return [case for case in cases + unserved if _makes_sense(case)]


def _makes_sense(case: Case) -> bool:
    if case.lie == "wrong-id":  # a list, or a create, cannot be told from one about other sources
        return case.served and case.call in {"get", "update", "access", "job"}
    if case.lie == "wrong-hub":
        return case.served and case.call != "delete"
    if case.call in {"list", "get", "job"}:
        return True
    return not case.served or LIES[case.lie].means == "nothing"  # who refuses does nothing


@dataclass
class Ordeal:
    """All cases at once.

    Attributes:
        resources: of the operator's namespace.
        platform: the honest one.
        url: the gate's.
        seen: all states that each ImageSource was in, oldest first; the last is None once it is gone.
        over: whether to end.
    """

    resources: Resources
    platform: Platform
    gate: Gate
    url: str
    seen: defaultdict[str, list[Json | None]] = field(default_factory=lambda: defaultdict(list))
    over: bool = False

    def watch(self) -> None:
        """Takes in all changes until it is over; for a thread of its own."""
        for kind, body in self.resources.changes(lambda: self.over):
            self.seen[body["metadata"]["name"]].append(None if kind == "DELETED" else body)

    async def once(self, name: str, reason: str) -> Json:
        """Waits until Ready of an ImageSource gives a reason, or did so, and returns the ImageSource of then."""
        return await self._wait(lambda: next((b for b in self.seen[name] if _reason(b) == reason), None), name, reason)

    async def until(self, name: str, true: Callable[[Json | None], bool], what: str) -> None:
        """Waits until something is true of an ImageSource as it is."""
        await self._wait(lambda: self.seen[name] and true(self.seen[name][-1]), name, what)

    async def _wait(self, look: Callable[[], Any], name: str, what: str) -> Any:
        for _ in range(LONGEST * 5):
            if found := look():
                return found
            await asyncio.sleep(0.2)
        last = self.seen[name][-1:]
        raise AssertionError(f"{name} is not {what} within {LONGEST} s: {last and last[0]}")

    async def endure(self, case: Case, hub_id: str) -> None:
        """Lets the operator meet one case, and asserts what it says, what it does, and that it recovers."""
        name, lie, platform = str(case), LIES[case.lie], self.platform.of_hub(hub_id)
        foreign = await asyncio.to_thread(platform, "POST", SOURCES, FOREIGN)
        if case.call in {"list", "create"}:
            self.gate.lies[hub_id] = (case.call, lie, case.served)
        for body in platform.hub(self.url, name, inventoryInterval="20s", rateLimit={"requestsPerSecond": 50}):
            await asyncio.to_thread(self.resources.create, body)
        await asyncio.to_thread(self.resources.create, source(name, hubRef={"name": name}, name="Before"))
        if case.call not in {"list", "create"}:
            await self.until(name, _is_ready, "ready")
            self.gate.lies[hub_id] = (case.call, lie, case.served)
            await self._happen(case, name)
        shown = await self.once(name, case.reason)
        await self._check(case, hub_id, shown)
        del self.gate.lies[hub_id]
        if lie.lasting:
            await self._ask(name)
        await self._recovered(case, platform, foreign)

    async def _happen(self, case: Case, name: str) -> None:
        """Makes the operator send the call."""
        match case.call:
            case "get":
                await self._change(name, {"metadata": {"annotations": {RECONCILE_ANNOTATION: "1"}}})
            case "update":
                await self._change(name, {"spec": {"name": "After"}})
            case "access":
                await self._change(name, {"spec": {"acl": OWNER}})
            case _:
                await asyncio.to_thread(self.resources.delete, name)

    async def _check(self, case: Case, hub_id: str, shown: Json) -> None:
        """Asserts that what is said is clear and clean, and that nothing was done that cannot be known to be right."""
        told = self.gate.told[hub_id]
        assert 0 < told <= MOST_TOLD, f"{told} lies were asked for"
        for condition in shown["status"]["conditions"]:
            message = condition["message"]
            assert _VISIBLE.fullmatch(message) and len(message) < 600 and CANARY not in message, message
        kept = FINALIZER in shown["metadata"].get("finalizers", ())
        assert kept or case.call == "list", "nothing holds the resource any more"

    async def _ask(self, name: str) -> None:
        """What a person does where the operator would wait for long: asks, and connects the hub anew."""
        await self._change(name, {"spec": {"rateLimit": {"burst": 100}}}, "hubs")
        await self._change(name, {"metadata": {"annotations": {RECONCILE_ANNOTATION: "2"}}})

    async def _recovered(self, case: Case, platform: Platform, foreign: Json) -> None:
        """Waits until all is as if nothing had been: one source or none, and nobody else's touched."""
        if deleted := case.call in {"delete", "job"}:
            await self.until(str(case), lambda body: body is None, "gone")
        else:
            await self.until(str(case), _is_ready, "ready again")
        found = {each["id"]: each for each in await asyncio.to_thread(platform.sources)}
        assert found.pop(foreign["id"]) == foreign, "a foreign source was changed"
        own = [] if deleted else [self.seen[str(case)][-1]["status"]["id"]]
        assert list(found) == own, f"the hub has {list(found)}, the resource {own}"
        for each in found.values():
            assert each["name"] == ("After" if case.call == "update" else "Before")
            assert each["acl"] == (OWNER if case.call == "access" else None)

    async def _change(self, name: str, change: Json, plural: str = "imagesources") -> None:
        await asyncio.to_thread(self.resources.patch, name, change, plural)


def _ready(body: Json | None) -> Json:
    found = (body or {}).get("status", {}).get("conditions", ())
    return next((each for each in found if each["type"] == "Ready"), {})


def _reason(body: Json | None) -> str:
    return str(_ready(body).get("reason"))


def _is_ready(body: Json | None) -> bool:
    ready = _ready(body)
    return bool(
        body and ready.get("status") == "True" and ready["observedGeneration"] == body["metadata"]["generation"]
    )
