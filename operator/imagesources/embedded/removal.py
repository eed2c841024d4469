"""How a source is deleted: the tasks and steps of the job, and what each step does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from imagesources.embedded import store
from imagesources.embedded.ids import new_id
from imagesources.platform.models import Json

Effect = Callable[[Connection, str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a task, and what it does to the source when it ends."""

    caption: str
    description: str
    effect: Effect | None = None
    can_fail: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a job."""

    caption: str
    header: str
    steps: tuple[Step, ...]


REMOVAL: Final = (
    Task(
        "Remove images",
        "images.sources.remove-images",
        (
            Step("Find images", "Looks up the images that were made from this source."),
            Step("Remove images", "Removes them from the hub."),
        ),
    ),
    Task(
        "Remove source",
        "images.sources.remove",
        (
            Step("Erase credentials", "Forgets the credentials of its origin.", store.erase_credentials, can_fail=True),
            Step("Remove source", "Takes the image source out of the hub.", store.mark_deleted),
        ),
    ),
)
"""The tasks of the job."""

STEPS: Final = tuple(step for task in REMOVAL for step in task.steps)
"""All steps, in order."""


def new_tasks(source_id: str, now: int) -> list[Json]:
    """Write the tasks of a new job, as they are stored: in the API's form, but with times in milliseconds."""
    return [_new_task(task, source_id, now) for task in REMOVAL]


def _new_task(task: Task, source_id: str, now: int) -> Json:
    steps = [
        {"caption": step.caption, "description": step.description, "started": None, "completed": None}
        for step in task.steps
    ]
    return {
        "id": new_id(),
        "caption": task.caption,
        "header": task.header,
        "events": {"queued": now, "started": None, "completed": None},
        "steps": steps,
        "state": {"current": "pending", "changed": now},
        "input": {"source_id": source_id},
        "output": None,
        "error": None,
    }
