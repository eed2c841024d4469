"""Events (events.k8s.io/v1) for people: written in the background, dropped rather than in the way."""

import asyncio
import os
import socket
from datetime import UTC, datetime
from time import time_ns
from typing import Any

from imagesources.kube.api import KubernetesApi
from imagesources.reconcile.ports import Happening, KubernetesError
from imagesources.resources import API_VERSION, GROUP
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.telemetry import log
from imagesources.telemetry.metrics import EVENTS_DROPPED

_WAITING = 1000
"""Events that may wait to be written."""

_OF_THE_CLUSTER = "default"
"""The namespace of Events about what is in none; the apiserver takes them in no other."""


class Recorder:
    """Writes Events one after the other; how many wait is bounded."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_WAITING)
        self._instance = os.environ.get("POD_NAME") or socket.gethostname()

    def tell(self, resource: ImageSource | Hub, happening: Happening) -> None:
        """Record that something happened to a resource."""
        if self._queue.full():
            EVENTS_DROPPED.inc()
        else:
            event = self._event(resource, happening)
            self._queue.put_nowait((event["metadata"]["namespace"], event))

    async def run(self) -> None:
        """Write what is told, for ever."""
        while True:
            namespace, event = await self._queue.get()
            try:
                await self._api.create_event(namespace, event)
            except KubernetesError as error:
                log.debug("an Event was not written: %s", error)
            except Exception:  # noqa: BLE001 - the edge: one Event that cannot be written must not cost all later ones
                log.exception("an Event was not written")
            finally:
                self._queue.task_done()

    async def flush(self, seconds: float) -> None:
        """Wait until everything is written, but not for ever."""
        try:
            await asyncio.wait_for(self._queue.join(), seconds)
        except TimeoutError:
            return

    def _event(self, resource: ImageSource | Hub, happening: Happening) -> dict[str, Any]:
        """Write an Event; ``kubectl describe`` shows those of events.k8s.io in the order of their names."""
        name, namespace = resource.metadata.name, resource.metadata.namespace
        place = {"namespace": namespace} if namespace else {}
        return {
            "metadata": {"name": f"{name[:200]}.{time_ns():x}", "namespace": namespace or _OF_THE_CLUSTER},
            "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "type": "Warning" if happening.warning else "Normal",
            "reason": happening.reason,
            "action": happening.action,
            "note": happening.note[:1000],
            "reportingController": GROUP,
            "reportingInstance": self._instance[:128],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": type(resource).__name__,
                "name": name,
                **place,
                "uid": resource.metadata.uid,
                "resourceVersion": resource.metadata.resource_version,
            },
        }
