"""An apiserver in memory: resourceVersions, preconditions, finalizers, and a watch that may lag behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.museum.scenery.loop import PROCESS
from tests.museum.scenery.schedule import Fault, Schedule
from tests.museum.scenery.values import clone

from imagesources.reconcile.ports import Conflict, KubernetesError, Secret, Vanished
from imagesources.resources import API_VERSION

Json = dict[str, Any]
Deliver = Callable[[str | None, Json], None]

PLURAL = "imagesources"


class Apiserver:
    """ImageSources of one cluster, and who watches them.

    Attributes:
        objects: by namespace and name.
        secrets: Secrets by namespace and name; nobody watches them.
        writes: every write of an operator that was applied: subresource (or "") and name.
        on_status: told of each object whose status an operator has written.
        on_gone: told of each object that is gone.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.objects: dict[tuple[str, str], Json] = {}
        self.secrets: dict[tuple[str, str], Secret] = {}
        self.writes: list[tuple[str, str]] = []
        self.watchers: dict[int, asyncio.Queue[tuple[str | None, Json]]] = {}
        self.on_status: Callable[[Json], None] = lambda _body: None
        self.on_gone: Callable[[Json], None] = lambda _body: None
        self._version = 0
        self._created = 0

    def create(self, name: str, spec: Json) -> Json:
        """A person creates a resource."""
        self._created += 1
        body = {
            "apiVersion": API_VERSION,
            "kind": "ImageSource",
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"00000000-0000-0000-0000-{self._created:012d}",
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": [],
                "annotations": {},
            },
            "spec": clone(spec),
            "status": {"observedGeneration": -1},
        }
        self.objects["default", name] = body
        self._changed("ADDED", body)
        return body

    def edit(self, name: str, spec: Json) -> None:
        """A person changes a spec."""
        body = self.objects["default", name]
        body["spec"] = clone(spec)
        body["metadata"]["generation"] += 1
        self._changed("MODIFIED", body)

    def delete(self, name: str) -> None:
        """A person deletes a resource; finalizers keep it."""
        body = self.objects["default", name]
        if "deletionTimestamp" in body["metadata"]:
            return
        body["metadata"]["deletionTimestamp"] = "2026-01-01T01:00:00Z"
        body["metadata"]["generation"] += 1
        self._changed("MODIFIED", body)
        self._collect(body)

    def patch(self, namespace: str, name: str, change: Json, *, status: bool) -> Json:
        """A merge patch with its preconditions, as the apiserver applies it."""
        body = self.objects.get((namespace, name))
        if body is None:
            raise Vanished("404")
        for precondition in ("uid", "resourceVersion"):
            if (
                change.get("metadata", {}).get(precondition, body["metadata"][precondition])
                != body["metadata"][precondition]
            ):
                raise Conflict("409")
        before = clone(body)
        if status:
            body["status"] = _merge(body["status"], change.get("status", {}))
        else:
            metadata = {key: value for key, value in change["metadata"].items() if key in ("finalizers", "annotations")}
            body["metadata"] = _merge(body["metadata"], metadata)
        if body != before:
            self.writes.append(("status" if status else "", name))
            self._changed("MODIFIED", body)
            if status:
                self.on_status(body)
        self._collect(body)
        return clone(body)

    def watch(self, process: int, deliver: Deliver) -> asyncio.Task[None]:
        """Deliver all later events to a process, in order, each with a delay."""
        queue: asyncio.Queue[tuple[str | None, Json]] = asyncio.Queue()
        self.watchers[process] = queue

        async def run() -> None:
            while True:
                kind, body = await queue.get()
                await asyncio.sleep(self.schedule.watch_delay())
                deliver(kind, body)

        return asyncio.get_running_loop().create_task(run())

    def _collect(self, body: Json) -> None:
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if "deletionTimestamp" in metadata and not metadata["finalizers"] and key in self.objects:
            del self.objects[key]
            self._changed("DELETED", body)
            self.on_gone(body)

    def _changed(self, kind: str, body: Json) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        for queue in self.watchers.values():
            queue.put_nowait((kind, clone(body)))


class SimulatedApi:
    """One operator's ``KubernetesApi``: requests travel, and fail as the schedule has it."""

    def __init__(self, server: Apiserver) -> None:
        self._server = server

    async def list(self, plural: str, _namespace: str | None = None) -> AsyncIterator[Json]:
        """See ``KubernetesApi``."""
        assert plural == PLURAL
        await asyncio.sleep(self._server.schedule.delay())
        for body in clone(list(self._server.objects.values())):
            yield body

    async def get(self, _plural: str, namespace: str, name: str) -> Json:
        """See ``KubernetesApi``."""
        await asyncio.sleep(self._server.schedule.delay())
        if (namespace, name) not in self._server.objects:
            raise Vanished("404")
        return clone(self._server.objects[namespace, name])

    async def patch(self, _plural: str, namespace: str, name: str, body: Json, *, status: bool = False) -> Json:
        """See ``KubernetesApi``."""
        schedule = self._server.schedule
        await asyncio.sleep(schedule.delay())
        process = PROCESS.get()
        if process is not None and not process.alive:
            raise asyncio.CancelledError
        fault = schedule.draw("kube-write")
        if fault is Fault.CRASH_BEFORE:
            await schedule.crash()
        if fault is Fault.CONFLICT:
            raise Conflict("409")
        if fault is Fault.SERVER_ERROR:
            raise KubernetesError("503")
        answer = self._server.patch(namespace, name, body, status=status)
        if fault is Fault.CRASH_AFTER:
            await schedule.crash()
        if fault is Fault.REPLY_LOST:
            raise KubernetesError("the connection was reset")
        await asyncio.sleep(schedule.delay())
        return answer

    async def read_secret(self, namespace: str, name: str) -> Secret | None:
        """See ``KubernetesApi``."""
        return self._server.secrets.get((namespace, name))

    async def create_event(self, _namespace: str, _body: Json) -> None:
        """Events are not looked at here."""


def _merge(old: Json, patch: Json) -> Json:
    """RFC 7396."""
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge(merged[key] if isinstance(merged.get(key), dict) else {}, value)
        else:
            merged[key] = value
    return merged
