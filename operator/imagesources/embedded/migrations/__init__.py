"""Brings the tables of a database up to date: Alembic's migrations, one file each in ``versions``, oldest first.

``schema.py`` says what the tables are, a migration how they come to be so; a test proves that the two agree.
"""

import logging
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

LOG = logging.getLogger(__name__)

_LOCK: Final = 0x696D6167
"""Key of PostgreSQL's advisory lock under which one process migrates; it is "imag"."""


class NewerDatabase(ValueError):
    """The database was migrated by a newer version of this program."""


def upgrade(connection: Connection) -> None:
    """Make every table what it should be; a database that is up to date is only looked at.

    Processes that start at once take turns, each within its transaction: SQLite by its one writer, PostgreSQL by a
    lock.

    Args:
        connection: within a transaction that writes.

    Raises:
        NewerDatabase: it holds a migration that is not known here.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "imagesources.embedded:migrations")
    script = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_heads()
    if found == tuple(script.get_heads()):
        return
    if not set(found) <= {revision.revision for revision in script.walk_revisions()}:
        raise NewerDatabase(
            "the database was used by a newer version of this program; start that one, or restore an older backup"
        )
    command.upgrade(config, "head")
    LOG.info("the database was migrated from %s to %s", ", ".join(found) or "nothing", script.get_current_head())
