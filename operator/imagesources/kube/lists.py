"""What there is, read as a whole: before the first watch, and again and again for what a watch does not tell."""

import asyncio
import itertools
from dataclasses import dataclass
from random import uniform

from imagesources.hubs.backoff import growing
from imagesources.hubs.directory import HubDirectory
from imagesources.kube.api import Json, KubernetesApi
from imagesources.kube.handlers import Handlers, hub_key
from imagesources.reconcile.ports import KubernetesError, Vanished
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings
from imagesources.telemetry import log


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of all that is served.

    Attributes:
        api: the apiserver.
        settings: which namespaces, and how often what vanished is looked for.
        directory: gets the labels of namespaces, which decide who may use a ClusterHub.
        handlers: told of each object.
    """

    api: KubernetesApi
    settings: Settings
    directory: HubDirectory
    handlers: Handlers

    async def read(self) -> None:
        """Read everything; a missing apiserver or CRD is waited for."""
        for failures in itertools.count():
            try:
                await self._read_once()
                break
            except KubernetesError as error:
                hint = "; are the CRDs of crds/ installed?" if isinstance(error, Vanished) else ""
                log.warning("the Kubernetes API does not list the resources yet: %s%s", error, hint)
                await asyncio.sleep(uniform(0.5, 1) * growing(failures, 1.0, 30.0))  # noqa: S311 - jitter, not a secret

    async def keep_clean(self) -> None:
        """Find out what vanished while no watch was connected: kopf lists again, but cannot tell what is missing."""
        while True:
            await asyncio.sleep(self.settings.relist)
            try:
                await self._compare()
            except KubernetesError as error:
                log.warning("the cache could not be cleaned, as the Kubernetes API failed: %s", error)

    async def _read_once(self) -> None:
        if not self.settings.namespaces:
            self.directory.namespace_labels = await self.api.namespace_labels()
        hubs, sources = await self._hubs(), await self._list(ImageSource.plural)  # all of it, or nothing
        for body in hubs:
            self.handlers.hub_seen(body)
        for body in sources:
            self.handlers.source_seen(body)

    async def _compare(self) -> None:
        """Look at what is known and not listed, or, against all expectation, listed and not known."""
        listed = {
            (body["metadata"]["namespace"], body["metadata"]["name"]) for body in await self._list(ImageSource.plural)
        }
        for namespace, name in sorted(self.handlers.cache.resources.keys() ^ listed):
            try:
                self.handlers.source_seen(await self.api.get(ImageSource.plural, namespace, name))
            except Vanished:
                self.handlers.source_gone((namespace, name))
        await self._drop_hubs()

    async def _drop_hubs(self) -> None:
        """Drop the Hubs that two lists do not show; there is no right to ask for one."""
        known = {key: hub.metadata.uid for key, hub in self.handlers.hubs.hubs.items()}
        for _ in range(2):
            there = await self._hubs()
            for body in there:
                self.handlers.hub_seen(body)
            known = {key: known[key] for key in sorted(known.keys() - set(map(hub_key, there)))}
            if not known:
                return
        for key, uid in known.items():
            if (hub := self.handlers.hubs.hubs.get(key)) and hub.metadata.uid == uid:
                self.handlers.hub_gone(key)

    async def _hubs(self) -> list[Json]:
        kinds = (Hub,) if self.settings.namespaces else (Hub, ClusterHub)
        return [body | {"kind": kind.__name__} for kind in kinds for body in await self._list(kind.plural)]

    async def _list(self, plural: str) -> list[Json]:
        places = (None,) if plural == ClusterHub.plural else self.settings.namespaces or (None,)
        return [body for namespace in places async for body in self.api.list(plural, namespace)]
