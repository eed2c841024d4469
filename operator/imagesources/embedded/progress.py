"""How a job gets from one step to the next.

A transition ends the running step, has its effect, and starts the next one, all in one transaction: after a kill at
any point the job stands before a step or after it, and every effect happens once.
"""

import logging
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Final

from sqlalchemy import Connection, RowMapping, select, update

from imagesources.embedded import clock, events, images, integrations, roles
from imagesources.embedded.plans import Plan
from imagesources.embedded.removal import REMOVE_SOURCE
from imagesources.embedded.schema import jobs
from imagesources.platform.models import Json

LOG = logging.getLogger(__name__)

PLANS: Final[Mapping[str, Plan]] = {
    plan.name: plan for plan in (REMOVE_SOURCE, images.REMOVE, images.IMPORT, integrations.REMOVE, roles.REMOVE)
}
"""What the jobs of the store do, by their ``action``."""


class InjectedFault(Exception):
    """A step was made to fail (``Options.fail_jobs``)."""


def advance(connection: Connection, job_id: str, step_time: int, *, fault: bool = False) -> None:
    """Make the next transition of a job, if it is due.

    Args:
        connection: within a transaction.
        job_id: the job; nothing happens if it has ended, or is advanced by somebody else at this moment.
        step_time: milliseconds that a step takes.
        fault: fail if the step that ends is one that can be made to.

    Raises:
        InjectedFault: it was made to.
    """
    now = clock.now()
    job = _lock(connection, job_id, now)
    if job is None:
        return
    tasks: list[Json] = deepcopy(job["tasks"])
    at, steps = _position(tasks), PLANS[job["action"]].steps
    if job["state"] == "queued":
        changes = _start(tasks, at, now) | {"started": now}
    elif fault and steps[at].can_fail:
        raise InjectedFault
    else:
        changes = _complete(tasks, at, now)
        effect = steps[at].effect
        if effect is not None:
            effect(connection, job["object_id"])
    due = now + step_time if changes["state"] == "running" else None
    _save(connection, job, {**changes, "changed": now, "due": due, "tasks": tasks})
    LOG.info("job %s: step %d of %d, %s", job_id, at + 1, len(steps), changes["state"])


def fail(connection: Connection, job_id: str, message: str) -> None:
    """End a job whose step failed, and say so on its resource; whatever is wrong with a job, it can be ended."""
    now = clock.now()
    job = _lock(connection, job_id, now)
    if job is None:
        return
    tasks: list[Json] = deepcopy(job["tasks"])
    error = {"message": message}
    unfinished = [task for task, step in _walk(tasks) if step["completed"] is None]
    for task in unfinished[:1]:
        task |= {"error": error, "state": {"current": "error", "changed": now}}
    changes = {"state": "error", "changed": now, "completed": now, "error": error, "due": None, "tasks": tasks}
    _save(connection, job, changes)
    events.tell(connection, job["hub_id"], "job.error", job_id, "error", error=message)
    if job["action"] in PLANS:  # else it is of another version of this program
        PLANS[job["action"]].lifecycle.fail(connection, job["object_id"], message)
    LOG.warning("job %s failed", job_id)


def _lock(connection: Connection, job_id: str, now: int) -> RowMapping | None:
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.due <= now).with_for_update(skip_locked=True)
    return connection.execute(query).mappings().one_or_none()


def _save(connection: Connection, job: RowMapping, values: Json) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(**values))
    state, previous = values["state"], job["state"]
    if state != previous:
        events.tell(connection, job["hub_id"], "job.state.changed", job["id"], state, previous=previous)


def _position(tasks: list[Json]) -> int:
    """Find the step that runs, or would be the first to."""
    return [step["completed"] for _, step in _walk(tasks)].index(None)


def _walk(tasks: list[Json]) -> Iterator[tuple[Json, Json]]:
    return ((task, step) for task in tasks for step in task["steps"])


def _start(tasks: list[Json], at: int, now: int) -> Json:
    task, step = list(_walk(tasks))[at]
    step["started"] = now
    if task["events"]["started"] is None:
        task["events"]["started"] = now
        task["state"] = {"current": "running", "changed": now}
    return {"state": "running"}


def _complete(tasks: list[Json], at: int, now: int) -> Json:
    task, step = list(_walk(tasks))[at]
    step["completed"] = now
    if step is task["steps"][-1]:
        task["events"]["completed"] = now
        task["state"] = {"current": "completed", "changed": now}
    if at + 1 < sum(1 for _ in _walk(tasks)):
        return _start(tasks, at + 1, now)
    return {"state": "completed", "completed": now}
