"""Migrations: they make exactly the tables of ``schema.py``, on both databases, whoever starts first."""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Column, Connection, Integer, MetaData, event, insert, select, text
from tests.support.embedded import embedded_api, read, write

from imagesources.embedded import migrations
from imagesources.embedded.database import _engine
from imagesources.embedded.migrations import UnusableDatabase, configuration, upgrade
from imagesources.embedded.schema import hubs, metadata, roles

RELEASED = Path(__file__).with_name("released")
"""What each migration does to the tables, by its revision and the kind of database."""

REVISIONS = [script.revision for script in ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()][
    ::-1
]

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


def catalog(connection: Connection) -> list[str]:
    """Reads what the database says of its tables.

    Only the order of the columns and constraints of a table is left out, which SQLite keeps as they were written; a
    column that was added later stands on another one's line.
    """
    rows = connection.execute(text(CATALOG[connection.dialect.name]))
    texts = ["\n".join(map(str, row)).replace("), ", "),\n") for row in rows]
    return ["; ".join(sorted(line.strip(", \t") for line in text.split("\n") if line.strip())) for text in texts]


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """Works on a database as it is, without bringing it up to date."""
    engine = _engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


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
    """The database's own catalog is the same, to the last collation, as if the schema had made the tables."""

    def make_again(connection: Connection) -> None:
        metadata.drop_all(connection)
        metadata.create_all(connection)

    migrated = await read(blank, catalog)
    await write(blank, make_again)
    assert migrated == await read(blank, catalog)
    assert len(migrated) > len(metadata.tables)


@pytest.mark.parametrize("revision", REVISIONS)
def test_released_migrations_are_never_changed(blank: str, revision: str) -> None:
    """Each migration does to the tables what it did when it was released, on each database."""
    statements: list[str] = []
    with transaction(blank) as connection:
        released = RELEASED / f"{revision}.{connection.dialect.name}.sql"
        command.upgrade(configuration(connection), f"{revision}-1" if revision != REVISIONS[0] else "base")
        event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        command.upgrade(configuration(connection), revision)
    changes = [text for text in statements if re.match(r"\s*(CREATE|ALTER|DROP)\b(?!.*alembic_version)", text)]
    done = "".join("\n".join(map(str.rstrip, text.strip().splitlines())) + ";\n" for text in changes)
    assert released.exists(), f"A migration that is to be released needs the file {released.name} with\n{done}"
    assert done == released.read_text()


def first_release(connection: Connection) -> None:
    """Makes the tables of the first release as it made them itself."""
    for statement in (RELEASED / f"0001.{connection.dialect.name}.sql").read_text().split(";\n")[:-1]:
        connection.exec_driver_sql(statement)
    command.stamp(configuration(connection), "0001")


def a_value(column: Column[Any]) -> object:
    """Makes up a value; those of all ids and references are the same."""
    if isinstance(column.type, JSON):
        return {"a": "ä"}
    if isinstance(column.type, Boolean):
        return True
    return 1 if isinstance(column.type, Integer) else "a" * min(getattr(column.type, "length", None) or 1, 24)


def test_upgrade_keeps_all_rows(blank: str) -> None:
    """A database of the first release with rows in all tables becomes what a new one is, and keeps each value."""
    old = MetaData()

    def values(connection: Connection) -> dict[str, list[Any]]:
        return {table.name: connection.execute(select(table)).all() for table in old.sorted_tables}

    with transaction(blank) as connection:
        first_release(connection)
        old.reflect(connection, only=lambda name, _: name != "alembic_version")
        for table in old.sorted_tables:
            connection.execute(insert(table), {column.name: a_value(column) for column in table.columns})
        before = values(connection)
    assert set(before) == set(metadata.tables)
    assert all(before.values())
    with transaction(blank) as connection:
        upgrade(connection)
        assert values(connection) == before
        migrated = catalog(connection)
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert migrated == catalog(connection)


async def test_rows_of_the_first_release(blank: str) -> None:
    """A database of the first release keeps its roles, which are found by a search as new ones are."""
    with transaction(blank) as connection:
        first_release(connection)
        same: dict[str, Any] = {"created": 0, "updated": 0}
        connection.execute(insert(hubs).values(id="b" * 24, name="test", created=0))
        named = {"id": "a" * 24, "hub_id": "b" * 24, "identifier": "Ärzte", "name": "Ökonomie"}
        granted = {"root": False, "rank": 1, "all_capabilities": False, "capabilities": [], "extra": {}}
        connection.execute(insert(roles).values(**named, **granted, **same))
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
