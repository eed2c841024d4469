"""Changes that other hands make on the platform."""

from tests.support.platform import SOURCES
from tests.support.scene import Scene
from tests.support.waiting import wait_for

ACL = {"roles": {"owner": {"view": True, "modify": True, "manage": True}}}
NOBODY = {"roles": {}}


def test_content_is_corrected(stage: Scene) -> None:
    """A change of a managed field is undone by one PATCH; one of another field is left alone."""
    source_id = stage.create("drift", name="Mine")["status"]["id"]
    with stage.spending("drift") as spent:
        stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs", "about": {"description": "Theirs."}})
        wait_for(lambda: stage.platform.get(source_id)["name"] == "Mine", what="the correction")
        set_back = "set back name, which others had changed on the platform"
        wait_for(lambda: ("DriftCorrected", set_back) in stage.told("drift"), what="the Event")
    assert [(call.method, call.body) for call in spent.calls if call.is_write] == [("PATCH", b'{"name": "Mine"}')]
    assert spent.methods.count("GET") <= 1
    assert spent.writes == []
    assert stage.platform.get(source_id)["about"]["description"] == "Theirs."


def test_access_is_corrected(stage: Scene) -> None:
    """A changed access list is put back through /access."""
    source_id = stage.create("drift-access", acl=ACL)["status"]["id"]
    stage.platform("PATCH", f"{SOURCES}/{source_id}/access", {"acl": NOBODY})
    wait_for(lambda: stage.platform.get(source_id)["acl"] == ACL, what="the correction")
    wait_for(lambda: "set back acl" in dict(stage.told("drift-access")).get("DriftCorrected", ""), what="the Event")


def test_unmanaged_access_is_left(stage: Scene) -> None:
    """Access that the spec does not name is not touched, whatever others make of it."""
    source_id = stage.create("free-access", name="Mine")["status"]["id"]
    stage.platform("PATCH", f"{SOURCES}/{source_id}/access", {"acl": ACL})
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs"})
    wait_for(lambda: stage.platform.get(source_id)["name"] == "Mine", what="the correction")
    assert stage.platform.get(source_id)["acl"] == ACL


def test_reported(stage: Scene) -> None:
    """Under Report a change stays and is shown field by field, and taken back it is forgotten."""
    source_id = stage.create("report", name="Mine", driftPolicy="Report", acl=ACL)["status"]["id"]
    with stage.spending("report") as spent:
        stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs"})
        stage.reason("report", "Drifted", "Synced")
    assert [call.method for call in spent.calls if call.is_write] == ["PATCH"] * 0
    status = stage.status("report")
    assert status["drift"]["fields"] == [{"path": "name", "desired": "Mine", "observed": "Theirs"}]
    ready = stage.condition("report")
    assert ready
    assert (ready.status, len(spent.writes)) == ("True", 1)
    assert "is there and differs in name, which driftPolicy Report leaves so" in ready.message
    wait_for(lambda: "differs in name" in dict(stage.told("report")).get("Drifted", ""), what="the Event")
    stage.platform("PATCH", f"{SOURCES}/{source_id}/access", {"acl": None})
    shown = stage.reason("report", "Drifted", "AccessSynced").message
    assert "acl" in shown
    observed = [field for field in stage.status("report")["drift"]["fields"] if field["path"] == "acl"]
    assert [field["observed"] for field in observed] == ["unrestricted"]
    assert "FromSecret" not in observed[0]["desired"]
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Mine"})
    stage.platform("PATCH", f"{SOURCES}/{source_id}/access", {"acl": ACL})
    stage.reason("report", "InSync", "Synced")
    wait_for(lambda: "drift" not in stage.status("report"), what="the drift to be forgotten")


def test_edit_under_report(stage: Scene) -> None:
    """Report leaves alone what others changed, never what a person asks for by an edit."""
    source_id = stage.create("edited", name="Mine", driftPolicy="Report")["status"]["id"]
    stage.platform("PATCH", f"{SOURCES}/{source_id}", {"name": "Theirs"})
    stage.reason("edited", "Drifted", "Synced")
    stage.edit("edited", name="Mine again")
    stage.reason("edited", "InSync", "Synced")
    assert stage.platform.get(source_id)["name"] == "Mine again"


def test_deleted_by_others(stage: Scene) -> None:
    """A source that others deleted is created again, with an Event."""
    source_id = stage.create("again")["status"]["id"]
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    wait_for(lambda: stage.status("again").get("id", source_id) != source_id, what="another source")
    stage.ready("again")
    assert stage.seen("again")["state"]["current"] == "live"
    wait_for(lambda: "SourceGone" in dict(stage.told("again")), what="the Event")
    assert source_id in dict(stage.told("again"))["SourceGone"]
    assert len(stage.platform.sources(name="again")) == 1


def test_deleted_by_others_under_report(stage: Scene) -> None:
    """Under Report a source that others deleted is not created again; the resource says so and can be deleted."""
    source_id = stage.create("gone", driftPolicy="Report")["status"]["id"]
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    wait_for(lambda: stage.condition("gone", "Stalled"), what="the resource to be stalled")
    assert "was deleted on the platform" in stage.reason("gone", "SourceGone").message
    assert stage.status("gone")["state"] == "deleted"
    assert stage.platform.sources(name="gone") == []
    stage.edit("gone", driftPolicy="Correct")
    stage.ready("gone")
    assert stage.seen("gone")["state"]["current"] == "live"
    stage.delete("gone")
