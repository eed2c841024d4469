"""Stage 6: what the resource says about itself after a pass. Pure; the only author of conditions."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from imagesources.platform.models import ZERO_TIME, Acl, Job, JobDescriptor, Source
from imagesources.reconcile.model import Access, Done, Problem, Rest, Wanted
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import (
    Creator,
    Drift,
    DriftField,
    ImageSourceStatus,
    JobStatus,
    JobTask,
    ObservedAcl,
    ObservedAclEntry,
    Pin,
    UsedSecret,
)

_MAY_CARRY_SECRETS = ("url", "targz_url", "config")

_READ = 4096
"""Characters of the platform's words that are read."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be said: each part absent where nothing new is known.

    Attributes:
        problem: why the resource is not as it is wanted; None: it is.
        access_problem: whether the problem is one of access only.
        rest: the step that found everything settled.
        progress: an intermediate state worth keeping (an id, a job).
        keep: say nothing new about Ready.
    """

    problem: Problem | None = None
    access_problem: bool = False
    rest: Rest | None = None
    keep: bool = False


def describe(resource: ImageSource, wanted: Wanted, pin: Pin, source: Source | None, said: Statement,
             now: datetime) -> ImageSourceStatus:  # fmt: skip
    """Write the status that follows from a pass.

    Args:
        resource: the resource with its status so far.
        wanted: what it asks for.
        pin: the place of its source.
        source: the source as it was seen last, if it is known.
        said: what the pass has found out.
        now: the time of transitions.
    """
    status = resource.status
    updates: dict[str, Any] = {"hub": status.hub or pin}
    if not said.keep:
        updates["observed_generation"] = wanted.generation
        updates["last_handled_reconcile_at"] = resource.requested_at
        updates["deletion_policy"] = "Orphan" if wanted.orphan else "Delete"
    if source:
        updates |= _mirror(source, status, wanted.marker)
    if said.rest is not None:
        updates |= _settled(wanted, status, said.rest, now)
    conditions = _Conditions(status.conditions, wanted.generation, now)
    _conclude(conditions, wanted, source, said, hidden=bool(status.credentials or wanted.secrets))
    updates["conditions"] = conditions.all()
    return status.model_copy(update=updates)


def unhubbed(resource: ImageSource, problem: Problem, now: datetime) -> ImageSourceStatus:
    """Write the status of a resource that cannot even be asked what it wants, or where."""
    conditions = _Conditions(resource.status.conditions, resource.metadata.generation, now)
    conditions.problem(problem, access=problem.reason is Reason.ACCESS_REFUSED)
    updates = {
        "observed_generation": resource.metadata.generation,
        "last_handled_reconcile_at": resource.requested_at,
        "conditions": conditions.all(),
    }
    return resource.status.model_copy(update=updates)


def matters(old: ImageSourceStatus, new: ImageSourceStatus) -> bool:
    """Tell whether a status is worth a write: what changes by itself, every day, is not."""
    idle = {"updated": old.updated, "images_count": old.images_count}
    return new.model_copy(update=idle).to_json() != old.to_json()


def with_secrets(status: ImageSourceStatus, sent: Mapping[str, tuple[str, str]]) -> ImageSourceStatus:
    """Note which versions of which Secrets the platform has now."""
    used = (UsedSecret(name=name, uid=uid, resource_version=version) for name, (uid, version) in sorted(sent.items()))
    return status.model_copy(update={"credentials": tuple(used) or None})


def with_job(status: ImageSourceStatus, done: Done, job: Job | None, now: datetime) -> ImageSourceStatus:
    """Note the job that deletes the source."""
    if job:
        return status.model_copy(update={"job": _job(job, status.job, hidden=bool(status.credentials))})
    if done.ticket and done.ticket.job:
        return status.model_copy(update={"job": _announced(done.ticket, now)})
    return status


def redacted(path: str, value: object) -> str | None:
    """Show a value of the source as JSON has it, unless it may carry a secret."""
    if path == "acl":
        acl = value.acl if isinstance(value, Access) else value
        value = json.dumps(acl.model_dump()) if isinstance(acl, Acl) else "unrestricted"
    if value is None:
        return None
    if path.rsplit(".", 1)[-1] in _MAY_CARRY_SECRETS:
        return "(not shown)"
    if isinstance(value, dict | list):
        return "(not shown)"  # where a text should be: nobody knows what is in it
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 256 else text[:255] + "…"


def _mirror(source: Source, status: ImageSourceStatus, marker: str) -> dict[str, Any]:
    count = source.meta.images_count.total if source.meta and source.meta.images_count else status.images_count
    return {
        "state": source.state.current.value,
        "identifier": source.identifier if source.identifier != marker else status.identifier,
        "creator": Creator(id=source.creator.id, type=source.creator.type),
        "created": source.events.created,
        "updated": source.events.updated,
        "images_count": count,
        "acl": _acl(source.acl),
    }


def _acl(acl: Acl | None) -> ObservedAcl:
    if acl is None:
        return ObservedAcl(unrestricted=True)
    return ObservedAcl(roles={role: ObservedAclEntry(**entry.model_dump()) for role, entry in acl.roles.items()})


def _settled(wanted: Wanted, status: ImageSourceStatus, rest: Rest, now: datetime) -> dict[str, Any]:  # fmt: skip
    fields = tuple(
        DriftField(path=_camel_path(path), desired=redacted(path, want), observed=redacted(path, seen) or "absent")
        for path, want, seen in rest.drift
    )
    since = status.drift.detected if status.drift else now
    managed = None if wanted.observe_only else tuple(sorted({*wanted.fields, *(["acl"] if wanted.access else [])}))
    return {
        "drift": Drift(detected=since, fields=fields) if fields else None,
        "managed": managed,
        "settled_generation": wanted.generation,
    }


def _camel_path(path: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), path)


def _conclude(
    conditions: "_Conditions", wanted: Wanted, source: Source | None, said: Statement, *, hidden: bool
) -> None:
    if said.problem and said.keep:
        conditions.paused(said.problem)
    elif said.problem:
        conditions.problem(said.problem, access=said.access_problem)
    elif said.rest is not None and source:
        conditions.settled(wanted, source, said.rest)
    if wanted.access is None:
        conditions.drop(ConditionType.ACCESS_SYNCED)
    if source and source.state.error:
        text = f"the platform reports an error of this source: {_words(source.state.error.message, hidden=hidden)}"
        conditions.put(ConditionType.PLATFORM_ERROR, "True", Reason.STATE_ERROR, text)
    elif source:
        conditions.drop(ConditionType.PLATFORM_ERROR)


class _Conditions:
    """Conditions in the making: a transition time changes only with its status."""

    def __init__(self, old: Iterable[Condition], generation: int, now: datetime) -> None:
        self._by_type = {condition.type: condition for condition in old}
        self._generation = generation
        self._now = now

    def put(
        self, kind: ConditionType, status: Literal["True", "False", "Unknown"], reason: Reason, message: str
    ) -> None:
        old = self._by_type.get(kind)
        since = old.last_transition_time if old and old.status == status else self._now
        self._by_type[kind] = Condition(
            type=kind.value, status=status, reason=reason.value, message=message[:4096], last_transition_time=since,
            observed_generation=self._generation,
        )  # fmt: skip

    def drop(self, *kinds: ConditionType) -> None:
        for kind in kinds:
            self._by_type.pop(kind, None)

    def problem(self, problem: Problem, *, access: bool) -> None:
        """Say that it is not as wanted, and whether trying goes on (kstatus: Reconciling) or not (Stalled)."""
        reason, message = problem.reason, problem.message
        self.put(ConditionType.READY, "False", reason, message)
        self.put(ConditionType.ACCESS_SYNCED if access else ConditionType.SYNCED, "False", reason, message)
        trying, not_trying = ConditionType.RECONCILING, ConditionType.STALLED
        if problem.permanent:
            trying, not_trying = not_trying, trying
        self.put(trying, "True", reason, message)
        self.drop(not_trying)
        if reason is not Reason.NOT_ACCEPTED:
            self.drop(ConditionType.JOB_NOT_ACCEPTED)
        else:
            self.put(ConditionType.JOB_NOT_ACCEPTED, "True", reason, message)

    def paused(self, problem: Problem) -> None:
        """Say that nothing is compared; Ready keeps its value, and one that was never looked at has none to keep."""
        self.put(ConditionType.SYNCED, "Unknown", problem.reason, problem.message)
        if ConditionType.READY not in self._by_type:
            self.put(ConditionType.READY, "Unknown", problem.reason, problem.message)

    def settled(self, wanted: Wanted, source: Source, rest: Rest) -> None:
        reason = Reason.OBSERVED if wanted.observe_only else Reason.IN_SYNC
        text = "is observed" if wanted.observe_only else "is as the spec says"
        self.put(ConditionType.READY, "True", reason, f"source {source.id} {text}")
        drifted = [path for path, _, _ in rest.drift]
        message = f"differs on the platform and is left so: {', '.join(map(_camel_path, drifted))}; see status.drift"
        for kind, differs in (
            (ConditionType.SYNCED, any(path != "acl" for path in drifted)),
            (ConditionType.ACCESS_SYNCED, "acl" in drifted),
        ):
            if differs:
                self.put(kind, "False", Reason.DRIFTED, message)
            else:
                self.put(kind, "True", reason, "")
        self.drop(ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.JOB_NOT_ACCEPTED)

    def all(self) -> tuple[Condition, ...]:
        order = [kind.value for kind in ConditionType]
        return tuple(sorted(self._by_type.values(), key=lambda condition: order.index(condition.type)))


def _words(text: str, *, hidden: bool) -> str:
    """Show the platform's words about an error; not where it was sent credentials, which they may repeat."""
    return "(not shown, as it may hold a credential of the origin; the platform shows it)" if hidden else clean(text)


def clean(text: str) -> str:
    """Shorten words of the platform for status, and strike what a URL in them may carry."""
    user = re.compile(r"((?<!\w)\w+://)[^\s/]*@")
    if len(text) > _READ:
        text, user = text[:_READ], re.compile(r"((?<!\w)\w+://)[^\s/]*(@|$)")  # the end of a user may be cut off
    shown = re.sub(r"((?<!\w)\w+://[^\s?#]*)[?#]\S*", r"\1", user.sub(r"\1…@", text))
    return shown if len(shown) <= 512 else shown[:511] + "…"


def _announced(ticket: JobDescriptor, now: datetime) -> JobStatus:
    assert ticket.job is not None  # noqa: S101 - the caller's case
    state = "queued" if ticket.job.accepted else "not accepted"
    return JobStatus(id=ticket.job.id, action=ticket.action, state=state, summary=state, queued=now)


def _job(job: Job, old: JobStatus | None, *, hidden: bool) -> JobStatus:
    state = job.state.current
    finished = sum(task.state.current == "completed" for task in job.tasks)
    progress = f"{finished}/{len(job.tasks)}" if job.tasks else None
    ended = job.state.ended
    error = next((e.message for e in (job.state.error, *(task.error for task in job.tasks)) if e), None)
    return JobStatus(
        id=job.id,
        action=old.action if old and old.id == job.id else job.caption,
        state=state,
        summary=state if ended or not progress else f"{state} {progress}",
        progress=progress,
        percent=_percent(job),
        tasks=tuple(
            JobTask(
                caption=task.caption,
                state=task.state.current,
                steps=f"{sum(s.completed > ZERO_TIME for s in task.steps)}/{len(task.steps)}" if task.steps else None,
                started=_when(task.events.started),
                finished=_when(task.events.completed),
                error=_words(task.error.message, hidden=hidden) if task.error else None,
            )
            for task in job.tasks
        ),
        queued=_when(job.events.queued),
        started=_when(job.events.started),
        finished=_when(job.events.completed) if ended else None,
        error=_words(error, hidden=hidden) if error and state == "error" else None,
    )


def _percent(job: Job) -> int | None:
    """Count what is done: a task without steps is one step."""
    done = total = 0
    for task in job.tasks:
        steps = task.steps or ()
        total += max(1, len(steps))
        completed = task.state.current == "completed"
        done += max(1, len(steps)) if completed else sum(step.completed > ZERO_TIME for step in steps)
    return 100 * done // total if total else None


def _when(time: datetime) -> datetime | None:
    return time if time > ZERO_TIME else None
