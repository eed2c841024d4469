"""A pass as a whole: what keeps it from creating, and when the next one is due."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support import documents
from tests.support.builders import MARKER, NOW, PIN, image_source, secret, source, source_id
from tests.support.builders import hub_connection as connection
from tests.support.builders import hub_resource as hub
from tests.support.clock import in_virtual_time
from tests.support.scripted import ScriptedClient, Writes

from imagesources.hubs.directory import Entry, HubDirectory
from imagesources.hubs.hub import HubConnection
from imagesources.hubs.trouble import Trouble
from imagesources.platform.errors import PlatformError, Refused, Unanswered
from imagesources.platform.models import Job, Source
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import AGAIN
from imagesources.reconcile.memory import Memory, kept_of
from imagesources.reconcile.observe import write_pin
from imagesources.reconcile.ports import Conflict, KubernetesError
from imagesources.resources import FINALIZER, PIN_ANNOTATION, RECONCILE_ANNOTATION
from imagesources.resources.conditions import ConditionType, Reason
from imagesources.resources.imagesource import HubRef, ImageSource
from imagesources.resources.status import ImageSourceStatus
from imagesources.settings import Settings

ID = source_id(1)
LOST = Unanswered("getImageSource", "no answer in time")


LOGIN = {"secretKeyRef": {"name": "login", "key": "token"}}


def intended(
    status: dict[str, Any] | None = None, *, spec: dict[str, Any] | None = None, **metadata: Any
) -> ImageSource:
    """Returns a resource whose intent is written."""
    uid = metadata.get("uid", image_source().metadata.uid)
    annotations = {PIN_ANNOTATION: write_pin(PIN, uid)}
    return image_source(spec, status, finalizers=[FINALIZER], annotations=annotations, **metadata)


class Scene:
    """An engine with one resource, one hub that was listed, and a platform that gives these answers."""

    def __init__(self, resource: ImageSource, *listed: Source, **answers: list[Any]) -> None:
        self.client = ScriptedClient(answers)
        self.kube = Writes([resource])
        self.hub: HubConnection = connection()
        client: Any = self.client
        self.hub.client = client
        self.hub.inventory.replace(listed, 0.0)
        directory = HubDirectory(clusterwide=False, on_change=lambda *_: None)
        directory.entries[self.hub.key] = Entry(hub(), self.hub)
        kube: Any = self.kube
        self.engine = Engine(kube, directory, Settings())
        self.key = resource.key
        self.memory = self.engine.memories[resource.metadata.uid] = Memory(attempted=-1000.0, clear=True)

    async def passes(self, count: int = 1) -> list[float | None]:
        """Make passes, one right after the other, and return when each wants the next."""
        return [(await self.engine.reconcile(self.key)).seconds for _ in range(count)]

    @property
    def status(self) -> ImageSourceStatus:
        """The last status."""
        status = self.kube.written[-1][1]
        assert status
        return status

    @property
    def said(self) -> dict[str, tuple[str, str]]:
        """Its conditions: status and reason by type."""
        return {known.type: (known.status, known.reason) for known in self.status.conditions}

    @property
    def reason(self) -> str:
        """Why it is not Ready, says the last status."""
        return self.said["Ready"][1]

    def show_written(self) -> None:
        """Let reads show the last status."""
        known = self.kube.cache.resources[self.key]
        self.kube.cache.resources[self.key] = known.model_copy(update={"status": self.status})


def test_create() -> None:
    """A resource without a source, about which nothing is in doubt, gets one."""
    scene = Scene(intended(), create=[source(id=ID, identifier=MARKER)])
    assert in_virtual_time(scene.passes()) == [0.0]
    assert scene.kube.written[-1][1] and scene.kube.written[-1][1].id == ID


def test_altered_marker_is_kept_in_mind() -> None:
    """Where the marker was not kept, status says which source that may be, and no process creates another."""
    scene = Scene(intended(), create=[source(id=ID, identifier="web")])
    assert in_virtual_time(scene.passes()) == [Settings().recheck]
    status = scene.kube.written[-1][1]
    assert status and (status.id, status.unconfirmed_id) == (None, ID)
    later = Scene(intended({"unconfirmedId": ID}))
    assert in_virtual_time(later.passes()) == [Settings().recheck]
    assert (later.client.asked, later.reason) == ([], Reason.REFUSED)


def test_what_has_vanished_is_not_created_again_at_once() -> None:
    """When too many sources are gone at once, none is given up for lost: the platform may be an old copy of itself."""
    scene = Scene(intended({"id": ID}))
    scene.hub.inventory.forget(ID, 0.0)
    for number in range(3):
        assert scene.hub.brake.allows_to_forget(source_id(10 + number), 5, -1.0)
    in_virtual_time(scene.passes())
    assert (scene.client.asked, scene.reason) == ([], Reason.BRAKED)


@pytest.mark.parametrize(("version", "reason"), [("1", Reason.BRAKED), ("2", Reason.IN_SYNC)])
def test_rotation_is_no_rewrite(version: str, reason: Reason) -> None:
    """The new value of a Secret is sent whatever number of sources use it; another definition counts."""
    token = {"tokenFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}
    spec = {"origin": {"type": "docker-hub", "details": {"target": "nginx:1.29"} | token}}
    sent = [{"name": "login", "uid": "secret-uid", "resourceVersion": "1"}]
    resource = intended({"id": ID, "credentials": sent, "settledGeneration": 1}).model_copy(
        update={"spec": image_source(spec).spec}
    )
    target = "nginx:1.28" if version == "1" else "nginx:1.29"
    there = source(id=ID, origin={"type": "docker-hub", "details": {"target": target}})
    fixed = source(id=ID, origin={"type": "docker-hub", "details": {"target": "nginx:1.29"}})
    scene = Scene(resource, there, get=[there], update=[fixed])
    scene.kube.secrets = {("shop", "login"): secret({"token": "value"}, version=version)}
    for number in range(10):
        assert scene.hub.brake.allows(source_id(10 + number), 1, 0.0)
    in_virtual_time(scene.passes(2))
    assert scene.reason == reason


def test_the_apiserver_may_ask_for_a_pause() -> None:
    """After 429 or 503 with Retry-After the next try is not before that."""
    scene = Scene(image_source())
    scene.kube.fails = KubernetesError("429 Too Many Requests", 120.0)
    assert in_virtual_time(scene.passes()) == [120.0]


def test_no_create_while_braked() -> None:
    """An engaged brake lets no create through either."""
    scene = Scene(intended())
    scene.hub.brake.token, scene.hub.brake.message = "token", "writes are stopped"
    in_virtual_time(scene.passes())
    assert scene.client.asked == []
    assert scene.reason == Reason.BRAKED


def test_pinned_elsewhere() -> None:
    """What another hub says of a source is no word on it: nothing is asked, nothing is let go."""
    pin = PIN.model_copy(update={"hub_id": source_id(9)}).to_json()
    scene = Scene(intended({"id": ID, "hub": pin}, deletionTimestamp=documents.NOW))
    in_virtual_time(scene.passes())
    assert (scene.client.asked, scene.reason) == ([], Reason.HUB_CHANGED)
    assert [what for what, _ in scene.kube.written] == ["status"]


def test_unsaved_id_survives_a_conflict() -> None:
    """An id whose save meets a conflict is saved by the next pass, and nothing is created twice."""
    scene = Scene(intended(), create=[source(id=ID, identifier=MARKER)])
    scene.kube.fails = Conflict("409")
    in_virtual_time(scene.passes())
    scene.kube.fails = None
    in_virtual_time(scene.passes())
    assert [what for what, *_ in scene.client.asked] == ["create"]
    assert scene.kube.written[-1][1] and scene.kube.written[-1][1].id == ID


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"id": ID, "hub": PIN.to_json()}, id="created"),
        pytest.param({"id": ID, "hub": PIN.to_json(), "adopted": True, "managed": ["origin"]}, id="adopted"),
        pytest.param({"id": ID, "hub": PIN.to_json(), "settledGeneration": 1}, id="settled"),
        pytest.param({"unconfirmedId": ID, "hub": PIN.to_json()}, id="unconfirmed"),
    ],
)
def test_a_wiped_status_is_put_back(status: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """What status alone knew of whose the source is outlives its loss, as long as the process lives."""
    resource = intended(status)
    scene = Scene(resource, source(id=ID))
    in_virtual_time(scene.passes())
    known = scene.status if scene.kube.written else resource.status
    scene.kube.cache.resources[scene.key] = intended()
    scene.kube.written.clear()
    scene.client.asked.clear()
    assert in_virtual_time(scene.passes()) == [0.0]
    assert scene.client.asked == []
    assert kept_of(scene.status) == kept_of(known)
    assert status.items() <= scene.status.to_json().items()
    assert "the status was wiped" in caplog.text
    assert [happening.reason for happening in scene.kube.told][-1:] == ["StatusPutBack"]
    assert scene.memory.outcome.result == "ok"


def test_a_status_that_was_only_seen_is_put_back_too() -> None:
    """A process that found everything in order, and wrote nothing, knows what it saw."""
    scene = Scene(intended({"id": ID}), source(id=ID))
    in_virtual_time(scene.passes())
    scene.show_written()
    scene.engine.memories.clear()
    scene.kube.written.clear()
    in_virtual_time(scene.passes())
    assert scene.kube.written == []
    scene.kube.cache.resources[scene.key] = intended()
    in_virtual_time(scene.passes())
    assert (scene.status.id, scene.client.asked) == (ID, [])


def test_what_cannot_be_looked_at_is_not_taken_over() -> None:
    """A source to adopt that the platform does not show is nobody's yet."""
    scene = Scene(intended(spec={"adopt": {"id": ID}}), source(id=ID), get=[LOST, source(id=ID)])
    in_virtual_time(scene.passes())
    assert (scene.status.id, scene.status.adopted, scene.reason) == (None, None, Reason.PLATFORM_UNREACHABLE)
    in_virtual_time(scene.passes())
    assert (scene.status.id, scene.status.adopted) == (ID, True)


@pytest.mark.parametrize("reply_lost", [False, True])
def test_an_id_that_was_given_up_stays_away(reply_lost: bool) -> None:
    """What the operator itself has struck from status is not put back."""
    scene = Scene(intended({"id": ID}))
    scene.hub.inventory.forget(ID, 1.0)
    scene.kube.fails = KubernetesError("no answer in time") if reply_lost else None
    in_virtual_time(scene.passes())
    assert scene.status.id is None
    scene.show_written()
    scene.kube.fails = None
    scene.client.answers["create"] = [source(id=source_id(2), identifier=MARKER)]
    in_virtual_time(scene.passes())
    assert scene.status.id == source_id(2)


def test_delay_grows() -> None:
    """From failure to failure the next try is put off for twice as long, up to the most."""
    scene = Scene(intended({"id": ID}), get=[LOST] * 12)
    settings = Settings()
    expected = [min(settings.retry_most, settings.retry_first * 2**failures) for failures in range(12)]
    assert in_virtual_time(scene.passes(12)) == expected
    assert expected[-1] == settings.retry_most


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(Refused("getJob", status=429, code="429.rate-limiting", retry_after=3600.0), True, id="for long"),
        pytest.param(Unanswered("getJob", "no answer in time"), False, id="for a moment"),
    ],
)
def test_failure_amid_a_job(error: PlatformError, said: bool) -> None:
    """What keeps a job from being looked at is said at once where nobody will look again soon, else with progress."""
    job = {"id": ID, "state": "running", "action": "delete"}
    resource = intended({"id": ID, "job": job}, deletionTimestamp=documents.NOW)
    scene = Scene(resource, source(id=ID), job=[error])
    scene.memory.job_id, scene.memory.job_written = ID, 0.0
    in_virtual_time(scene.passes())
    assert scene.client.asked == [("job", ID)]
    assert bool(scene.kube.written) is said


def test_progress_is_said_as_soon_as_it_may_be() -> None:
    """A job that moved too soon after the last write is told of once that is over, not at the next look at the job."""
    status = {"id": ID, "job": {"id": ID, "state": "queued", "action": "delete"}}
    scene = Scene(
        intended(status, deletionTimestamp=documents.NOW),
        source(id=ID),
        job=[Job.model_validate(documents.job(id=ID))],
    )
    scene.memory.job_id, scene.memory.job_written, scene.memory.job_asked = ID, 0.0, 10
    settings = Settings()

    async def look_then_rest() -> list[float | None]:
        first = await scene.passes(2)
        assert not scene.kube.written
        await asyncio.sleep(settings.job_write_interval)
        return [*first, *await scene.passes()]

    due = in_virtual_time(look_then_rest())
    assert due == [0.0, settings.job_write_interval, settings.job_poll_most - settings.job_write_interval]
    written = scene.kube.written[-1][1]
    assert written and written.job and written.job.state == "running"


def test_circle_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes that follow each other at once without an end are slowed down."""
    scene = Scene(intended(), *(source(id=ID, identifier=MARKER),))
    scene.kube.fails = Conflict("409")
    monkeypatch.setattr("imagesources.reconcile.engine.MOST_IN_A_ROW", 30)  # the simulator has a number of its own
    due = in_virtual_time(scene.passes(30))
    assert set(due[:-1]) == {AGAIN.seconds}
    assert due[-1] and due[-1] > 0


PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def ready_since(time: str) -> list[dict[str, str]]:
    """Returns conditions of a resource that has been Ready since then."""
    return [{"type": "Ready", "status": "True", "reason": "InSync", "lastTransitionTime": time}]


@pytest.mark.parametrize(
    ("status", "clear"),
    [
        pytest.param({}, False, id="no id"),
        pytest.param({"id": ID, "created": PAST}, False, id="an id, and nobody knows since when"),
        pytest.param({"id": ID, "created": PAST, "conditions": ready_since(PAST)}, True, id="an id saved long ago"),
        pytest.param({"id": ID, "created": FUTURE, "conditions": ready_since(PAST)}, False, id="an id saved just now"),
        pytest.param(
            {"id": ID, "created": PAST, "conditions": ready_since(FUTURE)}, False, id="just now, by the other clock"
        ),
    ],
)
def test_first_memory(status: dict[str, Any], clear: bool) -> None:
    """A create of an earlier process may be under way, unless its id was saved long ago by either clock."""
    scene = Scene(intended(status))
    scene.engine.memories.clear()

    async def remember() -> Memory:
        return scene.engine.remember(intended(status))

    assert in_virtual_time(remember()).clear is clear


def test_first_memory_counts_from_the_first_look() -> None:
    """What an earlier process has sent may arrive for as long after the first look as if it had been sent then."""
    scene = Scene(intended())
    scene.engine.memories.clear()

    async def remember() -> tuple[float, float]:
        await asyncio.sleep(1000.0)
        return asyncio.get_running_loop().time(), scene.engine.remember(intended()).attempted

    now, attempted = in_virtual_time(remember())
    assert attempted == now


def test_forget() -> None:
    """What is known of a resource that is gone is dropped."""
    scene = Scene(intended())
    scene.engine.forget(intended().metadata.uid)
    assert scene.engine.memories == {}


def hubless(**spec: Any) -> Scene:
    """Returns a scene whose resource names a Hub that does not exist."""
    scene = Scene(intended())
    resource = scene.kube.cache.resources[scene.key]
    named = resource.spec.model_copy(update={"hub_ref": HubRef(name="nowhere"), **spec})
    scene.kube.cache.resources[scene.key] = resource.model_copy(update={"spec": named})
    return scene


def test_what_holds_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What keeps a resource from being worked on is one Event and one warning, and details while it lasts."""
    scene = hubless()
    with caplog.at_level(logging.DEBUG, "imagesources"):
        in_virtual_time(scene.passes())
        scene.show_written()
        in_virtual_time(scene.passes(3))
    assert [(each.reason, each.warning) for each in scene.kube.told] == [("HubNotFound", True)]
    lines = [each.levelname for each in caplog.records if "Hub nowhere does not exist" in each.getMessage()]
    assert lines == ["WARNING", "DEBUG", "DEBUG", "DEBUG"]


def test_trouble_of_the_hub_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """What the Hub tells for all its sources is no Event of each, and no warning, but each says it."""
    scene = Scene(intended({"id": ID}))
    scene.hub.trouble = Trouble(Reason.KEY_REJECTED, "renew it")
    with caplog.at_level(logging.DEBUG, "imagesources"):
        in_virtual_time(scene.passes())
    assert (scene.reason, scene.kube.told) == (Reason.KEY_REJECTED, [])
    assert {each.levelname for each in caplog.records} == {"DEBUG"}


def test_hubless_and_suspended() -> None:
    """Ready of a suspended resource does not say what it does not depend on; Synced does."""
    scene = hubless(suspend=True)
    in_virtual_time(scene.passes())
    assert scene.said == {
        "Ready": ("Unknown", "Suspended"),
        "Synced": ("Unknown", "HubNotFound"),
        "Reconciling": ("True", "HubNotFound"),
    }


@pytest.mark.parametrize("deleting", [True, False])
def test_way_out(deleting: bool) -> None:
    """A resource that cannot be deleted without its hub says how it can go; another is not told so."""
    scene = hubless()
    resource = scene.kube.cache.resources[scene.key]
    if deleting:
        metadata = resource.metadata.model_copy(update={"deletion_timestamp": datetime.now(UTC)})
        scene.kube.cache.resources[scene.key] = resource.model_copy(update={"metadata": metadata})
    in_virtual_time(scene.passes())
    ready = scene.status.condition(ConditionType.READY)
    assert ready and ("spec.deletionPolicy to Orphan" in ready.message) is deleting


def test_names_itself() -> None:
    """A source that is made of itself waits for nothing that will ever be: it is Stalled."""
    origin = {"type": "cycle-source", "details": {"sourceRef": {"name": "web"}}}
    scene = Scene(image_source({"type": "stack-build", "origin": origin}))
    assert in_virtual_time(scene.passes()) == [Settings().recheck]
    assert scene.said["Stalled"] == ("True", "SourceRefMissing")


def test_waits_until_a_create_cannot_arrive() -> None:
    """What a late create could still bring is waited for until a time that is said, once, and is no Event."""
    scene = Scene(intended(deletionTimestamp=documents.NOW))
    scene.memory.clear = False
    scene.engine.wall_clock = lambda: NOW

    async def wait() -> list[str]:
        scene.memory.attempted = asyncio.get_running_loop().time()
        said = []
        for _ in range(3):
            await scene.passes()
            ready = scene.status.condition(ConditionType.READY)
            assert ready
            said.append(ready.message)
            scene.show_written()
            await asyncio.sleep(1.3)
        return said

    until = NOW + timedelta(seconds=Settings().late_arrival)
    assert {f"waiting until {until:%H:%M:%S} UTC" in said for said in in_virtual_time(wait())} == {True}
    assert (len(scene.kube.written), scene.kube.told) == (1, [])


def test_missing_secret() -> None:
    """A source whose Secret is gone is not in sync, and is again once the same Secret is back."""
    origin = {"type": "docker-hub", "details": {"target": "nginx:1.29", "username": "ci", "tokenFrom": LOGIN}}
    sent = [{"name": "login", "uid": "secret-uid", "resourceVersion": "1"}]
    resource = intended({"id": ID, "credentials": sent, "settledGeneration": 1}, spec={"origin": origin})
    shown = {"type": "docker-hub", "details": {"target": "nginx:1.29", "username": "ci"}}
    scene = Scene(resource, source(id=ID, origin=shown))
    in_virtual_time(scene.passes())
    assert (scene.reason, [each.reason for each in scene.kube.told]) == (Reason.SECRET_MISSING, ["SecretMissing"])
    ready = scene.status.condition(ConditionType.READY)
    assert ready and "Secret login does not exist in namespace shop; create it, labelled" in ready.message
    scene.kube.secrets = {("shop", "login"): secret({"token": "x"})}
    in_virtual_time(scene.passes())
    assert (scene.reason, scene.client.asked) == (Reason.IN_SYNC, [])


@pytest.mark.parametrize("policy", [{}, {"driftPolicy": "Report"}])
def test_deleted_by_others(policy: dict[str, Any]) -> None:
    """A source that others have deleted is not shown as live."""
    scene = Scene(intended({"id": ID, "state": "live"} | ({"adopted": True} if not policy else {}), spec=policy))
    scene.hub.inventory.forget(ID, 0.0)
    in_virtual_time(scene.passes())
    assert (scene.reason, scene.status.state) == (Reason.SOURCE_GONE, "deleted")


def test_not_converging_shows_what() -> None:
    """Where the platform does not keep what is written, status shows what it has instead."""
    scene = Scene(
        intended({"id": ID}, spec={"name": "Web"}), source(id=ID, name="Old"), update=[source(id=ID, name="W")]
    )
    in_virtual_time(scene.passes())
    assert scene.reason == Reason.DRIFT_NOT_CONVERGING
    assert scene.status.drift
    assert [(each.path, each.desired, each.observed) for each in scene.status.drift.fields] == [("name", "Web", "W")]


def test_reconcile_now_while_suspended() -> None:
    """A look that is asked for is made while suspended too, and the token is given back after it."""
    asked = {RECONCILE_ANNOTATION: "now"}
    scene = Scene(
        intended({"id": ID}, spec={"suspend": True}), source(id=ID, name="Old"), get=[source(id=ID, name="W")]
    )
    resource = scene.kube.cache.resources[scene.key]
    metadata = resource.metadata.model_copy(update={"annotations": resource.metadata.annotations | asked})
    scene.kube.cache.resources[scene.key] = resource.model_copy(update={"metadata": metadata})
    in_virtual_time(scene.passes(2))
    assert scene.client.asked == [("get", ID)]
    assert scene.status.last_handled_reconcile_at == "now"
