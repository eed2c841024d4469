"""What people are told of a pass: each deed once, a failure when it begins."""

from typing import Any

import pytest
from tests.support.builders import NOW, access, source
from tests.support.documents import JOB_ID, SOURCE_ID

from imagesources.reconcile.events import happenings
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
from imagesources.resources.status import Drift, ImageSourceStatus, JobStatus

NOTHING_SAID = ImageSourceStatus()
WITH_ID = ImageSourceStatus(id=SOURCE_ID)
DRIFT = (("name", "a", "b"), ("about.description", "a", "b"))
FAILED = Done(failure=Verdict(Problem(Reason.FORBIDDEN, "no")))


def ready(status: str, reason: str = "Refused", message: str = "why", **more: Any) -> ImageSourceStatus:
    """Returns a status with this Ready and nothing else."""
    condition = Condition(type="Ready", status=status, reason=reason, message=message, last_transition_time=NOW, **more)
    return ImageSourceStatus(conditions=(condition,))


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
        pytest.param(Rest(drift=DRIFT), Done(), WITH_ID, ("Drifted", "Observe", True), id="drifted"),
        pytest.param(
            Rest(drift=DRIFT), Done(), ImageSourceStatus(drift=Drift(detected=NOW)), None, id="drifted as before"
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
                Wait(None),
            )
        ),
    ],
)
def test_deeds(step: Step, done: Done, before: ImageSourceStatus, told: tuple[str, str, bool] | None) -> None:
    """What is done to a source is told, looking and waiting are not."""
    found = [
        (happening.reason, happening.action, happening.warning) for happening in happenings(step, done, before, before)
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
    (told,) = happenings(Release(), Done(), ImageSourceStatus(id=SOURCE_ID, job=job), WITH_ID)
    assert told.note.endswith(end)


@pytest.mark.parametrize(
    "step",
    [Create({}), Update(SOURCE_ID, {"name": "x"}), UpdateAccess(SOURCE_ID, access()), Delete(SOURCE_ID)],
    ids=repr,
)
def test_failed_deeds(step: Step) -> None:
    """What did not work is not told as done."""
    assert happenings(step, FAILED, WITH_ID, WITH_ID) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(NOTHING_SAID, ready("False"), ["Refused"], id="begins"),
        pytest.param(ready("True", "InSync"), ready("False"), ["Refused"], id="begins after success"),
        pytest.param(ready("False", "Forbidden"), ready("False"), ["Refused"], id="another one"),
        pytest.param(ready("False"), ready("False"), [], id="lasts"),
        pytest.param(ready("False", message="a"), ready("False", message="b"), [], id="other words"),
        pytest.param(ready("False"), ready("False", observed_generation=2), [], id="another generation"),
        pytest.param(ready("False"), ready("True", "InSync"), [], id="ends"),
        pytest.param(NOTHING_SAID, ready("Unknown", "Suspended"), [], id="not known"),
        *(
            pytest.param(ready("True", "InSync"), ready("False", word), [], id=word)
            for word in ("Creating", "Deleting", "Pending")
        ),
    ],
)
def test_failures(before: ImageSourceStatus, after: ImageSourceStatus, told: list[str]) -> None:
    """A failure is told as a warning when it begins, not while it lasts, and progress is no failure."""
    found = happenings(Wait(None), Done(), before, after)
    assert [happening.reason for happening in found] == told
    assert all(happening.warning and happening.action == "Reconcile" and happening.note == "why" for happening in found)


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
    (told,) = happenings(step, Done(), WITH_ID, WITH_ID, **facts)
    assert (told.reason, told.warning) == (reason, False)
    assert SOURCE_ID in told.note


def test_update_names_fields() -> None:
    """An update is told with the names of the fields and no value."""
    (told,) = happenings(
        Update(SOURCE_ID, {"origin": {"secret": "s3cret"}, "name": "s3cret"}), Done(), WITH_ID, WITH_ID
    )
    assert told.note == "updated name, origin"


def test_deed_and_failure() -> None:
    """A deed and a failure that begins with it are both told, the deed first."""
    step, done = Create({}), Done(source=source())
    assert [told.reason for told in happenings(step, done, NOTHING_SAID, ready("False"))] == ["Created", "Refused"]
