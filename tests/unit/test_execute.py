"""Doing a step: what is remembered of it, and what an answer is taken for."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support import documents
from tests.support.builders import MARKER, PIN, image_source, source, source_id, wanted
from tests.support.builders import hub_connection as connection
from tests.support.clock import in_virtual_time
from tests.support.scripted import ScriptedClient, Writes

from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.platform.models import Job, JobDescriptor, Source
from imagesources.reconcile.execute import PATIENCE_WITH_JOB, Situation, execute
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.model import (
    Access,
    Create,
    Delete,
    FindMarker,
    FinishCreate,
    Intend,
    Look,
    RemoveExtra,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    WatchJob,
)
from imagesources.reconcile.plan import create_body
from imagesources.reconcile.ports import Conflict
from imagesources.resources import PIN_ANNOTATION
from imagesources.settings import Settings

ID, OTHER = source_id(1), source_id(2)
GONE = Refused("getImageSource", status=404, code="404.image.source")
NO_SUCH_PLACE = Refused("getImageSource", status=404, code="404.uri")
LOST = Unanswered("createImageSource", "no answer in time")


def situation(answers: dict[str, list[Any]], *, memory: Memory | None = None, **metadata: Any) -> Situation:
    """Returns a situation with a platform that gives these answers."""
    hub = connection()
    client: Any = ScriptedClient(answers, leave=hub.leave)
    hub.client = client
    resource = image_source(**metadata)
    kube: Any = Writes([resource])
    return Situation(resource, wanted(), hub, kube, memory or Memory(attempted=-100.0), Settings())


def create() -> Create:
    """Returns the step that creates."""
    return Create(create_body(wanted()))


async def test_create_answered() -> None:
    """The id is remembered until status has it, and an attempt that was answered leaves no doubt."""
    at = situation({"create": [source(id=ID, identifier=MARKER)]}, memory=Memory(attempted=-100.0, clear=True))
    done = await execute(create(), at)
    assert (done.failure, done.source and done.source.id) == (None, ID)
    assert (at.memory.unsaved_id, at.memory.clear) == (ID, True)


async def test_create_after_doubt() -> None:
    """An answer to one attempt says nothing of an earlier one."""
    at = situation({"create": [source(id=ID, identifier=MARKER)]}, memory=Memory(attempted=-100.0, clear=False))
    await execute(create(), at)
    assert not at.memory.clear


async def test_create_unanswered() -> None:
    """From now on the outcome is unknown, whatever was known before; what was looked up before counts no more."""
    at = situation({"create": [LOST]}, memory=Memory(attempted=-100.0, clear=True, absences=[-1.0, -2.0]))
    begun = at.now
    done = await execute(create(), at)
    assert done.failure and done.failure.unknown
    assert (at.memory.clear, at.memory.absences) == (False, [])
    assert at.memory.attempted >= begun


class _Slow:
    """A client whose create has no answer within a minute."""

    async def create_source(self, _body: object) -> Source:
        """See ``PlatformClient``."""
        await asyncio.sleep(60.0)
        raise LOST


def test_create_counts_from_its_end() -> None:
    """A create that timed out may arrive as long after that as one that was just sent."""

    async def timed_out() -> Memory:
        at = situation({}, memory=Memory(attempted=-100.0, clear=True))
        client: Any = _Slow()
        at.hub.client = client
        await execute(create(), at)
        return at.memory

    assert in_virtual_time(timed_out()).attempted == 60.0


async def test_create_answered_with_what_was_there() -> None:
    """An answer that names a source known under another identifier is none: that source is not ours."""
    at = situation({"create": [source(id=ID, identifier=MARKER)]}, memory=Memory(attempted=-100.0, clear=True))
    at.learn(source(id=ID, identifier="web"))
    done = await execute(create(), at)
    assert done.failure and done.failure.unknown
    assert (at.memory.unsaved_id, at.memory.clear) == (None, False)


async def test_create_cut_short() -> None:
    """A pass that ends in the midst of a create leaves the doubt behind."""
    at = situation({"create": [_Ends()]}, memory=Memory(attempted=-100.0, clear=True))
    with pytest.raises(_Ends):
        await execute(create(), at)
    assert not at.memory.clear


@pytest.mark.parametrize("answer", [source(id=ID, identifier=MARKER), LOST], ids=["answered", "not answered"])
def test_create_waits_for_its_turn(answer: Any) -> None:
    """The time in which a create may arrive counts from when it was sent, or from when no answer came, not before."""

    async def created() -> float:
        at = situation({"create": [answer]})
        at.hub.budget.pause(600.0)
        begun = at.now
        await execute(create(), at)
        return at.memory.attempted - begun

    assert in_virtual_time(created()) >= 600.0


STEPS = [
    pytest.param(create(), id="create"),
    pytest.param(FinishCreate(ID, "web"), id="finish"),
    pytest.param(Update(ID, {"name": "New"}), id="update"),
    pytest.param(UpdateAccess(ID, Access(None)), id="access"),
    pytest.param(Delete(ID), id="delete"),
]


@pytest.mark.parametrize("step", STEPS)
def test_edited_while_it_waits(step: Step) -> None:
    """What an edit has overtaken while it waited for its turn is not sent, and leaves no doubt."""

    async def overtaken() -> Situation:
        at = situation({}, memory=Memory(attempted=-100.0, clear=True))
        writes: Any = at.kube
        at.hub.budget.pause(60.0)
        edited = image_source(generation=2, resourceVersion="2")
        asyncio.get_running_loop().call_later(30.0, writes.cache.put, edited)
        with pytest.raises(Conflict):
            await execute(step, at)
        return at

    at = in_virtual_time(overtaken())
    client: Any = at.hub.client
    assert client.asked == []
    assert at.memory.clear


@pytest.mark.parametrize("step", [Delete(ID), RemoveExtra(ID)], ids=["delete", "extra"])
async def test_no_delete_on_the_cache_alone(step: Step) -> None:
    """An edit that the watch has not told of yet counts: the live resource decides about what cannot be undone."""
    at = situation({"get": [source(id=ID, identifier=MARKER)]})
    writes: Any = at.kube
    writes.edited = True
    with pytest.raises(Conflict):
        await execute(step, at)
    assert at.memory.asked == {}


class _Ends(Exception):
    """Ends a pass at once."""


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotSent("createImageSource", "connection refused"), id="not sent"),
        pytest.param(Refused("createImageSource", status=422, code="422.invalid-argument"), id="refused"),
    ],
)
async def test_create_not_applied(error: Exception) -> None:
    """A create that was certainly not applied leaves no doubt where there was none."""
    at = situation({"create": [error]}, memory=Memory(attempted=-100.0, clear=True))
    done = await execute(create(), at)
    assert done.failure and not done.failure.unknown
    assert at.memory.clear


async def test_create_marker_altered() -> None:
    """A platform that does not keep the marker gets no further create: another could not be recognised."""
    at = situation({"create": [source(id=ID, identifier="web")]})
    done = await execute(create(), at)
    assert done.failure and done.failure.problem.permanent
    assert (done.unconfirmed, at.memory.unsaved_id, done.source) == (ID, None, None)


@pytest.mark.parametrize(
    ("found", "absences"),
    [
        pytest.param([], 1, id="nothing"),
        pytest.param([source(id=ID, identifier=MARKER)], 0, id="one"),
        pytest.param([source(id=ID, identifier=MARKER, state="deleting")], 1, id="one that ends"),
    ],
)
async def test_find_marker(found: list[Any], absences: int) -> None:
    """Only a look that finds no live carrier is one that found nothing."""
    at = situation({"list": [found]})
    await execute(FindMarker(), at)
    assert len(at.memory.absences) == absences
    assert [seen.id for seen in at.hub.inventory.with_identifier(MARKER)] == [ID] * (1 - absences)


@pytest.mark.parametrize(
    ("annotations", "clear"),
    [
        pytest.param({}, True, id="the first"),
        pytest.param({PIN_ANNOTATION: "{}"}, False, id="there was one: another process may have created"),
    ],
)
async def test_intend(annotations: dict[str, str], clear: bool) -> None:
    """Only who writes the first intent knows that no create can be under way."""
    at = situation({}, annotations=annotations)
    await execute(Intend(), at)
    assert at.memory.clear is clear


async def test_look_gone() -> None:
    """404.image.source is what says that a source is gone."""
    at = situation({"get": [GONE]})
    at.learn(source(id=ID))
    done = await execute(Look(ID), at)
    assert (done.failure, done.source) == (None, None)
    assert list(at.hub.inventory.gone) == [ID]


@pytest.mark.parametrize("error", [NO_SUCH_PLACE, Refused("getImageSource", status=404, code="404.unknown"), LOST])
@pytest.mark.parametrize("step", [Look(ID), Delete(ID), FinishCreate(ID, "web")])
async def test_not_gone(step: Look | Delete | FinishCreate, error: Exception) -> None:
    """No other answer says so, whatever is asked."""
    at = situation({"get": [error, error], "delete": [error], "update": [error]})
    at.learn(source(id=ID))
    done = await execute(step, at)
    assert done.failure and not done.failure.gone
    assert (at.hub.inventory.gone, list(at.hub.inventory.entries)) == ({}, [ID])


async def test_change_of_what_another_names() -> None:
    """404.image.source for a change may be said of a source that the origin names: a look tells."""
    at = situation({"update": [GONE], "get": [source(id=ID)]})
    done = await execute(FinishCreate(ID, "web"), at)
    assert done.failure and not done.failure.gone
    assert at.hub.inventory.gone == {}


@pytest.mark.parametrize(
    ("ticket", "job_id", "accepted"),
    [
        pytest.param({"job": {"id": OTHER, "accepted": True}}, OTHER, True, id="a job"),
        pytest.param({}, None, True, id="no job"),
        pytest.param({"job": {"id": OTHER, "accepted": False}}, None, False, id="a job that is not accepted"),
    ],
)
async def test_delete(ticket: dict[str, Any], job_id: str | None, accepted: bool) -> None:
    """A 202 is the beginning: the job is watched, or without one the source, which is not taken for gone."""
    at = situation({"delete": [JobDescriptor.model_validate({"action": "delete", **ticket})]})
    at.learn(source(id=ID))
    done = await execute(Delete(ID), at)
    assert (at.memory.job_id, ID in at.memory.asked, done.failure is None) == (job_id, accepted, accepted)
    assert (at.memory.ask_at > at.now) is accepted
    assert (at.hub.inventory.gone, list(at.hub.inventory.entries)) == ({}, [ID])


async def test_delete_gone() -> None:
    """What is gone already needs no deletion."""
    at = situation({"delete": [GONE]})
    assert (await execute(Delete(ID), at)).failure is None
    assert list(at.hub.inventory.gone) == [ID]


def test_failed_jobs_are_followed_slowly() -> None:
    """From one job that failed to the next the pause before another DELETE grows."""
    failed = Job.model_validate(documents.job(state={"current": "error"}))
    ending = replace(wanted(), exists=False)

    async def waits() -> list[float | None]:
        at = situation({"get": [source(id=ID)] * 3}, memory=Memory(attempted=0.0, job=failed))
        at = replace(at, wanted=ending)
        done = [await execute(Look(ID), at) for _ in range(3)]
        return [found.failure.retry_in for found in done if found.failure]

    assert in_virtual_time(waits()) == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("state", ["completed", "error", "expired"])
async def test_watch_job_ended(state: str) -> None:
    """However a job ends, whether the source is gone is to be looked at."""
    at = situation({"job": [Job.model_validate(documents.job(state={"current": state}))]})
    at.learn(source(id=documents.SOURCE_ID))
    at.memory.job_id = documents.JOB_ID
    await execute(WatchJob(documents.JOB_ID), at)
    assert (at.memory.job_id, at.memory.look_due) == (None, True)
    assert (at.hub.inventory.gone, list(at.hub.inventory.entries)) == ({}, [documents.SOURCE_ID])


async def test_watch_job_unknown() -> None:
    """A job just announced may be unknown for a while; then the source is looked at instead."""
    at = situation({"job": [Refused("getJob", status=404, code="404.job")] * PATIENCE_WITH_JOB})
    at.memory.job_id = OTHER
    for _ in range(PATIENCE_WITH_JOB - 1):
        await execute(WatchJob(OTHER), at)
    assert (at.memory.job_id, at.memory.look_due) == (OTHER, False)
    await execute(WatchJob(OTHER), at)
    assert (at.memory.job_id, at.memory.look_due) == (None, True)


async def test_remove_extra() -> None:
    """After the deletion of a second source it is looked at, also where that was not answered."""
    lost = Unanswered("deleteImageSource", "no answer in time")
    marked = {"id": OTHER, "identifier": MARKER}
    at = situation({"delete": [lost], "get": [source(**marked), source(**marked, state="deleting")]})
    done = await execute(RemoveExtra(OTHER), at)
    assert done.failure
    assert [seen.source.state.current for seen in at.hub.inventory.entries.values()] == ["deleting"]


@pytest.mark.parametrize(
    ("found", "claimed"),
    [
        pytest.param({"identifier": "kept-by-a-person"}, False, id="another identifier by now"),
        pytest.param({"identifier": MARKER}, True, id="another resource has it by now"),
    ],
)
async def test_extra_is_looked_at_first(found: dict[str, Any], claimed: bool) -> None:
    """What a list showed as a second source is not deleted once somebody uses it."""
    at = situation({"get": [source(id=OTHER, **found)]})
    if claimed:
        writes: Any = at.kube
        claim = {"id": OTHER, "hub": at.hub.pin.to_json()}
        writes.cache.put(image_source(status=claim, uid="another", name="another"))
    done = await execute(RemoveExtra(OTHER), at)
    assert (done.failure, done.removed) == (None, False)


@pytest.mark.parametrize(
    ("error", "due"),
    [
        pytest.param(Unanswered("updateImageSource", "no answer in time"), True, id="no answer"),
        pytest.param(Refused("updateImageSource", status=422, code="422.invalid-input"), False, id="refused"),
        pytest.param(NotSent("updateImageSource", "no route"), False, id="not sent"),
    ],
)
@pytest.mark.parametrize(
    "step", [Update(ID, {"name": "New"}), UpdateAccess(ID, Access(None))], ids=["content", "access"]
)
async def test_look_after_no_answer(step: Update | UpdateAccess, error: PlatformError, due: bool) -> None:
    """What may have been applied is looked at before anything else is written; then no more."""
    at = situation({"update": [error], "share": [error], "get": [source(id=ID)]})
    assert (await execute(step, at)).failure
    assert at.memory.look_due is due
    await execute(Look(ID), at)
    assert not at.memory.look_due


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        pytest.param(source(id=OTHER, name="New"), True, id="edited since"),
        pytest.param(source(id=OTHER, identifier="renamed"), False, id="renamed since"),
        pytest.param(source(id=OTHER, state="deleting"), False, id="being deleted since"),
        pytest.param(GONE, False, id="gone since"),
    ],
)
async def test_adopt_what_there_is(answer: Any, taken: bool) -> None:
    """A source is taken over as it is now, not as a list once had it."""
    at = situation({"get": [answer]})
    step = SaveId(source(id=OTHER), adopted=True)
    if taken:
        assert (await execute(step, at)).failure is None
    else:
        with pytest.raises(Conflict):
            await execute(step, at)
    known = at.hub.inventory.get(OTHER)
    assert (known.source if known else GONE) == answer


@pytest.mark.parametrize("observes", [False, True])
async def test_adopt_what_another_has_taken_meanwhile(observes: bool) -> None:
    """Who was faster has the source; who only observes it minds nobody."""
    at = situation({"get": [source(id=OTHER)]})
    other = image_source(status={"id": OTHER, "hub": PIN.to_json()}, uid="other", name="faster")
    at.kube.cache.put(other)
    at = replace(at, wanted=wanted(observe_only=observes))
    if observes:
        assert (await execute(SaveId(source(id=OTHER), adopted=True), at)).failure is None
    else:
        with pytest.raises(Conflict, match="meanwhile"):
            await execute(SaveId(source(id=OTHER), adopted=True), at)


async def test_an_own_source_is_saved_as_it_is() -> None:
    """What carries the marker needs no look."""
    at = situation({})
    assert (await execute(SaveId(source(id=OTHER, identifier=MARKER)), at)).failure is None
