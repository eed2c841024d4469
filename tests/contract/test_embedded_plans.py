"""How the databases find what a list shows among 10,000 sources: in an index, whatever the filter and the order."""

import itertools
import re

import pytest
from sqlalchemy import Connection, insert, select
from tests.support.embedded import NONE, read, write

from imagesources.embedded import schema
from imagesources.embedded.access import Caller
from imagesources.embedded.admin import ensure_hub, issue_key
from imagesources.embedded.listing import Listing, Page
from imagesources.embedded.store import SORT_KEYS, SourceStore

HUB_ID = "f" * 24
USED = re.compile(
    r"sources USING (?:COVERING )?INDEX (\w+)|using (\w+) on sources sources_1|Bitmap Index Scan on (\w+)"
)
SORTED = re.compile(r"TEMP B-TREE|Sort Key")
WITHOUT_ROWS = re.compile(
    r"COVERING INDEX sources|Index Only Scan[ \w]* on sources sources_1|using sources_pkey on sources sources_1"
)
"""Only the index is read; PostgreSQL likes the primary key as much, as ids grow in the order of the rows."""

Sort = tuple[tuple[str, bool], ...]
SINGLE: list[Sort] = [(), *(((key, down),) for key, down in itertools.product(SORT_KEYS, (False, True)))]
SEVERAL: list[Sort] = [(("type", False), ("name", True)), (("state", True), ("created", False), ("name", False))]
FILTERS = [{"identifier": "n42"}, {"state": "deleting"}, {"identifier": "n42", "state": "live"}, {"search": "x"}]


@pytest.fixture
async def filled(database: str) -> str:
    """A database with 10,000 sources, a third of them restricted."""
    await write(database, fill)
    return database


def fill(connection: Connection) -> None:
    """Adds a hub, a key and the sources; PostgreSQL looks at what it has, SQLite is not told to, as when it serves."""
    hub_id = ensure_hub(connection, "filled", HUB_ID)
    issue_key(connection, hub_id, name="k")
    creator = connection.scalar(select(schema.api_keys.c.id))
    same = {"hub_id": hub_id, "changed": 0, "creator_id": creator, "search": "", "origin": NONE}
    rows = [
        same
        | {"id": f"{n:024x}", "identifier": f"n{n}", "name": f"n{n}", "type": ("direct", "bucket")[n % 2]}
        | {"restricted": n % 3 == 0, "created": n, "updated": n, "state": "live" if n % 20 else "deleting"}
        for n in range(10_000)
    ]
    connection.execute(insert(schema.sources), rows)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")


async def found(database: str, filters: dict[str, str], sorts: list[Sort]) -> list[tuple[Sort, str]]:
    """Asks how the ids of a page would be found in each order, by a role that is above ACLs and by one that is not.

    PostgreSQL is kept from scanning a table where it has a choice, as it has with few rows.
    """

    def ask(connection: Connection) -> list[tuple[Sort, str]]:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        verb = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plans = []
        for sort, root in itertools.product(sorts, (True, False)):
            caller = Caller("k", HUB_ID, ("dev", "id"), rank=0, root=root, capabilities=None)
            query = SourceStore(caller).page_query(Listing(filters, sort, Page(20, 3)))
            compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{verb} {compiled}"))
            assert not re.search("SCAN sources|Seq Scan", plan), plan
            ids, _ = plan.split("SCAN found") if sqlite else re.split(r"sources_pkey on sources  \(", plan)
            plans.append((sort, ids.rpartition("Limit ")[2]))
        return plans

    return await read(database, ask)


def index_of(plan: str) -> str:
    """Returns the name of the index by which sources are found, the primary key being that by id."""
    (names,) = USED.findall(plan)
    return next(filter(None, names)).replace("sources_pkey", "sources_by_id")


async def test_every_order_has_an_index(filled: str) -> None:
    """Any single sort key, either way, reads an index in its order, and no row before the page's own."""
    for sort, plan in await found(filled, {}, SINGLE):
        assert index_of(plan) == f"sources_by_{sort[0][0] if sort else 'id'}", plan
        assert WITHOUT_ROWS.search(plan), plan
        assert not SORTED.search(plan), plan


async def test_several_keys_begin_with_an_index(filled: str) -> None:
    """Several sort keys read the index of the first one and sort what is alike."""
    for sort, plan in await found(filled, {}, SEVERAL):
        assert index_of(plan) == f"sources_by_{sort[0][0]}", plan


@pytest.mark.parametrize("filters", FILTERS, ids="-".join)
async def test_every_filter_uses_an_index(filled: str, filters: dict[str, str]) -> None:
    """An identifier is looked up, whatever the order; a state is read in an index alone; nothing scans the table."""
    for sort, plan in await found(filled, filters, SINGLE + SEVERAL):
        index = index_of(plan)
        if "identifier" in filters:
            assert index == "sources_by_identifier", plan
        elif "state" in filters and len(sort) < 2:
            assert index in {"sources_by_state", f"sources_by_{sort[0][0] if sort else 'id'}"}, plan
            assert WITHOUT_ROWS.search(plan), plan
