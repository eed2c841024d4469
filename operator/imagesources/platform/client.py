"""The platform's Image Sources API, typed: one method per operation, one request per call.

Every method raises the three kinds of ``imagesources.platform.errors`` and nothing else. Nothing is retried here:
whether a call may be repeated depends on what it was for, and the engine knows that. Answers are checked before they
are believed: a document that does not fit, names another id or belongs to another hub counts as no answer.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

from pydantic import ValidationError

from imagesources.platform.errors import NotSent, Unanswered
from imagesources.platform.models import Acl, ApiModel, Job, JobDescriptor, Json, Source, SourceState
from imagesources.platform.transport import Connection, HostPolicy, Limits, OnCall, Transport

__all__ = ["MAX_PAGES", "PAGE_SIZE", "Connection", "HostPolicy", "Limits", "Listing", "OnCall", "PlatformClient"]

BeforeCall = Callable[[], Awaitable[None]]
"""Awaited before each request."""

SOURCES = "/v1/images/sources"
PAGE_SIZE = 100
MAX_PAGES = 1000
"""Pages of one listing before it counts as endless."""

_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_Model = TypeVar("_Model", bound=ApiModel)


class Listing(TypedDict, total=False):
    """What to list, and how.

    Attributes:
        identifier: only sources with exactly this identifier; it is not unique.
        search: only sources with this text in one of their fields.
        states: only sources in one of these states; none given: all.
        sort: keys, descending with a leading ``-``; ``("id",)`` by default, so that pages shift little.
        page_size: sources per page; ``PAGE_SIZE`` by default.
        images_count: ask for ``meta.images_count``.
    """

    identifier: str | None
    search: str | None
    states: Iterable[SourceState]
    sort: Sequence[str]
    page_size: int
    images_count: bool


class PlatformClient:
    """The operations of one hub; creating it does no I/O.

    Args:
        connection: the hub and its key.
        policy: the hosts that may be called.
        limits: what one call may take.
        on_call: told of each call.
        before_call: awaited before each request, such as for the right to send it.
    """

    def __init__(
        self,
        connection: Connection,
        policy: HostPolicy,
        *,
        limits: Limits | None = None,
        on_call: OnCall | None = None,
        before_call: BeforeCall | None = None,
    ) -> None:
        self._hub_id = connection.hub_id
        self._before_call = before_call
        self._transport = Transport(connection, policy, limits=limits, on_call=on_call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; later calls raise ``NotSent``."""
        await self._transport.aclose()

    async def list_sources(self, **listing: Unpack[Listing]) -> AsyncIterator[Source]:
        """Yields all sources that match, each id once, asking for a page when it is needed.

        A source created or deleted meanwhile may shift others across pages: one that is missing from a listing is
        not proven to be gone.

        Raises:
            Unanswered: also when the pages do not end.
        """
        seen: set[str] = set()
        for number in range(1, MAX_PAGES + 1):
            page = await self.list_page(number, **listing)
            new = [source for source in page if source.id not in seen]
            for source in new:
                seen.add(source.id)
                yield source
            if len(page) < listing.get("page_size", PAGE_SIZE):
                return
            if not new:  # the platform repeats itself, and what follows is out of reach
                break
        raise Unanswered("getImageSources", "the pages of the list do not end")

    async def list_page(self, number: int = 1, **listing: Unpack[Listing]) -> tuple[Source, ...]:
        """Returns one page of the sources that match; shorter than the page size: it is the last.

        Args:
            number: the page, from 1.
            listing: what to list.
        """
        operation = "getImageSources"
        data = await self._ask(operation, "GET", SOURCES, query=_list_query(number, listing))
        if not isinstance(data, list):
            raise Unanswered(operation, "the answer is no list")
        return tuple(self._own(operation, Source, item) for item in data)

    async def create_source(self, body: Json) -> Source:
        """Creates a source from a body of the description's shape; its identifier may not be the one asked for."""
        operation = "createImageSource"
        return self._own(operation, Source, await self._ask(operation, "POST", SOURCES, body=body))

    async def get_source(self, source_id: str, *, images_count: bool = False) -> Source:
        """Returns one source, with the count of its images if asked for."""
        operation = "getImageSource"
        path = _path(operation, SOURCES, source_id)
        query = [("meta", "images_count")] if images_count else []
        return self._own(operation, Source, await self._ask(operation, "GET", path, query=query), source_id)

    async def update_source(self, source_id: str, changes: Json) -> Source:
        """Changes name, identifier, origin, builder or about: those given, each as a whole."""
        operation = "updateImageSource"
        path = _path(operation, SOURCES, source_id)
        return self._own(operation, Source, await self._ask(operation, "PATCH", path, body=changes), source_id)

    async def delete_source(self, source_id: str) -> JobDescriptor:
        """Asks for a source to be deleted and returns the job that does it, where the platform names one."""
        operation = "deleteImageSource"
        path = _path(operation, SOURCES, source_id)
        return _fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))

    async def update_access(self, source_id: str, acl: Acl | None) -> Source:
        """Replaces who may do what with a source; None lifts every restriction."""
        operation = "updateImageSourceAccess"
        path = f"{_path(operation, SOURCES, source_id)}/access"
        body = {"acl": acl.model_dump() if acl else None}
        return self._own(operation, Source, await self._ask(operation, "PATCH", path, body=body), source_id)

    async def get_job(self, job_id: str) -> Job:
        """Returns one job; a job just announced may be refused as ``404.job`` for some seconds."""
        operation = "getJob"
        path = _path(operation, "/v1/jobs", job_id)
        return self._own(operation, Job, await self._ask(operation, "GET", path), job_id)

    async def _ask(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Json | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON
        if self._before_call:
            await self._before_call()
        document = await self._transport.call(operation, method, path, query=query, body=body)
        return document.get("data")

    def _own(self, operation: str, model: type[_Model], data: object, asked_id: str | None = None) -> _Model:
        """Returns the model of what belongs to our hub and has the id that was asked for, if any."""
        value = _fit(operation, model, data)
        if not isinstance(value, Source | Job) or value.hub_id != self._hub_id:
            raise Unanswered(operation, "the answer belongs to another hub")
        if asked_id not in (None, value.id):
            raise Unanswered(operation, "the answer has another id than the one asked for")
        return value


def _fit(operation: str, model: type[_Model], data: object) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as misfit:
        # Only the name of a field of ours: the rest of a validation error shows the data.
        first = misfit.errors(include_url=False, include_context=False, include_input=False)[0]
        field = "".join(str(step) for step in first["loc"][:1])
    raise Unanswered(operation, f"the answer does not fit {model.__name__}{'.' if field else ''}{field}")


def _path(operation: str, collection: str, object_id: str) -> str:
    if not _OBJECT_ID.fullmatch(object_id):
        raise NotSent(operation, "the id is not 24 lowercase hexadecimal digits")
    return f"{collection}/{object_id}"


def _list_query(number: int, listing: Listing) -> list[tuple[str, str]]:
    """Returns the query; several values in one parameter are separated by commas, as the description has them."""
    query = [
        ("filter[identifier]", listing.get("identifier")),
        ("filter[search]", listing.get("search")),
        ("filter[state]", ",".join(listing.get("states", ())) or None),
        ("sort", ",".join(listing.get("sort", ("id",))) or None),
        ("meta", "images_count" if listing.get("images_count") else None),
        ("page[size]", str(listing.get("page_size", PAGE_SIZE))),
        ("page[number]", str(number)),
    ]
    return [(name, value) for name, value in query if value is not None]
