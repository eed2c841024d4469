"""Stage 3: what to do next. Pure: wanted by recorded by observed gives one named step.

Read top down: a resource that is being deleted, one that is only observed, one without a source, one with.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from imagesources.platform.models import Source, SourceState
from imagesources.reconcile.differences import access_differs, camel_path, changes, differences, only_widens
from imagesources.reconcile.model import (
    CheckSecrets,
    Create,
    Delete,
    Difference,
    Doubt,
    FindMarker,
    FinishCreate,
    ForgetId,
    Intend,
    Look,
    Observed,
    Problem,
    Record,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Wait,
    Wanted,
    WatchJob,
)
from imagesources.resources.conditions import Reason, counted

PROOFS_OF_ABSENCE = 2
"""Empty answers to believe that a marker is not there: one may come from a stale list."""

MOST_UNCONVERGED = 3
"""Writes whose reply is not what was written, until the operator stops writing."""

MOST_CORRECTIONS = 3
"""Corrections of changes by other hands within a while, until the operator leaves them for a while."""

_RIVALS_NAMED = 5

DELETING = Problem(Reason.DELETING, "the platform is deleting the source")

SUSPENDED = Problem(Reason.SUSPENDED, "spec.suspend is true; set it to false to go on")

_OUTLIVED = Problem(
    Reason.JOB_FAILED,
    "the job that deletes the source has ended, and the source is still there; it is looked at again, and in a few "
    "minutes the deletion is asked for again",
)


def plan(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """Decide the next step for one resource."""
    if not wanted.exists:
        return _delete(wanted, record, observed, doubt)
    if wanted.observe_only:
        return _observe(wanted, record, observed, doubt)
    if wanted.suspended:
        return _suspended(wanted, record, observed)
    if not record.intent:
        return Intend()
    if record.id is None:
        return _obtain(wanted, record, observed, doubt)
    return _keep(wanted, record, observed)


def _suspended(wanted: Wanted, record: Record, observed: Observed) -> Step:
    """Write nothing, but look, and say what would be written."""
    source = observed.source
    if record.id is None:
        return Wait(SUSPENDED)
    if observed.gone:
        return Wait(_suspended_as("the source does not exist any more"))
    if source is None or observed.look_asked:
        return Look(record.id)
    if source.identifier == wanted.marker or source.state.current is not SourceState.LIVE:
        return Wait(SUSPENDED)
    differing = differences(wanted, source)
    settled = record.settled_generation == wanted.generation
    if settled and differing and not observed.direct:
        return Look(source.id)
    if settled and not wanted.correct_drift and not observed.new_secrets:
        return _rest(observed, differing)
    if named := _named(differing, observed):
        return Wait(_suspended_as(f"the source differs in {', '.join(named)}"), drift=differing)
    return _rest(observed)


def _suspended_as(what: str) -> Problem:
    return replace(SUSPENDED, message=f"{SUSPENDED.message}; {what}")


def _rest(observed: Observed, drift: tuple[Difference, ...] = ()) -> Step:
    """Be content, if what the source has of a Secret could be sent again."""
    return CheckSecrets() if observed.secrets_unknown else Rest(drift)


def _obtain(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """Come by a source: one that an earlier POST has made, one to adopt, or a new one."""
    if observed.carriers:
        return SaveId(observed.carriers[0])
    if not doubt.clear and doubt.absences < PROOFS_OF_ABSENCE:
        return _resolve(doubt.settled_in, "an earlier create may have been applied; its outcome is being found out")
    if wanted.adopt_id or wanted.adopt_identifier:
        return _adopt(wanted, observed)
    if record.unconfirmed:
        return Wait(unconfirmed(record.unconfirmed))
    if observed.rivals and not wanted.never_adopt:
        return Wait(_may_already_exist(observed.rivals))
    return Create(create_body(wanted))


def _may_already_exist(rivals: Sequence[Source]) -> Problem:
    first, several = rivals[0], len(rivals) > 1
    ids = ", ".join(rival.id for rival in rivals[:_RIVALS_NAMED])
    which, them = (f"sources {ids} have", "them") if several else (f"source {ids} has", "it")
    take = "take the right one over with spec.adopt.id" if several else f"take it over with spec.adopt.id: {ids}"
    message = (
        f"{which} the identifier {first.identifier} and type {first.type} and nobody manages {them}; {take}, or create "
        "another with spec.adopt.policy: Never"
    )
    return Problem(Reason.MAY_ALREADY_EXIST, message, permanent=True)


def unconfirmed(source_id: str) -> Problem:
    """Say that a create may have made a source that does not carry the marker."""
    message = (
        f"the platform answered the create with source {source_id}, under another identifier than was asked for; "
        "nothing more is created, as it could not be recognised. Look at that source: if it was created for this "
        f"resource, set spec.adopt.id to {source_id}; else set deletionPolicy to Orphan, and delete this resource"
    )
    return Problem(Reason.REFUSED, message, permanent=True)


def create_body(wanted: Wanted) -> dict[str, object]:
    """Write the POST: everything, the access list too, but under the marker instead of the identifier."""
    body: dict[str, object] = {**wanted.defaults, **wanted.fields, "type": wanted.type, "identifier": wanted.marker}
    if wanted.access:
        body["acl"] = wanted.access.acl.model_dump() if wanted.access.acl else None
    return body


def _resolve(wait: float, message: str) -> Step:
    return Wait(Problem(Reason.OUTCOME_UNKNOWN, message), wait) if wait > 0 else FindMarker()


def _adopt(wanted: Wanted, observed: Observed) -> Step:
    what = f"id {wanted.adopt_id}" if wanted.adopt_id else f"identifier {wanted.adopt_identifier}"
    if observed.adoptable is None:
        return Look(wanted.adopt_id or "")
    if len(observed.adoptable) != 1:
        number = len(observed.adoptable)
        have = f"{counted(number, 'live source')} {'have' if number > 1 else 'has'}"
        message = f"spec.adopt names {what}, which {have}; exactly one must"
        return Wait(Problem(Reason.ADOPTION_FAILED, message, permanent=True))
    (source,) = observed.adoptable
    return _objection(wanted, source, observed.claimant) or SaveId(source, adopted=True)


def _observe(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """Find the source and report it, write nothing; once found it goes by its id, unless the spec names another."""
    if record.id is None or wanted.adopt_id not in (None, record.id):
        return _adopt(wanted, observed)
    if observed.gone:
        return Wait(Problem(Reason.SOURCE_GONE, "the observed source does not exist any more", permanent=True))
    if observed.source is None or observed.look_asked:
        return Look(record.id)
    if record.finalizer and (record.adopted or doubt.clear):
        return Release()  # it was managed before, and nothing that it may have created is on its way
    return Rest(differences(wanted, observed.source))


def _keep(wanted: Wanted, record: Record, observed: Observed) -> Step:
    """Keep the source as it is wanted."""
    assert record.id is not None  # noqa: S101 - the caller's case
    if observed.gone:
        if wanted.correct_drift and not record.adopted:
            return ForgetId()
        way_out = "create another" if record.adopted else "set spec.driftPolicy to Correct to have it created again"
        message = f"source {record.id} was deleted on the platform; delete this resource, or {way_out}"
        return Wait(Problem(Reason.SOURCE_GONE, message, permanent=True))
    if extra := _first_extra(observed.carriers, {record.id, *observed.asked}):
        return RemoveExtra(extra.id)
    source = observed.source
    if source is None or observed.look_asked:
        return Look(record.id)
    if not record.saved:
        return SaveId(source)
    if wanted.adopt_id not in (None, record.id) or (wanted.adopt_identifier and not record.adopted):
        return Wait(_other_adoption(record))
    if source.state.current is not SourceState.LIVE:
        if source.identifier == wanted.marker:
            return ForgetId()  # a second one that was removed: nobody waits for its end
        message = f"source {source.id} is being deleted on the platform by other hands; waiting for the end"
        return Wait(Problem(Reason.SOURCE_GONE, message)) if observed.direct else Look(source.id)
    if objection := _objection(wanted, source, observed.claimant):
        return objection
    if source.identifier == wanted.marker:  # by a list it may have been so once, and go by another one since
        return FinishCreate(source.id, wanted.identifier) if observed.direct else Look(source.id)
    return _write(wanted, record, observed, source)


def _other_adoption(record: Record) -> Problem:
    message = (
        f"spec.adopt names another source than {record.id}, which this resource has already; remove spec.adopt, or set "
        "deletionPolicy to Orphan, delete this resource and create another"
    )
    return Problem(Reason.ADOPTION_FAILED, message, permanent=True)


def _write(wanted: Wanted, record: Record, observed: Observed, source: Source) -> Step:
    settled = record.settled_generation == wanted.generation
    if settled and not wanted.correct_drift:
        return _report(wanted, observed, source)
    changed = changes(wanted, source, new_secrets=bool(observed.new_secrets))
    access = wanted.access if access_differs(wanted.access, source) else None
    if not changed and not access:
        return _rest(observed)
    drift = settled and not observed.new_secrets
    if drift and not observed.direct:
        return Look(source.id)
    differing = differences(wanted, source)
    named = _named(differing, observed)
    if drift and observed.corrections >= MOST_CORRECTIONS:
        return Wait(_changed_elsewhere(named), drift=differing)
    if observed.unconverged >= MOST_UNCONVERGED:
        message = f"the platform answers with other values than were written for {', '.join(named)}; write them as it "
        return Wait(Problem(Reason.DRIFT_NOT_CONVERGING, f"{message}has them", permanent=True), drift=differing)
    if access and not (changed and only_widens(source.acl, access.acl)):
        return UpdateAccess(source.id, access, drift)
    rotation = not changes(wanted, source, new_secrets=False)
    return Update(source.id, changed, drift, rotation, tuple(name for name in named if name != "acl"))


def _report(wanted: Wanted, observed: Observed, source: Source) -> Step:
    """Leave what others changed; a Secret's new value alone is sent, with the whole origin that it belongs to."""
    if observed.new_secrets:
        return Update(source.id, {"origin": wanted.fields["origin"]}, rotation=True, named=_named((), observed))
    drift = differences(wanted, source)
    return Look(source.id) if drift and not observed.direct else _rest(observed, drift)


def _changed_elsewhere(named: Iterable[str]) -> Problem:
    message = (
        f"other hands keep changing {', '.join(named)}; let one side manage the source, or set driftPolicy to Report. "
        "The operator corrects it again later"
    )
    return Problem(Reason.CHANGED_ELSEWHERE, message)


def _named(differing: Iterable[Difference], observed: Observed) -> tuple[str, ...]:
    """Name what is to be written, for people: fields as spec has them, and Secrets."""
    secrets = ", ".join(sorted(observed.new_secrets))
    return (*(camel_path(path) for path, _, _ in differing), *([f"origin (Secret {secrets})"] if secrets else []))


def _delete(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """Delete the source; let go only when the platform says that nothing of ours is left."""
    if not record.finalizer:
        return Rest()
    if wanted.orphan or wanted.observe_only or not (record.id or record.intent):
        return Release()
    if wanted.suspended:
        message = "spec.suspend is true: the source is not deleted; set it to false, or deletionPolicy to Orphan"
        return Wait(Problem(Reason.SUSPENDED, message))
    if record.id is None and record.unconfirmed:
        return Wait(unconfirmed(record.unconfirmed))
    carriers = (*observed.carriers, *observed.dying)
    if record.id is None and carriers:
        return SaveId(carriers[0])
    if record.id and not observed.gone:
        return _end(record.id, observed)
    if extra := _first_extra(carriers, set()):
        return _end_extra(extra, observed)
    if not doubt.clear and doubt.absences < PROOFS_OF_ABSENCE:
        message = "an earlier create may still arrive; the resource stays until that is impossible"
        return _resolve(doubt.over_in, message)
    return Release()


def _end(source_id: str, observed: Observed) -> Step:
    """Bring the source to its end: DELETE, watch the job, and look whether the source is gone."""
    if observed.claimant:
        message = f"{observed.claimant} claims the same source; set deletionPolicy of one of them to Orphan"
        return Wait(Problem(Reason.ALREADY_CLAIMED, message, permanent=True))
    if observed.job_id:
        return WatchJob(observed.job_id) if observed.job_next_in <= 0 else Wait(DELETING, observed.job_next_in)
    source = observed.source
    if observed.look_due or source is None:
        return Look(source_id)
    if source_id in observed.asked and not observed.job_failed:
        return Wait(_OUTLIVED if observed.outlived else DELETING, observed.job_next_in)
    return Delete(source_id)


def _end_extra(extra: Source, observed: Observed) -> Step:
    """Bring a second source to its end too; its job is not known, so it is looked at now and then."""
    if extra.id not in observed.asked:
        return RemoveExtra(extra.id)
    return Look(extra.id) if observed.job_next_in <= 0 else Wait(DELETING, observed.job_next_in)


def _first_extra(carriers: Iterable[Source], kept: Collection[str | None]) -> Source | None:
    return next((source for source in carriers if source.id not in kept), None)


def _objection(wanted: Wanted, source: Source, claimant: str | None) -> Wait | None:
    if claimant:
        message = f"{claimant} manages source {source.id} already; a source has one resource"
        return Wait(Problem(Reason.ALREADY_CLAIMED, message, permanent=True))
    if wanted.type and source.type != wanted.type:
        message = f"source {source.id} has type {source.type}, spec.type says {wanted.type}; a type cannot change"
        return Wait(Problem(Reason.TYPE_MISMATCH, message, permanent=True))
    return None
