"""What tools that wait for a resource (kubectl, Helm, Flux, Argo CD) are told through a whole life."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support import argocd
from tests.support.kstatus import Verdict
from tests.support.platform import SOURCES, Refusal
from tests.support.proxy import refusal
from tests.support.recorder import Moment, Recorder
from tests.support.scene import NGINX, Scene, source
from tests.support.waiting import wait_for

Json = dict[str, Any]

OWNER = {"view": True, "modify": True, "manage": True}


@pytest.fixture
def record(stage: Scene) -> Iterator[Callable[[str], Recorder]]:
    """Begins to record the life of a resource; at the end no moment may have promised too much, in Argo CD neither."""
    recorders: list[Recorder] = []

    def look(source_id: str) -> Json | None:
        try:
            return stage.platform.get(source_id)
        except Refusal:
            return None

    def begin(name: str) -> Recorder:
        recorders.append(Recorder(stage.kubectl, name, look).__enter__())
        return recorders[-1]

    yield begin
    for recorder in recorders:
        recorder.__exit__(None, None, None)
        assert [moment for moment in recorder.moments if _promises_too_much(moment)] == []
        for moment in recorder.moments:
            assert argocd.health(moment.body)["status"] == argocd.WORD_OF[moment.verdict]


def _promises_too_much(moment: Moment) -> bool:
    """Whether a state is called Current while the platform has something else than its spec.

    What driftPolicy Report or managementPolicy Observe leaves is Current by decision, where status.drift tells all of
    it (docs/policies.md): to leave it is what was asked for. A suspension is no such exception.
    """
    if moment.verdict is not Verdict.CURRENT:
        return False
    spec, found = moment.resource.spec.to_json(), moment.source
    if found is None:
        return True
    acl = None if "unrestricted" in spec["acl"] else spec["acl"]
    wished = {"name": spec["name"], "origin": spec["origin"], "acl": acl}
    drift = moment.resource.status.drift
    told = {field.path.split(".")[0] for field in drift.fields} if drift and _is_left(spec) else set()
    return any(found[key] != value for key, value in wished.items() if key not in told)


def _is_left(spec: Json) -> bool:
    return spec["driftPolicy"] == "Report" or spec["managementPolicy"] == "Observe"


def latest(recorder: Recorder, verdict: Verdict, generation: int) -> None:
    """Waits until the newest moment says this of that generation."""

    def look() -> bool:
        newest = recorder.moments[-1] if recorder.moments else None
        assert newest, "no moment yet"
        said = newest.verdict, newest.resource.metadata.generation
        assert said == (verdict, generation), (said, newest.resource.status.conditions)
        return True

    wait_for(look, what=f"{verdict} of generation {generation}")


def test_whole_life(stage: Scene, record: Callable[[str], Recorder]) -> None:
    """Created, edited, kept from it, healed, changed by others and deleted: Current only while all is as the spec."""
    recorder = record("life")
    spec: Json = {"name": "One", "acl": {"roles": {"owner": OWNER}}}
    stage.kubectl.apply(source("life", **spec))
    latest(recorder, Verdict.CURRENT, 1)
    assert recorder.verdicts == [Verdict.IN_PROGRESS, Verdict.CURRENT]
    stage.kubectl.apply(source("life", **spec | {"name": "Two", "acl": {"unrestricted": True}}))
    latest(recorder, Verdict.CURRENT, 2)
    stage.calls.rule = lambda call: refusal(500, "500.server") if call.is_write else None
    stage.kubectl.apply(source("life", **spec | {"name": "Three"}))
    stage.reason("life", "PlatformUnreachable")
    latest(recorder, Verdict.IN_PROGRESS, 3)
    stage.calls.rule = None
    latest(recorder, Verdict.CURRENT, 3)
    stage.calls.rule = lambda call: refusal(422, "422.invalid-input") if call.is_write else None
    stage.kubectl.apply(source("life", **spec | {"name": "Four"}))
    latest(recorder, Verdict.FAILED, 4)
    stage.calls.rule = None
    stage.kubectl.apply(source("life", **spec | {"name": "Five"}))
    latest(recorder, Verdict.CURRENT, 5)
    stage.delete("life")
    wait_for(lambda: recorder.verdicts[-1] is Verdict.TERMINATING, what="the end")


def test_suspended(stage: Scene, record: Callable[[str], Recorder]) -> None:
    """An edit that waits for the end of a suspension is in progress until it is made."""
    recorder = record("halted")
    spec: Json = {"name": "One", "acl": {"unrestricted": True}}
    stage.create("halted", **spec)
    stage.edit("halted", suspend=True, name="Two")
    stage.reason("halted", "Suspended", "Synced")
    latest(recorder, Verdict.IN_PROGRESS, 2)
    stage.edit("halted", suspend=False)
    latest(recorder, Verdict.CURRENT, 3)
    stage.delete("halted")


def test_drift_that_stays(stage: Scene, record: Callable[[str], Recorder]) -> None:
    """A change by others that the operator sees and cannot undo ends being Current, until it is undone."""
    source_id = stage.create("bent", name="Mine", acl={"unrestricted": True})["status"]["id"]
    stage.calls.rule = lambda call: refusal(403, "403.permissions") if call.is_write else None
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs"})
    stage.reason("bent", "AccessLost")
    recorder = record("bent")
    latest(recorder, Verdict.IN_PROGRESS, 1)
    stage.calls.rule = None
    latest(recorder, Verdict.CURRENT, 1)
    stage.delete("bent")


@pytest.mark.parametrize("policy", ["Report", "Observe"])
def test_drift_that_is_left(stage: Scene, record: Callable[[str], Recorder], policy: str) -> None:
    """What a policy leaves is Current, with all of it in status.drift; an edit under Report is in progress first."""
    name, acl = f"left-{policy.lower()}", {"unrestricted": True}
    if policy == "Report":
        source_id = stage.create(name, name="Mine", acl=acl, driftPolicy="Report")["status"]["id"]
    else:
        body = {"name": "Mine", "identifier": name, "type": "direct", "origin": NGINX}
        source_id = stage.platform("POST", SOURCES, body)["id"]
        stage.create(name, name="Mine", acl=acl, managementPolicy="Observe", adopt={"id": source_id})
    recorder = record(name)
    latest(recorder, Verdict.CURRENT, 1)
    # Until the operator has seen it, it says what it saw before; what it has seen is never left out.
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs"})
    stage.reason(name, "Drifted", "Synced")
    latest(recorder, Verdict.CURRENT, 1)
    stage.edit(name, name="Ours")
    if policy == "Report":
        latest(recorder, Verdict.CURRENT, 2)
        assert recorder.verdicts == [Verdict.CURRENT, Verdict.IN_PROGRESS, Verdict.CURRENT]
        assert stage.platform.get(source_id)["name"] == "Ours"
    else:
        wait_for(lambda: "Ours" in str(stage.status(name)["drift"]), what="the other difference")
        latest(recorder, Verdict.CURRENT, 2)
    stage.delete(name)


def test_suspended_and_drifted(stage: Scene, record: Callable[[str], Recorder]) -> None:
    """A suspended source is Current as long as it is as the spec says, and in progress once others have changed it."""
    source_id = stage.create("adrift", name="Mine", acl={"unrestricted": True})["status"]["id"]
    stage.edit("adrift", suspend=True)
    recorder = record("adrift")
    latest(recorder, Verdict.CURRENT, 2)
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs"})
    latest(recorder, Verdict.IN_PROGRESS, 2)
    assert recorder.moments[-1].resource.status.conditions[0].status == "True", "Ready keeps its value"
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Mine"})
    latest(recorder, Verdict.CURRENT, 2)
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    latest(recorder, Verdict.IN_PROGRESS, 2)
    stage.edit("adrift", suspend=False)
    latest(recorder, Verdict.CURRENT, 3)
    stage.delete("adrift")
