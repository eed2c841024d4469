"""The two sides of a pass, as questions: each call of the engine stops the pass, and an answer lets it go on."""

import types
from collections.abc import AsyncIterator, Generator
from typing import Any, NamedTuple

from tests.model.values import freeze, thaw

from imagesources.platform.errors import Refused, Unanswered
from imagesources.platform.models import Acl, Job, JobDescriptor, Source
from imagesources.reconcile.ports import Conflict, KubernetesError, Secret, Vanished

Json = dict[str, Any]


class Question(NamedTuple):
    """What a pass asks for.

    Attributes:
        verb: create, update, delete, get, list, job (of the platform); patch, patch-status (of the apiserver).
        subject: a source's or job's id, an identifier, or the name of a resource.
        body: what is sent, as the number of a JSON value.
    """

    verb: str
    subject: str = ""
    body: int = -1

    @property
    def of_kubernetes(self) -> bool:
        """Whether it goes to the apiserver."""
        return self.verb.startswith("patch")

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.verb not in ("get", "list", "job")


class Reply(NamedTuple):
    """How a question was answered.

    Attributes:
        kind: ok, refused (by the platform, ``body`` says status and code), unanswered, conflict (``body`` is the live
            resource), vanished, failed (the apiserver).
        body: the number of a JSON value.
    """

    kind: str
    body: int = -1


UNANSWERED = Reply("unanswered")
FAILED = Reply("failed")
VANISHED = Reply("vanished")


@types.coroutine
def ask(question: Question) -> Generator[Question, Reply, Reply]:
    """Stop here until there is an answer."""
    return (yield question)


class ModelClient:
    """The methods of ``PlatformClient`` that the engine uses."""

    async def aclose(self) -> None:
        """Nothing is open."""

    async def list_sources(self, identifier: str | None = None, **_more: object) -> AsyncIterator[Source]:
        """See ``PlatformClient``."""
        for source in await self._ask("getImageSources", Question("list", identifier or "")):
            yield Source.model_validate(source)

    async def create_source(self, body: Json) -> Source:
        """See ``PlatformClient``."""
        return Source.model_validate(await self._ask("createImageSource", Question("create", "", freeze(body))))

    async def get_source(self, source_id: str) -> Source:
        """See ``PlatformClient``."""
        return Source.model_validate(await self._ask("getImageSource", Question("get", source_id)))

    async def update_source(self, source_id: str, changes: Json) -> Source:
        """See ``PlatformClient``."""
        question = Question("update", source_id, freeze(changes))
        return Source.model_validate(await self._ask("updateImageSource", question))

    async def update_access(self, source_id: str, acl: Acl | None) -> Source:
        """See ``PlatformClient``."""
        question = Question("update", source_id, freeze({"acl": acl.model_dump() if acl else None}))
        return Source.model_validate(await self._ask("updateImageSourceAccess", question))

    async def delete_source(self, source_id: str) -> JobDescriptor:
        """See ``PlatformClient``."""
        return JobDescriptor.model_validate(await self._ask("deleteImageSource", Question("delete", source_id)))

    async def get_job(self, job_id: str) -> Job:
        """See ``PlatformClient``."""
        return Job.model_validate(await self._ask("getJob", Question("job", job_id)))

    async def _ask(self, operation: str, question: Question) -> Any:
        reply = await ask(question)
        if reply.kind == "unanswered":
            raise Unanswered(operation, "no answer in time")
        if reply.kind == "refused":
            raise Refused(operation, **thaw(reply.body))
        return thaw(reply.body)


class ModelApi:
    """The methods of ``KubernetesApi`` that a pass uses; resourceVersions only say which of two states is newer."""

    def __init__(self) -> None:
        self._live: Json | None = None
        self._version = 1

    async def patch(self, _plural: str, _namespace: str, name: str, body: Json, *, status: bool = False) -> Json:
        """See ``KubernetesApi``."""
        body = {**body, "metadata": {k: v for k, v in body["metadata"].items() if k not in ("uid", "resourceVersion")}}
        reply = await ask(Question("patch-status" if status else "patch", name, freeze(body)))
        if reply.kind == "failed":
            raise KubernetesError("the connection was reset")
        if reply.kind == "vanished":
            raise Vanished("404")
        self._live = self._versioned(reply.body)
        if reply.kind == "conflict":
            raise Conflict("409")
        return self._live

    async def get(self, _plural: str, _namespace: str, _name: str) -> Json:
        """The live state, as it was when a write met a conflict: the two are one step here."""
        assert self._live is not None
        return self._live

    async def read_secret(self, _namespace: str, _name: str) -> Secret | None:
        """There are none here."""
        return None

    def _versioned(self, number: int) -> Json:
        self._version += 1
        body: Json = thaw(number)
        body["metadata"]["resourceVersion"] = str(self._version)
        return body
