"""The two sides of the engine with answers that a test gives: a platform's client, and an apiserver of one resource."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.builders import Reads

from imagesources.hubs.directory import HubDirectory
from imagesources.kube.cache import Cache
from imagesources.kube.handlers import Handlers
from imagesources.kube.hubs import HubController
from imagesources.platform.models import Acl, Job, JobDescriptor, Source
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import Conflict, Happening, Secret
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import ImageSourceStatus, Pin
from imagesources.settings import Settings

Json = dict[str, Any]


@dataclass
class ScriptedClient:
    """The methods of ``PlatformClient`` that the engine uses; each call takes the next of its answers.

    Attributes:
        answers: by the first word of the method; what is an exception is raised.
        asked: the calls so far: that word, and id or body.
        leave: awaited before each call, as the hub's ``leave``.
    """

    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    leave: Callable[[], Awaitable[None]] | None = None

    async def _next(self, what: str, *about: object) -> Any:
        if self.leave:
            await self.leave()
        self.asked.append((what, *about))
        answer = self.answers[what].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def list_sources(self, identifier: str | None = None, **_more: object) -> AsyncIterator[Source]:
        """See ``PlatformClient``."""
        for source in await self._next("list", identifier):
            yield source

    async def create_source(self, body: Json) -> Source:
        """See ``PlatformClient``."""
        return await self._next("create", body)

    async def get_source(self, source_id: str) -> Source:
        """See ``PlatformClient``."""
        return await self._next("get", source_id)

    async def update_source(self, source_id: str, changes: Json) -> Source:
        """See ``PlatformClient``."""
        return await self._next("update", source_id, changes)

    async def update_access(self, source_id: str, acl: Acl | None) -> Source:
        """See ``PlatformClient``."""
        return await self._next("share", source_id, acl)

    async def delete_source(self, source_id: str) -> JobDescriptor:
        """See ``PlatformClient``."""
        return await self._next("delete", source_id)

    async def get_job(self, job_id: str) -> Job:
        """See ``PlatformClient``."""
        return await self._next("job", job_id)


@dataclass
class Writes(Reads):
    """All of the engine's Kubernetes: what is written is kept, and shown by no read.

    Attributes:
        written: each write: what, and the status if it was that.
        told: each Event.
        fails: raised by each write, after it was kept.
        edited: whether the apiserver has another generation than the cache.
    """

    written: list[tuple[str, ImageSourceStatus | None]] = field(default_factory=list)
    told: list[Happening] = field(default_factory=list)
    fails: Exception | None = None
    edited: bool = False

    async def confirm(self, _resource: ImageSource) -> None:
        """See ``Kubernetes``."""
        if self.edited:
            raise Conflict("it was edited")

    def _write(self, what: str, status: ImageSourceStatus | None = None) -> None:
        self.written.append((what, status))
        if self.fails:
            raise self.fails

    async def intend(self, _resource: ImageSource, _pin: Pin) -> None:
        """See ``Kubernetes``."""
        self._write("intend")

    async def save_status(self, _resource: ImageSource, status: ImageSourceStatus) -> None:
        """See ``Kubernetes``."""
        self._write("status", status)

    async def release(self, _resource: ImageSource) -> None:
        """See ``Kubernetes``."""
        self._write("release")

    def tell(self, _resource: ImageSource, happening: Happening) -> None:
        """See ``Kubernetes``."""
        self.told.append(happening)


async def _rest(_key: object) -> Next:
    return Next()


def handlers(api: Any = None, settings: Settings | None = None) -> Handlers:
    """Returns handlers over an apiserver; nothing that they order is done."""
    settings = settings or Settings()
    cache, directory = Cache(), HubDirectory(clusterwide=False, on_change=lambda *_: None)
    controller = HubController(api, cache, directory, settings, None)
    queues = [WorkQueue(_rest, lambda key: key, 1, is_open=False) for _ in range(2)]
    return Handlers(cache, Engine(api, directory, settings), controller, *queues)


@dataclass
class OneResourceApi:
    """The methods of ``KubernetesApi`` that the port uses, for one resource.

    Attributes:
        live: the resource as it is.
        conflicts: whether writes are refused with 409.
        patches: the bodies that were sent.
        secret: the one that is there.
    """

    live: Json
    conflicts: bool = False
    patches: list[Json] = field(default_factory=list)
    secret: Secret | None = None

    async def patch(self, _plural: str, _namespace: str, _name: str, body: Json, *, status: bool = False) -> Json:
        """See ``KubernetesApi``."""
        self.patches.append(body | {"to": "status" if status else "metadata"})
        if self.conflicts:
            raise Conflict("409")
        return self.live

    async def get(self, _plural: str, _namespace: str, _name: str) -> Json:
        """See ``KubernetesApi``."""
        return self.live

    async def read_secret(self, _namespace: str, _name: str) -> Secret | None:
        """See ``KubernetesApi``."""
        return self.secret
