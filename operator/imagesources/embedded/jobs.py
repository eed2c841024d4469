"""Jobs: their lists, and how one starts."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, func, insert, select

from imagesources.embedded import clock, events
from imagesources.embedded.access import Caller
from imagesources.embedded.errors import ApiError
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.listing import Columns, Listing
from imagesources.embedded.plans import Plan
from imagesources.embedded.schema import jobs

FILTERS: Final = ("range-start", "range-end", "search", "state")
SORT_KEYS: Final[Columns] = {key: jobs.c[key] for key in ("id", "caption", "queue", "state", "queued")}
STATES: Final = ("new", "queued", "error", "scheduled", "expired", "running", "completed")
_USED: Final = ("queued", "running", "completed", "error")

LIFETIME: Final = 24 * 60 * 60 * 1000
"""Milliseconds for which a job says that it is of interest (``expires``); after its end it is kept for as long."""


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
        query = query.where(jobs.c.search.contains(listing.filters["search"].lower(), autoescape=True))
    return query


def get(connection: Connection, hub_id: str, job_id: str) -> RowMapping:
    """Find a job.

    Raises:
        ApiError: 404.job.
    """
    row = _find(connection, hub_id, job_id) if is_id(job_id) else None
    if row is None:
        raise ApiError("404.job", "Job not found")
    return row


def _find(connection: Connection, hub_id: str, job_id: str) -> RowMapping | None:
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.hub_id == hub_id)
    return connection.execute(query).mappings().one_or_none()


def start(connection: Connection, caller: Caller, plan: Plan, target: RowMapping) -> RowMapping:
    """Start a job on a resource, or find the one that does the same to it; one that failed is followed by a new one.

    Args:
        connection: within a transaction.
        caller: whose request it carries out.
        plan: what it does.
        target: the resource's row, locked.
    """
    if target["job_id"] is not None:
        job = _find(connection, caller.hub_id, target["job_id"])  # None: it ended long ago
        if job and job["action"] == plan.name and job["state"] != "error":
            return job
    job_id = _queue(connection, caller, plan, target)
    plan.begin(connection, target["id"], job_id)
    events.tell(connection, caller.hub_id, "job.new", job_id, "queued")
    return get(connection, caller.hub_id, job_id)


def _queue(connection: Connection, caller: Caller, plan: Plan, target: RowMapping) -> str:
    now, job_id, object_id = clock.now(), new_id(), target["id"]
    # Everybody who may list jobs reads the caption, whoever may view the resource.
    named = object_id if target.get("acl") is not None else target["name"] or target["identifier"]
    caption = f"{plan.caption} {named}"[:255]
    connection.execute(
        insert(jobs).values(
            id=job_id,
            hub_id=caller.hub_id,
            caption=caption,
            search=f"{job_id}\n{caption}\n{object_id}".lower(),
            queue=f"{plan.lifecycle.topic.replace('.', '-')}-{object_id}",
            hash=hashlib.sha256(f"{plan.tasks[-1].header} {object_id}".encode()).hexdigest(),
            creator_id=caller.key_id,
            action=plan.name,
            object_id=object_id,
            state="queued",
            changed=now,
            queued=now,
            expires=now + LIFETIME,
            due=now,
            tasks=plan.new_tasks(object_id, now),
        )
    )
    return job_id


def upcoming(connection: Connection, limit: int) -> Sequence[tuple[str, int]]:
    """List the unfinished jobs whose next transition comes first, each with its time in milliseconds."""
    query = select(jobs.c.id, jobs.c.due).where(jobs.c.due.is_not(None)).order_by(jobs.c.due).limit(limit)
    return [(row.id, row.due) for row in connection.execute(query)]


def count_by_state(connection: Connection) -> Mapping[str, int]:
    """Count the jobs of all hubs in each state that they can have here."""
    query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
    return dict.fromkeys(_USED, 0) | dict(map(tuple, connection.execute(query)))
