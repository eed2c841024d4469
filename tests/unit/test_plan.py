"""What is done next: each case by name, and what must hold whatever is the case."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.builders import (
    MARKER,
    ORIGIN,
    UNRESTRICTED,
    access,
    acl,
    doubt,
    observed,
    record,
    source,
    source_id,
    wanted,
)
from tests.support.documents import JOB_ID, SOURCE_ID

from imagesources.reconcile.model import (
    Create,
    Delete,
    FindMarker,
    FinishCreate,
    ForgetId,
    Intend,
    Look,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Wait,
    WatchJob,
)
from imagesources.reconcile.plan import DELETING, plan
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

OTHER = "ImageSource shop/other"
LOW, HIGH = source_id(1), "f" * 24
NEW_NAME = {"name": "New", "origin": ORIGIN}
NAMED = {"name": "Web", "origin": ORIGIN}
IN_DOUBT: Json = {"clear": False, "settled_in": 0.0, "over_in": 0.0, "absences": 0}
DEFAULTS = {"name": "Web"}
POST = {"name": "Web", "origin": ORIGIN, "type": "direct", "identifier": MARKER}
EDITED = {"settled_generation": 0}
"""The spec has changed since the source was last in order."""


@dataclass(frozen=True)
class Case:
    """What differs from a settled resource with a source that is as wanted, and the step (for Wait: its reason)."""

    step: Step | tuple[Reason, bool]
    wanted: Json = field(default_factory=dict)
    record: Json = field(default_factory=dict)
    observed: Json = field(default_factory=dict)
    doubt: Json = field(default_factory=dict)


def gone(permanent: bool) -> tuple[Reason, bool]:
    """Returns how a Wait for a source that is gone is written here."""
    return Reason.SOURCE_GONE, permanent


NO_ID: Json = {"id": None, "settled_generation": -1}
NOTHING: Json = {"source": None}
CARRIER = source(id=LOW, identifier=MARKER)
SECOND = source(id=HIGH, identifier=MARKER)
DYING = source(id=HIGH, identifier=MARKER, state="deleting")
RIVAL = source(id=HIGH)
ADOPT: Json = {"adopt_id": HIGH}
ADOPT_BY_NAME: Json = {"adopt_identifier": "web"}
OBSERVE: Json = {"observe_only": True, "adopt_id": SOURCE_ID}
END: Json = {"exists": False, "fields": {}}
DELETING_SOURCE = source(state="deleting")

CASES = {
    # a resource that is there, whatever its source
    "settled": Case(Rest()),
    "suspended and settled": Case(Rest(), wanted={"suspended": True}),
    "suspended and edited": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True, "fields": NEW_NAME}, record=EDITED
    ),
    "suspended and drifted": Case((Reason.SUSPENDED, False), wanted={"suspended": True, "fields": NEW_NAME}),
    "suspended with other access": Case((Reason.SUSPENDED, False), wanted={"suspended": True, "access": access()}),
    "suspended before its source": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True}, record=NO_ID, observed=NOTHING
    ),
    "suspended and gone": Case((Reason.SUSPENDED, False), wanted={"suspended": True}, observed={"gone": True}),
    "suspended with the marker still on": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True}, observed={"source": source(identifier=MARKER)}
    ),
    "suspended with a field to clear": Case(
        (Reason.SUSPENDED, False),
        wanted={"suspended": True, "cleared": {"builder": None}},
        record=EDITED,
        observed={"source": source(builder={"integration_id": "farm"})},
    ),
    "new": Case(Intend(), record=NO_ID | {"intent": False, "finalizer": False}, observed=NOTHING),
    "finalizer taken away by a person": Case(Intend(), record={"intent": False, "finalizer": False}),
    # without a source
    "nothing there": Case(Create(POST), record=NO_ID, observed=NOTHING),
    "nothing there, with everything": Case(
        Create(POST | {"name": "New", "about": {"description": "x"}, "acl": acl(dev="view").model_dump()}),
        wanted={"fields": NEW_NAME | {"about": {"description": "x"}}, "access": access(dev="view")},
        record=NO_ID,
        observed=NOTHING,
    ),
    "nothing there, unrestricted": Case(
        Create(POST | {"acl": None}), wanted={"access": UNRESTRICTED}, record=NO_ID, observed=NOTHING
    ),
    "nothing there, for nobody": Case(
        Create(POST | {"acl": {"roles": {}}}), wanted={"access": access()}, record=NO_ID, observed=NOTHING
    ),
    "nothing there, identifier given": Case(
        Create(POST), wanted={"fields": NAMED | {"identifier": "web"}}, record=NO_ID, observed=NOTHING
    ),
    "an earlier create shows": Case(
        SaveId(CARRIER), record=NO_ID, observed=NOTHING | {"carriers": (CARRIER, SECOND)}, doubt=IN_DOUBT
    ),
    "an earlier create shows, before adoption": Case(
        SaveId(CARRIER),
        wanted=ADOPT,
        record=NO_ID,
        observed=NOTHING | {"carriers": (CARRIER,), "adoptable": (source(id=HIGH),)},
    ),
    "doubt: too early to look": Case(
        (Reason.OUTCOME_UNKNOWN, False), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"settled_in": 2.0}
    ),
    "doubt: look": Case(FindMarker(), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT),
    "doubt: look again": Case(FindMarker(), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"absences": 1}),
    "doubt: looked twice": Case(Create(POST), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"absences": 2}),
    "one like it exists": Case(
        (Reason.MAY_ALREADY_EXIST, True), record=NO_ID, observed=NOTHING | {"rivals": (RIVAL,)}
    ),
    "one like it exists, and another is wanted": Case(
        Create(POST), wanted={"never_adopt": True}, record=NO_ID, observed=NOTHING | {"rivals": (RIVAL,)}
    ),
    "one like it exists, and doubt": Case(
        FindMarker(), record=NO_ID, observed=NOTHING | {"rivals": (RIVAL,)}, doubt=IN_DOUBT
    ),
    # to adopt
    "adopt an unknown id": Case(Look(HIGH), wanted=ADOPT, record=NO_ID, observed=NOTHING),
    "adopt by id": Case(
        SaveId(source(id=HIGH), adopted=True),
        wanted=ADOPT,
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(id=HIGH),)},
    ),
    "adopt by identifier": Case(
        SaveId(source(id=HIGH), adopted=True),
        wanted=ADOPT_BY_NAME,
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(id=HIGH),)},
    ),
    "adopt, in doubt about creates": Case(
        SaveId(source(id=HIGH), adopted=True),
        wanted=ADOPT,
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(id=HIGH),)},
        doubt=IN_DOUBT | {"settled_in": 2.0},
    ),
    "adopt none": Case(
        (Reason.ADOPTION_FAILED, True), wanted=ADOPT_BY_NAME, record=NO_ID, observed=NOTHING | {"adoptable": ()}
    ),
    "adopt one of two": Case(
        (Reason.ADOPTION_FAILED, True),
        wanted=ADOPT_BY_NAME,
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(id=LOW), source(id=HIGH))},
    ),
    "adopt what another manages": Case(
        (Reason.ALREADY_CLAIMED, True),
        wanted=ADOPT,
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(id=HIGH),), "claimant": OTHER},
    ),
    "adopt another type": Case(
        (Reason.TYPE_MISMATCH, True),
        wanted=ADOPT,
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(id=HIGH, type="bucket"),)},
    ),
    # only observed
    "observe an unknown id": Case(Look(SOURCE_ID), wanted=OBSERVE, record=NO_ID, observed=NOTHING),
    "observe without finalizer or intent": Case(
        SaveId(source(), adopted=True),
        wanted=OBSERVE,
        record=NO_ID | {"intent": False, "finalizer": False},
        observed=NOTHING | {"adoptable": (source(),)},
    ),
    "observe while suspended": Case(
        Rest(), wanted=OBSERVE | {"suspended": True}, observed={"adoptable": (source(),)}
    ),
    "observe what is as described": Case(Rest(), wanted=OBSERVE, observed={"adoptable": (source(),)}),
    "observe any type": Case(
        SaveId(source(type="bucket"), adopted=True),
        wanted=OBSERVE | {"type": None, "fields": {}},
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(type="bucket"),)},
    ),
    "observe what differs": Case(
        Rest(drift=(("name", "New", "Web"), ("acl", access(), None))),
        wanted=OBSERVE | {"fields": NEW_NAME, "access": access()},
        observed={"adoptable": (source(),)},
    ),
    "observe one that was deleted": Case(
        gone(permanent=True), wanted=OBSERVE, observed=NOTHING | {"adoptable": (), "gone": True}
    ),
    "observe one in state deleted": Case(
        gone(permanent=True),
        wanted=OBSERVE,
        observed={"source": source(state="deleted"), "adoptable": (source(state="deleted"),), "gone": True},
    ),
    "observe one that got another identifier": Case(
        Rest(),
        wanted=OBSERVE | {"adopt_id": None, "adopt_identifier": "web"},
        observed={"source": source(identifier="renamed"), "adoptable": ()},
    ),
    "observe, out of sight": Case(Look(SOURCE_ID), wanted=OBSERVE, observed=NOTHING | {"adoptable": (source(),)}),
    "observe, never seen since the start": Case(Look(SOURCE_ID), wanted=OBSERVE, observed=NOTHING),
    "observe another than before": Case(
        SaveId(source(id=HIGH), adopted=True),
        wanted=OBSERVE | {"adopt_id": HIGH},
        observed={"adoptable": (source(id=HIGH),)},
    ),
    "observe, a look is asked for": Case(
        Look(SOURCE_ID), wanted=OBSERVE, observed={"adoptable": (source(),), "look_asked": True}
    ),
    # with a source
    "deleted by others": Case(ForgetId(), observed=NOTHING | {"gone": True}),
    "deleted by others, reported": Case(gone(permanent=True), wanted={"correct_drift": False}, observed={"gone": True}),
    "deleted by others, adopted": Case(gone(permanent=True), record={"adopted": True}, observed={"gone": True}),
    "deleted by others, with a second one": Case(
        ForgetId(), observed=NOTHING | {"gone": True, "carriers": (SECOND,)}
    ),
    "a second one": Case(RemoveExtra(HIGH), observed={"carriers": (SECOND,)}),
    "a second one before the marker goes": Case(
        RemoveExtra(HIGH),
        observed={"source": source(identifier=MARKER), "carriers": (source(identifier=MARKER), SECOND)},
    ),
    "out of sight": Case(Look(SOURCE_ID), observed=NOTHING),
    "being deleted by others, says a list": Case(Look(SOURCE_ID), observed={"source": DELETING_SOURCE}),
    "being deleted by others": Case(
        gone(permanent=False), observed={"source": DELETING_SOURCE, "direct": True}
    ),
    "removed as a second one, and kept since": Case(
        ForgetId(), observed={"source": source(identifier=MARKER, state="deleting"), "direct": True}
    ),
    "another claims it": Case((Reason.ALREADY_CLAIMED, True), observed={"claimant": OTHER}),
    "another claims it, marker still on": Case(
        (Reason.ALREADY_CLAIMED, True), observed={"source": source(identifier=MARKER), "claimant": OTHER}
    ),
    "another type": Case((Reason.TYPE_MISMATCH, True), observed={"source": source(type="bucket")}),
    "marker still on": Case(FinishCreate(SOURCE_ID, "web"), observed={"source": source(identifier=MARKER)}),
    "marker still on, reported": Case(
        FinishCreate(SOURCE_ID, "web"),
        wanted={"correct_drift": False},
        observed={"source": source(identifier=MARKER, name="Old")},
    ),
    "edited": Case(Update(SOURCE_ID, {"name": "New"}), wanted={"fields": NEW_NAME}, record=EDITED),
    "edited, access too: content before wider access": Case(
        Update(SOURCE_ID, {"name": "New"}),
        wanted={"fields": NEW_NAME, "access": access(dev="view modify")},
        record=EDITED,
        observed={"source": source(acl=acl(dev="view").model_dump())},
    ),
    "edited, access too: narrower access before content": Case(
        UpdateAccess(SOURCE_ID, access(dev="view")),
        wanted={"fields": NEW_NAME, "access": access(dev="view")},
        record=EDITED,
        observed={"source": source(acl=acl(dev="view modify").model_dump())},
    ),
    "edited, access too: other access before content": Case(
        UpdateAccess(SOURCE_ID, access(ops="view")),
        wanted={"fields": NEW_NAME, "access": access(ops="view")},
        record=EDITED,
        observed={"source": source(acl=acl(dev="view").model_dump())},
    ),
    "edited, access too: content before no restriction": Case(
        Update(SOURCE_ID, {"name": "New"}),
        wanted={"fields": NEW_NAME, "access": UNRESTRICTED},
        record=EDITED,
        observed={"source": source(acl=acl(dev="view").model_dump())},
    ),
    "access alone, wider": Case(
        UpdateAccess(SOURCE_ID, UNRESTRICTED),
        wanted={"access": UNRESTRICTED},
        record=EDITED,
        observed={"source": source(acl=acl().model_dump())},
    ),
    "access alone, narrower": Case(UpdateAccess(SOURCE_ID, access()), wanted={"access": access()}, record=EDITED),
    "a field to clear": Case(
        Update(SOURCE_ID, {"builder": None}),
        wanted={"cleared": {"builder": None}},
        record=EDITED,
        observed={"source": source(builder={"integration_id": "farm"})},
    ),
    "a new secret": Case(Update(SOURCE_ID, {"origin": ORIGIN}), observed={"new_secrets": True}),
    "a new secret, reported drift beside it": Case(
        Update(SOURCE_ID, {"origin": ORIGIN}),
        wanted={"fields": NEW_NAME, "correct_drift": False},
        observed={"new_secrets": True, "direct": True},
    ),
    "a new secret, reported drift of access beside it": Case(
        Update(SOURCE_ID, {"origin": ORIGIN}),
        wanted={"access": access(), "correct_drift": False},
        observed={"new_secrets": True, "direct": True},
    ),
    "drifted, says a list": Case(Look(SOURCE_ID), wanted={"fields": NEW_NAME}),
    "drifted": Case(
        Update(SOURCE_ID, {"name": "New"}, drift=True), wanted={"fields": NEW_NAME}, observed={"direct": True}
    ),
    "drifted, access": Case(
        UpdateAccess(SOURCE_ID, access(), drift=True), wanted={"access": access()}, observed={"direct": True}
    ),
    "drifted, reported": Case(
        Rest(drift=(("name", "New", "Web"), ("acl", access(), None))),
        wanted={"fields": NEW_NAME, "access": access(), "correct_drift": False},
        observed={"direct": True},
    ),
    "drifted again and again": Case(
        (Reason.CHANGED_ELSEWHERE, False), wanted={"fields": NEW_NAME}, observed={"direct": True, "corrections": 3}
    ),
    "drifted again and again, then edited": Case(
        Update(SOURCE_ID, {"name": "New"}),
        wanted={"fields": NEW_NAME},
        record=EDITED,
        observed={"direct": True, "corrections": 3},
    ),
    "drifted again, reported": Case(
        Rest(drift=(("name", "New", "Web"),)),
        wanted={"fields": NEW_NAME, "correct_drift": False},
        observed={"direct": True, "corrections": 3},
    ),
    "created, and the id not saved yet": Case(
        SaveId(source(identifier=MARKER)), record={"saved": False}, observed={"source": source(identifier=MARKER)}
    ),
    "drifted, reported, says a list": Case(Look(SOURCE_ID), wanted={"fields": NEW_NAME, "correct_drift": False}),
    "a look is asked for": Case(Look(SOURCE_ID), observed={"look_asked": True}),
    "edited, reported": Case(
        Update(SOURCE_ID, {"name": "New"}), wanted={"fields": NEW_NAME, "correct_drift": False}, record=EDITED
    ),
    "not converging yet": Case(
        Update(SOURCE_ID, {"name": "New"}), wanted={"fields": NEW_NAME}, record=EDITED, observed={"unconverged": 2}
    ),
    "not converging": Case(
        (Reason.DRIFT_NOT_CONVERGING, True), wanted={"fields": NEW_NAME}, record=EDITED, observed={"unconverged": 3}
    ),
    "not converging, access": Case(
        (Reason.DRIFT_NOT_CONVERGING, True), wanted={"access": access()}, record=EDITED, observed={"unconverged": 3}
    ),
    # being deleted
    "end: not ours to hold": Case(Rest(), wanted=END, record={"finalizer": False}),
    "end: orphan": Case(Release(), wanted=END | {"orphan": True}),
    "end: orphan, suspended": Case(Release(), wanted=END | {"orphan": True, "suspended": True}),
    "end: only observed": Case(Release(), wanted=END | {"observe_only": True, "adopt_id": SOURCE_ID}),
    "end: nothing was ever begun": Case(Release(), wanted=END, record=NO_ID | {"intent": False}, observed=NOTHING),
    "end: suspended": Case((Reason.SUSPENDED, False), wanted=END | {"suspended": True}),
    "end: live": Case(Delete(SOURCE_ID), wanted=END),
    "end: another claims it": Case((Reason.ALREADY_CLAIMED, True), wanted=END, observed={"claimant": OTHER}),
    "end: out of sight": Case(Look(SOURCE_ID), wanted=END, observed=NOTHING),
    "end: job to be asked for": Case(WatchJob(JOB_ID), wanted=END, observed={"job_id": JOB_ID, "job_next_in": 0.0}),
    "end: job to be waited for": Case(
        Wait(DELETING, 1.5), wanted=END, observed={"job_id": JOB_ID, "job_next_in": 1.5}
    ),
    "end: job ended": Case(Look(SOURCE_ID), wanted=END, observed={"look_due": True}),
    "end: deleting without a job": Case(
        Wait(DELETING, 1.5), wanted=END, observed={"source": DELETING_SOURCE, "job_next_in": 1.5}
    ),
    "end: deleting, and the job failed": Case(
        Delete(SOURCE_ID), wanted=END, observed={"source": DELETING_SOURCE, "job_failed": True}
    ),
    "end: deleting, and asked for long ago": Case(
        Delete(SOURCE_ID), wanted=END, observed={"source": DELETING_SOURCE, "delete_due": True}
    ),
    "end: gone": Case(Release(), wanted=END, observed=NOTHING | {"gone": True}),
    "end: gone, with a second one": Case(
        RemoveExtra(HIGH), wanted=END, observed=NOTHING | {"gone": True, "carriers": (SECOND,)}
    ),
    "end: no id, an earlier create shows": Case(
        SaveId(CARRIER), wanted=END, record=NO_ID, observed=NOTHING | {"carriers": (CARRIER, SECOND)}
    ),
    "end: no id, an earlier create is being deleted": Case(
        SaveId(DYING), wanted=END, record=NO_ID, observed=NOTHING | {"dying": (DYING,)}
    ),
    "end: gone, a second one is being deleted": Case(
        Wait(DELETING, 1.5),
        wanted=END,
        observed=NOTHING | {"gone": True, "dying": (DYING,), "job_next_in": 1.5},
    ),
    "end: gone, a second one is to be looked at": Case(
        Look(HIGH), wanted=END, observed=NOTHING | {"gone": True, "dying": (DYING,)}
    ),
    "end: gone, a second one was asked to go long ago": Case(
        RemoveExtra(HIGH), wanted=END, observed=NOTHING | {"gone": True, "dying": (DYING,), "delete_due": True}
    ),
    "end: no id, one may still arrive": Case(
        (Reason.OUTCOME_UNKNOWN, False), wanted=END, record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"over_in": 30.0}
    ),
    "end: no id, look": Case(
        FindMarker(), wanted=END, record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"absences": 1}
    ),
    "end: no id, looked twice": Case(
        Release(), wanted=END, record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"absences": 2}
    ),
    "end: no id, no doubt": Case(Release(), wanted=END, record=NO_ID, observed=NOTHING),
    "end: gone, one may still arrive": Case(
        (Reason.OUTCOME_UNKNOWN, False),
        wanted=END,
        observed=NOTHING | {"gone": True},
        doubt=IN_DOUBT | {"over_in": 30.0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_plan(name: str) -> None:
    """In each case there is one step to do."""
    case = CASES[name]
    step = plan(wanted(**case.wanted), record(**case.record), observed(**case.observed), doubt(**case.doubt))
    if isinstance(case.step, tuple):
        assert isinstance(step, Wait), step
        assert step.problem is not None
        assert (step.problem.reason, step.problem.permanent) == case.step
    else:
        assert step == case.step


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("one like it exists", [HIGH, "web", "direct", "spec.adopt.id", "policy: Never"], id="rival"),
        pytest.param("adopt one of two", ["identifier web", "2"], id="ambiguous"),
        pytest.param("adopt what another manages", [OTHER, HIGH], id="claimed"),
        pytest.param("adopt another type", ["bucket", "direct"], id="type"),
        pytest.param("end: another claims it", [OTHER, "Orphan"], id="claimed at the end"),
        pytest.param("end: suspended", ["spec.suspend", "Orphan"], id="suspended at the end"),
        pytest.param("not converging", ["name"], id="not converging"),
        pytest.param("not converging, access", ["acl"], id="access not converging"),
        pytest.param("deleted by others, adopted", [SOURCE_ID], id="gone"),
    ],
)
def test_plan_message(name: str, words: list[str]) -> None:
    """A wait says which object is meant, and what to do."""
    case = CASES[name]
    step = plan(wanted(**case.wanted), record(**case.record), observed(**case.observed), doubt(**case.doubt))
    assert isinstance(step, Wait)
    assert step.problem is not None
    assert [word for word in words if word not in step.problem.message] == []


def test_wait_for_job_says_deleting() -> None:
    """Waiting for a doubtful create tells when to look: not before it has had its time."""
    case = CASES["doubt: too early to look"]
    step = plan(wanted(), record(**case.record), observed(**case.observed), doubt(**case.doubt))
    assert isinstance(step, Wait)
    assert step.seconds == 2.0
