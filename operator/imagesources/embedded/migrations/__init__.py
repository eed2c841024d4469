"""Brings the tables of a database up to date: Alembic's migrations, one file each in ``versions``, oldest first.

``schema.py`` says what the tables are, a migration how they come to be so; a test proves that the two agree.
"""

import logging
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

LOG = logging.getLogger(__name__)

_LOCK: Final = 0x696D6167
"""Key of PostgreSQL's advisory lock under which one process migrates; it is "imag"."""

NOTHING: Final = "there is no platform here; imagesource-operator platform hub create NAME, or serve, makes one"
"""What is said of a database without tables, or of a file that is not there."""


class UnusableDatabase(ValueError):
    """The database is not what this version of the program works with."""


def upgrade(connection: Connection) -> None:
    """Make every table what it should be; a database that is up to date is only looked at.

    Processes that start at once take turns, each within its transaction: SQLite by its one writer, PostgreSQL by a
    lock.

    Args:
        connection: within a transaction that writes.

    Raises:
        UnusableDatabase: it holds a migration that is not known here.
    """
    _lock(connection)
    found = _found(connection)
    if found != _head():
        command.upgrade(configuration(connection), "head")
        LOG.info("the database was migrated from %s to %s", found or "nothing", _head())


def make(connection: Connection) -> None:
    """Make the tables of an empty database; any other one must be up to date.

    Raises:
        UnusableDatabase: it is of another version.
    """
    _lock(connection)
    if _found(connection) is None:
        upgrade(connection)
    require(connection)


def require(connection: Connection) -> None:
    """Refuse a database that is not up to date: to migrate it may harm an older program that serves it.

    Raises:
        UnusableDatabase: it is empty, or of another version.
    """
    found = _found(connection)
    if found is None:
        raise UnusableDatabase(NOTHING)
    if found != _head():
        raise UnusableDatabase(
            "the database is of an older version of this program; stop what serves it, then start this version there, "
            "which brings it up to date"
        )


def configuration(connection: Connection) -> Config:
    """Tell Alembic where the migrations are, and what they are run on."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "imagesources.embedded:migrations")
    return config


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _found(connection: Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {revision.revision for revision in _script().walk_revisions()}:
        raise UnusableDatabase(
            "the database was used by a newer version of this program; start that one, or restore an older backup"
        )
    return found


def _head() -> str | None:
    return _script().get_current_head()


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))
