"""How a job is made: tasks of steps, each step with what it does to the resource when it ends."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from imagesources.embedded.ids import new_id
from imagesources.embedded.lifecycle import Lifecycle
from imagesources.platform.models import Json

Effect = Callable[[Connection, str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a task, and what it does to the resource when it ends."""

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job does to a resource of one kind.

    Attributes:
        action: the request that it carries out, such as ``delete``.
        caption: what people call it, such as ``Delete image source``.
        reference: how the tasks' input names the resource, such as ``source_id``.
        lifecycle: of the resource.
        tasks: in order.
        state: the state that the resource has while the job runs, if its kind has one for that.
    """

    action: str
    caption: str
    reference: str
    lifecycle: Lifecycle
    tasks: tuple[Task, ...]
    state: str | None = None

    @property
    def name(self) -> str:
        """What the store calls it: no two plans have the same."""
        return f"{self.lifecycle.topic}.{self.action}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for task in self.tasks for step in task.steps)

    def begin(self, connection: Connection, object_id: str, job_id: str) -> None:
        """Note that a job works on the resource."""
        if self.state is None:
            self.lifecycle.put(connection, object_id, job_id=job_id, error=None)
        else:
            self.lifecycle.enter(connection, object_id, self.state, job_id=job_id)

    def new_tasks(self, object_id: str, now: int) -> list[Json]:
        """Write the tasks of a new job, as they are stored: in the API's form, but with times in milliseconds."""
        return [_new_task(task, {self.reference: object_id}, now) for task in self.tasks]


def _new_task(task: Task, given: Json, now: int) -> Json:
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
        "input": given,
        "output": None,
        "error": None,
    }
