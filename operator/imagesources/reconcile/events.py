"""What a person wants to read later (Events), from a step and the status before and after. Pure."""

from imagesources.reconcile.model import (
    Create,
    Delete,
    Done,
    ForgetId,
    Problem,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Wait,
)
from imagesources.reconcile.ports import Happening
from imagesources.resources.conditions import ConditionType, Reason
from imagesources.resources.status import Drift, ImageSourceStatus, JobStatus

_NO_FAILURE = {Reason.CREATING, Reason.DELETING, Reason.PENDING, Reason.SUSPENDED, Reason.DRIFTED}
"""Progress, and what somebody wants so."""


def happenings(
    step: Step, done: Done, problem: Problem | None, before: ImageSourceStatus, after: ImageSourceStatus, *,
    orphan: bool = False, observing: bool = False,
) -> list[Happening]:  # fmt: skip
    """Tell what happened in a pass: what was done, and a failure when it begins, not while it lasts.

    Args:
        step: what was to be done.
        done: what came of it.
        problem: what is said to be wrong.
        before: the status before the pass.
        after: the status after it.
        orphan: whether the source stays when its resource goes.
        observing: whether the source is only observed.
    """
    told = [] if done.failure else _deeds(step, done, before, orphan=orphan, observing=observing)
    if _drift_begins(step, before, after):
        note = f"differs in {_paths(after.drift)} by other hands, and is left so; see status.drift"
        told.append(Happening(Reason.DRIFTED.value, "Observe", note, warning=True))
    if problem and _is_failure(step, problem) and problem.reason in _failing(after) - _failing(before):
        told.append(Happening(problem.reason.value, "Reconcile", problem.message, warning=True))
    return told


def is_news(step: Step, problem: Problem, before: ImageSourceStatus) -> bool:
    """Tell whether a failure is not what was said before, in the same words."""
    said = {(condition.reason, condition.message) for condition in before.conditions}
    return _is_failure(step, problem) and (problem.reason.value, problem.message) not in said


def _is_failure(step: Step, problem: Problem) -> bool:
    """Tell a failure of this source from progress, from waiting for an answer's time, and from what its Hub tells."""
    awaited = isinstance(step, Wait) and problem.reason is Reason.OUTCOME_UNKNOWN
    return not (problem.of_hub or awaited or problem.reason in _NO_FAILURE)


def _failing(status: ImageSourceStatus) -> set[str]:
    """List the reasons why a source is not as it is wanted; where Ready keeps its value, others say so."""
    found = (status.condition(kind) for kind in (ConditionType.READY, ConditionType.SYNCED))
    return {condition.reason for condition in found if condition and condition.status != "True"}


def _drift_begins(step: Step, before: ImageSourceStatus, after: ImageSourceStatus) -> bool:
    """Tell whether others have changed what is left so: while suspended too, but what an edit asks for is no drift."""
    if before.drift or not after.drift:
        return False
    suspended = isinstance(step, Wait) and step.problem.reason is Reason.SUSPENDED
    return isinstance(step, Rest) or (suspended and before.settled_generation == after.observed_generation)


def _paths(drift: Drift | None) -> str:
    return ", ".join(field.path for field in drift.fields) if drift else ""


def _deeds(step: Step, done: Done, before: ImageSourceStatus, *, orphan: bool, observing: bool) -> list[Happening]:
    match step:
        case Create() if done.source:
            return [Happening("Created", "Create", f"created source {done.source.id}")]
        case SaveId():
            return [_found(step, observing=observing)]
        case ForgetId():
            note = f"source {before.id} was deleted by other hands; it is created again"
            return [Happening(Reason.SOURCE_GONE.value, "Create", note, warning=True)]
        case Update(named=named, drift=True):
            return [_set_back("Update", ", ".join(named))]
        case UpdateAccess(drift=True):
            return [_set_back("UpdateAccess", "acl")]
        case Update(named=named):
            return [Happening("Updated", "Update", f"updated {', '.join(named)}")]
        case UpdateAccess():
            return [Happening("AccessChanged", "UpdateAccess", "changed who may do what")]
        case Delete():
            return [Happening(Reason.DELETING.value, "Delete", f"asked the platform to delete source {before.id}")]
        case RemoveExtra(id=extra) if done.removed:
            note = f"deleted source {extra}, a second one of this resource that a late request had created"
            return [Happening("DuplicateRemoved", "Delete", note, warning=True)]
        case Release() if before.id and orphan:
            return [Happening("Orphaned", "Delete", f"source {before.id} stays on the platform, unmanaged")]
        case Release() if before.id:
            return [Happening("Deleted", "Delete", f"source {before.id} is gone{_by_job(before.job)}")]
    return []


def _set_back(action: str, what: str) -> Happening:
    note = f"set back {what}, which others had changed on the platform"
    return Happening("DriftCorrected", action, note, warning=True)


def _by_job(job: JobStatus | None) -> str:
    """Tell how the job ended, as far as it was seen."""
    if job is None or job.finished is None:
        return ""
    return f"; job {job.id} is {job.state}" + (f", {job.progress} tasks" if job.progress else "")


def _found(step: SaveId, *, observing: bool) -> Happening:
    source_id = step.source.id
    if observing:
        return Happening("Observing", "Observe", f"found source {source_id}; it is observed and never written")
    if step.adopted:
        return Happening("Adopted", "Adopt", f"took over source {source_id}")
    return Happening("Created", "Create", f"found source {source_id}, which an earlier attempt had created")
