"""What happens in the cluster and on the platform, turned into work: handlers say *which* object, never what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from imagesources.hubs.hub import HubKey
from imagesources.kube.api import is_labelled
from imagesources.kube.cache import Cache
from imagesources.kube.hubs import HubController
from imagesources.reconcile import Engine
from imagesources.reconcile.ports import Key
from imagesources.reconcile.queue import Priority, WorkQueue
from imagesources.resources import FINALIZER, MARKER_PREFIX
from imagesources.resources.base import UnreadableError
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.telemetry import log

Json = dict[str, Any]
_Kind = TypeVar("_Kind", ImageSource, Hub, ClusterHub)

COUNT_AFTER = 5.0
"""Seconds after a change in which a Hub's counts are written: a burst of changes is one write."""


@dataclass(slots=True)
class Handlers:
    """All of them run in the engine's loop, take no time and do not fail.

    Attributes:
        cache: where new states go.
        engine: forgets what is gone, and tells what has failed.
        hubs: the hubs' controller.
        sources: the queue of sources.
        hub_queue: the queue of hubs.
    """

    cache: Cache
    engine: Engine
    hubs: HubController
    sources: WorkQueue[Key]
    hub_queue: WorkQueue[HubKey]

    def source_seen(self, body: Json) -> None:
        """An ImageSource was created or changed, or is listed."""
        metadata = body["metadata"]
        if _is(self.cache.resources.get((metadata["namespace"], metadata["name"])), metadata):
            return
        resource = _read(ImageSource, body)
        if resource is None:
            return
        old = self.cache.resources.get(resource.key)
        if not self.cache.put(resource):
            return
        self.sources.add(resource.key, Priority.DELETE if resource.metadata.deletion_timestamp else Priority.EDIT)
        if old:
            self.source_written(old, resource)

    def source_written(self, before: ImageSource, after: ImageSource) -> None:
        """The status of an ImageSource has changed: others may wait for its id, and its hub counts it."""
        if before.status.id != after.status.id:
            self._add(self.cache.naming(after.key))
        hub = self.hubs.directory.resolve(after.metadata.namespace, after.spec.hub_ref)
        if self.hubs.is_unheld(hub) and FINALIZER in after.metadata.finalizers:
            self.hub_queue.add(hub)
        else:
            self.hub_queue.add_later(hub, COUNT_AFTER)

    def source_deleted(self, body: Json) -> None:
        """An ImageSource is gone."""
        metadata = body["metadata"]
        key, uid = (metadata["namespace"], metadata["name"]), metadata["uid"]
        known = self.cache.resources.get(key)
        if known and known.metadata.uid == uid:
            self.source_gone(key)
        self.engine.forget(uid)

    def source_gone(self, key: Key) -> None:
        """An ImageSource turned out to be gone."""
        old = self.cache.drop(key)
        if old is None:
            return
        self.engine.forget(old.metadata.uid)
        hub = self.hubs.directory.resolve(old.metadata.namespace, old.spec.hub_ref)
        if (found := self.hubs.hubs.get(hub)) and found.metadata.deletion_timestamp:
            self.hub_queue.add(hub)
        else:
            self.hub_queue.add_later(hub, COUNT_AFTER)

    def hub_seen(self, body: Json) -> None:
        """A Hub or ClusterHub was created or changed, or is listed."""
        key = hub_key(body)
        if _is(self.hubs.hubs.get(key), body["metadata"]):
            return
        resource = _read(ClusterHub if body["kind"] == "ClusterHub" else Hub, body)
        if resource and self.hubs.seen(key, resource):
            self.hub_queue.add(key)

    def hub_deleted(self, body: Json) -> None:
        """A Hub or ClusterHub is gone."""
        self.hub_gone(hub_key(body))

    def hub_gone(self, key: HubKey) -> None:
        """A Hub or ClusterHub turned out to be gone."""
        self.hubs.hubs.pop(key, None)
        self.hub_queue.add(key)

    def secret_seen(self, metadata: Json, *, gone: bool) -> None:
        """A labelled Secret was created or changed, or is gone; its values are not looked at."""
        key = (metadata["namespace"], metadata["name"])
        version = (metadata["uid"], metadata["resourceVersion"])
        if gone or not is_labelled(metadata.get("labels", {})):
            if self.cache.secrets.pop(key, None):
                self._add(self.cache.naming(key))
        elif self.cache.secrets.get(key) != version:
            self.cache.secrets[key] = version
            self._add(self.cache.naming(key))
        for hub in self.hubs.using_secret(*key):
            self.hub_queue.add(hub)

    def namespace_seen(self, metadata: Json, *, gone: bool) -> None:
        """A namespace was created or changed, or is gone: its labels may let it use a ClusterHub."""
        name, labels = metadata["name"], metadata.get("labels", {})
        if gone:
            self.hubs.directory.namespace_labels.pop(name, None)
        elif self.hubs.directory.namespace_labels.get(name) != labels:
            self.hubs.directory.namespace_labels[name] = labels
            self._add([r for r in self.cache.resources.values() if r.metadata.namespace == name])

    def hub_changed(self, key: HubKey, changed: set[str] | None) -> None:
        """A hub went up or down (None), or a list of its sources has come in, with the ids that changed."""
        if key in self.hubs.hubs:
            self.hub_queue.add(key, Priority.DRIFT)
        if changed is None:
            self._add(r for r in list(self.cache.resources.values()) if self._uses(r, key))
            return
        for source_id in sorted(changed):
            self._add(self.cache.claimants(source_id))
        entry = self.hubs.directory.entries.get(key)
        connection = entry.connection if entry else None
        markers = connection.inventory.carriers if connection else {}
        uids = (
            identifier.removeprefix(MARKER_PREFIX) for identifier in markers if identifier.startswith(MARKER_PREFIX)
        )
        for uid in list(uids):
            if uid in self.cache.keys:
                self.sources.add(self.cache.keys[uid], Priority.DRIFT)
        self._add(r for r in list(self.cache.resources.values()) if self._waits_for_list(r) and self._uses(r, key))

    def _waits_for_list(self, resource: ImageSource) -> bool:
        """A resource without a source may learn from a list; one whose create failed is tried again in its time."""
        return resource.status.id is None and not self.engine.has_failed(resource.metadata.uid)

    def _uses(self, resource: ImageSource, key: HubKey) -> bool:
        return self.hubs.directory.resolve(resource.metadata.namespace, resource.spec.hub_ref) == key

    def _add(self, resources: Iterable[ImageSource]) -> None:
        for resource in resources:
            self.sources.add(resource.key, Priority.DRIFT)


def _is(known: ImageSource | Hub | None, metadata: Json) -> bool:
    """Tell whether a state is just the one that is known: most events are the echo of an own write."""
    version = (metadata["uid"], metadata["resourceVersion"])
    return known is not None and (known.metadata.uid, known.metadata.resource_version) == version


def _read(kind: type[_Kind], body: Json) -> _Kind | None:
    """Read an object; None: it is of no shape that the CRD admits today, and must not stand in the others' way."""
    try:
        return kind.read(body)
    except UnreadableError as error:
        log.error("%s; it is left alone until then", error)
        return None


def hub_key(body: Json) -> HubKey:
    """Tell the key of a Hub or ClusterHub."""
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]
