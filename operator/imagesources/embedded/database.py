"""One database, SQLite or PostgreSQL, whose transactions run in threads so that the event loop never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self, TypeVar

from pydantic_core import from_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, IntegrityError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from imagesources.embedded import migrations, schema
from imagesources.embedded.ids import new_id

T = TypeVar("T")
Query = Callable[[Connection], T]

BUSY_TIMEOUT = 30.0
"""Seconds that a SQLite connection waits for another process's write."""

READERS = 4

CONNECT_TIMEOUT = 10
"""Seconds that a PostgreSQL server has to accept a connection, unless the URL says otherwise."""

UNREACHABLE: Final = (OperationalError, InterfaceError)
"""What is raised while the database cannot be used; any other error of a query is its own."""

ROLLED_BACK: Final = ("40001", "40P01")
"""PostgreSQL's codes for a transaction that lost against another one and can be run again."""


class Database:
    """Runs queries, each in a transaction of its own, in threads.

    A read sees one moment, however many statements it has. SQLite has one writer at a time, so there is one thread
    for writes: they queue here, in order, instead of fighting for the file's lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        if engine.dialect.name == "sqlite":
            writers = 1
            self._reading, self._writing = engine, engine.execution_options(begin="BEGIN IMMEDIATE")
        else:
            writers = READERS
            self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writing = engine.execution_options(isolation_level="READ COMMITTED")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="embedded-read")
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="embedded-write")

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect, and bring the tables up to date.

        Args:
            url: an SQLAlchemy URL, such as ``sqlite:////var/lib/platform.db`` or ``postgresql://…``.

        Raises:
            ValueError: the URL is none, or names an SQLite database in memory, or one of a newer program.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        return await cls._prepared(_engine(url), migrations.upgrade)

    @classmethod
    async def make(cls, url: str) -> Self:
        """Connect, and make the tables if there are none; for what is raised see ``open`` and ``existing``."""
        return await cls._prepared(_engine(url), migrations.make)

    @classmethod
    async def existing(cls, url: str) -> Self:
        """Connect to a database that is there and up to date.

        Raises:
            ValueError: the URL is none, or names a database that is empty, or of another version of this program.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        engine = _engine(url)
        _require_file(engine)
        return await cls._prepared(engine, migrations.require)

    @classmethod
    async def _prepared(cls, engine: Engine, prepare: Query[None]) -> Self:
        database = cls(engine)
        try:
            await database.write(prepare)
        except BaseException:
            await database.close()
            raise
        return database

    async def read(self, query: Query[T]) -> T:
        """Run a query that changes nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, _run, self._reading, query)

    async def write(self, query: Query[T]) -> T:
        """Run a query and commit what it changed; nothing is changed if it raises.

        The query runs again when the database gave its transaction up in favour of another one.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writers, _run, self._writing, query)

    async def ensure(self, query: Query[T]) -> T:
        """Run a query that makes what is missing; it runs again if another process was faster."""
        try:
            return await self.write(query)
        except IntegrityError:
            return await self.write(query)

    async def instance(self) -> str:
        """Tell the id that the store was given when it was made."""
        return await self.ensure(_instance)

    async def close(self) -> None:
        """Finish what runs, then disconnect."""
        for pool in (self._readers, self._writers):
            await asyncio.to_thread(pool.shutdown)
        await asyncio.to_thread(self._engine.dispose)


def _run(engine: Engine, query: Query[T]) -> T:
    while True:
        try:
            with engine.begin() as connection:
                return query(connection)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in ROLLED_BACK:
                raise


def _instance(connection: Connection) -> str:
    found = connection.scalar(select(schema.instance.c.id))
    if found is None:
        found = new_id()
        connection.execute(insert(schema.instance).values(singleton=1, id=found))
    return found


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("the database URL is none, such as sqlite:///platform.db") from error
    if parsed.get_backend_name() != "sqlite":
        return _server_engine(parsed)
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("the database must be a file: what it holds has to outlive the process")
    engine = create_engine(
        parsed,
        hide_parameters=True,
        json_deserializer=from_json,
        pool_size=READERS + 1,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT},
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _require_file(engine: Engine) -> None:
    """Refuse a file that is not there: SQLite would make it."""
    name = (engine.url.database or "").removeprefix("file:")
    if engine.dialect.name == "sqlite" and not Path(name).exists():
        raise migrations.UnusableDatabase(migrations.NOTHING)


def _server_engine(url: URL) -> Engine:
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
        url = url.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT), **url.query})
    try:
        return create_engine(
            url, hide_parameters=True, json_deserializer=from_json, pool_pre_ping=True, pool_size=2 * READERS
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ValueError(f"there is no driver for {url.drivername} databases; is it installed?") from error


def _configure_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set up a new connection: WAL, so that readers never wait for the writer.

    ``synchronous=FULL`` makes each commit outlive a power cut. NORMAL would only outlive a kill: an acknowledged
    create could vanish with the power, and a client would have to take it for deleted by other hands.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin ourselves: a write takes its lock at once, as one that reads first could not get it later."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
