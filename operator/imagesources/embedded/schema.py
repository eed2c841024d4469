"""The tables, one set for SQLite and PostgreSQL.

What is filtered or sorted has a column and an index; the rest of a resource is JSON. Times are milliseconds since
1970, NULL is "not yet". Text sorts by code point on both databases, so that pages are the same on both.
"""

from collections.abc import Iterator

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
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


def _orders(table: str, keys: tuple[str, ...], tested: tuple[str, ...]) -> Iterator[Index]:
    """Make an index for each way to sort a table.

    Args:
        table: its name.
        keys: what it can be sorted by, beside the id.
        tested: what else decides whether a row is listed. With it, a page that is far down the list is reached in the
            index alone: only the rows of the page itself are read.
    """
    for key in (*keys, "id"):
        columns = dict.fromkeys(("hub_id", key, "id", *tested))
        yield Index(f"{table}_by_{key}", *columns)


metadata = MetaData(naming_convention={"uq": "%(table_name)s_by_%(column_0_N_name)s_is_unique"})

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
    Column("name", _text(255)),
    Column("root", Boolean, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("all_capabilities", Boolean, nullable=False),
    Column("capabilities", _JSON, nullable=False),
    Column("extra", _JSON, nullable=False),
    Column("creator_id", _text(24)),
    Column("error", _JSON),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("job_id", _text(24)),
    Column("search", Text, nullable=False, server_default=""),
    UniqueConstraint("hub_id", "identifier"),
    *_orders("roles", ("name", "rank", "created", "updated"), ()),
)
"""A root role is above every ACL (schema ``Role``, property ``root``).

The creator is an API key, or NULL for the platform itself; the key has a role of its own, so no foreign key here.
"""

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
    *_orders("sources", ("identifier", "name", "type", "state", "created", "updated"), ("state", "restricted")),
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
    Column("action", _text(64), nullable=False),
    Column("object_id", _text(24), nullable=False),
    Column("state", _text(16), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("error", _JSON),
    Column("queued", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("completed", BigInteger),
    Column("expires", BigInteger, nullable=False),
    Column("due", BigInteger),
    Column("search", Text, nullable=False),
    Column("tasks", _JSON, nullable=False),
    *_orders("jobs", ("caption", "queue", "state", "queued"), ("state",)),
    Index("jobs_by_due", "due"),
)
"""``action`` and ``object_id`` say what the job does to which resource.

``due`` is when the next transition of an unfinished job is to be made; NULL once it has ended. ``search`` is as for
``sources``.
"""

integrations = Table(
    "integrations",
    metadata,
    _id_column(),
    _hub_column(),
    Column("identifier", _text(255), nullable=False),
    Column("name", _text(255), nullable=False),
    Column("vendor", _text(64), nullable=False),
    Column("state", _text(16), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("error", _JSON),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger),
    Column("creator_id", _text(24)),
    Column("auth", _JSON),
    Column("extra", _JSON),
    Column("search", Text, nullable=False),
    Column("job_id", _text(24)),
    *_orders("integrations", ("identifier", "name", "vendor", "state", "created", "updated"), ("state",)),
)
"""What a source can name as its builder; the creator is an API key, or NULL for the platform."""

Index(
    "integrations_identifier_is_unique",
    integrations.c.hub_id,
    integrations.c.identifier,
    unique=True,
    sqlite_where=integrations.c.state != "deleted",
    postgresql_where=integrations.c.state != "deleted",
)

images = Table(
    "images",
    metadata,
    _id_column(),
    _hub_column(),
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("source_type", _text(16), nullable=False),
    Column("identifier", _text(255), nullable=False),
    Column("name", _text(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", _text(16), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("error", _JSON),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger),
    Column("creator_id", ForeignKey("api_keys.id"), nullable=False),
    Column("about", _JSON),
    Column("build", _JSON),
    Column("builder_id", ForeignKey("integrations.id")),
    Column("source", _JSON, nullable=False),
    Column("search", Text, nullable=False),
    Column("job_id", _text(24)),
    *_orders("images", ("identifier", "name", "size", "source_type", "state", "created", "updated"), ("state",)),
    Index("images_by_source", "source_id", "state", "id"),
)
"""``source`` is what the image was made from, as it was then, without credentials."""

events = Table(
    "events",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _hub_column(),
    Column("topic", _text(64), nullable=False),
    Column("object_id", _text(24), nullable=False),
    Column("state", _text(16)),
    Column("state_previous", _text(16)),
    Column("error", Text),
    Column("created", BigInteger, nullable=False),
    Index("events_by_created", "created"),
    sqlite_autoincrement=True,
)
"""What happened, for the notification sockets of every process; committed with the change that it tells of.

Positions grow, but on PostgreSQL a smaller one may be committed after a greater one, or never.
"""
