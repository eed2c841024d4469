"""What a Hub says about its connection, and what it keeps its sources from doing."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.platform import API_KEY, SOURCES, secret
from tests.support.proxy import Call, Fault, refusal
from tests.support.scene import Scene, is_list, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane
from imagesources.resources import HUB_FINALIZER

Json = dict[str, Any]

OWNER = {"view": True, "modify": True, "manage": True}
VIEWER = {"view": True, "modify": False, "manage": False}
NEW_KEY = "another-key-of-these-tests"


@pytest.fixture(scope="module")
def connected(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator of this module's own: its platform and its hubs are not always there."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("connections")) as found:
        found.operator.start()
        yield found
        found.operator.stop()


@pytest.fixture
def stage(connected: Scene) -> Iterator[Scene]:
    """The same, with a proxy that lets everything pass again after the test."""
    yield connected
    connected.calls.rule = None


def hub(stage: Scene, name: str = "default") -> Json:
    """The status of a Hub."""
    return dict(stage.kubectl.get("hub", name).get("status", {}))


def apply_hub(stage: Scene, name: str, **spec: Any) -> None:
    """Applies another Hub of the same platform, and waits until it is reachable."""
    stage.kubectl.apply(*stage.platform.hub(stage.calls.url, name, **spec))
    stage.reason(name, "Reachable", resource="hub")


def test_reachable(stage: Scene) -> None:
    """A Hub says where it leads, that it answers, and what is there."""
    stage.create("first")
    assert stage.reason("default", "Reachable", resource="hub").message == "the platform answers"
    _counts(stage, {"managed": 1, "pinned": 1, "unmanaged": 0})
    assert (hub(stage)["hubId"], hub(stage)["url"]) == (stage.platform.hub_id, stage.calls.url)
    stage.delete("first")


def test_counts(stage: Scene) -> None:
    """Managed, drifted, failed and unmanaged sources are counted, unmanaged ones and strays are named."""
    stage.create("counted")
    stage.create("drifted", driftPolicy="Report", name="Mine")
    stage.platform("PATCH", f"{SOURCES}/{stage.id_of('drifted')}", {"name": "Theirs"})
    body = {"name": "Leak", "identifier": "leak", "type": "direct", "origin": {"type": "none"}}
    leak = stage.platform("POST", SOURCES, body)["id"]
    stray = stage.platform("POST", SOURCES, body | {"identifier": "k8s-0b5b9b3e-52c5-4a4f-9d0f-0123456789ab"})["id"]
    failed = stage.kubectl.apply(source("failed", adopt={"identifier": "nowhere"}))
    assert failed
    expected = {
        "pinned": 3,
        "managed": 2,
        "drifted": 1,
        "failed": 1,
        "unmanaged": 1,
        "unmanagedNames": [f"leak ({leak})"],
        "strays": [stray],
    }
    _counts(stage, expected)
    for each in (leak, stray):
        stage.platform("DELETE", f"{SOURCES}/{each}")
    for name in ("counted", "drifted", "failed"):
        stage.delete(name)
    _counts(stage, {"pinned": 0, "managed": 0, "unmanaged": 0, "unmanagedNames": [], "strays": []})


def test_unmanaged_elsewhere(stage: Scene) -> None:
    """A source of another Hub that leads to the same place is neither this Hub's nor a leak, and holds it not."""
    apply_hub(stage, "beside")
    stage.create("of-default")
    _counts(stage, {"pinned": 1, "managed": 1, "unmanaged": 0})
    _counts(stage, {"pinned": 0, "managed": 0, "unmanaged": 0}, "beside")
    stage.kubectl("delete", "hub", "beside", "--timeout=5s")
    stage.delete("of-default")


def test_capabilities(stage: Scene) -> None:
    """What the key may not do is learned from answers, with the operation that was refused and what to do."""
    error = {"status": 403, "code": "403.permissions", "title": "no", "extra": {"capability": "images-sources-manage"}}
    lacking = Fault(forward=False, answer=(403, {"data": None, "error": error}))
    stage.calls.rule = lambda call: lacking if call.is_write else None
    stage.kubectl.apply(source("not-allowed"))
    assert "grant it" in stage.reason("not-allowed", "Forbidden").message
    refused = {
        "name": "images-sources-manage",
        "state": "refused",
        "operation": "createImageSource",
        "remedy": "give the API key the capability images-sources-manage",
    }
    wait_for(lambda: refused in hub(stage)["capabilities"], what="the refused capability")
    assert {"name": "images-sources-view", "state": "ok"} in hub(stage)["capabilities"]
    stage.calls.rule = None
    stage.ready("not-allowed")
    wait_for(lambda: {"name": "images-sources-manage", "state": "ok"} in hub(stage)["capabilities"], what="its grant")
    stage.delete("not-allowed")
    wait_for(lambda: {"name": "apionly-jobs-view", "state": "ok"} in hub(stage)["capabilities"], what="the jobs'")


def test_rejected_key_costs_one_probe(stage: Scene) -> None:
    """While the key is rejected one list is tried per step of the delay, whatever twenty sources want."""
    names = [f"waiting-{number}" for number in range(20)]
    stage.kubectl.apply(*(source(name) for name in names))
    _all_are(stage, names, "condition=Ready")
    stage.calls.rule = lambda _: refusal(401, "401.auth-invalid")
    stage.reason("default", "KeyRejected", resource="hub")
    begun = len(stage.calls.calls)
    stage.kubectl.apply(*(source(name, name="Edited") for name in names))
    _all_are(stage, names, "jsonpath={.status.conditions[0].reason}=KeyRejected")
    wait_for(lambda: len(stage.calls.calls) - begun >= 3, what="some more steps")
    assert [str(call) for call in stage.calls.calls[begun:] if not is_list(call)] == []
    stage.calls.rule = None
    _all_are(stage, names, "condition=Ready")
    assert len(stage.platform.sources(name="Edited")) == 20
    stage.kubectl("delete", "imagesources", *names, "--timeout=60s")


def test_rotation(stage: Scene) -> None:
    """A new key is used within seconds, by the same process, and appears nowhere."""
    process = stage.operator.process
    stage.create("rotating", name="Before")
    stage.platform.stop()
    stage.platform.start(NEW_KEY)
    stage.reason("default", "KeyRejected", resource="hub")
    stage.edit("rotating", name="After")
    stage.kubectl.apply(secret("default-key", apiKey=NEW_KEY))
    stage.ready("rotating", timeout=5)
    stage.reason("default", "Reachable", resource="hub")
    assert stage.operator.process is process
    assert NEW_KEY not in stage.kubectl("get", "hubs,imagesources,events.events.k8s.io", "--output=yaml")
    assert NEW_KEY not in stage.operator.log.read_text()
    stage.platform.stop()
    stage.platform.start()
    stage.kubectl.apply(secret("default-key", apiKey=API_KEY))
    stage.edit("rotating", name="Once more")
    stage.ready("rotating", timeout=5)
    stage.delete("rotating")


def test_hub_is_kept_while_used(stage: Scene) -> None:
    """A Hub that is deleted stays, and says why, until the last of its sources is gone; so long its place is fixed."""
    apply_hub(stage, "kept")
    stage.create("user", hubRef={"name": "kept"})
    _counts(stage, {"pinned": 1}, "kept")
    assert stage.kubectl.get("hub", "kept")["metadata"]["finalizers"] == [HUB_FINALIZER]
    with pytest.raises(AssertionError, match="immutable while ImageSources belong to this hub"):
        stage.kubectl.patch("hub", "kept", {"spec": {"platform": {"hubId": "0" * 24}}})
    stage.kubectl("delete", "hub", "kept", "--wait=false")
    waits = "deletion waits for 1 ImageSource of this hub"
    wait_for(lambda: waits in stage.reason("kept", "Reachable", resource="hub").message, what="the reason")
    stage.edit("user", name="Still managed")
    stage.ready("user")
    stage.delete("user")
    stage.kubectl("wait", "--for=delete", "hub/kept", "--timeout=5s")


def test_hub_changed(stage: Scene) -> None:
    """A source that resolves to another place is not touched; it can be set back, or left behind."""
    apply_hub(stage, "elsewhere", platform=stage.platform.hub(stage.platform.url)[1]["spec"]["platform"])
    source_id = stage.create("mover", name="Mover")["status"]["id"]
    stage.edit("mover", hubRef={"name": "elsewhere"}, name="Moved")
    with stage.spending("mover") as spent:
        assert "set spec.hubRef back" in stage.reason("mover", "HubChanged", "Stalled").message
    stage.edit("mover", hubRef=None)
    stage.ready("mover")
    stage.edit("mover", hubRef={"name": "elsewhere"})
    stage.reason("mover", "HubChanged")
    stage.kubectl("delete", "imagesource", "mover", "--wait=false")
    stage.edit("mover", deletionPolicy="Orphan")
    stage.kubectl("wait", "--for=delete", "imagesource/mover", "--timeout=5s")
    assert (spent.calls, stage.platform.get(source_id)["name"]) == ([], "Moved")
    wait_for(lambda: "Orphaned" in dict(stage.told("mover")), what="the Event")


# access


def test_access_is_guarded(stage: Scene) -> None:
    """An access list that locks the operator out, or grants too much, is refused before anything is sent."""
    maximum = {"roles": {"operator": OWNER, "developer": VIEWER}}
    apply_hub(stage, "guarded", operatorRole="operator", maximumAcl=maximum)
    lists: dict[str, tuple[Json | None, str]] = {
        "locked-out": ({"roles": {"developer": VIEWER}}, "takes manage from operator"),
        "too-much": ({"roles": {"operator": OWNER, "developer": OWNER}}, "grants more than maximumAcl"),
        "too-many": ({"roles": {"operator": OWNER, "guest": VIEWER}}, "grants more than maximumAcl"),
        "everybody": ({"unrestricted": True}, "grants more than maximumAcl"),
        "unsaid": (None, "spec.acl is absent"),
    }
    begun = len(stage.calls.calls)
    for name, (acl, said) in lists.items():
        stage.kubectl.apply(source(name, hubRef={"name": "guarded"}, **({"acl": acl} if acl else {})))
        assert said in stage.reason(name, "AccessRefused").message
        assert stage.reason(name, "AccessRefused", "AccessSynced" if acl else "Synced").status == "False"
    assert [call for call in stage.calls.calls[begun:] if call.is_write] == []
    for name in lists:
        stage.create(name, hubRef={"name": "guarded"}, acl=maximum)
    stage.edit("unsaid", acl=None)
    stage.ready("unsaid")
    stage.kubectl("delete", "imagesources", *lists, "--timeout=30s")


def test_access_lost(stage: Scene) -> None:
    """A source that no longer lets the operator in is said so, and heals when it does again."""
    source_id = stage.create("locked", name="Before")["status"]["id"]

    def locked(call: Call) -> Fault | None:
        return refusal(403, "403.permissions") if source_id in call.path else None

    stage.calls.rule = locked
    stage.edit("locked", name="After")
    assert "someone who may must change it" in stage.reason("locked", "AccessLost").message
    stage.calls.rule = None
    stage.ready("locked")
    stage.delete("locked")


def test_source_ids(stage: Scene) -> None:
    """Naming a source by id is refused, as it could borrow another's credentials, unless the Hub allows it."""
    other = stage.create("lender")["status"]["id"]
    origin = {"type": "docker-hub", "details": {"target": "nginx:1", "existing": {"sourceId": other}}}
    with stage.spending("borrower") as spent:
        stage.kubectl.apply(source("borrower", origin=origin))
        shown = stage.reason("borrower", "SourceIdNotAllowed", "Stalled").message
    assert (shown.partition(":")[0], spent.calls) == ("spec.origin.details.existing.sourceId", [])
    stage.kubectl.patch("hub", "default", {"spec": {"allowSourceIds": True}})
    stage.ready("borrower", timeout=5)
    stage.kubectl.patch("hub", "default", {"spec": {"allowSourceIds": None}})
    stage.kubectl("delete", "imagesource", "borrower", "lender", "--timeout=30s")


# the brake


def test_brake(stage: Scene) -> None:
    """Too many deletions stop all writes, also after a crash, until the token of the Hub's status lets them go on."""
    apply_hub(stage, "braked", brake={"minimum": 2, "percent": 1, "window": "10m"})
    names = [f"many-{number}" for number in range(5)]
    stage.kubectl.apply(*(source(name, hubRef={"name": "braked"}) for name in names))
    _all_are(stage, names, "condition=Ready")
    stage.kubectl("delete", "imagesources", *names, "--wait=false")
    shown = stage.reason("braked", "Braked", resource="hub")
    brake = hub(stage, "braked")["brake"]
    assert (shown.status, brake["engaged"]) == ("False", True)
    assert f"set spec.releaseBrake of the Hub to {brake['token']}" in brake["message"]
    wait_for(lambda: _left(stage, names) == 3, what="the first two to go")
    stage.operator.kill()
    stage.operator.start()
    stage.kubectl.apply(source("new-one", hubRef={"name": "braked"}))
    assert brake["token"] in stage.reason("new-one", "Braked").message
    stage.kubectl.patch("hub", "braked", {"spec": {"releaseBrake": "guessed"}})
    stage.reason("braked", "Braked", resource="hub")
    assert _left(stage, names) == 3
    stage.kubectl.patch("hub", "braked", {"spec": {"releaseBrake": brake["token"]}})
    stage.kubectl("wait", "--for=delete", *(f"imagesource/{name}" for name in names), "--timeout=20s")
    stage.ready("new-one")
    stage.reason("braked", "Reachable", resource="hub")
    assert "brake" not in hub(stage, "braked")


def test_brake_counts_rewrites(stage: Scene) -> None:
    """Edits of many sources stop too; one source may be edited as often as its owner likes."""
    apply_hub(stage, "careful", brake={"minimum": 2, "percent": 1, "window": "10m"})
    names = [f"edited-{number}" for number in range(4)]
    stage.kubectl.apply(*(source(name, hubRef={"name": "careful"}) for name in names))
    for round_ in range(3):
        stage.create("edited-0", hubRef={"name": "careful"}, about={"description": str(round_)})
    stage.kubectl.apply(*(source(name, hubRef={"name": "careful"}, name="Edited") for name in names))
    stage.reason("careful", "Braked", resource="hub")
    wait_for(lambda: len(stage.platform.sources(name="Edited")) == 2, what="the first two")
    braked = [name for name in names if stage.status(name)["conditions"][0]["reason"] == "Braked"]
    assert len(braked) == 2
    stage.kubectl.patch("hub", "careful", {"spec": {"releaseBrake": hub(stage, "careful")["brake"]["token"]}})
    _all_are(stage, names, "condition=Ready")


def _counts(stage: Scene, expected: Json, name: str = "default") -> None:
    def look() -> bool:
        found = hub(stage, name)["sources"]
        assert {key: found.get(key) for key in expected} == expected
        return True

    wait_for(look, what=f"the counts of Hub {name}")


def _all_are(stage: Scene, names: list[str], condition: str) -> None:
    stage.kubectl("wait", "imagesources", *names, f"--for={condition}", "--timeout=30s")


def _left(stage: Scene, names: list[str]) -> int:
    shown = stage.kubectl("get", "imagesources", "--output=name").split()
    return sum(f"imagesource.images.cycle.io/{name}" in shown for name in names)
