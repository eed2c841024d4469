"""What the store forgets, so that it does not grow for ever: what happened long ago, and what has long been gone."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from imagesources.embedded import clock, events
from imagesources.embedded.jobs import LIFETIME
from imagesources.embedded.schema import hubs, images, integrations, jobs, source_access, sources

RETENTION: Final = 30 * 24 * 60 * 60 * 1000
"""Milliseconds for which deleted resources are kept, for lists that ask for them."""

BATCH: Final = 1000
"""Rows of a table that go in one round, so that other writes do not have to wait long."""


def forget(connection: Connection) -> None:
    """Delete what is of interest to nobody: old events, jobs that ended a lifetime ago, and resources long deleted.

    A source stays as long as one of its images does, and an integration as long as an image that it has built.
    """
    events.prune(connection)
    ended = clock.now() - LIFETIME
    _delete(connection, jobs, jobs.c.state.in_(("completed", "error")), jobs.c.completed < ended)
    for table, kept in (
        (images, None),
        (sources, images.c.source_id == sources.c.id),
        (integrations, images.c.builder_id == integrations.c.id),
    ):
        gone = [table.c.state == "deleted", table.c.deleted < clock.now() - RETENTION]
        _delete(connection, table, *gone, *([] if kept is None else [~select(images.c.id).where(kept).exists()]))


def _delete(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> None:
    # With its hub a row can be found in the index of states; without, all rows would be read for it.
    query = select(table.c.id).where(table.c.hub_id.in_(select(hubs.c.id)), *conditions).limit(BATCH)
    ids = connection.scalars(query).all()
    if ids and table is sources:
        connection.execute(delete(source_access).where(source_access.c.source_id.in_(ids)))
    if ids:
        connection.execute(delete(table).where(table.c.id.in_(ids)))
