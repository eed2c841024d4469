"""The tables, one set for SQLite and PostgreSQL.

What is filtered or sorted has a column and an index; the rest of a resource is JSON. Times are milliseconds since
1970, NULL is "not yet". Text sorts by code point on both databases, so that pages are the same on both.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine


def _text(length: int) -> TypeEngine[str]:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _id_column() -> Column[str]:
    return Column("id", _text(24), primary_key=True)


def _hub_column() -> Column[str]:
    return Column("hub_id", ForeignKey("hubs.id"), nullable=False)


_JSON = JSON(none_as_null=True)

metadata = MetaData()

instance = Table(
    "instance",
    metadata,
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("id", _text(24), nullable=False),
)
"""One row, written when the store is made: a new, empty volume is another platform."""

hubs = Table(
    "hubs",
    metadata,
    _id_column(),
    Column("name", _text(512), nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
)

roles = Table(
    "roles",
    metadata,
    _id_column(),
    _hub_column(),
    Column("identifier", _text(255), nullable=False),
    Column("root", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    UniqueConstraint("hub_id", "identifier"),
)
"""A root role is above every ACL (schema ``Role``, property ``root``)."""

api_keys = Table(
    "api_keys",
    metadata,
    _id_column(),
    _hub_column(),
    Column("name", _text(255), nullable=False),
    Column("digest", _text(64), nullable=False, unique=True),
    Column("role_id", ForeignKey("roles.id"), nullable=False),
    Column("all_capabilities", Boolean, nullable=False),
    Column("capabilities", _JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    UniqueConstraint("hub_id", "name"),
)
"""The value of a key is not kept, only its SHA-256: it has too much entropy to be guessed from that."""

sources = Table(
    "sources",
    metadata,
    _id_column(),
    _hub_column(),
    Column("identifier", _text(255), nullable=False),
    Column("name", _text(255), nullable=False),
    Column("type", _text(16), nullable=False),
    Column("state", _text(16), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("error", _JSON),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger),
    Column("creator_id", ForeignKey("api_keys.id"), nullable=False),
    Column("restricted", Boolean, nullable=False),
    Column("acl", _JSON),
    Column("about", _JSON),
    Column("builder", _JSON),
    Column("origin", _JSON, nullable=False),
    Column("search", Text, nullable=False),
    Column("job_id", _text(24)),
    *(
        Index(f"sources_by_{key}", "hub_id", key, "id")
        for key in ("identifier", "name", "type", "state", "created", "updated")
    ),
    Index("sources_by_id", "hub_id", "id"),
)
"""``search`` holds in lower case what a search looks through; ``job_id`` is the last job that deletes the source."""

source_access = Table(
    "source_access",
    metadata,
    Column("source_id", ForeignKey("sources.id"), primary_key=True),
    Column("role", _text(255), primary_key=True),
)
"""Which roles may view a restricted source: the part of its ACL by which lists are filtered."""

jobs = Table(
    "jobs",
    metadata,
    _id_column(),
    _hub_column(),
    Column("caption", _text(255), nullable=False),
    Column("queue", _text(255), nullable=False),
    Column("hash", _text(64), nullable=False),
    Column("creator_id", ForeignKey("api_keys.id"), nullable=False),
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("state", _text(16), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("error", _JSON),
    Column("queued", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("completed", BigInteger),
    Column("expires", BigInteger, nullable=False),
    Column("due", BigInteger),
    Column("tasks", _JSON, nullable=False),
    *(Index(f"jobs_by_{key}", "hub_id", key, "id") for key in ("state", "queued")),
    Index("jobs_by_id", "hub_id", "id"),
    Index("jobs_by_due", "due"),
)
"""``due`` is when the next transition of an unfinished job is to be made; NULL once it has ended."""


def create(engine: Engine) -> None:
    """Make the tables that are missing."""
    metadata.create_all(engine)
