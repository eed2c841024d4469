"""Every list of an embedded platform, in every way that it can be asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from tests.benchmark.fill import DEVELOPER_KEY
from tests.support.embedded import SOURCES
from tests.support.serving import HUB_ID, KEY

from imagesources.embedded.store import SORT_KEYS

FLOOR = "/v1/hubs/capabilities"
"""The trivial handler: it answers with a constant, asks for no key and reads no database."""


@dataclass(frozen=True)
class Case:
    """A request to measure.

    Attributes:
        name: what is measured.
        path: with the query.
        key: who asks.
    """

    name: str
    path: str
    key: str = KEY

    def request(self) -> bytes:
        """Returns the request as it goes over the wire."""
        lines = (f"GET {self.path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.key}", f"X-Hub-Id: {HUB_ID}")
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def cases(count: int) -> Iterator[Case]:
    """Yields what to measure.

    Args:
        count: sources that there are.
    """
    yield Case("the trivial handler", FLOOR)
    yield from _pages(count)
    yield from _filters()
    yield from _sorts(count)
    yield from _views()
    yield from _neighbours(count)


def _pages(count: int) -> Iterator[Case]:
    listed = count - count // 20
    for size in (20, 100, 1000):
        last = max(1, -(-listed // size))
        for which, number in (("first", 1), ("middle", (last + 1) // 2), ("last", last)):
            query = f"page[size]={size}&page[number]={number}"
            yield Case(f"{which} page of {size}", f"{SOURCES}?{query}")
            if size == 20:
                yield Case(f"{which} page of {size}, by a role with ACLs", f"{SOURCES}?{query}", DEVELOPER_KEY)


def _filters() -> Iterator[Case]:
    for filters in (
        {"identifier": "cedar-2"},
        {"identifier": "nobody"},
        {"search": "team 17;"},
        {"search": "e"},
        {"search": "nobody"},
        {"state": "live"},
        {"state": "deleting"},
        {"state": "deleted"},
        {"state": "live,deleting,deleted"},
        {"identifier": "cedar-2", "state": "deleted"},
        {"identifier": "cedar-2", "search": "team"},
        {"search": "nobody", "state": "deleting"},
        {"identifier": "cedar-2", "search": "team", "state": "live"},
    ):
        query = "&".join(f"filter[{name}]={value}".replace(" ", "%20") for name, value in filters.items())
        yield Case(f"filter {', '.join(f'{name}={value}' for name, value in filters.items())}", f"{SOURCES}?{query}")
    for sort in ("name", "-updated"):
        for query in ("filter[search]=nobody", "filter[search]=e", "filter[state]=deleting", "filter[state]=deleted"):
            yield Case(f"{query}, sort {sort}", f"{SOURCES}?{query}&sort={sort}")


def _sorts(count: int) -> Iterator[Case]:
    for key, sign in product(SORT_KEYS, ("", "-")):
        yield Case(f"sort {sign}{key}", f"{SOURCES}?sort={sign}{key}")
    for sort in ("type,-name", "-state,created,name", "name,-created", "updated,id"):
        yield Case(f"sort {sort}", f"{SOURCES}?sort={sort}")
    middle = f"page[number]={max(1, count // 40)}"
    for sort in ("name", "-updated", "type,-name"):
        yield Case(f"sort {sort}, middle page", f"{SOURCES}?sort={sort}&{middle}")


def _views() -> Iterator[Case]:
    for size in (20, 100):
        for view in (
            "include=creators",
            "include=integrations",
            "meta=images_count",
            "include=creators,integrations&meta=images_count",
        ):
            yield Case(f"{view}, page of {size}", f"{SOURCES}?{view}&page[size]={size}")


def _neighbours(count: int) -> Iterator[Case]:
    middle = f"page[number]={max(1, count // 80)}"
    for name in ("images", "jobs", "hubs/current/integrations", "hubs/current/roles"):
        yield Case(name, f"/v1/{name}")
    for query in (
        middle,
        "sort=-created",
        "filter[search]=nobody",
        "filter[state]=deleting",
        "include=sources,creators",
    ):
        yield Case(f"images, {query}", f"/v1/images?{query}")
    for query in ("page[number]=20", "sort=-queued", "filter[search]=nobody", "filter[state]=completed"):
        yield Case(f"jobs, {query}", f"/v1/jobs?{query}")
