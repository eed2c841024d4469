"""The engine's view of Kubernetes: reads from the cache, compare-and-swap writes, Events."""

from collections.abc import Callable, Iterable
from typing import Any

from imagesources.kube.api import KubernetesApi
from imagesources.kube.cache import Cache, version_of
from imagesources.kube.recorder import Recorder
from imagesources.reconcile.observe import write_pin
from imagesources.reconcile.ports import Conflict, Happening, Key, KubernetesError, Secret, Vanished
from imagesources.resources import FINALIZER, PIN_ANNOTATION
from imagesources.resources.base import UnreadableError
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import ImageSourceStatus, Pin

Json = dict[str, Any]


class KubernetesPort:
    """See ``imagesources.reconcile.ports.Kubernetes``.

    Args:
        api: the apiserver.
        cache: what is known of it.
        recorder: where Events go.
        on_gone: told of a resource that turned out to be gone.
        on_written: told of each write, with the state before and after.
        on_held: given what the watch said during a write, after it.
    """

    def __init__(
        self,
        api: KubernetesApi,
        cache: Cache,
        recorder: Recorder,
        on_gone: Callable[[Key], None],
        on_written: Callable[[ImageSource, ImageSource], None],
        on_held: Callable[[Json], None],
    ) -> None:
        self._api = api
        self._cache = cache
        self._recorder = recorder
        self._on_gone = on_gone
        self._on_written = on_written
        self._on_held = on_held
        self._writing: dict[Key, Json | None] = {}
        """Resources being written, and what the watch has said of each meanwhile."""

    def get(self, key: Key) -> ImageSource | None:
        """Read a resource from the cache."""
        return self._cache.resources.get(key)

    async def confirm(self, resource: ImageSource) -> None:
        """Make sure by a live read that a resource is still the one that is known, of the same generation."""
        live = await self._refresh(resource)
        known = resource.metadata
        if (live.metadata.uid, live.metadata.generation) != (known.uid, known.generation):
            raise Conflict("it was edited meanwhile")

    def claimants(self, source_id: str) -> Iterable[ImageSource]:
        """Find the resources whose status claims a source."""
        return self._cache.claimants(source_id)

    def secret_version(self, namespace: str, name: str) -> tuple[str, str] | None:
        """Tell uid and resourceVersion of a labelled Secret, as far as known."""
        return self._cache.secrets.get((namespace, name))

    async def read_secret(self, namespace: str, name: str) -> Secret | None:
        """Read a Secret from the apiserver; one that the watch has not told of yet is known from then on."""
        secret = await self._api.read_secret(namespace, name)
        if secret and secret.labelled:
            self._cache.secrets.setdefault((namespace, name), (secret.uid, secret.resource_version))
        return secret

    async def intend(self, resource: ImageSource, pin: Pin) -> None:
        """Write finalizer and pin in one."""
        finalizers = [*(f for f in resource.metadata.finalizers if f != FINALIZER), FINALIZER]
        annotations = {PIN_ANNOTATION: write_pin(pin, resource.metadata.uid)}
        await self._write(resource, {"metadata": {"finalizers": finalizers, "annotations": annotations}})

    async def save_status(self, resource: ImageSource, status: ImageSourceStatus) -> None:
        """Write the difference between the resource's status and this one."""
        difference = merge_patch(resource.status.to_json(), status.to_json())
        if difference:
            await self._write(resource, {"status": difference}, status=True)

    async def release(self, resource: ImageSource) -> None:
        """Take the finalizer away; that the resource is gone by then is as good."""
        finalizers = [name for name in resource.metadata.finalizers if name != FINALIZER]
        try:
            await self._write(resource, {"metadata": {"finalizers": finalizers}})
        except Vanished:
            return

    def tell(self, resource: ImageSource, happening: Happening) -> None:
        """Record an Event, sooner or later."""
        self._recorder.tell(resource, happening)

    def hold(self, key: Key, body: Json) -> bool:
        """Keep back what the watch says of a resource that is being written, which may be the echo of the write.

        Acting on an echo would start a pass at once, whatever delay the last one asked for.
        """
        if key not in self._writing:
            return False
        self._writing[key] = body
        return True

    async def _write(self, resource: ImageSource, body: Json, *, status: bool = False) -> None:
        """Write only onto the very state that was read: same object, same version.

        The apiserver refuses another uid or resourceVersion in the body of a patch with 409. Then the live object is
        read, so that the next pass does not run against the same wall.
        """
        metadata = {"uid": resource.metadata.uid, "resourceVersion": resource.metadata.resource_version}
        body = body | {"metadata": body.get("metadata", {}) | metadata}
        namespace, name = resource.key
        self._writing[resource.key] = None
        try:
            written = await self._api.patch(ImageSource.plural, namespace, name, body, status=status)
            now = ImageSource.read(written)
            if now.metadata.deletion_timestamp and not now.metadata.finalizers:
                self._gone(now)  # the watch may have said so before this answer came: taken in, it would stay
            elif self._is_known(now.metadata.uid, now.key):
                self._cache.put(now)
                self._on_written(resource, now)
        except Conflict:
            await self._refresh(resource)
            raise
        except Vanished:
            self._gone(resource)
            raise
        finally:
            held = self._writing.pop(resource.key)
            uid = resource.metadata.uid
            if held and (held["metadata"]["uid"] != uid or self._is_known(uid, resource.key)):
                self._on_held(held)

    async def _refresh(self, resource: ImageSource) -> ImageSource:
        known = self._cache.resources.get(resource.key)
        try:
            live = ImageSource.read(await self._api.get(ImageSource.plural, *resource.key))
        except Vanished:
            self._gone(resource)
            raise
        except UnreadableError as error:
            raise KubernetesError(str(error)) from None
        if known and version_of(live.metadata) < version_of(known.metadata):
            raise KubernetesError("the apiserver answered with an old state")
        if live.metadata.uid != resource.metadata.uid:
            self._gone(resource)
        self._cache.put(live)
        return live

    def _gone(self, resource: ImageSource) -> None:
        """Forget a resource, unless another of its name is known by now."""
        if self._is_known(resource.metadata.uid, resource.key):
            self._on_gone(resource.key)

    def _is_known(self, uid: str, key: Key) -> bool:
        """Tell whether this very resource is in the cache: one that went meanwhile, taken in again, would stay."""
        known = self._cache.resources.get(key)
        return known is not None and known.metadata.uid == uid


def merge_patch(old: Json, new: Json) -> Json:
    """Write the merge patch (RFC 7396) that turns one object into another."""
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif value != before:
            patch[key] = value
    return patch
