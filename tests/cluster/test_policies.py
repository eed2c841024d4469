"""What each policy of an ImageSource does, and what it never does."""

import time
from typing import Any

import pytest
from tests.support.platform import SOURCES, secret
from tests.support.proxy import Call, Fault, refusal
from tests.support.scene import NGINX, Scene, source, value
from tests.support.waiting import wait_for

from imagesources.resources import FINALIZER, RECONCILE_ANNOTATION

Json = dict[str, Any]

OWNER = {"view": True, "modify": True, "manage": True}
REGISTRY = {
    "type": "docker-registry",
    "details": {
        "url": "https://registry.example.com",
        "target": "shop/web:1",
        "username": "ci",
        "passwordFrom": {"secretKeyRef": {"name": "policies", "key": "password"}},
    },
}


def existing(stage: Scene, name: str, **properties: Any) -> str:
    """A source that other hands have created; returns its id."""
    body = {"name": name, "identifier": name, "type": "direct", "origin": NGINX} | properties
    return str(stage.platform("POST", SOURCES, body)["id"])


def alter(stage: Scene, source_id: str, **properties: Any) -> None:
    """Changes a source by other hands."""
    stage.platform("PATCH", f"{SOURCES}/{source_id}", properties)


def ask(stage: Scene, name: str, token: str) -> None:
    """Asks for a reconcile now."""
    stage.kubectl("annotate", "--overwrite", "imagesource", name, f"{RECONCILE_ANNOTATION}={token}")


def listed(stage: Scene) -> None:
    """Waits until the operator has listed the sources once more, from the first page to the last."""
    for _ in range(2):  # what ends then may have begun before
        since = time.monotonic()
        wait_for(lambda since=since: _listed_after(stage, since), what="another list")


def _listed_after(stage: Scene, since: float) -> bool:
    passed = time.monotonic() - since
    age = value(stage, "imagesource_hub_inventory_age_seconds", hub=f"{stage.kubectl.namespace}/default")
    return 0 < age < passed


def writes_of(stage: Scene, source_id: str) -> list[Call]:
    """The operator's writes to one source on the platform."""
    return [call for call in stage.calls.calls if call.is_write and source_id in call.path]


# adopt


def test_adopt_by_id(stage: Scene) -> None:
    """An adopted source becomes what the spec says, keeps what the spec leaves open, and outlives its resource."""
    source_id = existing(stage, "adopt-id", about={"description": "Kept."})
    stage.create("adopt-id", name="Ours", adopt={"id": source_id})
    status = stage.status("adopt-id")
    assert (status["id"], status["adopted"], status["deletionPolicy"]) == (source_id, True, "Orphan")
    found = stage.platform.get(source_id)
    assert (found["name"], found["identifier"], found["about"]["description"]) == ("Ours", "adopt-id", "Kept.")
    stage.edit("adopt-id", adopt=None)
    assert stage.ready("adopt-id")["status"]["deletionPolicy"] == "Orphan"
    stage.delete("adopt-id")
    assert stage.platform.get(source_id)["state"]["current"] == "live"
    assert [call.method for call in writes_of(stage, source_id)] == ["PATCH"]
    wait_for(lambda: {"Adopted", "Updated", "Orphaned"} <= dict(stage.told("adopt-id")).keys(), what="the Events")
    assert "Deleted" not in dict(stage.told("adopt-id"))


def test_adopt_by_identifier(stage: Scene) -> None:
    """An identifier is enough where one source alone has it; with deletionPolicy Delete it then goes as any other."""
    source_id = existing(stage, "adopt-word")
    status = stage.create("adopt-word", adopt={"identifier": "adopt-word"}, deletionPolicy="Delete")["status"]
    assert (status["id"], status["deletionPolicy"]) == (source_id, "Delete")
    with pytest.raises(AssertionError, match=r"adopt\.identifier is immutable once a source was adopted"):
        stage.edit("adopt-word", adopt={"identifier": "another"})
    stage.delete("adopt-word")
    assert stage.platform.sources(id=source_id) == []


@pytest.mark.parametrize(
    ("case", "reason", "said"),
    [
        ("none", "AdoptionFailed", "which no live source has; exactly one must"),
        ("unknown", "AdoptionFailed", "which no live source has; exactly one must"),
        ("several", "AdoptionFailed", "which 2 live sources have; exactly one must"),
        ("claimed", "AlreadyClaimed", "manages source"),
        ("mismatch", "TypeMismatch", "has type bucket, spec.type says direct; a type cannot change"),
    ],
)
def test_adopt_in_vain(stage: Scene, case: str, reason: str, said: str) -> None:
    """What cannot be adopted is not touched, and the message says why; the resource itself goes without a trace."""
    name = f"adopt-{case}"
    match case:
        case "claimed":
            taken = stage.create("adopt-taken")["status"]["id"]
            stage.kubectl.apply(source(name, adopt={"id": taken}))
        case "unknown":
            stage.kubectl.apply(source(name, adopt={"id": "0" * 24}))
        case _:
            for _ in range({"several": 2, "mismatch": 1}.get(case, 0)):
                existing(stage, name, type="bucket" if case == "mismatch" else "direct")
            listed(stage)
            stage.kubectl.apply(source(name, adopt={"identifier": name}))
    before = [call for call in stage.calls.calls if call.is_write]
    wait_for(lambda: said in stage.reason(name, reason).message, what=said)
    assert stage.reason(name, reason, "Stalled").status == "True"
    assert "id" not in stage.status(name)
    stage.delete(name)
    assert [call for call in stage.calls.calls if call.is_write] == before
    if case == "none":
        stage.kubectl.apply(source(name, adopt={"identifier": name}))
        stage.reason(name, reason)
        existing(stage, name)
        stage.ready(name, timeout=5)


def test_may_already_exist(stage: Scene) -> None:
    """Where a free source has the very identifier and type, a person decides: take it over, or create another."""
    source_id = existing(stage, "twin")
    listed(stage)
    stage.kubectl.apply(source("twin", identifier="twin"))
    shown = stage.reason("twin", "MayAlreadyExist").message
    assert f"spec.adopt.id: {source_id}" in shown
    assert len(stage.platform.sources(identifier="twin")) == 1
    stage.kubectl.apply(source("other-twin", identifier="twin", adopt={"policy": "Never"}))
    stage.ready("other-twin")
    assert len(stage.platform.sources(identifier="twin")) == 2
    stage.edit("twin", adopt={"id": source_id})
    assert stage.ready("twin")["status"]["id"] == source_id


# managementPolicy


def test_observe(stage: Scene) -> None:
    """An observed source is reported and never written, by a resource that needs no finalizer and leaves at once."""
    source_id = existing(stage, "seen", about={"description": "Theirs."})
    spec = {"managementPolicy": "Observe", "adopt": {"id": source_id}, "name": "Ours", "about": {"description": "O."}}
    stage.kubectl.apply(source("seen", type=None, origin=None, acl={"roles": {}}, **spec))
    assert stage.reason("seen", "Observed").status == "True"
    assert stage.reason("seen", "Drifted", "Synced").status == "False"
    assert stage.reason("seen", "Drifted", "AccessSynced").status == "False"
    found = stage.get("seen")
    assert {each["path"]: (each["desired"], each["observed"]) for each in found["status"]["drift"]["fields"]} == {
        "name": ("Ours", "seen"),
        "about.description": ("O.", "Theirs."),
        "acl": ('{"roles": {}}', "unrestricted"),
    }
    assert "finalizers" not in found["metadata"]
    alter(stage, source_id, name="Ours", about={"description": "O."})
    stage.reason("seen", "Observed", "Synced")
    wait_for(lambda: "Observing" in dict(stage.told("seen")), what="the Event")
    stage.delete("seen")
    assert writes_of(stage, source_id) == []


def test_observed_source_gone(stage: Scene) -> None:
    """An observed source that is deleted is said to be gone, and its resource can go too."""
    source_id = existing(stage, "leaving")
    stage.kubectl.apply(source("leaving", managementPolicy="Observe", adopt={"identifier": "leaving"}))
    stage.ready("leaving")
    alter(stage, source_id, identifier="leaving-soon")
    wait_for(lambda: stage.status("leaving")["identifier"] == "leaving-soon", what="the new identifier")
    assert stage.condition("leaving", "Stalled") is None
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    assert "does not exist any more" in stage.reason("leaving", "SourceGone").message
    stage.delete("leaving")


def test_observe_and_manage(stage: Scene) -> None:
    """A source can be observed first, then managed, then only observed again, and nothing is lost on the way."""
    source_id = existing(stage, "by-turns")
    stage.create("by-turns", managementPolicy="Observe", adopt={"id": source_id})
    stage.create("owner-of-it", adopt={"id": source_id})
    stage.delete("owner-of-it")
    stage.edit("by-turns", managementPolicy="Manage", name="Managed")
    stage.ready("by-turns")
    assert stage.platform.get(source_id)["name"] == "Managed"
    assert stage.get("by-turns")["metadata"]["finalizers"] == [FINALIZER]
    stage.edit("by-turns", managementPolicy="Observe", deletionPolicy="Delete", name="Not written")
    stage.reason("by-turns", "Observed")
    wait_for(lambda: not stage.get("by-turns")["metadata"].get("finalizers"), what="the end of the finalizer")
    writes = writes_of(stage, source_id)
    stage.delete("by-turns")
    assert writes_of(stage, source_id) == writes
    assert stage.platform.get(source_id)["state"]["current"] == "live"


# driftPolicy


def test_report_shows_no_secret(stage: Scene) -> None:
    """Under Report every difference is shown field by field, but never a credential nor what may hold one."""
    stage.kubectl.apply(secret("policies", password="canary-old"))
    acl = {"roles": {"owner": OWNER}}
    source_id = stage.create("open", name="Mine", driftPolicy="Report", origin=REGISTRY, acl=acl)["status"]["id"]
    details = {"url": "https://canary-url@elsewhere.example.com", "target": "shop/web:2", "username": "canary"}
    theirs = {"type": "docker-registry", "details": details | {"password": "canary-new"}}
    alter(stage, source_id, name="Theirs", origin=theirs)
    stage.platform("PATCH", f"{SOURCES}/{source_id}/access", {"acl": {"roles": {}}})
    wait_for(lambda: len(stage.status("open").get("drift", {}).get("fields", [])) == 5, what="all differences")
    shown = {each["path"]: (each["desired"], each["observed"]) for each in stage.status("open")["drift"]["fields"]}
    assert shown == {
        "name": ("Mine", "Theirs"),
        "origin.details.target": ("shop/web:1", "shop/web:2"),
        "origin.details.username": ("ci", "canary"),
        "origin.details.url": ("(not shown)", "(not shown)"),
        "acl": ('{"roles": {"owner": {"view": true, "modify": true, "manage": true}}}', '{"roles": {}}'),
    }
    assert "canary-" not in stage.kubectl("get", "imagesource", "open", "--output=yaml")
    assert writes_of(stage, source_id)[1:] == []


def test_report_through_trouble(stage: Scene) -> None:
    """What others changed is left so also after the platform failed meanwhile, until the spec is edited."""
    source_id = stage.create("patient-report", name="Mine", driftPolicy="Report")["status"]["id"]
    stage.calls.rule = lambda call: refusal(500, "500.server") if call.path == f"{SOURCES}/{source_id}" else None
    alter(stage, source_id, name="Theirs")
    stage.reason("patient-report", "PlatformUnreachable")
    stage.calls.rule = None
    stage.reason("patient-report", "Drifted", "Synced")
    assert stage.platform.get(source_id)["name"] == "Theirs"
    stage.edit("patient-report", about={"description": "An edit."})
    stage.reason("patient-report", "InSync", "Synced")
    assert stage.platform.get(source_id)["name"] == "Mine"
    assert "drift" not in stage.status("patient-report")


def test_report_and_a_new_secret(stage: Scene) -> None:
    """A Secret's new value is sent under Report too, with its origin and nothing else."""
    stage.kubectl.apply(secret("policies", password="first"))
    source_id = stage.create("report-secret", name="Mine", driftPolicy="Report", origin=REGISTRY)["status"]["id"]
    alter(stage, source_id, name="Theirs")
    stage.reason("report-secret", "Drifted", "Synced")
    stage.kubectl.apply(secret("policies", password="second"))
    wait_for(
        lambda: stage.platform.get(source_id)["origin"]["details"]["password"] == "second", timeout=5, what="the value"
    )
    assert stage.platform.get(source_id)["name"] == "Theirs"
    assert list(writes_of(stage, source_id)[-1].json) == ["origin"]


@pytest.mark.parametrize("spec", [{"driftPolicy": "Report"}, {"adopt": True}], ids=["report", "adopted"])
def test_source_gone(stage: Scene, request: pytest.FixtureRequest, spec: Json) -> None:
    """A source that others delete is not created again where it was adopted, or where drift is only reported."""
    name = f"gone-{request.node.callspec.id}"
    if "adopt" in spec:
        spec = {"adopt": {"id": existing(stage, name)}}
    source_id = stage.create(name, **spec)["status"]["id"]
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    assert source_id in stage.reason(name, "SourceGone", "Stalled").message
    wait_for(lambda: "SourceGone" in dict(stage.told(name)), what="the Event")
    assert stage.platform.sources(name=name) == []
    stage.delete(name)


def test_created_again(stage: Scene) -> None:
    """Under Correct a source that others delete is created again, with its identifier, and an Event says so."""
    before = stage.create("again", identifier="again")["status"]["id"]
    stage.platform("DELETE", f"{SOURCES}/{before}")
    wait_for(lambda: stage.status("again").get("id", before) != before, what="another source")
    assert stage.ready("again")["status"]["identifier"] == "again"
    assert [each["id"] for each in stage.platform.sources(identifier="again")] == [stage.id_of("again")]
    wait_for(lambda: "it is created again" in dict(stage.told("again")).get("SourceGone", ""), what="the Event")


def test_changed_elsewhere(stage: Scene) -> None:
    """Others who keep changing a source back are given way to, by name of the field, until a person asks again."""
    source_id = stage.create("fought-over", name="Mine")["status"]["id"]
    for round_ in range(3):
        alter(stage, source_id, name=f"Theirs {round_}")
        wait_for(lambda: stage.platform.get(source_id)["name"] == "Mine", what="the correction")
    alter(stage, source_id, name="Theirs")
    assert "other hands keep changing name" in stage.reason("fought-over", "ChangedElsewhere").message
    (shown,) = stage.status("fought-over")["drift"]["fields"]
    assert (shown["path"], shown["desired"], shown["observed"]) == ("name", "Mine", "Theirs")
    count = len(writes_of(stage, source_id))
    alter(stage, source_id, name="Theirs for ever")
    listed(stage)
    assert len(writes_of(stage, source_id)) == count
    ask(stage, "fought-over", "once-more")
    wait_for(lambda: stage.platform.get(source_id)["name"] == "Mine", what="another correction")
    stage.ready("fought-over")


def test_not_converging(stage: Scene) -> None:
    """Where the platform makes something else of what is written, writing ends, and the field is named."""
    stage.create("stubborn", name="Fine")
    source_id = stage.id_of("stubborn")

    def capitals(call: Call) -> Fault | None:
        if call.method != "PATCH" or source_id not in call.path:
            return None
        return Fault(then=lambda: alter(stage, source_id, name="LOUD"), alter=loud)

    def loud(answer: Json) -> Json:
        return answer | {"data": answer["data"] | {"name": "LOUD"}}

    stage.calls.rule = capitals
    stage.edit("stubborn", name="loud")
    assert "written again" in stage.reason("stubborn", "DriftNotConverging", "Reconciling").message
    shown = stage.reason("stubborn", "DriftNotConverging", "Stalled")
    assert "for name; write them as it has them" in shown.message
    assert [each["observed"] for each in stage.status("stubborn")["drift"]["fields"]] == ["LOUD"]
    assert len(writes_of(stage, source_id)) == 3 + 1
    stage.edit("stubborn", name="LOUD")
    stage.ready("stubborn")


# reconcile now


def test_reconcile_now(stage: Scene) -> None:
    """A new token makes the operator ask the platform at once, and is shown when it has."""
    source_id = stage.create("now")["status"]["id"]
    with stage.spending("now") as spent:
        ask(stage, "now", "2026-01-30T08:30:00Z")
        wait_for(lambda: stage.status("now").get("lastHandledReconcileAt") == "2026-01-30T08:30:00Z", what="the token")
    assert [str(call) for call in spent.calls] == [f"GET {SOURCES}/{source_id}"]
    assert len(spent.writes) == 1


def test_reconcile_now_after_a_refusal(stage: Scene) -> None:
    """What was refused is tried again when a person asks for it, and the token is handled in failure too."""
    stage.calls.rule = lambda call: refusal(422, "422.invalid-input") if call.method == "POST" else None
    stage.kubectl.apply(source("try-again"))
    stage.reason("try-again", "Refused", "Stalled")
    ask(stage, "try-again", "one")
    wait_for(lambda: stage.status("try-again").get("lastHandledReconcileAt") == "one", what="the token")
    stage.calls.rule = None
    ask(stage, "try-again", "two")
    assert stage.ready("try-again", timeout=3)["status"]["lastHandledReconcileAt"] == "two"


# suspend


def test_changed_while_suspended(stage: Scene) -> None:
    """What others change while it is suspended is seen and shown, at once where a person asks, and set back later."""
    source_id = stage.create("dozing", name="Mine", suspend=False)["status"]["id"]
    stage.edit("dozing", suspend=True)
    ready = stage.ready("dozing")["status"]["conditions"][0]
    alter(stage, source_id, name="Theirs")
    ask(stage, "dozing", "look")
    wait_for(lambda: stage.status("dozing").get("lastHandledReconcileAt") == "look", what="the token")
    status = stage.status("dozing")
    assert status["conditions"][0] == ready
    assert [(each["path"], each["observed"]) for each in status["drift"]["fields"]] == [("name", "Theirs")]
    shown = stage.reason("dozing", "Suspended", "Reconciling").message
    assert (shown, stage.condition("dozing", "Synced").status) == (  # type: ignore[union-attr]
        "spec.suspend is true; set it to false to go on; the source differs in name",
        "False",
    )
    wait_for(lambda: "Drifted" in dict(stage.told("dozing")), what="the Event")
    stage.edit("dozing", suspend=False)
    stage.ready("dozing")
    assert (stage.platform.get(source_id)["name"], "drift" in stage.status("dozing")) == ("Mine", False)


def test_deleted_while_suspended(stage: Scene) -> None:
    """A source that others delete while it is suspended is shown as deleted, and created again afterwards."""
    source_id = stage.create("robbed", suspend=False)["status"]["id"]
    stage.edit("robbed", suspend=True)
    stage.ready("robbed")
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    gone = "does not exist any more"
    wait_for(lambda: gone in stage.reason("robbed", "Suspended", "Synced").message, what="the end of the source")
    assert stage.status("robbed")["state"] == "deleted"
    stage.edit("robbed", suspend=False)
    wait_for(lambda: stage.status("robbed").get("id", source_id) != source_id, what="another source")
    stage.ready("robbed")


# deletionPolicy


def test_way_out(stage: Scene) -> None:
    """A deletion that waits for the end of a suspension ends at once when it is told to orphan the source."""
    source_id = stage.create("way-out")["status"]["id"]
    stage.edit("way-out", suspend=True)
    stage.kubectl("delete", "imagesource", "way-out", "--wait=false")
    assert "deletionPolicy to Orphan" in stage.reason("way-out", "Suspended").message
    stage.edit("way-out", deletionPolicy="Orphan")
    stage.kubectl("wait", "--for=delete", "imagesource/way-out", "--timeout=10s")
    assert stage.platform.get(source_id)["state"]["current"] == "live"
    wait_for(lambda: "Orphaned" in dict(stage.told("way-out")), what="the Event")
    assert "Deleted" not in dict(stage.told("way-out"))
