"""What a person wants to read later (Events), from a step and the status before and after. Pure."""

from imagesources.reconcile.model import (
    Create,
    Delete,
    Done,
    ForgetId,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
)
from imagesources.reconcile.ports import Happening
from imagesources.resources.conditions import Condition
from imagesources.resources.status import ImageSourceStatus, JobStatus


def happenings(
    step: Step, done: Done, before: ImageSourceStatus, after: ImageSourceStatus, *,
    orphan: bool = False, observing: bool = False,
) -> list[Happening]:  # fmt: skip
    """Tell what happened in a pass: what was done, and a failure when it begins, not while it lasts.

    Args:
        step: what was to be done.
        done: what came of it.
        before: the status before the pass.
        after: the status after it.
        orphan: whether the source stays when its resource goes.
        observing: whether the source is only observed.
    """
    told = [] if done.failure else _deeds(step, done, before, orphan=orphan, observing=observing)
    ready = _ready(after)
    if ready and ready.status == "False" and not _progress(ready) and ready != _ready(before):
        was = _ready(before)
        if was is None or (was.reason, was.status) != (ready.reason, ready.status):
            told.append(Happening(ready.reason, "Reconcile", ready.message, warning=True))
    return told


def _deeds(step: Step, done: Done, before: ImageSourceStatus, *, orphan: bool, observing: bool) -> list[Happening]:
    match step:
        case Create() if done.source:
            return [Happening("Created", "Create", f"created source {done.source.id}")]
        case SaveId():
            return [_found(step, observing=observing)]
        case ForgetId():
            note = f"source {before.id} was deleted by other hands; it is created again"
            return [Happening("SourceGone", "Create", note, warning=True)]
        case Update(changes=changes):
            return [Happening("Updated", "Update", f"updated {', '.join(sorted(changes))}")]
        case UpdateAccess():
            return [Happening("AccessChanged", "UpdateAccess", "changed who may do what")]
        case Delete():
            return [Happening("Deleting", "Delete", f"asked the platform to delete source {before.id}")]
        case RemoveExtra(id=extra) if done.removed:
            note = f"deleted source {extra}, a second one of this resource that a late request had created"
            return [Happening("DuplicateRemoved", "Delete", note, warning=True)]
        case Release() if before.id and orphan:
            return [Happening("Orphaned", "Delete", f"source {before.id} stays on the platform, unmanaged")]
        case Release() if before.id:
            return [Happening("Deleted", "Delete", f"source {before.id} is gone{_by_job(before.job)}")]
        case Rest(drift=drift) if drift and before.drift is None:
            return [Happening("Drifted", "Observe", f"{len(drift)} fields differ; see status.drift", warning=True)]
    return []


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


def _ready(status: ImageSourceStatus) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == "Ready"), None)


def _progress(ready: Condition) -> bool:
    return ready.reason in {"Creating", "Deleting", "Pending"}
