"""One migration per file; Alembic finds their order by ``down_revision``."""
