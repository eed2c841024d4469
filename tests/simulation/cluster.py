"""An apiserver in memory: resourceVersions, preconditions, finalizers, and its whole history for those who lag."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.values import Json, merged, timestamp

from imagesources.reconcile.ports import Conflict, Vanished
from imagesources.resources import API_VERSION, CREDENTIALS_LABEL
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import ImageSource

NAMESPACE = "default"
SOURCES, HUBS, SECRETS = ImageSource.plural, Hub.plural, "secrets"
_KINDS = {SOURCES: "ImageSource", HUBS: "Hub", SECRETS: "Secret"}

_NOTHING: Json = {}

Key = tuple[str, str]
"""Plural and name; there is one namespace."""


@dataclass(frozen=True)
class Change:
    """One event of the watch."""

    kind: str
    plural: str
    body: Json


@dataclass
class Apiserver:
    """ImageSources, Hubs and Secrets of one namespace; every object is replaced as a whole, never changed.

    Attributes:
        objects: by plural and name.
        history: every change there was.
        writes: every write of an operator that was applied: plural, name, and what of it.
        watchers: woken with each change.
        on_change: told of each change, with the object before it, if there was one.
    """

    objects: dict[Key, Json] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    writes: list[tuple[str, str, str]] = field(default_factory=list)
    watchers: dict[int, asyncio.Event] = field(default_factory=dict)
    on_change: Callable[[Change, Json | None], None] = lambda _change, _old: None
    version: int = 0

    def get(self, plural: str, name: str) -> Json | None:
        """Find an object."""
        return self.objects.get((plural, name))

    def of(self, plural: str) -> list[Json]:
        """List the objects of a kind, by name."""
        return [body for (kind, _), body in sorted(self.objects.items()) if kind == plural]

    def create(self, plural: str, name: str, metadata: Json = _NOTHING, **content: object) -> Json:
        """A person creates an object."""
        metadata = {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"00000000-0000-0000-0000-{self.version:012d}",
            "generation": 1,
            "creationTimestamp": timestamp(),
            "finalizers": [],
            "annotations": {},
            "labels": {CREDENTIALS_LABEL: "true"} if plural == SECRETS else {},
            **metadata,
        }
        status = {} if plural == SECRETS else {"status": {"observedGeneration": -1}}
        body = {"apiVersion": API_VERSION, "kind": _KINDS[plural], "metadata": metadata, **content, **status}
        return self._put("ADDED", plural, body)

    def edit(self, plural: str, name: str, **content: object) -> Json:
        """A person changes what an object asks for."""
        body = self.objects[plural, name]
        generation = body["metadata"]["generation"] + (plural != SECRETS)
        return self._put(
            "MODIFIED", plural, body | {"metadata": body["metadata"] | {"generation": generation}} | content
        )

    def delete(self, plural: str, name: str) -> None:
        """A person deletes an object; finalizers keep it."""
        body = self.objects[plural, name]
        if "deletionTimestamp" in body["metadata"]:
            return
        times = {"deletionTimestamp": timestamp(), "generation": body["metadata"]["generation"] + 1}
        body = self._put("MODIFIED", plural, body | {"metadata": body["metadata"] | times})
        self._collect(plural, body)

    def strip(self, plural: str, name: str) -> None:
        """A person takes all finalizers away."""
        body = self.objects[plural, name]
        body = self._put("MODIFIED", plural, body | {"metadata": body["metadata"] | {"finalizers": []}})
        self._collect(plural, body)

    def wipe(self, plural: str, name: str) -> None:
        """The status of an object is lost."""
        self._put("MODIFIED", plural, self.objects[plural, name] | {"status": {"observedGeneration": -1}})

    def patch(self, plural: str, name: str, change: Json, *, status: bool) -> Json:
        """A merge patch with its preconditions, as the apiserver applies it."""
        body = self.objects.get((plural, name))
        if body is None:
            raise Vanished("404")
        metadata = body["metadata"]
        for precondition in ("uid", "resourceVersion"):
            if change.get("metadata", {}).get(precondition, metadata[precondition]) != metadata[precondition]:
                raise Conflict("409")
        if status:
            patched = body | {"status": merged(body["status"], change.get("status", {}))}
        else:
            wished = {key: value for key, value in change["metadata"].items() if key in ("finalizers", "annotations")}
            patched = body | {"metadata": merged(metadata, wished)}
        if patched != body:
            self.writes.append((plural, name, "status" if status else "metadata"))
            patched = self._put("MODIFIED", plural, patched)
            self._collect(plural, patched)
        return patched

    def before(self, plural: str, name: str) -> Json | None:
        """Tell what an object was before its last change."""
        seen = [change.body for change in self.history if change.plural == plural and _name(change.body) == name]
        return seen[-2] if len(seen) > 1 else self.get(plural, name)

    def at(self, place: int) -> dict[Key, Json]:
        """Tell which objects there were at a place in the history."""
        later = {(change.plural, _name(change.body)) for change in self.history[place:]}
        objects = {key: body for key, body in self.objects.items() if key not in later}
        for change in self.history[:place]:
            key = (change.plural, _name(change.body))
            if key in later and change.kind == "DELETED":
                objects.pop(key, None)
            elif key in later:
                objects[key] = change.body
        return objects

    def _collect(self, plural: str, body: Json) -> None:
        metadata = body["metadata"]
        if "deletionTimestamp" in metadata and not metadata["finalizers"] and (plural, _name(body)) in self.objects:
            self._put("DELETED", plural, body)

    def _put(self, kind: str, plural: str, body: Json) -> Json:
        self.version += 1
        body = body | {"metadata": body["metadata"] | {"resourceVersion": str(self.version)}}
        key = (plural, _name(body))
        old = self.objects.pop(key, None)
        if kind != "DELETED":
            self.objects[key] = body
        change = Change(kind, plural, body)
        self.history.append(change)
        self.on_change(change, old)
        for watcher in self.watchers.values():
            watcher.set()
        return body


def _name(body: Json) -> str:
    name: str = body["metadata"]["name"]
    return name
