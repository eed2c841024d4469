"""Roles are searched as everything else is, and a page far down a list is found in an index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ORDERS = {
    "sources": (("identifier", "name", "type", "state", "created", "updated", "id"), ("state", "restricted")),
    "jobs": (("caption", "queue", "state", "queued", "id"), ("state",)),
    "integrations": (("identifier", "name", "vendor", "state", "created", "updated", "id"), ("state",)),
    "images": (("identifier", "name", "size", "source_type", "state", "created", "updated", "id"), ("state",)),
}

_ALIKE = {"type": 3000, "state": 3000, "id": 1}
"""How many of 10,000 sources have the same value of a key; of others, a few have."""


def upgrade() -> None:
    """Add the column and fill it, then make the indexes again."""
    op.add_column("roles", sa.Column("search", sa.Text(), nullable=False, server_default=""))
    _fill_search()
    for table, (keys, tested) in _ORDERS.items():
        for key in keys:
            op.drop_index(f"{table}_by_{key}", table)
            op.create_index(f"{table}_by_{key}", table, list(dict.fromkeys(("hub_id", key, "id", *tested))))
    if op.get_bind().dialect.name == "sqlite":
        _tell_what_is_rare()


def _fill_search() -> None:
    roles = sa.table("roles", sa.column("id"), sa.column("name"), sa.column("identifier"), sa.column("search"))
    connection = op.get_bind()
    for role in connection.execute(sa.select(roles)).all():
        # In Python, as SQLite itself lowers ASCII alone.
        text = "\n".join(part for part in (role.name, role.identifier) if part).lower()
        connection.execute(sa.update(roles).where(roles.c.id == role.id).values(search=text))


def _tell_what_is_rare() -> None:
    """Give SQLite statistics of the sources as they will be; it gathers none by itself, as PostgreSQL does.

    Without them it takes one of three states to be as rare as one identifier, and reads thousands of sources for it.
    """
    op.execute("ANALYZE")  # makes the table
    op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'sources'")
    keys, tested = _ORDERS["sources"]
    for key in keys:
        unique = " ".join("1" for column in ("id", *tested) if column != key)
        numbers = f"10000 10000 {_ALIKE.get(key, 3)} {unique}"
        op.execute(f"INSERT INTO sqlite_stat1 VALUES ('sources', 'sources_by_{key}', '{numbers}')")  # noqa: S608 - ours
    op.execute("ANALYZE sqlite_schema")  # reads it
