"""The life of an ImageSource on a platform that is as far away as the real one, and what each step of it costs."""

from typing import Any

import pytest
from tests.support.cluster import SAMPLES, Kubectl
from tests.support.platform import SOURCES
from tests.support.process import OperatorProcess
from tests.support.proxy import Call, Fault, refusal
from tests.support.scene import Scene, source
from tests.support.waiting import wait_for

from imagesources.resources import FINALIZER, MARKER_PREFIX

OWNER = {"view": True, "modify": True, "manage": True}
VIEWER = {"view": True, "modify": False, "manage": False}


@pytest.fixture(scope="module", autouse=True)
def build_farm(running: Scene) -> None:
    """An integration of the hub that builds images."""
    integration = {"name": "The farm", "identifier": "build-farm", "vendor": "depot"}
    running.platform("POST", "/v1/hubs/current/integrations", integration)


def test_create(stage: Scene) -> None:
    """A new resource becomes Ready with its id and identifier, for three writes and two requests."""
    with stage.spending("create") as spent:
        status = stage.create("create", name="Web frontend")["status"]
    found = stage.seen("create")
    assert (found["name"], found["type"], found["identifier"]) == ("Web frontend", "direct", "web-frontend")
    assert (status["identifier"], status["state"], status["hub"]["hubId"]) == (
        "web-frontend",
        "live",
        stage.platform.hub_id,
    )
    assert {each["type"]: each["status"] for each in status["conditions"]} == {"Ready": "True", "Synced": "True"}
    assert [(write.subresource, write.code) for write in spent.writes] == [("", 200), ("status", 200), ("status", 200)]
    assert spent.methods == ["POST", "PATCH"]
    assert spent.calls[0].json["identifier"].startswith(MARKER_PREFIX)
    assert spent.calls[1].json == {"identifier": "web-frontend"}


def test_create_is_told(stage: Scene) -> None:
    """``kubectl describe`` shows the Event of the creation."""
    status = stage.create("told")["status"]
    wait_for(lambda: stage.told("told"), what="the Event")
    described = stage.kubectl("describe", "imagesource", "told")
    assert f"created source {status['id']}" in described
    assert f"source {status['id']} is as the spec says" in described


def test_found_by_its_fields(stage: Scene) -> None:
    """A resource is found by its type, its hub, and what its source is on the platform."""
    source_id = stage.create("found")["status"]["id"]
    fields = f"spec.type=direct,status.hub.name=default,status.state=live,status.id={source_id}"
    found = stage.kubectl("get", "imagesources", f"--field-selector={fields}", "--output=name")
    assert found.split() == ["imagesource.images.cycle.io/found"]
    others = stage.kubectl("get", "imagesources", "--field-selector=status.hub.name!=default", "--output=name")
    assert "imagesource.images.cycle.io/found" not in others.split()


def test_create_with_everything(stage: Scene) -> None:
    """All fields and the access list are in the POST, so that nobody ever sees the source without its list."""
    acl = {"roles": {"owner": OWNER, "developer": VIEWER}}
    with stage.spending("whole") as spent:
        stage.create("whole", identifier="whole-id", about={"description": "All of it."}, acl=acl)
    assert spent.methods == ["POST", "PATCH"]
    assert spent.calls[0].json["acl"] == acl
    found = stage.seen("whole")
    assert (found["identifier"], found["about"], found["acl"]) == ("whole-id", {"description": "All of it."}, acl)


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"name": "Other"}, {"name": "Other"}),
        ({"identifier": "other"}, {"identifier": "other"}),
        ({"about": {"description": "Other."}}, {"about": {"description": "Other."}}),
        ({"builder": {"integrationId": "build-farm"}}, {"builder": {"integration_id": "build-farm"}}),
        (
            {"origin": {"details": {"target": "nginx:1.30"}}},
            {"origin": {"type": "docker-hub", "details": {"target": "nginx:1.30"}}},
        ),
        ({"origin": {"type": "none", "details": None}}, {"origin": {"type": "none"}}),
        (
            {"name": "Both", "about": {"description": "of them"}},
            {"name": "Both", "about": {"description": "of them"}},
        ),
    ],
    ids=["name", "identifier", "about", "builder", "target", "origin", "two"],
)
def test_update(stage: Scene, request: pytest.FixtureRequest, change: dict[str, Any], sent: dict[str, Any]) -> None:
    """An edit is one PATCH of just what changed, and one write."""
    name = f"update-{request.node.callspec.id}"
    stage.create(name, name="First", identifier=name, about={"description": "First."})
    with stage.spending(name) as spent:
        stage.edit(name, **change)
        stage.ready(name)
    assert [(call.method, call.json) for call in spent.calls] == [("PATCH", sent)]
    assert [(write.subresource, write.code) for write in spent.writes] == [("status", 200)]
    found = stage.seen(name)
    assert {key: found[key] for key in sent if key != "builder"} == {k: v for k, v in sent.items() if k != "builder"}


def test_edit_without_effect(stage: Scene) -> None:
    """An edit that asks for what is there already costs no request and one write, of the generation."""
    stage.create("same", name="Same")
    with stage.spending("same") as spent:
        stage.edit("same", deletionPolicy="Delete")
        stage.ready("same")
    assert (len(spent.writes), spent.calls) == (1, [])


def test_field_removed(stage: Scene) -> None:
    """A field that is no longer managed is cleared where the API can clear it, and else left as it is."""
    stage.create("fewer", name="Kept", about={"description": "Cleared."})
    with stage.spending("fewer") as spent:
        stage.edit("fewer", name=None, about=None)
        stage.ready("fewer")
    assert [(call.method, call.json) for call in spent.calls] == [("PATCH", {"about": {"description": None}})]
    found = stage.seen("fewer")
    assert (found["name"], (found.get("about") or {}).get("description")) == ("Kept", None)


def test_access(stage: Scene) -> None:
    """Access is set, changed and lifted by one PATCH of the access list each, and then left alone."""
    stage.create("access")
    for acl, sent in (
        ({"roles": {"owner": OWNER}}, {"roles": {"owner": OWNER}}),
        ({"roles": {"owner": OWNER, "guest": VIEWER}}, {"roles": {"owner": OWNER, "guest": VIEWER}}),
        ({"roles": {}}, {"roles": {}}),
        ({"unrestricted": True}, None),
        ({"roles": {"owner": OWNER}}, {"roles": {"owner": OWNER}}),
    ):
        with stage.spending("access") as spent:
            stage.create("access", acl=acl)
        assert [(call.path.split("/")[-1], call.json) for call in spent.calls] == [("access", {"acl": sent})]
        assert len(spent.writes) == 1
        assert stage.seen("access")["acl"] == sent
        assert stage.status("access")["acl"] == acl
    assert stage.reason("access", "InSync", "AccessSynced").status == "True"
    with stage.spending("access") as spent:
        stage.edit("access", acl=None)
        stage.ready("access")
    assert (stage.seen("access")["acl"], spent.calls) == ({"roles": {"owner": OWNER}}, [])
    assert stage.condition("access", "AccessSynced") is None


def test_content_and_access(stage: Scene) -> None:
    """Content and access changed at once are two requests, the one that narrows first, and one write."""
    stage.create("mixed", acl={"roles": {"owner": OWNER, "guest": OWNER}})
    with stage.spending("mixed") as spent:
        stage.create("mixed", name="Secret", acl={"roles": {"owner": OWNER}})
    assert [call.path.split("/")[-1] for call in spent.calls] == ["access", stage.id_of("mixed")]
    assert len(spent.writes) == 1
    with stage.spending("mixed") as spent:
        stage.create("mixed", name="Public", acl={"unrestricted": True})
    assert [call.path.split("/")[-1] for call in spent.calls] == [stage.id_of("mixed"), "access"]


def test_delete(stage: Scene) -> None:
    """A delete is one DELETE, its job is shown from start to end, and the finalizer goes after the platform's word."""
    source_id = stage.create("delete")["status"]["id"]
    with stage.spending("delete") as spent:
        stage.delete("delete")
    assert stage.platform.sources(id=source_id) == []
    assert spent.methods[0] == "DELETE"
    assert spent.methods.count("DELETE") == 1
    assert (spent.methods[-1], spent.calls[-1].path) == ("GET", f"/v1/images/sources/{source_id}")
    jobs = [write.body["status"]["job"] for write in spent.writes if "job" in write.body.get("status", {})]
    assert (jobs[0]["state"], jobs[-1]["state"], jobs[-1]["progress"]) == ("queued", "completed", "2/2")
    assert [task["steps"] for task in jobs[-1]["tasks"]] == ["2/2", "2/2"]
    assert len(spent.writes) == 3
    assert spent.writes[-1].body["metadata"]["finalizers"] == []
    assert wait_for(lambda: len(stage.told("delete")) == 3, what="the Events")
    told = dict(stage.told("delete"))
    assert set(told) == {"Created", "Deleting", "Deleted"}
    assert told["Deleted"].endswith(f"job {jobs[0]['id']} is completed, 2/2 tasks")


def test_delete_waits_for_the_platform(stage: Scene) -> None:
    """While the platform does not say that the source is gone, its resource stays."""
    source_id = stage.create("patient")["status"]["id"]
    asked: list[str] = []

    def silent(call: Call) -> Fault | None:
        if call.method != "GET" or call.path.split("?")[0] == SOURCES:
            return None  # where lists fail, the hub is in trouble and nothing is asked for at all
        asked.append(call.path)
        return refusal(500, "500.server")

    stage.calls.rule = silent
    stage.kubectl("delete", "imagesource", "patient", "--wait=false")
    wait_for(lambda: not stage.platform.sources(id=source_id), what="the end of the source")
    wait_for(lambda: len(asked) > 2, what="the operator to ask in vain")
    assert stage.get("patient")["metadata"]["finalizers"] == [FINALIZER]
    stage.calls.rule = None
    stage.delete("patient")


def test_orphan(stage: Scene) -> None:
    """With deletionPolicy Orphan the source stays when its resource goes, without a request."""
    source_id = stage.create("orphan", deletionPolicy="Orphan")["status"]["id"]
    with stage.spending("orphan") as spent:
        stage.delete("orphan")
    assert spent.calls == []
    assert len(spent.writes) == 1
    assert stage.platform.get(source_id)["state"]["current"] == "live"


def test_suspend(stage: Scene) -> None:
    """While a resource is suspended nothing is written to the platform, not even its end; then all of it is."""
    stage.create("paused", name="Before")
    with stage.spending("paused") as spent:
        stage.edit("paused", suspend=True, name="After")
        assert "set it to false to go on" in stage.reason("paused", "Suspended", "Synced").message
        stage.kubectl("delete", "imagesource", "paused", "--wait=false")
        assert "deletionPolicy to Orphan" in stage.reason("paused", "Suspended").message
    assert spent.calls == []
    stage.edit("paused", suspend=False)
    stage.delete("paused")


def test_suspended_edit(stage: Scene) -> None:
    """Ready keeps its value while suspended, and the edit is made up for afterwards."""
    stage.create("asleep", name="Before")
    stage.edit("asleep", suspend=True, name="After")
    stage.reason("asleep", "Suspended", "Synced")
    condition = stage.condition("asleep")
    assert condition
    assert (condition.status, condition.generation) == ("True", 1)
    stage.edit("asleep", suspend=False)
    stage.ready("asleep")
    assert stage.seen("asleep")["name"] == "After"


def test_created_while_suspended(stage: Scene) -> None:
    """A resource that is suspended from the start says so, and is created once it no longer is."""
    stage.kubectl.apply(source("still", suspend=True))
    stage.reason("still", "Suspended")
    assert "id" not in stage.status("still")
    stage.edit("still", suspend=False)
    stage.ready("still")


def test_samples(operator: OperatorProcess, kubectl: Kubectl) -> None:
    """The samples become Ready as they are, and are shown in a table."""
    operator.start()
    kubectl("apply", f"--filename={SAMPLES}")
    kubectl("wait", "imagesources", "--all", "--for=condition=Ready", "--timeout=30s")
    header, *rows = (line.split() for line in kubectl("get", "imagesources").splitlines())
    assert header == ["NAME", "READY", "REASON", "ORIGIN", "IDENTIFIER", "JOB", "AGE"]
    assert len(rows) == 7
    assert {(row[1], row[2]) for row in rows} == {("True", "InSync")}
    wide = kubectl("get", "imagesources", "--output=wide").splitlines()[1].split()
    assert "live" in wide
    hubs = [line.split()[:3] for line in kubectl("get", "hubs").splitlines()]
    assert hubs == [["NAME", "READY", "REASON"], ["default", "True", "Reachable"]]
    kubectl("delete", "imagesources", "--all", "--timeout=30s")
