"""What the operations of all resources share: one request per call, an answer that is checked, lists page by page.

Every method raises the three kinds of ``imagesources.platform.errors`` and nothing else. Nothing is retried here, not
even a read: whether a call may be repeated depends on what it was for, and when on what else is asked of the hub (its
budget, its Retry-After, retries being a tenth of all calls at most); the caller knows both. A connection that the
platform closed while it was idle is replaced before anything is sent, and needs no retry. Answers are checked before
they are believed: a document that does not fit, names another id or belongs to another hub counts as no answer.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar

from pydantic import ValidationError

from imagesources.platform.errors import NotSent, Unanswered
from imagesources.platform.hosts import HostPolicy
from imagesources.platform.models import ApiModel, Includes, Json, Referring, Resource
from imagesources.platform.transport import Connection, Limits, OnCall, Transport

BeforeCall = Callable[[], Awaitable[None]]
"""Awaited before each request."""

Query = Sequence[tuple[str, str | None]]
"""Names and values of parameters; what is None is not sent."""

PAGE_SIZE = 100
MAX_PAGES = 1000
"""Pages of one listing before it counts as endless."""

_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_Model = TypeVar("_Model", bound=ApiModel)
_Resource = TypeVar("_Resource", bound=Resource)


class Order(TypedDict, total=False):
    """How to list.

    Attributes:
        sort: keys, descending with a leading ``-``; ``("id",)`` by default, so that pages shift little.
        page_size: resources per page; ``PAGE_SIZE`` by default.
    """

    sort: Sequence[str]
    page_size: int


class Calls:
    """One hub, asked by one key; creating it does no I/O.

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

    async def _call(
        self, operation: str, method: str, path: str, *, query: Query = (), body: Json | None = None
    ) -> Json:
        """Sends one request and returns the whole document that answers it."""
        if self._before_call:
            await self._before_call()
        given = [(name, value) for name, value in query if value is not None]
        document = await self._transport.call(operation, method, path, query=given, body=body)
        if "include" not in dict(given):
            document.pop("includes", None)  # not asked for, so not looked at
        return document

    async def _ask(self, operation: str, method: str, path: str, *, query: Query = (), body: Json | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Sends one request and returns the data that answers it."""
        return (await self._call(operation, method, path, query=query, body=body)).get("data")

    async def _page(
        self, operation: str, path: str, model: type[_Resource], query: Query, order: Order, number: int
    ) -> tuple[_Resource, ...]:
        """Returns one page, from 1; shorter than the page size: it is the last."""
        page: Query = [("page[size]", str(order.get("page_size", PAGE_SIZE))), ("page[number]", str(number))]
        return self._all(operation, model, await self._call(operation, "GET", path, query=[*query, *page]))

    async def _pages(
        self, operation: str, path: str, model: type[_Resource], query: Query, order: Order
    ) -> AsyncIterator[_Resource]:
        """Yields all that match, each id once, asking for a page when it is needed."""
        seen: set[str] = set()
        for number in range(1, MAX_PAGES + 1):
            page = await self._page(operation, path, model, query, order, number)
            new = [resource for resource in page if resource.id not in seen]
            for resource in new:
                seen.add(resource.id)
                yield resource
            if len(page) < order.get("page_size", PAGE_SIZE):
                return
            if not new:  # the platform repeats itself, and what follows is out of reach
                break
        raise Unanswered(operation, "the pages of the list do not end")

    def _all(self, operation: str, model: type[_Resource], document: Json) -> tuple[_Resource, ...]:
        """Returns the resources of a document, all of them of our hub."""
        data, includes = document.get("data"), self._includes(operation, document)
        if not isinstance(data, list):
            raise Unanswered(operation, "the answer is no list")
        return tuple(self._own(operation, model, item, includes) for item in data)

    def _one(self, operation: str, model: type[_Resource], document: Json, asked_id: str | None = None) -> _Resource:
        """Returns the resource of a document, which belongs to our hub and has the id that was asked for, if any."""
        value = self._own(operation, model, document.get("data"), self._includes(operation, document))
        if asked_id not in (None, value.id):
            raise Unanswered(operation, "the answer has another id than the one asked for")
        return value

    def _own(self, operation: str, model: type[_Resource], data: object, includes: Includes | None) -> _Resource:
        value = fit(operation, model, data)
        self._check_hub(operation, value)
        return value.model_copy(update={"includes": includes}) if includes and isinstance(value, Referring) else value

    def _includes(self, operation: str, document: Json) -> Includes | None:
        """Returns what the document brings along, all of it of our hub."""
        if document.get("includes") is None:
            return None
        includes = fit(operation, Includes, document["includes"])
        for resource in (*includes.integrations.values(), *includes.sources.values()):
            self._check_hub(operation, resource)
        return includes

    def _check_hub(self, operation: str, resource: Resource) -> None:
        if resource.hub_id != self._hub_id:
            raise Unanswered(operation, "the answer belongs to another hub")


def fit(operation: str, model: type[_Model], data: object) -> _Model:
    """Returns what of the data the model knows.

    Raises:
        Unanswered: it does not fit.
    """
    try:
        return model.model_validate(data)
    except ValidationError as misfit:
        # Only the name of a field of ours: the rest of a validation error shows the data.
        first = misfit.errors(include_url=False, include_context=False, include_input=False)[0]
        field = "".join(str(step) for step in first["loc"][:1])
    raise Unanswered(operation, f"the answer does not fit {model.__name__}{'.' if field else ''}{field}")


def path_of(operation: str, collection: str, object_id: str) -> str:
    """Returns the path of a resource.

    Raises:
        NotSent: the id is none.
    """
    if not _OBJECT_ID.fullmatch(object_id):
        raise NotSent(operation, "the id is not 24 lowercase hexadecimal digits")
    return f"{collection}/{object_id}"


def several(values: Iterable[str]) -> str | None:
    """Returns one parameter's value for several, separated by commas, as the description has them."""
    return ",".join(values) or None


def sorted_by(order: Order) -> tuple[str, str | None]:
    """Returns the parameter that says how to sort."""
    return "sort", several(order.get("sort", ("id",)))
