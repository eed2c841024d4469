"""What is done next when a resource is being deleted: each case by name."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.documents import JOB_ID, SOURCE_ID
from tests.support.plans import (
    CARRIER,
    DELETING_SOURCE,
    DYING,
    HIGH,
    IN_DOUBT,
    NO_ID,
    NOTHING,
    OTHER,
    SECOND,
    Case,
)

from imagesources.reconcile.model import Delete, FindMarker, Look, Release, RemoveExtra, Rest, SaveId, Wait, WatchJob
from imagesources.reconcile.plan import DELETING
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

END: Json = {"exists": False, "fields": {}}

CASES = {
    "not ours to hold": Case(Rest(), record={"finalizer": False}),
    "orphan": Case(Release(), wanted={"orphan": True}),
    "orphan, suspended": Case(Release(), wanted={"orphan": True, "suspended": True}),
    "only observed": Case(Release(), wanted={"observe_only": True, "adopt_id": SOURCE_ID}),
    "nothing was ever begun": Case(Release(), record=NO_ID | {"intent": False}, observed=NOTHING),
    "suspended": Case((Reason.SUSPENDED, False), wanted={"suspended": True}),
    "live": Case(Delete(SOURCE_ID), wanted=END),
    "live, though asked to go": Case(
        Wait(DELETING, 1.5), observed={"asked": frozenset({SOURCE_ID}), "job_next_in": 1.5}
    ),
    "live, though the job has ended well": Case(
        (Reason.JOB_FAILED, False), observed={"asked": frozenset({SOURCE_ID}), "outlived": True}
    ),
    "what a create may have made": Case(
        (Reason.REFUSED, True), record=NO_ID | {"unconfirmed": HIGH}, observed=NOTHING
    ),
    "another claims it": Case((Reason.ALREADY_CLAIMED, True), observed={"claimant": OTHER}),
    "out of sight": Case(Look(SOURCE_ID), observed=NOTHING),
    "job to be asked for": Case(WatchJob(JOB_ID), observed={"job_id": JOB_ID, "job_next_in": 0.0}),
    "job to be waited for": Case(
        Wait(DELETING, 1.5), observed={"job_id": JOB_ID, "job_next_in": 1.5}
    ),
    "job ended": Case(Look(SOURCE_ID), observed={"look_due": True}),
    "deleting without a job": Case(
        Wait(DELETING, 1.5),
        observed={"source": DELETING_SOURCE, "asked": frozenset({SOURCE_ID}), "job_next_in": 1.5},
    ),
    "deleting, and the job failed": Case(
        Delete(SOURCE_ID),
        observed={"source": DELETING_SOURCE, "asked": frozenset({SOURCE_ID}), "job_failed": True},
    ),
    "deleting, and asked for long ago": Case(
        Delete(SOURCE_ID), observed={"source": DELETING_SOURCE}
    ),
    "gone": Case(Release(), observed=NOTHING | {"gone": True}),
    "gone, with a second one": Case(
        RemoveExtra(HIGH), observed=NOTHING | {"gone": True, "carriers": (SECOND,)}
    ),
    "no id, an earlier create shows": Case(
        SaveId(CARRIER), record=NO_ID, observed=NOTHING | {"carriers": (CARRIER, SECOND)}
    ),
    "no id, an earlier create is being deleted": Case(
        SaveId(DYING), record=NO_ID, observed=NOTHING | {"dying": (DYING,)}
    ),
    "gone, a second one is being deleted": Case(
        Wait(DELETING, 1.5),

        observed=NOTHING | {"gone": True, "dying": (DYING,), "asked": frozenset({HIGH}), "job_next_in": 1.5},
    ),
    "gone, a second one is to be looked at": Case(
        Look(HIGH), observed=NOTHING | {"gone": True, "dying": (DYING,), "asked": frozenset({HIGH})}
    ),
    "gone, a second one was asked to go long ago": Case(
        RemoveExtra(HIGH), observed=NOTHING | {"gone": True, "dying": (DYING,)}
    ),
    "no id, one may still arrive": Case(
        (Reason.OUTCOME_UNKNOWN, False), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"over_in": 30.0}
    ),
    "no id, look": Case(
        FindMarker(), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"absences": 1}
    ),
    "no id, looked twice": Case(
        Release(), record=NO_ID, observed=NOTHING, doubt=IN_DOUBT | {"absences": 2}
    ),
    "no id, no doubt": Case(Release(), record=NO_ID, observed=NOTHING),
    "gone, one may still arrive": Case(
        (Reason.OUTCOME_UNKNOWN, False),

        observed=NOTHING | {"gone": True},
        doubt=IN_DOUBT | {"over_in": 30.0},
    ),
}  # fmt: skip


def of(name: str) -> Case:
    """Returns a case of a resource that is being deleted."""
    case = CASES[name]
    return replace(case, wanted=END | case.wanted)


@pytest.mark.parametrize("name", CASES)
def test_plan_end(name: str) -> None:
    """In each case there is one step to do."""
    of(name).check()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("another claims it", [OTHER, "Orphan"], id="claimed"),
        pytest.param("suspended", ["spec.suspend", "Orphan"], id="suspended"),
    ],
)
def test_plan_end_message(name: str, words: list[str]) -> None:
    """A wait says which object is meant, and what to do."""
    assert of(name).misses(words) == []


def test_plan_end_waits_for_doubt() -> None:
    """A late create is looked for when none can arrive any more, not before."""
    assert of("no id, one may still arrive").waited().seconds == 30.0
