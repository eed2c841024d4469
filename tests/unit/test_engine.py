"""A pass as a whole: what keeps it from creating, and when the next one is due."""

import asyncio
from typing import Any

import pytest
from tests.support import documents
from tests.support.builders import MARKER, PIN, image_source, secret, source, source_id
from tests.support.builders import hub_connection as connection
from tests.support.builders import hub_resource as hub
from tests.support.clock import in_virtual_time
from tests.support.scripted import ScriptedClient, Writes

from imagesources.hubs.directory import Entry, HubDirectory
from imagesources.hubs.hub import HubConnection
from imagesources.platform.errors import PlatformError, Refused, Unanswered
from imagesources.platform.models import Job, Source
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import AGAIN, MOST_IN_A_ROW
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.observe import write_pin
from imagesources.reconcile.ports import Conflict, KubernetesError
from imagesources.resources import FINALIZER, PIN_ANNOTATION
from imagesources.resources.conditions import Reason
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings

ID = source_id(1)
LOST = Unanswered("getImageSource", "no answer in time")


def intended(status: dict[str, Any] | None = None, **metadata: Any) -> ImageSource:
    """Returns a resource whose intent is written."""
    uid = metadata.get("uid", image_source().metadata.uid)
    annotations = {PIN_ANNOTATION: write_pin(PIN, uid)}
    return image_source({}, status, finalizers=[FINALIZER], annotations=annotations, **metadata)


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
    def reason(self) -> str:
        """Why it is not Ready, says the last status."""
        status = self.kube.written[-1][1]
        assert status
        return next(condition.reason for condition in status.conditions if condition.type == "Ready")


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


def test_circle_is_slowed_down() -> None:
    """Passes that follow each other at once without an end are slowed down."""
    scene = Scene(intended(), *(source(id=ID, identifier=MARKER),))
    scene.kube.fails = Conflict("409")
    due = in_virtual_time(scene.passes(MOST_IN_A_ROW))
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
