"""What is done next while a resource exists: each case by name."""

from typing import Any

import pytest
from tests.support.builders import MARKER, ORIGIN, UNRESTRICTED, access, acl, source
from tests.support.documents import SOURCE_ID
from tests.support.plans import (
    CARRIER,
    DELETING_SOURCE,
    EDITED,
    HIGH,
    IN_DOUBT,
    LOW,
    NEW_NAME,
    NEW_SECRET,
    NO_ID,
    NO_INTENT,
    NOTHING,
    OTHER,
    RIVAL,
    SECOND,
    Case,
)

from imagesources.reconcile.model import (
    CheckSecrets,
    Create,
    FindMarker,
    FinishCreate,
    ForgetId,
    Intend,
    Look,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Update,
    UpdateAccess,
)
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

NAMED = {"name": "Web", "origin": ORIGIN}
POST = {"name": "Web", "origin": ORIGIN, "type": "direct", "identifier": MARKER}
ADOPT: Json = {"adopt_id": HIGH}
ADOPT_BY_NAME: Json = {"adopt_identifier": "web"}
FREE: Json = {"finalizer": False}
OBSERVE: Json = {"observe_only": True, "adopt_id": SOURCE_ID}
GONE, GOING = (Reason.SOURCE_GONE, True), (Reason.SOURCE_GONE, False)

CASES = {
    # a resource that is there, whatever its source
    "settled": Case(Rest()),
    "suspended and settled": Case(Rest(), wanted={"suspended": True}),
    "suspended and edited": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True, "fields": NEW_NAME}, record=EDITED
    ),
    "suspended and drifted, says a list": Case(Look(SOURCE_ID), wanted={"suspended": True, "fields": NEW_NAME}),
    "suspended and drifted": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True, "fields": NEW_NAME}, observed={"direct": True}
    ),
    "suspended with other access": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True, "access": access()}, observed={"direct": True}
    ),
    "suspended and drifted, reported": Case(
        Rest(drift=(("name", "New", "Web"),)),
        wanted={"suspended": True, "fields": NEW_NAME, "correct_drift": False},
        observed={"direct": True},
    ),
    "suspended and drifted, reported, with a new secret": Case(
        (Reason.SUSPENDED, False),
        wanted={"suspended": True, "fields": NEW_NAME, "correct_drift": False},
        observed=NEW_SECRET | {"direct": True},
    ),
    "suspended and edited, reported": Case(
        (Reason.SUSPENDED, False),
        wanted={"suspended": True, "fields": NEW_NAME, "correct_drift": False},
        record=EDITED,
    ),
    "suspended with a new secret": Case((Reason.SUSPENDED, False), wanted={"suspended": True}, observed=NEW_SECRET),
    "suspended, a secret unknown": Case(
        CheckSecrets(), wanted={"suspended": True}, observed={"secrets_unknown": True}
    ),
    "suspended, a look is asked for": Case(Look(SOURCE_ID), wanted={"suspended": True}, observed={"look_asked": True}),
    "suspended, edited, a look is asked for": Case(
        Look(SOURCE_ID), wanted={"suspended": True, "fields": NEW_NAME}, record=EDITED, observed={"look_asked": True}
    ),
    "suspended, out of sight": Case(Look(SOURCE_ID), wanted={"suspended": True}, observed=NOTHING),
    "suspended and being deleted by others": Case(
        (Reason.SUSPENDED, False), wanted={"suspended": True}, observed={"source": DELETING_SOURCE}
    ),
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
    "new": Case(Intend(), record=NO_INTENT, observed=NOTHING),
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
    "two like it exist": Case(
        (Reason.MAY_ALREADY_EXIST, True), record=NO_ID, observed=NOTHING | {"rivals": (RIVAL, source(id=LOW))}
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
        (Reason.OUTCOME_UNKNOWN, False),
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
        record=NO_INTENT,
        observed=NOTHING | {"adoptable": (source(),)},
    ),
    "observe while suspended": Case(
        Rest(), record=FREE, wanted=OBSERVE | {"suspended": True}, observed={"adoptable": (source(),)}
    ),
    "observe what is as described": Case(Rest(), record=FREE, wanted=OBSERVE, observed={"adoptable": (source(),)}),
    "observe what was managed before": Case(Release(), wanted=OBSERVE, observed={"adoptable": (source(),)}),
    "observe what was managed before, a create in doubt": Case(
        Rest(), wanted=OBSERVE, observed={"adoptable": (source(),)}, doubt=IN_DOUBT
    ),
    "observe any type": Case(
        SaveId(source(type="bucket"), adopted=True),
        wanted=OBSERVE | {"type": None, "fields": {}},
        record=NO_ID,
        observed=NOTHING | {"adoptable": (source(type="bucket"),)},
    ),
    "observe what differs": Case(
        Rest(drift=(("name", "New", "Web"), ("acl", access(), None))),
        record=FREE, wanted=OBSERVE | {"fields": NEW_NAME, "access": access()},
        observed={"adoptable": (source(),)},
    ),
    "observe one that was deleted": Case(
        GONE, wanted=OBSERVE, observed=NOTHING | {"adoptable": (), "gone": True}
    ),
    "observe one in state deleted": Case(
        GONE,
        wanted=OBSERVE,
        observed={"source": source(state="deleted"), "adoptable": (source(state="deleted"),), "gone": True},
    ),
    "observe one that got another identifier": Case(
        Rest(),
        record=FREE, wanted=OBSERVE | {"adopt_id": None, "adopt_identifier": "web"},
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
    "adopt another than the one that it has": Case((Reason.ADOPTION_FAILED, True), wanted={"adopt_id": HIGH}),
    "adopt the one that it has": Case(Rest(), wanted={"adopt_id": SOURCE_ID}),
    "adopt by identifier, with a source of its own": Case(
        (Reason.ADOPTION_FAILED, True), wanted={"adopt_identifier": "web"}
    ),
    "adopted by identifier": Case(Rest(), wanted={"adopt_identifier": "web"}, record={"adopted": True}),
    "a second one that was asked to go": Case(
        Rest(), observed={"carriers": (SECOND,), "asked": frozenset({HIGH})}
    ),
    "deleted by others": Case(ForgetId(), observed=NOTHING | {"gone": True}),
    "deleted by others, reported": Case(GONE, wanted={"correct_drift": False}, observed={"gone": True}),
    "deleted by others, adopted": Case(GONE, record={"adopted": True}, observed={"gone": True}),
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
        GOING, observed={"source": DELETING_SOURCE, "direct": True}
    ),
    "removed as a second one, and kept since": Case(
        ForgetId(), observed={"source": source(identifier=MARKER, state="deleting"), "direct": True}
    ),
    "another claims it": Case((Reason.ALREADY_CLAIMED, True), observed={"claimant": OTHER}),
    "another claims it, marker still on": Case(
        (Reason.ALREADY_CLAIMED, True), observed={"source": source(identifier=MARKER), "claimant": OTHER}
    ),
    "another type": Case((Reason.TYPE_MISMATCH, True), observed={"source": source(type="bucket")}),
    "marker still on": Case(
        FinishCreate(SOURCE_ID, "web"), observed={"source": source(identifier=MARKER), "direct": True}
    ),
    "marker still on, by a list": Case(Look(SOURCE_ID), observed={"source": source(identifier=MARKER)}),
    "marker still on, reported": Case(
        FinishCreate(SOURCE_ID, "web"),
        wanted={"correct_drift": False},
        observed={"source": source(identifier=MARKER, name="Old"), "direct": True},
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
    "a secret unknown": Case(CheckSecrets(), observed={"secrets_unknown": True}),
    "a secret unknown, edited": Case(
        Update(SOURCE_ID, {"name": "New"}),
        wanted={"fields": NEW_NAME},
        record=EDITED,
        observed={"secrets_unknown": True},
    ),
    "a secret unknown, reported": Case(
        CheckSecrets(),
        wanted={"fields": NEW_NAME, "correct_drift": False},
        observed={"secrets_unknown": True, "direct": True},
    ),
    "a secret unknown, observed": Case(
        Rest(), wanted=OBSERVE, record=FREE, observed={"adoptable": (source(),), "secrets_unknown": True}
    ),
    "not converging, a field to clear": Case(
        (Reason.DRIFT_NOT_CONVERGING, True),
        wanted={"cleared": {"about": {"description": None}}},
        record=EDITED,
        observed={"source": source(about={"description": "stays"}), "unconverged": 3},
    ),
    "observe what is to be cleared": Case(
        Rest(drift=(("builder.integration_id", None, "farm"),)),
        record=FREE,
        wanted=OBSERVE | {"cleared": {"builder": None}},
        observed={"source": source(builder={"integration_id": "farm"}), "adoptable": (source(),)},
    ),
    "a new secret": Case(Update(SOURCE_ID, {"origin": ORIGIN}, rotation=True), observed=NEW_SECRET),
    "a new secret, reported drift beside it": Case(
        Update(SOURCE_ID, {"origin": ORIGIN}, rotation=True),
        wanted={"fields": NEW_NAME, "correct_drift": False},
        observed=NEW_SECRET | {"direct": True},
    ),
    "a new secret, reported drift of access beside it": Case(
        Update(SOURCE_ID, {"origin": ORIGIN}, rotation=True),
        wanted={"access": access(), "correct_drift": False},
        observed=NEW_SECRET | {"direct": True},
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
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_plan(name: str) -> None:
    """In each case there is one step to do."""
    CASES[name].check()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("one like it exists", [HIGH, "web", "direct", "spec.adopt.id", "policy: Never"], id="rival"),
        pytest.param("two like it exist", [f"sources {HIGH}, {LOW} have", "the right one"], id="rivals"),
        pytest.param("adopt one of two", ["identifier web", "2"], id="ambiguous"),
        pytest.param("adopt what another manages", [OTHER, HIGH], id="claimed"),
        pytest.param("adopt another type", ["bucket", "direct"], id="type"),
        pytest.param("not converging", ["name"], id="not converging"),
        pytest.param("not converging, access", ["acl"], id="access not converging"),
        pytest.param("not converging, a field to clear", ["for about.description;"], id="clearing not converging"),
        pytest.param("suspended and drifted", ["spec.suspend", "differs in name"], id="suspended and drifted"),
        pytest.param("suspended with a new secret", ["origin (Secret login)"], id="suspended, new secret"),
        pytest.param("suspended and gone", ["spec.suspend", "does not exist any more"], id="suspended and gone"),
        pytest.param("deleted by others, reported", [SOURCE_ID, "spec.driftPolicy to Correct"], id="gone, reported"),
        pytest.param("adopt none", ["identifier web, which no live source has; exactly one must"], id="none to adopt"),
        pytest.param("adopt one of two", ["which 2 live sources have; exactly one must"], id="two to adopt"),
        pytest.param("drifted again and again", ["name", "driftPolicy"], id="changed elsewhere"),
        pytest.param("deleted by others, adopted", [SOURCE_ID], id="gone"),
    ],
)
def test_plan_message(name: str, words: list[str]) -> None:
    """A wait says which object is meant, and what to do."""
    assert CASES[name].misses(words) == []


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("drifted again and again", ["name"]),
        ("not converging", ["name"]),
        ("not converging, access", ["acl"]),
        ("not converging, a field to clear", ["about.description"]),
        ("suspended and drifted", ["name"]),
        ("suspended and gone", None),
    ],
)
def test_plan_shows_what_differs(name: str, paths: list[str] | None) -> None:
    """What is left as it is for now is handed on field by field, for status."""
    drift = CASES[name].waited().drift
    assert (None if drift is None else [path for path, _, _ in drift]) == paths


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("edited", ("name",)),
        ("drifted", ("name",)),
        ("edited, access too: content before wider access", ("name",)),
        ("a field to clear", ("builder.integrationId",)),
        ("a new secret", ("origin (Secret login)",)),
        ("a new secret, reported drift beside it", ("origin (Secret login)",)),
    ],
)
def test_plan_names_what_it_changes(name: str, named: tuple[str, ...]) -> None:
    """An update says what it is about: fields by their path, and Secrets."""
    step = CASES[name].decided()
    assert isinstance(step, Update) and step.named == named


def test_plan_waits_for_doubt() -> None:
    """A doubtful create is looked for when it has had its time to show, not before."""
    assert CASES["doubt: too early to look"].waited().seconds == 2.0
