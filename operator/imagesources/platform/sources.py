"""The operations on image sources."""

from collections.abc import AsyncIterator, Iterable
from typing import Literal, Unpack

from imagesources.platform.calls import Calls, Order, Query, fit, path_of, several, sorted_by
from imagesources.platform.models import Acl, JobDescriptor, Json, Source, SourceState

SOURCES = "/v1/images/sources"

SourceInclude = Literal["creators", "integrations"]


class Listing(Order, total=False):
    """Which sources to list, and how.

    Attributes:
        identifier: only sources with exactly this identifier; it is not unique.
        search: only sources with this text in one of their fields.
        states: only sources in one of these states; none given: all.
        images_count: ask for ``meta.images_count``.
        include: ask for what the sources name, too: ``Source.includes``.
    """

    identifier: str | None
    search: str | None
    states: Iterable[SourceState]
    images_count: bool
    include: Iterable[SourceInclude]


class SourceCalls(Calls):
    """Image sources.

    The operator never includes creators: the description lets the platform show the secrets of API keys there. Who
    asks for them gets names and ids, and the secrets are dropped as soon as the answer is read.
    """

    async def list_sources(self, **listing: Unpack[Listing]) -> AsyncIterator[Source]:
        """Yields all sources that match, each id once, asking for a page when it is needed.

        A source created or deleted meanwhile may shift others across pages: one that is missing from a listing is
        not proven to be gone.

        Raises:
            Unanswered: also when the pages do not end.
        """
        async for source in self._pages("getImageSources", SOURCES, Source, _query(listing), listing):
            yield source

    async def list_page(self, number: int = 1, **listing: Unpack[Listing]) -> tuple[Source, ...]:
        """Returns one page of the sources that match; shorter than the page size: it is the last.

        Args:
            number: the page, from 1.
            listing: what to list.
        """
        return await self._page("getImageSources", SOURCES, Source, _query(listing), listing, number)

    async def create_source(self, body: Json) -> Source:
        """Creates a source from a body of the description's shape; its identifier may not be the one asked for."""
        operation = "createImageSource"
        return self._one(operation, Source, await self._call(operation, "POST", SOURCES, body=body))

    async def get_source(
        self, source_id: str, *, images_count: bool = False, include: Iterable[SourceInclude] = ()
    ) -> Source:
        """Returns one source, with the count of its images and what it names, if asked for."""
        operation = "getImageSource"
        path = path_of(operation, SOURCES, source_id)
        query = [("meta", "images_count" if images_count else None), ("include", several(include))]
        return self._one(operation, Source, await self._call(operation, "GET", path, query=query), source_id)

    async def update_source(self, source_id: str, changes: Json) -> Source:
        """Changes name, identifier, origin, builder or about: those given, each as a whole."""
        operation = "updateImageSource"
        path = path_of(operation, SOURCES, source_id)
        return self._one(operation, Source, await self._call(operation, "PATCH", path, body=changes), source_id)

    async def delete_source(self, source_id: str) -> JobDescriptor:
        """Asks for a source to be deleted and returns the job that does it, where the platform names one."""
        operation = "deleteImageSource"
        path = path_of(operation, SOURCES, source_id)
        return fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))

    async def update_access(self, source_id: str, acl: Acl | None) -> Source:
        """Replaces who may do what with a source; None lifts every restriction."""
        operation = "updateImageSourceAccess"
        path = f"{path_of(operation, SOURCES, source_id)}/access"
        body = {"acl": acl.model_dump() if acl else None}
        return self._one(operation, Source, await self._call(operation, "PATCH", path, body=body), source_id)


def _query(listing: Listing) -> Query:
    return [
        ("filter[identifier]", listing.get("identifier")),
        ("filter[search]", listing.get("search")),
        ("filter[state]", several(listing.get("states", ()))),
        sorted_by(listing),
        ("meta", "images_count" if listing.get("images_count") else None),
        ("include", several(listing.get("include", ()))),
    ]
