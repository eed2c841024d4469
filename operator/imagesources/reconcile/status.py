"""Stage 6: what the resource says about itself after a pass. Pure; the only author of conditions."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from imagesources.platform.models import ZERO_TIME, Acl, Job, JobDescriptor, Source, SourceState
from imagesources.reconcile.differences import camel_path
from imagesources.reconcile.model import Access, Create, Difference, Done, ForgetId, Problem, SaveId, Step, Wanted
from imagesources.reconcile.plan import SUSPENDED
from imagesources.resources import marker
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.imagesource import ImageSource, ManagementPolicy
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
    """What is to be said.

    Attributes:
        problem: why the resource is not as it is wanted; None: it is, but for what is left so.
        access_problem: whether the problem is one of access only.
        drift: what differs on the platform and is left so; None: nothing was compared.
    """

    problem: Problem | None = None
    access_problem: bool = False
    drift: tuple[Difference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the place and of the source.

    Attributes:
        pin: the place.
        source: the source as it was seen last, if it is known.
        gone: the platform has no source of this id any more.
    """

    pin: Pin
    source: Source | None = None
    gone: bool = False


def describe(
    resource: ImageSource, wanted: Wanted | None, said: Statement, now: datetime, seen: Seen | None = None
) -> ImageSourceStatus:
    """Write the status that follows from a pass.

    Args:
        resource: the resource with its status so far.
        wanted: what it asks for; None: that cannot be told.
        said: what the pass has found out.
        now: the time of transitions.
        seen: what is known of its source; None: there is no hub to know it from.
    """
    status = resource.status
    updates: dict[str, Any] = {
        "observed_generation": resource.metadata.generation,
        "last_handled_reconcile_at": resource.requested_at,
    }
    if wanted:
        updates["deletion_policy"] = "Orphan" if wanted.orphan else "Delete"
    if seen:
        updates["hub"] = status.hub or seen.pin
        updates |= _mirror(seen.source, status, marker(resource.metadata.uid)) if seen.source else {}
        updates |= {"state": SourceState.DELETED.value, "drift": None} if seen.gone else {}
    if said.drift is not None:
        updates["drift"] = _drift(said.drift, status, now)
    if wanted and said.problem is None:
        updates |= {"managed": _managed(wanted), "settled_generation": wanted.generation}
    updates["conditions"] = _conclude(resource, wanted, seen.source if seen else None, said, now)
    return status.model_copy(update=updates)


def matters(old: ImageSourceStatus, new: ImageSourceStatus) -> bool:
    """Tell whether a status is worth a write: what changes by itself, every day, is not."""
    idle = {"updated": old.updated, "images_count": old.images_count}
    return new.model_copy(update=idle).to_json() != old.to_json()


def with_source(status: ImageSourceStatus, step: Step, done: Done) -> ImageSourceStatus:
    """Note which source is the resource's from now on."""
    match step:
        case Create() if done.source:
            return status.model_copy(update={"id": done.source.id})
        case Create() if done.unconfirmed:
            return status.model_copy(update={"unconfirmed_id": done.unconfirmed})
        case SaveId(source=source, adopted=adopted) if done.failure is None:
            found = {"id": source.id, "adopted": adopted or status.adopted, "unconfirmed_id": None}
            return status.model_copy(update=found)
        case ForgetId():
            forgotten = {"id": None, "state": None, "created": None, "settled_generation": None}
            return status.model_copy(update=forgotten)
    return status


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


def _drift(differing: Iterable[Difference], status: ImageSourceStatus, now: datetime) -> Drift | None:
    fields = tuple(
        DriftField(path=camel_path(path), desired=redacted(path, want), observed=redacted(path, seen) or "absent")
        for path, want, seen in differing
    )
    return Drift(detected=status.drift.detected if status.drift else now, fields=fields) if fields else None


def _managed(wanted: Wanted) -> tuple[str, ...] | None:
    return None if wanted.observe_only else tuple(sorted({*wanted.fields, *(["acl"] if wanted.access else [])}))


def _conclude(
    resource: ImageSource, wanted: Wanted | None, source: Source | None, said: Statement, now: datetime
) -> tuple[Condition, ...]:
    spec, old = resource.spec, resource.status
    conditions = _Conditions(old.conditions, resource.metadata.generation, now)
    if said.problem and _is_paused(resource):
        conditions.paused(said.problem, said.drift)
    elif said.problem:
        of_access = said.access_problem or said.problem.reason is Reason.ACCESS_REFUSED
        conditions.problem(said.problem, access=of_access and spec.acl is not None)
    elif source:
        conditions.settled(source, said.drift or (), observing=spec.management_policy is ManagementPolicy.OBSERVE)
    if spec.acl is None:
        conditions.drop(ConditionType.ACCESS_SYNCED)
    if source and source.state.error:
        words = _words(source.state.error.message, hidden=bool(old.credentials or (wanted and wanted.secrets)))
        text = f"the platform reports an error of this source: {words}"
        conditions.put(ConditionType.PLATFORM_ERROR, "True", Reason.STATE_ERROR, text)
    elif source:
        conditions.drop(ConditionType.PLATFORM_ERROR)
    return conditions.all()


def _is_paused(resource: ImageSource) -> bool:
    """Tell whether Ready keeps its value, whatever comes; an end that is kept from coming is said as ever."""
    spec = resource.spec
    observing = spec.management_policy is ManagementPolicy.OBSERVE  # which writes nothing anyhow
    return spec.suspend and not observing and resource.metadata.deletion_timestamp is None


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

    def paused(self, problem: Problem, drift: tuple[Difference, ...] | None) -> None:
        """Say what waits, or what keeps the source from being seen, on all but Ready, which keeps its value.

        A Ready that is not True has one cause that lasts, whatever trouble came before: that spec.suspend is true.
        """
        ready = self._by_type.get(ConditionType.READY)
        if ready is None or ready.status != "True":
            self.put(ConditionType.READY, ready.status if ready else "Unknown", SUSPENDED.reason, SUSPENDED.message)
        if drift is None:
            self.put(ConditionType.SYNCED, "Unknown", problem.reason, problem.message)
            self.put(ConditionType.ACCESS_SYNCED, "Unknown", problem.reason, problem.message)
        else:
            secret_alone = () if drift else (("origin", None, None),)  # its new value is what differs then
            self._compared(drift or secret_alone, Reason.IN_SYNC, problem.reason, problem.message)
        self.put(ConditionType.RECONCILING, "True", problem.reason, problem.message)
        self.drop(ConditionType.STALLED, ConditionType.JOB_NOT_ACCEPTED)

    def settled(self, source: Source, drift: tuple[Difference, ...], *, observing: bool) -> None:
        reason = Reason.OBSERVED if observing else Reason.IN_SYNC
        paths = ", ".join(camel_path(path) for path, _, _ in drift)
        text = "is observed" if observing else "is as the spec says"
        if paths:
            why = "managementPolicy Observe" if observing else "driftPolicy Report"
            text = f"is there and differs in {paths}, which {why} leaves so"
        self.put(ConditionType.READY, "True", reason, f"source {source.id} {text}")
        message = f"differs on the platform and is left so: {paths}; see status.drift"
        self._compared(drift, reason, Reason.DRIFTED, message)
        self.drop(ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.JOB_NOT_ACCEPTED)

    def _compared(self, drift: tuple[Difference, ...], equal: Reason, differs: Reason, message: str) -> None:
        """Say of content and of access whether they differ."""
        of_access = {path == "acl" for path, _, _ in drift}
        for kind, found in ((ConditionType.SYNCED, False), (ConditionType.ACCESS_SYNCED, True)):
            if found in of_access:
                self.put(kind, "False", differs, message)
            else:
                self.put(kind, "True", equal, "")

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
