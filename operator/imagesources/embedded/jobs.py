"""Jobs: their lists, and the one that deletes a source."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, insert, select

from imagesources.embedded import clock, store
from imagesources.embedded.access import Caller
from imagesources.embedded.errors import ApiError
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.listing import Columns, Listing
from imagesources.embedded.removal import REMOVAL, new_tasks
from imagesources.embedded.schema import jobs
from imagesources.platform.models import SourceState

FILTERS: Final = ("range-start", "range-end", "search", "state")
SORT_KEYS: Final[Columns] = {key: jobs.c[key] for key in ("id", "caption", "queue", "state", "queued")}
STATES: Final = ("new", "queued", "error", "scheduled", "expired", "running", "completed")

LIFETIME: Final = 24 * 60 * 60 * 1000
"""Milliseconds for which a job says that it is of interest (``expires``)."""


def page(connection: Connection, hub_id: str, listing: Listing) -> Sequence[RowMapping]:
    """List the jobs of a hub."""
    return connection.execute(listing.arrange(_filtered(hub_id, listing), SORT_KEYS)).mappings().all()


def _filtered(hub_id: str, listing: Listing) -> Select[Any]:
    query = select(jobs).where(jobs.c.hub_id == hub_id)
    states = listing.states(STATES)
    if states:
        query = query.where(jobs.c.state.in_(states))
    if "range-start" in listing.filters:
        query = query.where(jobs.c.queued >= listing.moment("range-start"))
    if "range-end" in listing.filters:
        query = query.where(jobs.c.queued <= listing.moment("range-end"))
    if "search" in listing.filters:
        text = listing.filters["search"]
        query = query.where(jobs.c.caption.icontains(text, autoescape=True))
    return query


def get(connection: Connection, hub_id: str, job_id: str) -> RowMapping:
    """Find a job.

    Raises:
        ApiError: 404.job.
    """
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.hub_id == hub_id)
    row = connection.execute(query).mappings().one_or_none() if is_id(job_id) else None
    if row is None:
        raise ApiError("404.job", "Job not found")
    return row


def delete_source(connection: Connection, caller: Caller, source_id: str) -> RowMapping:
    """Start to delete a source, or find the job that does; a job that failed is followed by a new one.

    Raises:
        ApiError: 404.image.source, or 403.permissions.
    """
    source = store.SourceStore(caller).begin_delete(connection, source_id)
    if source["state"] == SourceState.DELETING:
        job = get(connection, caller.hub_id, source["job_id"])
        if job["state"] != "error":
            return job
    job = _queue_removal(connection, caller, source)
    store.mark_deleting(connection, source_id, job["id"])
    return job


def _queue_removal(connection: Connection, caller: Caller, source: RowMapping) -> RowMapping:
    now, job_id = clock.now(), new_id()
    connection.execute(
        insert(jobs).values(
            id=job_id,
            hub_id=caller.hub_id,
            caption=f"Delete image source {source['name']}"[:255],
            queue=f"image-source-{source['id']}",
            hash=hashlib.sha256(f"{REMOVAL[-1].header} {source['id']}".encode()).hexdigest(),
            creator_id=caller.key_id,
            source_id=source["id"],
            state="queued",
            changed=now,
            queued=now,
            expires=now + LIFETIME,
            due=now,
            tasks=new_tasks(source["id"], now),
        )
    )
    return get(connection, caller.hub_id, job_id)


def upcoming(connection: Connection, limit: int) -> Sequence[tuple[str, int]]:
    """List the unfinished jobs whose next transition comes first, each with its time in milliseconds."""
    query = select(jobs.c.id, jobs.c.due).where(jobs.c.due.is_not(None)).order_by(jobs.c.due).limit(limit)
    return [(row.id, row.due) for row in connection.execute(query)]
