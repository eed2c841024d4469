"""A textbook operator: create, then save the id; any error is a failure; look again every minute."""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

from tests.museum.habits import Habits
from tests.simulation.cluster import NAMESPACE, SOURCES
from tests.simulation.platform import HUB_ID, OPERATOR_KEY
from tests.simulation.process import OperatorProcess
from tests.simulation.values import Json
from tests.simulation.world import World

from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import PlatformError, Refused
from imagesources.platform.models import Source
from imagesources.reconcile.ports import KubernetesError

FINALIZER = "museum/naive"
PENDING = "museum/create-pending"
BEGUN = "museum/delete-begun"
log = logging.getLogger("museum")


class NaiveProcess(OperatorProcess):
    """Runs in the simulator like the operator."""

    def __init__(self, number: int, world: World, habits: Habits) -> None:
        super().__init__(number, world)
        self.habits = habits
        self.api = world.api_of(self)
        self.server = world.server
        connection = Connection("https://api.cycle.io", HUB_ID, "key-0")
        self.client: PlatformClient = self.make_client(
            connection, HostPolicy(), on_call=lambda *_: None, before_call=None
        )
        self.shown: dict[str, Json] = {}
        self.woken: dict[str, asyncio.Event] = {}
        self.ids: dict[str, str] = {}
        self.jobs: set[str] = set()
        self.generations: dict[str, int] = {}

    async def run(self) -> None:
        """List, watch, and look after each object in a task of its own."""
        self._spawn(self.api.watch(self._deliver))
        async for body in self.api.list(SOURCES):
            self._deliver(SOURCES, "ADDED", body)
        if self.habits.deletes_what_it_does_not_know:
            known = {body["status"].get("id") for body in self.shown.values()}
            async for source in self.client.list_sources():
                if source.creator.id == OPERATOR_KEY and source.id not in known:
                    await self.client.delete_source(source.id)
        await asyncio.Event().wait()

    def failed(self, error: BaseException) -> None:
        """What cannot decode an object ends, and nobody begins it again."""
        if not isinstance(error, ValueError):
            super().failed(error)

    def _deliver(self, plural: str, kind: str | None, body: Json) -> None:
        if plural != SOURCES:
            return
        if self.habits.one_bad_object_stops_all:
            _decode(self.server.of(SOURCES))
        name = body["metadata"]["name"]
        self.shown[name] = body
        if kind == "DELETED":
            return
        if self.habits.overlaps:
            self._spawn(self._try(name))
        elif name in self.woken:
            self.woken[name].set()
        else:
            self.woken[name] = asyncio.Event()
            self._spawn(self._look_after(name))

    def _spawn(self, work: Any) -> None:
        asyncio.get_running_loop().create_task(work)

    async def _look_after(self, name: str) -> None:
        while self.server.get(SOURCES, name):
            self.woken[name].clear()
            pause = await self._try(name)
            try:
                await asyncio.wait_for(self.woken[name].wait(), pause)
            except TimeoutError:
                continue
        del self.woken[name]

    async def _try(self, name: str) -> float:
        """Make a pass, and tell how long to wait for the next."""
        try:
            body = self.shown[name] if self.habits.reads_its_cache else await self.api.get(SOURCES, NAMESPACE, name)
            return await self._pass(body)
        except (PlatformError, KubernetesError, ValueError) as error:
            log.warning("failed: %s", error)
            return 5.0

    async def _pass(self, body: Json) -> float:
        metadata = body["metadata"]
        if self.habits.deletes_by_name and "deletionTimestamp" in self.shown[metadata["name"]]["metadata"]:
            return await self._delete_named(body["spec"]["identifier"])
        if "deletionTimestamp" in metadata:
            return await self._delete(body)
        if self.habits.only_edits_count and self.generations.get(metadata["uid"]) == metadata["generation"]:
            return 60.0
        if not self.habits.late_finalizer:
            await self._keep(metadata)
        source = await self._find(body) or await self._create(body)
        if self.habits.late_finalizer:
            await self._keep(metadata)
        differs = await self._update(body, source)
        await self._report(body)
        self.generations[metadata["uid"]] = metadata["generation"]
        if self.habits.reads_its_cache:
            return 1.0
        return 0.01 if differs and self.habits.writes_until_equal else 60.0

    async def _keep(self, metadata: Json) -> None:
        if FINALIZER not in metadata["finalizers"]:
            await self._patch(metadata, {"metadata": {"finalizers": [*metadata["finalizers"], FINALIZER]}})

    async def _patch(self, metadata: Json, change: Json, *, status: bool = False) -> None:
        await self.api.patch(SOURCES, NAMESPACE, metadata["name"], change, status=status)

    async def _find(self, body: Json) -> Source | None:
        source_id = self._id(body)
        named = [s async for s in self.client.list_sources()] if self._looks_by_name else []
        alike = [s for s in named if s.identifier == body["spec"]["identifier"]]
        if source_id is None and self.habits.refuses_what_exists and alike:
            raise ValueError("it exists already and is not managed by this operator")
        if self.habits.absent_from_list_is_gone:
            return next((s for s in named if s.id == source_id), None)
        if source_id is None:
            return alike[0] if alike and self.habits.finds_by_identifier else None
        try:
            return await self.client.get_source(source_id)
        except Refused:
            return None

    @property
    def _looks_by_name(self) -> bool:
        habits = self.habits
        return habits.refuses_what_exists or habits.finds_by_identifier or habits.absent_from_list_is_gone

    def _id(self, body: Json) -> str | None:
        if self.habits.keeps_ids_in_memory:
            return self.ids.get(body["metadata"]["uid"])
        found: str | None = body["spec"].get("adopt", {}).get("id") or body["status"].get("id")
        return found

    async def _create(self, body: Json) -> Source:
        metadata, spec = body["metadata"], body["spec"]
        if self.habits.marks_pending:
            if PENDING in metadata["annotations"]:
                raise ValueError("cannot determine creation result")
            await self._patch(metadata, {"metadata": {"annotations": {PENDING: "yes"}}})
        sent = {key: spec[key] for key in ("type", "identifier")} | {"name": metadata["name"]}
        sent["origin"] = await self._resolved(spec["origin"])
        try:
            source = await self.client.create_source(sent)
        except PlatformError:
            if self.habits.logs_what_it_sent:
                log.exception("%s could not be sent", sent)
            raise
        self.ids[metadata["uid"]] = source.id
        await self._patch(metadata, {"status": {"id": source.id}}, status=True)
        return source

    async def _resolved(self, origin: Json) -> Json:
        details = dict(origin.get("details", {}))
        for key in [key for key in details if key.endswith("From")]:
            ref = details.pop(key)["secretKeyRef"]
            secret = await self.api.read_secret(NAMESPACE, ref["name"])
            if secret is None:
                raise ValueError(f"Secret {ref['name']} not found")
            details[key.removesuffix("From")] = self._parsed(ref["key"], secret.values[ref["key"]])
        return origin | {"details": details}

    def _parsed(self, key: str, text: str) -> str:
        if key != ".dockerconfigjson":
            return text
        try:
            return str(json.loads(text)["auths"])
        except ValueError:
            if self.habits.logs_what_it_sent:
                log.exception("failed to parse '%s'", text)
            raise ValueError("not JSON") from None

    async def _update(self, body: Json, source: Source) -> bool:
        wanted = await self._resolved(body["spec"]["origin"])
        if source.origin == wanted:
            return False
        await self.client.update_source(source.id, {"origin": wanted})
        return True

    async def _report(self, body: Json) -> None:
        ready: Json = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Ok"}
        if not self.habits.ready_of_any_generation:
            ready["observedGeneration"] = body["metadata"]["generation"]
        status: Json = {"conditions": [ready]}
        if self.habits.writes_status_each_time:
            status["lastSeen"] = asyncio.get_running_loop().time()
        if status["conditions"] != body["status"].get("conditions") or "lastSeen" in status:
            await self._patch(body["metadata"], {"status": status}, status=True)

    async def _delete_named(self, identifier: str) -> float:
        async for source in self.client.list_sources(identifier=identifier):
            await self.client.delete_source(source.id)
        return 60.0

    async def _delete(self, body: Json) -> float:
        metadata, source_id = body["metadata"], self._id(body)
        if self.habits.needs_secrets_to_delete:
            await self._resolved(body["spec"]["origin"])
        if self._looks_by_name:
            found = await self._find(body)
            source_id = found.id if found else None
        if source_id is None or await self._is_gone(source_id, metadata):
            others = [name for name in metadata["finalizers"] if name != FINALIZER]
            await self._patch(metadata, {"metadata": {"finalizers": others}})
        return 0.5

    async def _is_gone(self, source_id: str, metadata: Json) -> bool:
        begun = BEGUN in metadata["annotations"]
        if self.habits.remembers_deletions_in_memory and begun and source_id not in self.jobs:
            raise ValueError("a deletion is under way")
        try:
            if not begun or self.habits.deletes_again_and_again:
                await self._patch(metadata, {"metadata": {"annotations": {BEGUN: "yes"}}})
                self.jobs.add(source_id)
                await self.client.delete_source(source_id)
                return self.habits.lets_go_at_once
            await self.client.get_source(source_id)
        except Refused:
            if self.habits.missing_is_failure:
                raise
            return True
        return False


def _decode(bodies: Iterable[Json]) -> None:
    if not all(isinstance(body["spec"].get("suspend", False), bool) for body in bodies):
        raise ValueError("an object cannot be decoded")
