"""What is done next: each case by name, and what must hold whatever is the case."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
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

from imagesources.platform.models import Acl, Source
from imagesources.reconcile.differences import access_differs, differences, only_widens
from imagesources.reconcile.model import (
    Create,
    Delete,
    Doubt,
    FindMarker,
    FinishCreate,
    ForgetId,
    Intend,
    Look,
    Observed,
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
from imagesources.reconcile.plan import DELETING, create_body, plan
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
    "suspended with a second source": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True}, observed={"carriers": (SECOND,)}
    ),
    "suspended with the marker still on": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True}, observed={"source": source(identifier=MARKER)}
    ),
    "suspended with a field to clear": Case(
        (Reason.SUSPENDED, False),
        wanted={"suspended": True, "cleared": {"builder": None}},
        record=EDITED,
        observed={"source": source(builder={"integration_id": "farm"})},
    ),
    "suspended with a new secret": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True}, observed={"new_secrets": True}
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
    # with a source
    "deleted by others": Case(ForgetId(), observed=NOTHING | {"gone": True}),
    "deleted by others, reported": Case(gone(permanent=True), wanted={"correct_drift": False}, observed={"gone": True}),
    "deleted by others, adopted": Case(gone(permanent=True), record={"adopted": True}, observed={"gone": True}),
    "deleted by others, with a second one": Case(
        ForgetId(), observed=NOTHING | {"gone": True, "carriers": (SECOND,)}
    ),
    "a second one": Case(RemoveExtra(HIGH), observed={"carriers": (SECOND,)}),
    "a second one before the marker goes": Case(
        RemoveExtra(HIGH), observed={"source": source(identifier=MARKER), "carriers": (source(identifier=MARKER), SECOND)}
    ),
    "out of sight": Case(Look(SOURCE_ID), observed=NOTHING),
    "being deleted by others, says a list": Case(Look(SOURCE_ID), observed={"source": DELETING_SOURCE}),
    "being deleted by others": Case(
        gone(permanent=False), observed={"source": DELETING_SOURCE, "direct": True}
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
    "drifted": Case(Update(SOURCE_ID, {"name": "New"}, drift=True), wanted={"fields": NEW_NAME}, observed={"direct": True}),
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
    "end: gone": Case(Release(), wanted=END, observed=NOTHING | {"gone": True}),
    "end: gone, with a second one": Case(
        RemoveExtra(HIGH), wanted=END, observed=NOTHING | {"gone": True, "carriers": (SECOND,)}
    ),
    "end: no id, an earlier create shows": Case(
        RemoveExtra(LOW), wanted=END, record=NO_ID, observed=NOTHING | {"carriers": (CARRIER, SECOND)}
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


# Over all that can occur together. A source that was found has the id that is saved.

PLATFORM_WRITES = Create | FinishCreate | Update | UpdateAccess | RemoveExtra | Delete


@dataclass(frozen=True)
class Outcome:
    """What a plan was made of, and the plan."""

    wish: Wanted
    known: Record
    found: Observed
    open_doubt: Doubt
    step: Step


def _all(build: Callable[..., Any], **choices: Iterable[Any]) -> list[Any]:
    return [build(**dict(zip(choices, picked, strict=True))) for picked in product(*choices.values())]


_BOTH = (False, True)
_WISHES = [
    *_all(wanted, suspended=_BOTH, correct_drift=_BOTH, access=(None, access(dev="view")), adopt_id=(None, HIGH)),
    *_all(wanted, suspended=_BOTH, never_adopt=(True,), fields=(NEW_NAME,), cleared=({"builder": None},)),
    *_all(wanted, suspended=_BOTH, observe_only=(True,), adopt_id=(SOURCE_ID,), fields=(NEW_NAME,)),
    *_all(wanted, suspended=_BOTH, observe_only=_BOTH, orphan=_BOTH, exists=(False,)),
]
_RECORDS = [
    record(**NO_ID | {"intent": False, "finalizer": False}),
    record(**NO_ID | {"intent": False}),
    record(**NO_ID),
    record(intent=False),
    *_all(record, settled_generation=(0, 1), adopted=_BOTH),
]
_SEEN: list[Json] = [
    {"source": None, "gone": False},
    {"source": None, "gone": True},
    {"source": source(builder={"integration_id": "farm"})},
    {"source": source(builder={"integration_id": "farm"}), "direct": True},
    {"source": source(acl=acl(dev="view modify").model_dump(), name="Old"), "direct": True},
    {"source": source(acl=acl().model_dump(), name="Old"), "direct": True},
    {"source": source(identifier=MARKER)},
    {"source": source(type="bucket"), "direct": True},
    {"source": DELETING_SOURCE, "direct": True},
]
_ROUND = _all(
    dict,
    carriers=((), (CARRIER, SECOND)),
    claimant=(None, OTHER),
    new_secrets=_BOTH,
    adoptable=(None, (), (source(id=HIGH),)),
)
_WORK: list[Json] = [{}, {"unconverged": 3}, {"corrections": 3}, {"job_id": JOB_ID}, {"look_due": True}]
_DOUBTS = [
    doubt(),
    doubt(**IN_DOUBT),
    doubt(**IN_DOUBT | {"settled_in": 3.0, "over_in": 30.0}),
    doubt(clear=False, absences=2),
]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Plans for all of it; where there is no id, no source was found by it."""
    made = []
    for known in _RECORDS:
        seen = _SEEN if known.id else [*_all(dict, source=(None,), rivals=((), (RIVAL,)))]
        for wish, known_of, open_doubt in product(
            _WISHES, _all(_observed, seen=seen, around=_ROUND, work=_WORK), _DOUBTS
        ):
            made.append(Outcome(wish, known, known_of, open_doubt, plan(wish, known, known_of, open_doubt)))
    return made


def _observed(seen: Json, around: Json, work: Json) -> Observed:
    return observed(**seen | around | work)


def _first(outcomes: list[Outcome], wrong: Callable[[Outcome], bool]) -> Outcome | None:
    """Finds the first outcome that must not be."""
    return next((outcome for outcome in outcomes if wrong(outcome)), None)


def _resolved(outcome: Outcome) -> bool:
    return outcome.open_doubt.clear or outcome.open_doubt.absences >= 2


def test_all_steps_occur(outcomes: list[Outcome]) -> None:
    """What follows speaks of every kind of step."""
    assert {type(outcome.step) for outcome in outcomes} == set(get_args(Step))


def test_never_a_second_create(outcomes: list[Outcome]) -> None:
    """Nothing is created where a source may be: one that is known, that carries our marker, or that may yet show."""

    def wrong(o: Outcome) -> bool:
        return isinstance(o.step, Create) and bool(
            o.known.id or o.found.carriers or not o.known.intent or not _resolved(o) or not o.wish.exists
        )

    assert _first(outcomes, wrong) is None


def test_never_a_write_when_suspended(outcomes: list[Outcome]) -> None:
    """While spec.suspend is true the platform is asked to show things and nothing else."""
    assert _first(outcomes, lambda o: o.wish.suspended and isinstance(o.step, PLATFORM_WRITES)) is None


def test_never_a_write_when_only_observed(outcomes: list[Outcome]) -> None:
    """Under managementPolicy Observe nothing is written to the platform, not even at the end."""
    assert _first(outcomes, lambda o: o.wish.observe_only and isinstance(o.step, PLATFORM_WRITES)) is None


def test_never_let_go_too_early(outcomes: list[Outcome]) -> None:
    """The finalizer goes only when nothing of ours can be left, or when it is to be left."""

    def wrong(o: Outcome) -> bool:
        left = (o.known.id and not o.found.gone) or o.found.carriers or not _resolved(o)
        begun = o.known.id or o.known.intent
        return isinstance(o.step, Release) and bool(begun and left) and not (o.wish.orphan or o.wish.observe_only)

    assert _first(outcomes, wrong) is None


def test_never_changes_what_another_claims(outcomes: list[Outcome]) -> None:
    """A source that another resource claims is not changed; only strays with our own marker are removed."""

    def wrong(o: Outcome) -> bool:
        return bool(o.found.claimant) and isinstance(o.step, FinishCreate | Update | UpdateAccess | Delete)

    assert _first(outcomes, wrong) is None


def test_names_only_what_is_ours(outcomes: list[Outcome]) -> None:
    """Every write names the source with the saved id, or another that carries our marker."""

    def wrong(o: Outcome) -> bool:
        match o.step:
            case Update(id=named) | UpdateAccess(id=named) | FinishCreate(id=named) | Delete(id=named):
                return named != o.known.id
            case RemoveExtra(id=named):
                return named == o.known.id or named not in {carrier.id for carrier in o.found.carriers}
        return False

    assert _first(outcomes, wrong) is None


def test_content_waits_for_narrower_access(outcomes: list[Outcome]) -> None:
    """Content is written only onto an access list that is no wider than the wished one."""

    def wrong(o: Outcome) -> bool:
        if not (isinstance(o.step, Update) and o.wish.access and o.found.source) or not o.wish.correct_drift:
            return False
        return not only_widens(o.found.source.acl, o.wish.access.acl)

    assert _first(outcomes, wrong) is None


def test_every_write_says_something(outcomes: list[Outcome]) -> None:
    """A PATCH is never empty, and an access list is written only if it differs."""

    def wrong(o: Outcome) -> bool:
        match o.step:
            case Update(changes=said):
                return not said
            case UpdateAccess(access=said):
                return o.found.source is None or not access_differs(said, o.found.source)
        return False

    assert _first(outcomes, wrong) is None


def test_report_is_kept(outcomes: list[Outcome]) -> None:
    """Under Report, once a generation was in order, nothing but a new Secret's values is ever written."""

    def wrong(o: Outcome) -> bool:
        if o.wish.correct_drift or o.known.settled_generation != o.wish.generation:
            return False
        return isinstance(o.step, UpdateAccess) or (isinstance(o.step, Update) and o.step.changes.keys() != {"origin"})

    assert _first(outcomes, wrong) is None


def test_drift_is_confirmed(outcomes: list[Outcome]) -> None:
    """What a list says about a settled source is corrected only after the platform was asked about that source."""

    def wrong(o: Outcome) -> bool:
        settled = o.known.settled_generation == o.wish.generation and not o.found.new_secrets
        return settled and isinstance(o.step, Update | UpdateAccess) and not o.found.direct

    assert _first(outcomes, wrong) is None


def test_rest_is_earned(outcomes: list[Outcome]) -> None:
    """Rest means that the source was seen, is not gone, and is as wished or its differences are named."""

    def wrong(o: Outcome) -> bool:
        if not isinstance(o.step, Rest) or not o.wish.exists:
            return False
        source = o.found.source
        if source is None or o.found.gone or not o.known.id:
            return True
        return {path for path, _, _ in o.step.drift} != {
            *(path for path, _, _ in differences(o.wish, source)),
            *(["acl"] if access_differs(o.wish.access, source) else []),
        }

    assert _first(outcomes, wrong) is None


# A world without faults: whatever it begins with, it comes to rest, and by that what is wanted is there.


@dataclass
class Simulated:
    """A resource and a platform that does what it is told."""

    wish: Wanted
    known: Record
    sources: dict[str, Source]
    gone: set[str] = field(default_factory=set)
    direct: bool = False
    absences: int = 0
    clear: bool = True
    new_secrets: bool = False
    released: bool = False
    seen_acls: list[Acl | None] = field(default_factory=list)

    def observe(self) -> Observed:
        """Looks."""
        kept = self.sources.get(self.known.id or "")
        return observed(
            source=kept,
            direct=self.direct,
            gone=self.known.id in self.gone,
            carriers=tuple(s for _, s in sorted(self.sources.items()) if s.identifier == MARKER),
            new_secrets=self.new_secrets,
        )

    def do(self, step: Step) -> None:
        """Does a step."""
        match step:
            case Intend():
                self.known = replace(self.known, intent=True, finalizer=True)
            case FindMarker():
                self.absences += 1
            case Create(body=body):
                self.sources["a" * 24] = source(id="a" * 24, **body)
            case SaveId(source=found):
                self.known = replace(self.known, id=found.id)
            case ForgetId():
                self.known = replace(self.known, id=None, settled_generation=-1)
            case Look(id=named):
                self.direct = True
                self.gone |= {named} - self.sources.keys()
            case FinishCreate(id=named, identifier=identifier):
                self._patch(named, {"identifier": identifier})
            case Update(id=named, changes=said):
                self._patch(named, said)
                self.new_secrets = False
            case UpdateAccess(id=named, access=said):
                self._patch(named, {"acl": said.acl and said.acl.model_dump()})
            case Delete(id=named) | RemoveExtra(id=named):
                del self.sources[named]
                self.gone.add(named)
            case Release():
                self.released = True

    def _patch(self, named: str, said: Json) -> None:
        changed = {**self.sources[named].model_dump(mode="json"), **said}
        self.sources[named] = Source.model_validate(changed)


_ACCESSES = st.sampled_from([None, UNRESTRICTED, access(), access(dev="view"), access(dev="view modify", ops="view")])
_ACLS = st.sampled_from([None, acl(), acl(dev="view"), acl(dev="view modify"), acl(ops="manage")])


@st.composite
def beginnings(draw: st.DrawFn) -> Simulated:
    """Draws a resource of any age, in front of a platform in any state that faults may have left."""
    ids = draw(st.lists(st.sampled_from([SOURCE_ID, LOW, HIGH]), unique=True, max_size=3))
    sources = {}
    for one in ids:
        identifier = "web" if one == SOURCE_ID and draw(st.booleans()) else MARKER
        rights = draw(_ACLS)
        sources[one] = source(id=one, identifier=identifier, name="Old", acl=rights and rights.model_dump())
    known = record(
        id=draw(st.sampled_from([None, SOURCE_ID])),
        intent=True,
        settled_generation=draw(st.sampled_from([-1, 0, 1])),
    )
    if known.id is None and SOURCE_ID in sources:
        sources[SOURCE_ID] = sources[SOURCE_ID].model_copy(update={"identifier": MARKER})
    if known.id is None and draw(st.booleans()):
        known = replace(known, intent=False, finalizer=False)
    wish = draw(st.builds(wanted, exists=st.booleans(), fields=st.just(NEW_NAME), access=_ACCESSES))
    return Simulated(wish, known, sources, clear=draw(st.booleans()), new_secrets=draw(st.booleans()))


@given(beginnings())
def test_comes_to_rest(world: Simulated) -> None:
    """Without faults every beginning ends in few steps: with one source as wanted, or with none and the finalizer off."""
    for _ in range(14):
        open_doubt = doubt(clear=world.clear, absences=world.absences)
        step = plan(world.wish, world.known, world.observe(), open_doubt)
        if isinstance(step, Rest) or world.released:
            break
        world.do(step)
    else:
        pytest.fail(f"no rest; the last step was {step}")
    if world.wish.exists:
        (only,) = world.sources.values()
        assert (only.id, only.identifier, only.name) == (world.known.id, "web", "New")
        assert not access_differs(world.wish.access, only)
    elif world.released:
        assert world.sources == {}


def test_create_body_is_independent() -> None:
    """The body of a POST shares nothing that a caller could change with the wish."""
    wish = wanted()
    create_body(wish)["name"] = "changed"
    assert wish.fields["name"] == "Web"
