"""Leaving a cluster: nothing there may wait for an operator that does not run any more.

A resource that is let go loses the finalizer and is suspended, in one write onto the very state that was read. That is
safe beside a running operator: a suspended resource gets no finalizer, and nothing is written to the platform for it.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from imagesources.kube.api import Json, KubernetesApi
from imagesources.reconcile.ports import Conflict, Vanished
from imagesources.resources import FINALIZER, HUB_FINALIZER
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource, ManagementPolicy

_ROUNDS = 5
"""How often it is looked again: the operator, or a GitOps tool, may be at work at the same time."""
_PAUSE = 0.5
_TRIES = 20


def needs_operator(resource: ImageSource) -> bool:
    """Tell whether a resource cannot do without an operator: it is held for it, or will be."""
    spec = resource.spec
    return FINALIZER in resource.metadata.finalizers or not (
        spec.suspend or spec.management_policy is ManagementPolicy.OBSERVE
    )


@dataclass(frozen=True, slots=True)
class Leaving:
    """An installation that is to end.

    Attributes:
        api: the apiserver.
        namespaces: those that were served; none means all, with ClusterHubs.
    """

    api: KubernetesApi
    namespaces: tuple[str, ...] = ()

    async def waiting(self) -> list[ImageSource]:
        """Find the ImageSources that cannot do without an operator; none if the CRDs are gone.

        Raises:
            UnreadableError: there is one that was stored under other CRDs: nobody can tell.
            KubernetesError: the Kubernetes API failed.
        """
        found = [ImageSource.read(body) async for body in self._list(ImageSource.plural)]
        return [resource for resource in found if needs_operator(resource)]

    async def let_go(self) -> AsyncIterator[ImageSource]:
        """Let all ImageSources go, and tell of each as it was; their sources on the platform stay as they are.

        One that comes back meanwhile is let go, and told of, again.
        """
        for _ in range(_ROUNDS):
            waiting = await self.waiting()
            if not waiting:
                break
            for resource in waiting:
                await self._let_go(resource)
                yield resource
            await asyncio.sleep(_PAUSE)

    async def release_hubs(self) -> None:
        """Take the finalizers of Hubs and ClusterHubs away, once no source needs them."""
        for kind in (Hub,) if self.namespaces else (Hub, ClusterHub):
            async for body in self._list(kind.plural):
                hub = kind.read(body)
                finalizers = [name for name in hub.metadata.finalizers if name != HUB_FINALIZER]
                if len(finalizers) < len(hub.metadata.finalizers):
                    change = {"metadata": {"finalizers": finalizers, "resourceVersion": hub.metadata.resource_version}}
                    await self._patch(kind.plural, hub.metadata.namespace, hub.metadata.name, change)

    async def _let_go(self, resource: ImageSource) -> None:
        for _ in range(_TRIES):
            metadata = resource.metadata
            finalizers = [name for name in metadata.finalizers if name != FINALIZER]
            kept = {"finalizers": finalizers, "uid": metadata.uid, "resourceVersion": metadata.resource_version}
            try:
                await self._patch(ImageSource.plural, *resource.key, {"metadata": kept, "spec": {"suspend": True}})
            except Conflict:
                resource = ImageSource.read(await self.api.get(ImageSource.plural, *resource.key))
            else:
                return

    async def _patch(self, plural: str, namespace: str, name: str, change: Json) -> None:
        try:
            await self.api.patch(plural, namespace, name, change)
        except Vanished:
            return

    async def _list(self, plural: str) -> AsyncIterator[Json]:
        for namespace in self.namespaces or (None,):
            try:
                async for body in self.api.list(plural, namespace):
                    yield body
            except Vanished:
                return
