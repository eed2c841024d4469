"""What a client may ask of a list: filters, several sort keys, a numbered page, meta and includes.

A page is the same on every call as long as nothing changes: the id decides between equals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multidict import MultiMapping
from sqlalchemy import Column, ColumnElement, Select, select

from imagesources.embedded import clock
from imagesources.embedded.errors import ApiError, invalid_argument

PAGE_SIZE = 20
"""Size of a page if none is asked for: the description's own example."""

PAGE_SIZE_LIMIT = 1000
PAGE_NUMBER_LIMIT = 1_000_000

Columns = Mapping[str, Column[Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, counted from 1."""

    size: int
    number: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The parameters that all lists have.

    Attributes:
        filters: by name, such as ``state``.
        sort: names of sort keys, each with True for descending.
        page: the page.
    """

    filters: Mapping[str, str]
    sort: tuple[tuple[str, bool], ...]
    page: Page

    def states(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Read ``filter[state]``, which may name several; empty if there is none.

        Raises:
            ApiError: a state is not one of those known.
        """
        asked = tuple(part for part in self.filters.get("state", "").split(",") if part)
        if not set(asked) <= set(known):
            raise invalid_argument("/filter/state", f"The states are: {', '.join(known)}")
        return asked

    def moment(self, name: str) -> int:
        """Read a filter that is a time, in milliseconds since 1970.

        Raises:
            ApiError: it is no time.
        """
        try:
            return clock.milliseconds(self.filters[name])
        except (ValueError, OverflowError) as error:
            raise invalid_argument(f"/filter/{name}", "It must be a time such as 2021-01-30T08:30:00Z.") from error

    def arrange(self, query: Select[Any], columns: Columns) -> Select[Any]:
        """Sort and cut a query for the rows of a table.

        Ties are broken by id, in the direction of the last key, so that an index on (key, id) serves both ways. The
        ids of the page are found first, in such an index, so that the rows before the page are not read.
        """
        keys = [(columns[name], descending) for name, descending in self.sort]
        if "id" not in (name for name, _ in self.sort):
            keys.append((columns["id"], self.sort[-1][1] if self.sort else False))
        order = [_ordered(column, descending) for column, descending in keys]
        skipped = self.page.size * (self.page.number - 1)
        found = (
            query.with_only_columns(columns["id"])
            .order_by(*order)
            .limit(self.page.size)
            .offset(skipped)
            .subquery("found")
        )
        return select(columns["id"].table).join(found, columns["id"] == found.c.id).order_by(*order)


def _ordered(column: Column[Any], descending: bool) -> ColumnElement[Any]:
    """Null is below everything on each database; a column without null says nothing of it, so that an index serves."""
    ordered = column.desc() if descending else column.asc()
    if not column.nullable:
        return ordered
    return ordered.nulls_last() if descending else ordered.nulls_first()


def read_listing(query: MultiMapping[str], filters: tuple[str, ...], columns: Columns) -> Listing:
    """Read a list's parameters; those that are not known are ignored.

    Args:
        query: of the URL.
        filters: names of the filters that the list has.
        columns: what the list can be sorted by.

    Raises:
        ApiError: a value makes no sense; its source is the parameter, ``page[size]`` being ``/page/size``.
    """
    return Listing(
        filters={name: _text(query, name) for name in filters if f"filter[{name}]" in query},
        sort=tuple(_sort_key(key, columns) for key in several(query, "sort")),
        page=Page(
            size=_number(query, "size", PAGE_SIZE, PAGE_SIZE_LIMIT),
            number=_number(query, "number", 1, PAGE_NUMBER_LIMIT),
        ),
    )


def several(query: MultiMapping[str], name: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Read a parameter of several values, comma separated or repeated.

    An empty value is none, unless the values are known: the description's enum does not have it.

    Raises:
        ApiError: a value is not one of those known, where some are given.
    """
    values = tuple(part for value in query.getall(name, ()) for part in value.split(",") if part or known)
    if known and not set(values) <= set(known):
        raise invalid_argument(f"/{name}", f"The values are: {', '.join(known)}")
    return values


def _sort_key(key: str, columns: Columns) -> tuple[str, bool]:
    name = key.removeprefix("-")
    if name not in columns:
        raise invalid_argument("/sort", f"The sort keys are: {', '.join(columns)}")
    return name, key.startswith("-")


def _text(query: MultiMapping[str], name: str) -> str:
    """Read a filter; PostgreSQL has no NUL in text, so nothing here could ever match one."""
    value = query[f"filter[{name}]"]
    if "\0" in value:
        raise invalid_argument(f"/filter/{name}", "NUL is not allowed in text")
    return value


def _number(query: MultiMapping[str], name: str, default: int, limit: int) -> int:
    written = query.get(f"page[{name}]")
    if written is None:
        return default
    source = f"/page/{name}"
    digits = written.lstrip("0")
    if not (written.isascii() and written.isdigit() and digits):
        raise invalid_argument(source, "It must be a whole number from 1 up.")
    if len(digits) > len(str(limit)) or int(digits) > limit:
        raise ApiError("422.max-exceeded", "Limit exceeded", detail=f"At most {limit}.", source=source)
    return int(digits)
