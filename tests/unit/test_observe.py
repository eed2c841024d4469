"""What is known of the platform and of a resource's past, and how much of it is in doubt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import documents
from tests.support.builders import (
    MARKER,
    PIN,
    UID,
    Reads,
    hub_connection,
    image_source,
    secret,
    source,
    source_id,
    wanted,
)
from tests.support.documents import JOB_ID, SOURCE_ID

from imagesources.hubs.hub import HubConnection
from imagesources.platform.models import Job, Source
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.model import Observed
from imagesources.reconcile.observe import doubt, observe, read_pin, recorded, settled_generation, write_pin
from imagesources.resources import FINALIZER, PIN_ANNOTATION
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import Pin

Json = dict[str, Any]

NOW = 1000.0
OTHER_ID = source_id(7)
HUB_STATUS = {"hub": PIN.to_json()}
OWN = {"id": SOURCE_ID, **HUB_STATUS}
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "InSync",
    "lastTransitionTime": documents.NOW,
    "observedGeneration": 3,
}


def annotated(pin: Pin = PIN, uid: str = UID) -> Json:
    """Returns the metadata of a resource whose intent is written."""
    return {"finalizers": [FINALIZER], "annotations": {PIN_ANNOTATION: write_pin(pin, uid)}}


@pytest.mark.parametrize(
    ("status", "metadata", "facts"),
    [
        pytest.param({}, {}, (None, None, False, False), id="new"),
        pytest.param({}, annotated(), (None, PIN, True, True), id="intent"),
        pytest.param(OWN, {"finalizers": [FINALIZER]}, (SOURCE_ID, PIN, True, True), id="created"),
        pytest.param(
            {}, annotated(uid="another"), (None, None, False, True), id="a copy with the annotation of another"
        ),
        pytest.param({}, {"finalizers": [FINALIZER]}, (None, None, False, True), id="finalizer alone"),
        pytest.param(OWN, {}, (SOURCE_ID, PIN, False, False), id="finalizer taken away"),
        pytest.param({}, {**annotated(), "finalizers": ["other"]}, (None, PIN, False, False), id="another finalizer"),
        pytest.param(
            HUB_STATUS, annotated(Pin(hub_id="x", url="y")), (None, PIN, True, True), id="status before annotation"
        ),
    ],
)
def test_recorded(status: Json, metadata: Json, facts: tuple[str | None, Pin | None, bool, bool]) -> None:
    """Id, pin, intent and finalizer are read off the resource itself, and an intent is of this very object."""
    found = recorded(image_source(status=status, **metadata), Memory(attempted=0.0))
    assert (found.id, found.pin, found.intent, found.finalizer) == facts


def test_recorded_unsaved() -> None:
    """An id that is not in status yet counts, and one in status counts more."""
    memory = Memory(attempted=0.0, unsaved_id=OTHER_ID)
    assert (recorded(image_source(), memory).id, recorded(image_source(), memory).saved) == (OTHER_ID, False)
    assert (recorded(image_source(status=OWN), memory).id, recorded(image_source(status=OWN), memory).saved) == (
        SOURCE_ID,
        True,
    )


@pytest.mark.parametrize(
    ("condition", "kept", "generation"),
    [
        pytest.param(READY, None, 3, id="ready"),
        pytest.param(READY, 3, 3, id="ready, and kept"),
        pytest.param(READY | {"status": "False"}, None, -1, id="not ready"),
        pytest.param(READY | {"status": "False"}, 2, 2, id="not ready any more"),
        pytest.param(READY | {"status": "Unknown"}, None, -1, id="not known"),
        pytest.param(READY | {"type": "Synced"}, None, -1, id="another condition"),
    ],
)
def test_settled_generation(condition: Json, kept: int | None, generation: int) -> None:
    """The last generation that was in order is known, through trouble too: drift is then no edit."""
    assert settled_generation(image_source(status={"conditions": [condition], "settledGeneration": kept})) == generation


@given(st.builds(Pin, kind=st.text(), name=st.text(), uid=st.text(), hub_id=st.text(), url=st.text()), st.text())
def test_pin_comes_back(pin: Pin, uid: str) -> None:
    """A pin that was written is read as it was, by its own resource and by no other."""
    assert read_pin(write_pin(pin, uid), uid) == pin
    assert read_pin(write_pin(pin, uid), uid + "x") is None


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_pin_of_anything(text: str) -> None:
    """An annotation that a person has written does no harm."""
    assert read_pin(text, UID) is None


def test_pin_of_nothing() -> None:
    """Without an annotation there is no pin."""
    assert read_pin(None, UID) is None


def seen(
    resource: ImageSource | None = None,
    *listed: Source,
    others: tuple[ImageSource, ...] = (),
    memory: Memory | None = None,
    hub: HubConnection | None = None,
    known_secrets: Json | None = None,
    **wish: Any,
) -> Observed:
    """Observes a resource, by default one that has its source, after a list of these sources."""
    resource = resource or image_source(status=OWN)
    hub = hub or hub_connection()
    if listed:
        hub.inventory.replace(listed, NOW - 1)
    memory = memory or Memory(attempted=0.0, clear=True)
    kube = Reads((resource, *others), {("shop", name): found for name, found in (known_secrets or {}).items()})
    return observe(resource, wanted(**wish), recorded(resource, memory), memory, hub, kube, NOW)


def other(name: str = "other", status: Json | None = None, spec: Json | None = None, **metadata: Any) -> ImageSource:
    """Returns another resource that claims our source."""
    return image_source(spec, OWN if status is None else status, name=name, uid=f"uid-of-{name}", **metadata)


def test_observe_source() -> None:
    """The source with our id is found, and whether the platform spoke of it alone."""
    listed = seen(None, source(), source(id=OTHER_ID))
    assert (listed.source, listed.direct, listed.gone) == (source(), False, False)
    hub = hub_connection()
    hub.inventory.learn(source(), NOW)
    assert seen(hub=hub).direct
    assert seen().source is None


def test_observe_gone() -> None:
    """A source is gone when the platform says so, by 404.image.source or by its state; not when a list lacks it."""
    hub = hub_connection()
    hub.inventory.forget(SOURCE_ID, NOW)
    assert seen(hub=hub).gone
    assert seen(None, source(state="deleted")).gone
    assert not seen(None, source(state="deleting")).gone
    assert not seen(None, source(id=OTHER_ID)).gone
    assert not seen(image_source(), hub=hub).gone


def test_observe_carriers() -> None:
    """The sources with our marker are found, the lowest id first; those that are being deleted apart."""
    two = [source(id=source_id(number), identifier=MARKER) for number in (2, 1)]
    found = seen(None, *two, source(), source(id=source_id(3), identifier=MARKER, state="deleting"))
    assert [carrier.id for carrier in found.carriers] == [source_id(1), source_id(2)]
    assert [carrier.id for carrier in found.dying] == [source_id(3)]


@pytest.mark.parametrize(
    ("wish", "listed", "found"),
    [
        pytest.param({}, [source()], None, id="nothing to adopt"),
        pytest.param({"adopt_id": SOURCE_ID}, [source()], [SOURCE_ID], id="by id"),
        pytest.param({"adopt_id": SOURCE_ID}, [source(id=OTHER_ID)], None, id="an id that is not known"),
        pytest.param({"adopt_id": SOURCE_ID}, [source(state="deleted")], [], id="an id that is deleted"),
        pytest.param({"adopt_id": SOURCE_ID}, [source(state="deleting")], [], id="an id that is being deleted"),
        pytest.param({"adopt_identifier": "web"}, [source(), source(id=OTHER_ID)], [OTHER_ID, SOURCE_ID], id="two"),
        pytest.param({"adopt_identifier": "web"}, [source(identifier="x")], [], id="none of this identifier"),
        pytest.param({"adopt_identifier": "web"}, [source(state="deleting")], [], id="none that lives"),
    ],
)
def test_observe_adoptable(wish: Json, listed: list[Source], found: list[str] | None) -> None:
    """Live sources that are asked for are found; an id that was never seen is not known, which is not none."""
    adoptable = seen(image_source(status=HUB_STATUS), *listed, **wish).adoptable
    assert (None if adoptable is None else [one.id for one in adoptable]) == found


def test_observe_adoptable_gone() -> None:
    """An id that the platform does not have cannot be adopted."""
    hub = hub_connection()
    hub.inventory.forget(SOURCE_ID, NOW)
    assert seen(image_source(), hub=hub, adopt_id=SOURCE_ID).adoptable == ()


GIVEN = {"fields": {"identifier": "web"}}


@pytest.mark.parametrize(
    ("wish", "listed", "others", "found"),
    [
        pytest.param(GIVEN, source(), (), True, id="identifier and type"),
        pytest.param({"identifier": "web"}, source(), (), False, id="identifier not given"),
        pytest.param(GIVEN, source(type="bucket"), (), False, id="another type"),
        pytest.param(GIVEN, source(identifier="x"), (), False, id="another identifier"),
        pytest.param(GIVEN, source(state="deleting"), (), False, id="not live"),
        pytest.param(GIVEN, source(), (other(),), False, id="claimed"),
        pytest.param(GIVEN, source(), (other(status={"id": SOURCE_ID}),), True, id="claimed without a place"),
        pytest.param(
            GIVEN,
            source(),
            (other(status={"id": SOURCE_ID, "hub": {"hubId": "x", "url": "y"}}),),
            True,
            id="that id is claimed on another hub",
        ),
    ],
)
def test_observe_rivals(wish: Json, listed: Source, others: tuple[ImageSource, ...], found: bool) -> None:
    """A live unclaimed source is like ours if it has the identifier that spec gives, and the type."""
    assert bool(seen(image_source(), listed, others=others, **wish).rivals) is found


def test_observe_carriers_of_others() -> None:
    """What carries the marker and was taken over by another resource is not ours any more."""
    marked = source(identifier=MARKER)
    assert seen(image_source(), marked).carriers == (marked,)
    assert seen(image_source(), marked, others=(other(),)).carriers == ()
    assert seen(image_source(), marked, others=(other(spec=OBSERVES),)).carriers == (marked,)


@pytest.mark.parametrize("inherited", [True, False])
def test_observe_rivals_of_the_forgotten(inherited: bool) -> None:
    """Where an intent was found and nothing of its outcome, a source of the identifier to come may be its own."""
    found = seen(image_source(), source(), memory=memory_of(inherited=inherited), identifier="web")
    assert bool(found.rivals) is inherited


BEFORE, AFTER = {"creationTimestamp": "2025-01-01T00:00:00Z"}, {"creationTimestamp": "2027-01-01T00:00:00Z"}
OBSERVES = {"managementPolicy": "Observe", "adopt": {"id": SOURCE_ID}}
ADOPTED: Json = {"adopted": True}
ELSEWHERE = {"id": SOURCE_ID, "hub": {"hubId": "x", "url": "y"}}


@pytest.mark.parametrize(
    ("status", "others", "claimant"),
    [
        pytest.param(OWN, (), None, id="alone"),
        pytest.param(OWN, (other(**BEFORE),), "ImageSource shop/other", id="an older claim"),
        pytest.param(OWN, (other(**AFTER),), None, id="a younger claim"),
        pytest.param(OWN, (other(status=ELSEWHERE, **BEFORE),), None, id="on another hub"),
        pytest.param(OWN, (other(namespace="bank", **BEFORE),), "ImageSource bank/other", id="of another namespace"),
        pytest.param(HUB_STATUS, (other(**AFTER),), "ImageSource shop/other", id="who has none yet is always younger"),
        pytest.param(OWN, (other(spec=OBSERVES, **BEFORE),), None, id="who only observes is in nobody's way"),
        pytest.param(OWN, (other("b", **AFTER), other("c", **BEFORE)), "ImageSource shop/c", id="one of two is older"),
        pytest.param(OWN, (other(status=OWN | ADOPTED, **BEFORE),), None, id="who created it comes before who adopted"),
        pytest.param(
            OWN | ADOPTED | {"managed": ["name"]},
            (other(status=OWN | ADOPTED, **BEFORE),),
            None,
            id="who manages it comes before who has only observed",
        ),
    ],
)
def test_observe_claimant(status: Json, others: tuple[ImageSource, ...], claimant: str | None) -> None:
    """Of two claims on the same hub the older counts, and a claim counts more than a wish."""
    assert seen(image_source(status=status), source(), others=others, adopt_id=SOURCE_ID).claimant == claimant


def test_observe_only_is_never_refused() -> None:
    """Who only observes may observe what another manages."""
    resource = image_source(OBSERVES, HUB_STATUS)
    assert seen(resource, source(), others=(other(**BEFORE),), adopt_id=SOURCE_ID, observe_only=True).claimant is None


def test_observe_claims_exclude_each_other() -> None:
    """Two resources of the same age never both keep a source, and never both lose it."""
    two = image_source(status=OWN, name="a", uid="a"), image_source(status=OWN, name="b", uid="b")
    found = [seen(one, source(), others=(another,)).claimant for one, another in (two, two[::-1])]
    assert sorted(claimant is None for claimant in found) == [False, True]


@pytest.mark.parametrize(
    ("sent", "memory", "known", "new"),
    [
        pytest.param("1", None, secret({}), False, id="the version that was sent"),
        pytest.param("1", None, secret({}, version="2"), True, id="another version"),
        pytest.param(None, None, secret({}), True, id="never sent"),
        pytest.param("1", None, None, False, id="not known"),
        pytest.param("1", None, secret({}, version="2", labelled=False), False, id="not labelled any more"),
        pytest.param("1", "2", secret({}, version="2"), False, id="sent, not saved yet"),
        pytest.param("2", "1", secret({}, version="2"), True, id="what was sent last counts"),
    ],
)
def test_observe_new_secrets(sent: str | None, memory: str | None, known: Any, new: bool) -> None:
    """A Secret is new when its version is known and is not the one that was sent last."""
    used = [{"name": "login", "uid": "secret-uid", "resourceVersion": sent}] if sent else []
    remembered = Memory(attempted=0.0, sent={"login": ("secret-uid", memory)} if memory else None)
    found = seen(
        image_source(status=OWN | {"credentials": used}),
        memory=remembered,
        known_secrets={"login": known} if known else {},
        secrets=frozenset({"login"}),
    )
    assert bool(found.new_secrets) is new


def memory_of(**changes: Any) -> Memory:
    """Returns a memory with a job that is asked for at some time."""
    return Memory(**{"attempted": 0.0} | changes)


@pytest.mark.parametrize(
    ("state", "memory", "due"),
    [
        pytest.param("deleting", memory_of(ask_at=NOW), True, id="deleting, no job"),
        pytest.param("deleting", memory_of(ask_at=NOW + 1), False, id="deleting, not yet"),
        pytest.param("deleting", memory_of(ask_at=NOW, job_id=JOB_ID), False, id="deleting, a job"),
        pytest.param("live", memory_of(ask_at=NOW), False, id="live"),
        pytest.param("live", memory_of(ask_at=NOW, asked={SOURCE_ID: NOW - 1}), True, id="live, asked to go, no job"),
        pytest.param("live", memory_of(ask_at=NOW + 1, asked={SOURCE_ID: NOW - 1}), False, id="the same, not yet"),
        pytest.param("live", memory_of(look_due=True), True, id="a job has ended"),
    ],
)
def test_observe_look_due(state: str, memory: Memory, due: bool) -> None:
    """A source whose deletion no job tells of is looked at itself, now and then."""
    assert seen(None, source(state=state), memory=memory).look_due is due


def test_observe_memory() -> None:
    """What this process remembers is handed on, times as seconds from now."""
    found = seen(memory=memory_of(job_id=JOB_ID, ask_at=NOW + 3, unconverged=2))
    assert (found.job_id, found.job_next_in, found.unconverged) == (JOB_ID, 3.0, 2)


@pytest.mark.parametrize(
    ("annotation", "handled", "answered", "asked"),
    [
        pytest.param(None, None, None, False, id="not asked"),
        pytest.param("now", None, None, True, id="asked"),
        pytest.param("now", "now", None, False, id="handled"),
        pytest.param("now", "before", None, True, id="asked again"),
        pytest.param("now", "before", "now", False, id="looked, not said yet"),
        pytest.param(None, "before", None, False, id="annotation taken away"),
    ],
)
def test_observe_look_asked(annotation: str | None, handled: str | None, answered: str | None, asked: bool) -> None:
    """A new value of the annotation asks for one look; so does a write without an answer, or the end of a job."""
    metadata = {"annotations": {"images.cycle.io/requestedAt": annotation}} if annotation else {}
    resource = image_source(status=OWN | {"lastHandledReconcileAt": handled}, **metadata)
    assert seen(resource, memory=memory_of(answered=answered)).look_asked is asked
    assert seen(resource, memory=memory_of(answered=answered, look_due=True)).look_asked


def test_observe_corrections() -> None:
    """Corrections count for ten minutes."""
    assert seen(memory=memory_of(corrections=[NOW - 700, NOW - 599, NOW - 1])).corrections == 2


def test_observe_asked() -> None:
    """A deletion that was asked for long ago is asked for again, each source's in its own time."""
    asked = {"long-ago": NOW - 301, "lately": NOW - 10}
    assert seen(memory=memory_of(asked=asked)).asked == {"lately"}


@pytest.mark.parametrize(("state", "failed"), [("error", True), ("running", False), ("completed", False)])
def test_observe_job_failed(state: str, failed: bool) -> None:
    """A job that ended in error leaves its source to be deleted again."""
    document = documents.job()
    document["state"]["current"] = state
    found = seen(None, source(state="deleting"), memory=memory_of(job=Job.model_validate(document)))
    assert (found.job_failed, found.look_due) == (failed, not failed)


@pytest.mark.parametrize(
    ("memory", "deleting", "expected"),
    [
        pytest.param(memory_of(attempted=NOW), False, (False, 5.0, 60.0, 0), id="just attempted"),
        pytest.param(memory_of(attempted=NOW - 100, clear=True), False, (True, -95.0, -40.0, 0), id="clear"),
        pytest.param(
            memory_of(attempted=NOW - 100, absences=[NOW - 96, NOW - 95, NOW - 30, NOW - 1]),
            False,
            (False, -95.0, -40.0, 3),
            id="looks count once the attempt has settled",
        ),
        pytest.param(
            memory_of(attempted=NOW - 100, absences=[NOW - 96, NOW - 95, NOW - 40, NOW - 1]),
            True,
            (False, -95.0, -40.0, 2),
            id="when deleting, once nothing can arrive any more",
        ),
    ],
)
def test_doubt(memory: Memory, deleting: bool, expected: tuple[bool, float, float, int]) -> None:
    """Only looks after an attempt could show count as proofs of absence."""
    resource = image_source(**{"deletionTimestamp": documents.NOW} if deleting else {})
    found = doubt(resource, memory, NOW, settle=5.0, late=60.0)
    assert (found.clear, found.settled_in, found.over_in, found.absences) == expected


def test_attempt_puts_in_doubt() -> None:
    """A POST that is about to be sent ends all certainty, and the looks before it count no more."""
    memory = memory_of(clear=True, absences=[1.0, 2.0])
    memory.attempt(NOW)
    found = doubt(image_source(), memory, NOW + 10, settle=5.0, late=60.0)
    assert (found.clear, found.absences, memory.attempted) == (False, 0, NOW)


def test_edit_starts_afresh() -> None:
    """A new generation has no failures yet; the same one keeps them."""
    memory = memory_of(failures=3, unconverged=2, generation=1)
    memory.edited(1)
    assert (memory.failures, memory.unconverged) == (3, 2)
    memory.edited(2)
    assert (memory.failures, memory.unconverged, memory.generation) == (0, 0, 2)
