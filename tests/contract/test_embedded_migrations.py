"""Migrations: they make exactly the tables of ``schema.py``, on both databases, whoever starts first."""

import asyncio
import sys

import pytest
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text
from tests.support.embedded import embedded_api, read, write

from imagesources.embedded.admin import ensure_hub
from imagesources.embedded.migrations import UnusableDatabase
from imagesources.embedded.schema import metadata, roles

OPEN = """
import asyncio, sys
from imagesources.embedded.database import Database
asyncio.run(asyncio.run(Database.open(sys.argv[1])).close())
"""

CATALOG = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' ORDER BY name",
    "postgresql": """
        SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length, collation_name,
               is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
        UNION ALL
        SELECT tablename, 0, indexname, indexdef, 0, '', '', '' FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        UNION ALL
        SELECT conrelid::regclass::text, 0, conname, pg_get_constraintdef(oid), 0, '', '', '' FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
        ORDER BY 1, 2, 3, 4
    """,
}
"""What each database says of its tables, columns, indexes and constraints."""


async def test_make_the_schema(blank: str) -> None:
    """Alembic finds no difference between what the migrations make and the schema; if so, it says what to write."""

    def missing(connection: Connection) -> str:
        context = MigrationContext.configure(connection)
        if not compare_metadata(context, metadata):
            return ""
        operations = produce_migrations(context, metadata).upgrade_ops
        assert operations is not None
        return render_python_code(operations)

    assert await read(blank, missing) == ""


async def test_make_what_the_schema_would(blank: str) -> None:
    """The database's own catalog is the same, to the last collation, as if the schema had made the tables.

    Only the order of the columns and constraints of a table may differ, which SQLite keeps as they were written; a
    column that was added later stands on another one's line.
    """

    def catalog(connection: Connection) -> list[str]:
        rows = connection.execute(text(CATALOG[connection.dialect.name]))
        texts = ["\n".join(map(str, row)).replace("), ", "),\n") for row in rows]
        return ["; ".join(sorted(line.strip(", \t") for line in text.split("\n") if line.strip())) for text in texts]

    def make_again(connection: Connection) -> None:
        metadata.drop_all(connection)
        metadata.create_all(connection)

    migrated = await read(blank, catalog)
    await write(blank, make_again)
    assert migrated == await read(blank, catalog)
    assert len(migrated) > len(metadata.tables)


async def test_rows_of_the_first_release(blank: str) -> None:
    """A database of the first release keeps its roles, which are found by a search as new ones are."""

    def as_it_was(connection: Connection) -> None:
        hub_id = ensure_hub(connection, "test")
        values = {"id": "a" * 24, "hub_id": hub_id, "identifier": "Ärzte", "name": "Ökonomie", "root": False, "rank": 1}
        granted = {"all_capabilities": False, "capabilities": [], "extra": {}, "created": 0, "updated": 0}
        connection.execute(insert(roles).values(**values, **granted))
        connection.execute(text("ALTER TABLE roles DROP COLUMN search"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    await write(blank, as_it_was)
    async with embedded_api(blank) as api:
        for term in ("ÄRZTE", "ökonom"):
            (found,) = (await api("GET", f"/v1/hubs/current/roles?filter[search]={term}")).data
            assert found["identifier"] == "Ärzte"


async def test_processes_start_at_once(blank: str) -> None:
    """Four processes that find an empty database at the same moment all start, and agree on what is in it."""
    started = [await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, blank) for _ in range(4)]
    assert [await process.wait() for process in started] == [0] * 4
    async with embedded_api(blank) as api:
        assert await api.names() == []


async def test_newer_database_is_refused(blank: str) -> None:
    """A database that a newer program has migrated is refused with a message that says so, and left alone."""
    database = blank
    async with embedded_api(blank):
        pass
    await write(
        database, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )
    with pytest.raises(UnusableDatabase, match="newer version"):
        async with embedded_api(blank):
            pytest.fail("it was opened")
