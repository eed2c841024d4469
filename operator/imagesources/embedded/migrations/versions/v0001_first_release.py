"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them all, each after those that it refers to."""
    for create in (
        _hubs,
        _instance,
        _events,
        _integrations,
        _roles,
        _api_keys,
        _jobs,
        _sources,
        _images,
        _source_access,
    ):
        create()


def _text(length: int) -> TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _hubs() -> None:
    op.create_table(
        "hubs",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("name", _text(512), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="hubs_by_name_is_unique"),
    )


def _instance() -> None:
    op.create_table(
        "instance",
        sa.Column("singleton", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", _text(24), nullable=False),
        sa.PrimaryKeyConstraint("singleton"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("topic", _text(64), nullable=False),
        sa.Column("object_id", _text(24), nullable=False),
        sa.Column("state", _text(16), nullable=True),
        sa.Column("state_previous", _text(16), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.PrimaryKeyConstraint("position"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_created", "events", ["created"])


def _integrations() -> None:
    op.create_table(
        "integrations",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("identifier", _text(255), nullable=False),
        sa.Column("name", _text(255), nullable=False),
        sa.Column("vendor", _text(64), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.Column("creator_id", _text(24), nullable=True),
        sa.Column("auth", sa.JSON(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("job_id", _text(24), nullable=True),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("integrations_by_created", "integrations", ["hub_id", "created", "id"])
    op.create_index("integrations_by_id", "integrations", ["hub_id", "id"])
    op.create_index("integrations_by_identifier", "integrations", ["hub_id", "identifier", "id"])
    op.create_index("integrations_by_name", "integrations", ["hub_id", "name", "id"])
    op.create_index("integrations_by_state", "integrations", ["hub_id", "state", "id"])
    op.create_index("integrations_by_updated", "integrations", ["hub_id", "updated", "id"])
    op.create_index("integrations_by_vendor", "integrations", ["hub_id", "vendor", "id"])
    op.create_index(
        "integrations_identifier_is_unique",
        "integrations",
        ["hub_id", "identifier"],
        unique=True,
        sqlite_where=sa.text("state != 'deleted'"),
        postgresql_where=sa.text("state != 'deleted'"),
    )


def _roles() -> None:
    op.create_table(
        "roles",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("identifier", _text(255), nullable=False),
        sa.Column("name", _text(255), nullable=True),
        sa.Column("root", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("all_capabilities", sa.Boolean(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("creator_id", _text(24), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("job_id", _text(24), nullable=True),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hub_id", "identifier", name="roles_by_hub_id_identifier_is_unique"),
    )
    op.create_index("roles_by_created", "roles", ["hub_id", "created", "id"])
    op.create_index("roles_by_id", "roles", ["hub_id", "id"])
    op.create_index("roles_by_name", "roles", ["hub_id", "name", "id"])
    op.create_index("roles_by_rank", "roles", ["hub_id", "rank", "id"])
    op.create_index("roles_by_updated", "roles", ["hub_id", "updated", "id"])


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("name", _text(255), nullable=False),
        sa.Column("digest", _text(64), nullable=False),
        sa.Column("role_id", _text(24), nullable=False),
        sa.Column("all_capabilities", sa.Boolean(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", name="api_keys_by_digest_is_unique"),
        sa.UniqueConstraint("hub_id", "name", name="api_keys_by_hub_id_name_is_unique"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("caption", _text(255), nullable=False),
        sa.Column("queue", _text(255), nullable=False),
        sa.Column("hash", _text(64), nullable=False),
        sa.Column("creator_id", _text(24), nullable=False),
        sa.Column("action", _text(64), nullable=False),
        sa.Column("object_id", _text(24), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("queued", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("completed", sa.BigInteger(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("tasks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["creator_id"], ["api_keys.id"]),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("jobs_by_caption", "jobs", ["hub_id", "caption", "id"])
    op.create_index("jobs_by_due", "jobs", ["due"])
    op.create_index("jobs_by_id", "jobs", ["hub_id", "id"])
    op.create_index("jobs_by_queue", "jobs", ["hub_id", "queue", "id"])
    op.create_index("jobs_by_queued", "jobs", ["hub_id", "queued", "id"])
    op.create_index("jobs_by_state", "jobs", ["hub_id", "state", "id"])


def _sources() -> None:
    op.create_table(
        "sources",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("identifier", _text(255), nullable=False),
        sa.Column("name", _text(255), nullable=False),
        sa.Column("type", _text(16), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.Column("creator_id", _text(24), nullable=False),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("acl", sa.JSON(), nullable=True),
        sa.Column("about", sa.JSON(), nullable=True),
        sa.Column("builder", sa.JSON(), nullable=True),
        sa.Column("origin", sa.JSON(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("job_id", _text(24), nullable=True),
        sa.ForeignKeyConstraint(["creator_id"], ["api_keys.id"]),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sources_by_created", "sources", ["hub_id", "created", "id"])
    op.create_index("sources_by_id", "sources", ["hub_id", "id"])
    op.create_index("sources_by_identifier", "sources", ["hub_id", "identifier", "id"])
    op.create_index("sources_by_name", "sources", ["hub_id", "name", "id"])
    op.create_index("sources_by_state", "sources", ["hub_id", "state", "id"])
    op.create_index("sources_by_type", "sources", ["hub_id", "type", "id"])
    op.create_index("sources_by_updated", "sources", ["hub_id", "updated", "id"])


def _images() -> None:
    op.create_table(
        "images",
        sa.Column("id", _text(24), nullable=False),
        sa.Column("hub_id", _text(24), nullable=False),
        sa.Column("source_id", _text(24), nullable=False),
        sa.Column("source_type", _text(16), nullable=False),
        sa.Column("identifier", _text(255), nullable=False),
        sa.Column("name", _text(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.Column("creator_id", _text(24), nullable=False),
        sa.Column("about", sa.JSON(), nullable=True),
        sa.Column("build", sa.JSON(), nullable=True),
        sa.Column("builder_id", _text(24), nullable=True),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("job_id", _text(24), nullable=True),
        sa.ForeignKeyConstraint(["builder_id"], ["integrations.id"]),
        sa.ForeignKeyConstraint(["creator_id"], ["api_keys.id"]),
        sa.ForeignKeyConstraint(["hub_id"], ["hubs.id"]),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("images_by_created", "images", ["hub_id", "created", "id"])
    op.create_index("images_by_id", "images", ["hub_id", "id"])
    op.create_index("images_by_identifier", "images", ["hub_id", "identifier", "id"])
    op.create_index("images_by_name", "images", ["hub_id", "name", "id"])
    op.create_index("images_by_size", "images", ["hub_id", "size", "id"])
    op.create_index("images_by_source", "images", ["source_id", "state", "id"])
    op.create_index("images_by_source_type", "images", ["hub_id", "source_type", "id"])
    op.create_index("images_by_state", "images", ["hub_id", "state", "id"])
    op.create_index("images_by_updated", "images", ["hub_id", "updated", "id"])


def _source_access() -> None:
    op.create_table(
        "source_access",
        sa.Column("source_id", _text(24), nullable=False),
        sa.Column("role", _text(255), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"]),
        sa.PrimaryKeyConstraint("source_id", "role"),
    )
