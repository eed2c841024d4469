"""What people are told of a pass: each deed once, a failure when it begins."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.builders import NOW, access, source
from tests.support.documents import JOB_ID, SOURCE_ID

from imagesources.reconcile.events import happenings, is_news
from imagesources.reconcile.model import (
    Create,
    Delete,
    Done,
    FindMarker,
    FinishCreate,
    ForgetId,
    Intend,
    Look,
    Problem,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Verdict,
    Wait,
    WatchJob,
)
from imagesources.resources.conditions import Condition, Reason
from imagesources.resources.status import Drift, DriftField, ImageSourceStatus, JobStatus

NOTHING_SAID = ImageSourceStatus()
WITH_ID = ImageSourceStatus(id=SOURCE_ID)
DRIFTED = Drift(detected=NOW, fields=(DriftField(path="name"), DriftField(path="about.description")))
WHY, UNKNOWN = Problem(Reason.REFUSED, "why"), Problem(Reason.OUTCOME_UNKNOWN, "why")
SUSPENSION = Problem(Reason.SUSPENDED, "spec.suspend is true")
FAILED = Done(failure=Verdict(Problem(Reason.FORBIDDEN, "no")))


def ready(status: str, reason: str = "Refused", message: str = "why", **more: Any) -> ImageSourceStatus:
    """Returns a status with this Ready and nothing else."""
    condition = Condition(type="Ready", status=status, reason=reason, message=message, last_transition_time=NOW, **more)
    return ImageSourceStatus(conditions=(condition,))


def suspended(reason: str) -> ImageSourceStatus:
    """Returns a status whose Ready keeps its value while there is trouble."""
    about = {"message": "why", "last_transition_time": NOW}
    kept = Condition(type="Ready", status="True", reason="InSync", **about)
    return ImageSourceStatus(conditions=(kept, Condition(type="Synced", status="Unknown", reason=reason, **about)))


@pytest.mark.parametrize(
    ("step", "done", "before", "told"),
    [
        pytest.param(Create({}), Done(source=source()), NOTHING_SAID, ("Created", "Create", False), id="created"),
        pytest.param(Create({}), Done(), NOTHING_SAID, None, id="create without a source"),
        pytest.param(SaveId(source()), Done(), NOTHING_SAID, ("Created", "Create", False), id="found"),
        pytest.param(SaveId(source(), adopted=True), Done(), NOTHING_SAID, ("Adopted", "Adopt", False), id="adopted"),
        pytest.param(ForgetId(), Done(), WITH_ID, ("SourceGone", "Create", True), id="gone"),
        pytest.param(Update(SOURCE_ID, {"name": "x"}), Done(), WITH_ID, ("Updated", "Update", False), id="updated"),
        pytest.param(
            UpdateAccess(SOURCE_ID, access()), Done(), WITH_ID, ("AccessChanged", "UpdateAccess", False), id="access"
        ),
        pytest.param(Delete(SOURCE_ID), Done(), WITH_ID, ("Deleting", "Delete", False), id="deleting"),
        pytest.param(RemoveExtra(SOURCE_ID), Done(), WITH_ID, None, id="an extra that was none"),
        pytest.param(
            RemoveExtra(SOURCE_ID), Done(removed=True), WITH_ID, ("DuplicateRemoved", "Delete", True), id="extra"
        ),
        pytest.param(Release(), Done(), WITH_ID, ("Deleted", "Delete", False), id="deleted"),
        pytest.param(Release(), Done(), NOTHING_SAID, None, id="nothing to delete"),
        pytest.param(
            Update(SOURCE_ID, {"name": "x"}, drift=True),
            Done(),
            WITH_ID,
            ("DriftCorrected", "Update", True),
            id="corrected",
        ),
        pytest.param(
            UpdateAccess(SOURCE_ID, access(), drift=True),
            Done(),
            WITH_ID,
            ("DriftCorrected", "UpdateAccess", True),
            id="access corrected",
        ),
        *(
            pytest.param(step, Done(), WITH_ID, None, id=type(step).__name__)
            for step in (
                Rest(),
                Intend(),
                FindMarker(),
                FinishCreate(SOURCE_ID, "x"),
                Look(SOURCE_ID),
                WatchJob(JOB_ID),
                Wait(WHY),
            )
        ),
    ],
)
def test_deeds(step: Step, done: Done, before: ImageSourceStatus, told: tuple[str, str, bool] | None) -> None:
    """What is done to a source is told, looking and waiting are not."""
    found = [
        (happening.reason, happening.action, happening.warning)
        for happening in happenings(step, done, None, before, before)
    ]
    assert found == ([told] if told else [])


@pytest.mark.parametrize(
    ("job", "end"),
    [
        (None, "is gone"),
        (JobStatus(id=JOB_ID, action="delete", state="running"), "is gone"),
        (JobStatus(id=JOB_ID, action="delete", state="completed", finished=NOW), f"; job {JOB_ID} is completed"),
        (
            JobStatus(id=JOB_ID, action="delete", state="completed", progress="2/2", finished=NOW),
            f"; job {JOB_ID} is completed, 2/2 tasks",
        ),
    ],
)
def test_end_of_a_job(job: JobStatus | None, end: str) -> None:
    """The end of a source says how its job ended, where that was seen."""
    (told,) = happenings(Release(), Done(), None, ImageSourceStatus(id=SOURCE_ID, job=job), WITH_ID)
    assert told.note.endswith(end)


@pytest.mark.parametrize(
    "step",
    [Create({}), Update(SOURCE_ID, {"name": "x"}), UpdateAccess(SOURCE_ID, access()), Delete(SOURCE_ID)],
    ids=repr,
)
def test_failed_deeds(step: Step) -> None:
    """What did not work is not told as done."""
    assert happenings(step, FAILED, None, WITH_ID, WITH_ID) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(ready("True"), suspended("HubNotFound"), ["HubNotFound"], id="begins while suspended"),
        pytest.param(suspended("HubNotFound"), suspended("HubNotFound"), [], id="lasts while suspended"),
        pytest.param(NOTHING_SAID, ready("False"), ["Refused"], id="begins"),
        pytest.param(ready("True", "InSync"), ready("False"), ["Refused"], id="begins after success"),
        pytest.param(ready("False", "Forbidden"), ready("False"), ["Refused"], id="another one"),
        pytest.param(ready("False"), ready("False"), [], id="lasts"),
        pytest.param(ready("False", message="a"), ready("False", message="b"), [], id="other words"),
        pytest.param(ready("False"), ready("False", observed_generation=2), [], id="another generation"),
        pytest.param(ready("False"), ready("True", "InSync"), [], id="ends"),
        pytest.param(NOTHING_SAID, ready("Unknown", "Suspended"), [], id="suspended"),
        *(
            pytest.param(ready("True", "InSync"), ready("False", word), [], id=word)
            for word in ("Creating", "Deleting", "Pending")
        ),
    ],
)
def test_failures(before: ImageSourceStatus, after: ImageSourceStatus, told: list[str]) -> None:
    """A failure is told as a warning when it begins, not while it lasts, and progress is no failure."""
    said = after.conditions[-1]
    problem = Problem(Reason(said.reason), "why")
    found = happenings(Wait(problem), Done(), problem if said.status != "True" else None, before, after)
    assert [happening.reason for happening in found] == told
    assert all(each.warning and each.action == "Reconcile" and each.note == "why" for each in found)


@pytest.mark.parametrize(
    ("step", "problem", "told"),
    [
        pytest.param(Wait(WHY), WHY, True, id="of this source"),
        pytest.param(Wait(WHY), replace(WHY, of_hub=True), False, id="of the whole hub"),
        pytest.param(Wait(UNKNOWN), UNKNOWN, False, id="time that is waited for"),
        pytest.param(Create({}), UNKNOWN, True, id="a create without an answer"),
        pytest.param(Update(SOURCE_ID, {}), WHY, True, id="beside a deed"),
    ],
)
def test_failures_of_whom(step: Step, problem: Problem, told: bool) -> None:
    """What its Hub tells of, and waiting, is no failure of a source: neither an Event nor a line of the log."""
    found = happenings(step, Done(), problem, NOTHING_SAID, ready("False", problem.reason))
    assert (problem.reason in {each.reason for each in found}, is_news(step, problem, NOTHING_SAID)) == (told, told)


@pytest.mark.parametrize(
    ("before", "news"),
    [
        pytest.param(ready("False"), False, id="as before"),
        pytest.param(suspended("Refused"), False, id="as before, while suspended"),
        pytest.param(ready("False", message="other words"), True, id="in other words"),
        pytest.param(ready("False", "Forbidden"), True, id="for another reason"),
    ],
)
def test_news(before: ImageSourceStatus, news: bool) -> None:
    """What is tried again and again is a line of the log only when it has something new to say."""
    assert is_news(Wait(WHY), WHY, before) is news


@pytest.mark.parametrize(
    ("step", "before", "settled", "told"),
    [
        pytest.param(Rest(), None, 1, True, id="reported"),
        pytest.param(Rest(), DRIFTED, 1, False, id="reported as before"),
        pytest.param(Wait(SUSPENSION), None, 1, True, id="while suspended"),
        pytest.param(Wait(SUSPENSION), None, 0, False, id="an edit while suspended"),
        pytest.param(Wait(WHY), None, 1, False, id="beside a failure, which is told itself"),
    ],
)
def test_drift(step: Step, before: Drift | None, settled: int, told: bool) -> None:
    """That others have changed what is left so is told once, with the fields."""
    old = ImageSourceStatus(drift=before, settled_generation=settled)
    found = happenings(step, Done(), None, old, ImageSourceStatus(drift=DRIFTED, observed_generation=1))
    assert [each.reason for each in found] == ["Drifted"] * told
    assert all("differs in name, about.description by other hands" in each.note for each in found)


@pytest.mark.parametrize(
    ("step", "facts", "reason"),
    [
        pytest.param(Release(), {"orphan": True}, "Orphaned", id="left on the platform"),
        pytest.param(Release(), {}, "Deleted", id="deleted"),
        pytest.param(SaveId(source(), adopted=True), {"observing": True}, "Observing", id="found to observe"),
        pytest.param(SaveId(source(), adopted=True), {}, "Adopted", id="found to adopt"),
    ],
)
def test_deeds_by_policy(step: Step, facts: dict[str, bool], reason: str) -> None:
    """What is left or only observed is not told as deleted or taken over, whatever status said before."""
    (told,) = happenings(step, Done(), None, WITH_ID, WITH_ID, **facts)
    assert (told.reason, told.warning) == (reason, False)
    assert SOURCE_ID in told.note


@pytest.mark.parametrize(
    ("drift", "note"),
    [
        (False, "updated name, origin (Secret login)"),
        (True, "set back name, origin (Secret login), which others had changed on the platform"),
    ],
)
def test_update_names_fields(drift: bool, note: str) -> None:
    """An update is told with the names of what it changes and no value."""
    changes = {"origin": {"secret": "s3cret"}, "name": "s3cret"}
    step = Update(SOURCE_ID, changes, drift, named=("name", "origin (Secret login)"))
    (told,) = happenings(step, Done(), None, WITH_ID, WITH_ID)
    assert told.note == note


def test_deed_and_failure() -> None:
    """A deed and a failure that begins with it are both told, the deed first."""
    step, done = Create({}), Done(source=source())
    assert [told.reason for told in happenings(step, done, WHY, NOTHING_SAID, ready("False"))] == ["Created", "Refused"]
