"""The databases that the embedded platform is tested on: SQLite, and a PostgreSQL server of this run's own."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.support.postgres import PostgresServer

from imagesources.embedded.schema import metadata


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for this run."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def spare(postgres: PostgresServer) -> list[str]:
    """The URLs of empty databases with all tables that nobody uses now: to empty one is quicker than to make one."""
    assert postgres
    return []


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes empty databases and returns their URLs; what asks for this is tested on each kind."""
    if request.param == "sqlite":
        numbers = itertools.count()
        yield lambda: f"sqlite:///{tmp_path / f'embedded{next(numbers)}.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    spare: list[str] = request.getfixturevalue("spare")
    used: list[str] = []

    def make() -> str:
        used.append(spare.pop() if spare else server.url(server.create()))
        return used[-1]

    yield make
    for url in used:
        empty(url)
    spare += used


@pytest.fixture(params=["sqlite", "postgresql"])
def blank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'blank.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def empty(url: str) -> None:
    """Deletes all rows of a PostgreSQL database, and waits for nobody who still uses it."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
        for table in reversed(metadata.sorted_tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """The URL of an empty database."""
    return new_database()
